"""Unzipping of gzip files while they are read, within the limit of the settings."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.conf import settings

from people.core.messages import sentence as _
from people.files.xlsx import BadFileError


@contextmanager
def open_unzipped(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """`file` from its beginning, unzipped if it is gzip, up to the limit of the settings.

    Raises BadFileError for broken gzip, and for a file that is larger than the limit once it is unzipped.
    """
    opened = io.BufferedReader(_Borrowed(file), 1 << 16)
    if opened.peek(2)[:2] != b"\x1f\x8b":
        yield opened
        return
    try:
        with gzip.open(opened) as plain:
            yield io.BufferedReader(_Bounded(plain), 1 << 16)  # type: ignore[arg-type]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadFileError(_("the gzip file is broken or cut off")) from error


class _Borrowed(io.RawIOBase):
    """A file that stays open when its readers are closed."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.file.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def readinto(self, buffer: Any) -> int:
        data = self.file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Bounded(_Borrowed):
    """A file that is not read beyond IMPORT_MAX_UNZIPPED_BYTES: a gzip file of 1 MB may hold 1 GB."""

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        limit = settings.IMPORT_MAX_UNZIPPED_BYTES
        if count and self.file.tell() > limit:
            message = _("the file has more than %(limit)s MB once it is unzipped; split it, or raise %(setting)s")
            raise BadFileError(message % {"limit": limit // 1024**2, "setting": "IMPORT_MAX_UNZIPPED_BYTES"})
        return count
