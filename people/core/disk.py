"""Disk space: a reserve that our files leave free, so that a large upload never stops recording."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _

LOOK_EVERY = 16 * 1024**2  # bytes written between two checks of the free space
MEGABYTE = 1024**2


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of `folder`, which need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_room(folder: Path, coming: int = 0) -> None:
    """Raise `RejectedError` (`no_space`) unless the disk of `folder` keeps its reserve after `coming` more bytes."""
    free = free_bytes(folder)
    if free - coming < settings.DISK_RESERVE_BYTES:
        message = _(
            "The disk of %(folder)s has %(free)s MB free, and %(reserve)s MB are reserved for recording. "
            "Free up space there."
        ) % {"folder": str(folder), "free": free // MEGABYTE, "reserve": settings.DISK_RESERVE_BYTES // MEGABYTE}
        raise RejectedError(Problem(Code.NO_SPACE, message))


def bounded_chunks(chunks: Iterable[bytes], folder: Path) -> Iterator[bytes]:
    """Yield the chunks of a file being stored in `folder`, within the size limits of a file and of the folder.

    Raises `RejectedError` (`file_too_large`, `no_space`).
    """
    stored = sum(path.stat().st_size for path in folder.iterdir())
    size, checked_at = 0, 0
    require_room(folder)
    for chunk in chunks:
        size += len(chunk)
        if size > settings.UPLOAD_MAX_BYTES:
            message = _("The file has more than %(limit)s MB. Split it, or compress it with gzip.")
            raise RejectedError(
                Problem(Code.FILE_TOO_LARGE, message % {"limit": settings.UPLOAD_MAX_BYTES // MEGABYTE})
            )
        if stored + size > settings.UPLOADS_MAX_BYTES:
            message = _(
                "Uploaded files take up %(limit)s MB in %(folder)s, the most they may. Old ones are removed "
                "every night; an administrator can raise UPLOADS_MAX_MB."
            )
            values = {"limit": settings.UPLOADS_MAX_BYTES // MEGABYTE, "folder": str(folder)}
            raise RejectedError(Problem(Code.NO_SPACE, message % values))
        if size - checked_at >= LOOK_EVERY:
            checked_at = size
            require_room(folder)
        yield chunk


class WritableFile(Protocol):
    """The interface of a file for writing."""

    def write(self, data: bytes, /) -> int:
        """Write `data`; return the number of bytes written."""


class GuardedFile:
    """A file being written in `folder`. `write` raises `RejectedError` (`no_space`) at the reserve."""

    def __init__(self, file: WritableFile, folder: Path) -> None:
        self.file, self.folder = file, folder
        self.left = 0

    def write(self, data: bytes) -> int:
        self.left -= len(data)
        if self.left < 0:
            require_room(self.folder, len(data))
            self.left = LOOK_EVERY
        return self.file.write(data)


class BoundedUpload(FileUploadHandler):
    """First upload handler: stops reading a form's file at the upload limit, or when the disk reaches its reserve."""

    size = looked_at = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.size += len(raw_data)
        if self.size > settings.UPLOAD_MAX_BYTES:
            raise RequestDataTooBig(f"files may have at most {settings.UPLOAD_MAX_BYTES} bytes")
        if self.size - self.looked_at >= LOOK_EVERY:
            self.looked_at = self.size
            if free_bytes(Path(settings.FILE_UPLOAD_TEMP_DIR or tempfile.gettempdir())) < settings.DISK_RESERVE_BYTES:
                raise RequestDataTooBig("the disk of temporary files has no room for the file")
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
