"""Folders of the files and the sockets of the embedded PostgreSQL, and the OS user that it runs as."""

import os
import pwd
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from config.postgres.binaries import (
    SHARED_HOME,
    DatabaseUnavailableError,
    print_notice,
    reachable_binaries,
    user_can_reach,
)

UNPRIVILEGED_USERS = ("postgres", "nobody")  # the first existing one runs the server if this process is root's
MAX_SOCKET_FOLDER = 80  # a socket path has at most 107 bytes, including PostgreSQL's own part


@dataclass(frozen=True, slots=True)
class Location:
    """Folders and user of one installation's server; decided once and stored in DATA_DIR/postgres.json."""

    data: str
    sockets: str
    binaries: str
    user: str  # the OS user that runs it; empty: the user of this process

    @property
    def os_user(self) -> dict[str, object]:
        """Arguments of subprocess for running a child as the server's user."""
        if not self.user:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def choose_location(data_dir: Path) -> Location:
    """Choose DATA_DIR for all files; for root, /var/lib if the unprivileged user cannot reach DATA_DIR."""
    home = data_dir / "postgres"
    user = _unprivileged_user() if os.geteuid() == 0 else ""
    if user:
        data_dir.chmod(data_dir.stat().st_mode | 0o011)  # the user may pass through, not read
        if not user_can_reach(user, data_dir):
            home = SHARED_HOME / sha256(str(data_dir).encode()).hexdigest()[:12]
            print_notice(f"user {user} cannot reach {data_dir}: the database lives in {home}")
            home.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    sockets = home / "socket"
    if len(os.fsencode(sockets)) > MAX_SOCKET_FOLDER:
        digest = sha256(os.fsencode(home)).hexdigest()[:12]
        sockets = Path(tempfile.gettempdir()) / f"custom-activities-{os.geteuid()}-{digest}"
    return Location(str(home / "data"), str(sockets), str(reachable_binaries(user)), user)


def _unprivileged_user() -> str:
    for name in UNPRIVILEGED_USERS:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise DatabaseUnavailableError("no unprivileged OS user to run PostgreSQL as; set DATABASE_URL")


def make_folder(folder: Path, location: Location) -> None:
    """Create a folder that only the server's user may enter; refuse one that another OS user created."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.is_symlink() or folder.stat().st_uid not in {os.geteuid(), _uid(location)}:
        raise DatabaseUnavailableError(f"{folder} belongs to somebody else")
    if location.user:
        os.chown(folder, _uid(location), pwd.getpwnam(location.user).pw_gid)
    folder.chmod(0o700)


def _uid(location: Location) -> int:
    return pwd.getpwnam(location.user).pw_uid if location.user else os.geteuid()
