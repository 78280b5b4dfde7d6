"""The folder of the column index: files are written once, verified before use, and removed late.

Only the owner can read it. A name is never used twice; a file outside the manifest does not count.
"""

import os
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import blake2b
from pathlib import Path
from time import monotonic, sleep, time

from django.conf import settings

BLOCK = 1024**2
ABANDONED = 3_600.0  # seconds since a temporary file was written
STAGING, TEMPORARY, LOCK = "staging", "temporary", "lock"
PROBLEM = "problem.txt"  # the reason why the last build failed; there is no such file after one that succeeded


class DamagedFileError(Exception):
    """A file is missing, or differs from its entry in the manifest."""


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file as the manifest has it; `part` is the range of people or the month that it holds."""

    name: str
    size: int
    digest: str
    rows: int = 0
    part: str = ""


def index_folder() -> Path:
    return Path(settings.DATA_DIR) / "columns"


def prepare_index_folder() -> Path:
    """Create the folder, or clear it of the files of an interrupted build; return its path."""
    place = index_folder()
    for part in (place, place / STAGING, place / TEMPORARY):
        part.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in (*(place / STAGING).iterdir(), *place.glob("*.part")):
        left.unlink()
    for left in (place / TEMPORARY).rglob("*"):  # of running queries, or of a process that was killed
        if left.is_file() and time() - left.stat().st_mtime > ABANDONED:
            left.unlink(missing_ok=True)
    return place


def new_file_name(kind: str, ending: str) -> str:
    return f"{kind}-{secrets.token_hex(8)}.{ending}"


def store_file(path: Path, rows: int = 0, part: str = "") -> IndexFile:
    """Make a written file durable and readable by the owner only; return its entry for the manifest."""
    path.chmod(0o600)
    with path.open("rb") as opened:
        os.fsync(opened.fileno())
    return IndexFile(path.name, path.stat().st_size, digest_of(path), rows, part)


def write_file(name: str, content: bytes, rows: int = 0, part: str = "") -> IndexFile:
    """Write a small file at once."""
    path = index_folder() / name
    path.touch(mode=0o600)
    path.write_bytes(content)
    return store_file(path, rows, part)


def store_problem(problem: str) -> None:
    """Store the reason why the last build failed; "" after one that succeeded. On a full disk the text may be lost."""
    path = index_folder() / PROBLEM
    with suppress(OSError):
        if problem:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(problem, encoding="utf-8")
        else:
            path.unlink(missing_ok=True)


def stored_problem() -> str:
    """The reason why the last build failed; "" if it succeeded, or there was none."""
    try:
        return (index_folder() / PROBLEM).read_text(encoding="utf-8") or "unknown"
    except OSError:
        return ""


def sync_folder(place: Path) -> None:
    """Write the directory entries of `place` to disk."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(path: Path) -> str:
    total = blake2b(digest_size=20)
    with path.open("rb") as opened:
        while block := opened.read(BLOCK):
            total.update(block)
    return total.hexdigest()


_intact: dict[
    tuple[str, str], tuple[int, int, int]
] = {}  # the files that this process has verified, by path and digest
_reading = threading.Lock()
MOST_REMEMBERED = 50_000


def intact_path(file: IndexFile) -> Path:
    """The path of a verified file: read completely at the first use in this process, and after each touch.

    Raises `DamagedFileError`.
    """
    path = index_folder() / file.name
    try:
        status = path.stat()
        mark = (status.st_mtime_ns, status.st_size, status.st_ino)
        with _reading:
            if _intact.get((str(path), file.digest)) == mark:
                return path
        if status.st_size != file.size or digest_of(path) != file.digest:
            raise DamagedFileError(f"{file.name} is not what was written")
    except OSError as error:
        raise DamagedFileError(f"{file.name} cannot be read: {error.strerror}") from None
    with _reading:
        if len(_intact) > MOST_REMEMBERED:
            _intact.clear()
        _intact[str(path), file.digest] = mark
    return path


def require_new_check(index_files: Iterable[IndexFile]) -> None:
    """Touch the files, so that every process, the builder included, verifies them again."""
    for file in index_files:
        with suppress(OSError):
            os.utime(index_folder() / file.name)


@contextmanager
def index_lock(seconds: float = 0) -> Iterator[bool]:
    """Yield True if this process alone may build or drop the index of this node meanwhile; waits for `seconds`."""
    make = index_folder()
    make.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (make / LOCK).open("w") as opened:
        until = monotonic() + seconds
        while not (is_mine := _locked(opened.fileno())) and monotonic() < until:
            sleep(0.1)
        yield is_mine


def _locked(descriptor: int) -> bool:
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True
