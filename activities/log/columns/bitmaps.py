"""Bitmaps of people: read from DuckDB as one value, and stored by month with a bitmap for each day."""

import struct
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pyroaring import BitMap

from activities.log.columns.session import BLOCK

DAY = 86_400_000_000  # microseconds
_BYTES = BLOCK // 8
_DENSE = 4_096  # a container with more people than this is kept as bits
# PostgreSQL and DuckDB count bits from the left, roaring bitmaps from the right
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_OPPOSITE = bytes(255 - byte for byte in _REVERSED)
_FIRST = date(1970, 1, 1).toordinal()
WHOLE = -(2**31)  # the key of the whole month among the keys of days
_NO_RUNS = 12_346  # the first bytes of a roaring bitmap without runs
MONTHS_KEPT = 8  # of a reader of days: around the start and around the end of a window
_NOBODY = BitMap()


def top_bit(top: int) -> int:
    """The last bit of a value with one bit for each person up to the id `top`: the end of a block."""
    return (top // BLOCK + 1) * BLOCK - 1


def bitmap_of_bits(bits: bytes | None) -> BitMap:
    """The people whose bit is set; the first bit stands for 0, and the number of bits is that of whole blocks.

    The bytes are used as the containers of a serialized bitmap without conversion. A block with few people is written
    as its complement, which has many, and inverted afterwards.
    """
    if not bits:
        return BitMap()
    keys: list[tuple[int, int]] = []
    contents: list[bytes] = []
    turned: list[int] = []
    for key in range(len(bits) // _BYTES):
        block = bits[key * _BYTES : (key + 1) * _BYTES]
        size = int.from_bytes(block, "little").bit_count()
        if size == 0:
            continue
        if size <= _DENSE:
            turned.append(key)
            size = BLOCK - size
        keys.append((key, size))
        contents.append(block.translate(_OPPOSITE if turned and turned[-1] == key else _REVERSED))
    if not keys:
        return BitMap()
    start = 8 + 8 * len(keys)
    head = struct.pack("<II", _NO_RUNS, len(keys))
    sizes = b"".join(struct.pack("<HH", key, size - 1) for key, size in keys)
    offsets = struct.pack(f"<{len(keys)}I", *range(start, start + len(keys) * _BYTES, _BYTES))
    bitmap = BitMap.deserialize(head + sizes + offsets + b"".join(contents))
    for key in turned:
        bitmap.flip_inplace(key * BLOCK, (key + 1) * BLOCK)
    return bitmap


# A day's people as text: each character is one id, past the planes that have no characters of their own.
PACKED = "string_agg(chr(65536 + (person & 1048575)), '')"
PACKED_BLOCK = "person >> 20"


def bitmap_of_packed(packed: str, block: int) -> BitMap:
    """The people of a value that `PACKED` made, of one `PACKED_BLOCK`."""
    return BitMap(array("I", packed.encode("utf-32-le"))).shift((block << 20) - 65_536)


def day_sql(moment: str) -> str:
    """SQL of DuckDB for the day (UTC, since 1970) of a moment in microseconds, also before 1970."""
    return f"({moment} - (({moment} % {DAY}) + {DAY}) % {DAY}) // {DAY}"


@lru_cache(maxsize=50_000)
def month_of(day: int) -> str:
    """The month (UTC) of a day since 1970: "2026-11"."""
    return f"{date.fromordinal(_FIRST + day):%Y-%m}"


def days_of(month: str) -> tuple[int, int]:
    """The first day of a month, since 1970, and the first day after it."""
    year, number = map(int, month.split("-"))
    following = date(year + number // 12, number % 12 + 1, 1)
    return date(year, number, 1).toordinal() - _FIRST, following.toordinal() - _FIRST


def dump_days(days: Mapping[int, BitMap]) -> bytes:
    """Serialize one month: the bitmap of the whole month, then one for each day."""
    parts = [(WHOLE, union_of(days.values())), *sorted(days.items())]
    contents = []
    for _day, people in parts:
        people.run_optimize()
        contents.append(people.serialize())
    start = 4 + 16 * len(parts)
    head = struct.pack("<I", len(parts))
    for (day, _people), content in zip(parts, contents, strict=True):
        head += struct.pack("<iIq", day, len(content), start)
        start += len(content)
    return head + b"".join(contents)


def load_days(path: Path, days: Iterable[int] | None = None) -> dict[int, BitMap]:
    """The bitmaps of a file by day; only those in `days`, if given."""
    with path.open("rb") as opened:
        places = _places(opened)
        chosen = None if days is None else set(days)
        bitmaps_by_day = {}
        for day, size, start in places:
            if chosen is None or day in chosen:
                opened.seek(start)
                bitmaps_by_day[day] = BitMap.deserialize(opened.read(size))
    return bitmaps_by_day


def _places(opened: BinaryIO) -> list[tuple[int, int, int]]:
    """(day, size, start) of each bitmap of a file."""
    (number,) = struct.unpack("<I", opened.read(4))
    return list(struct.iter_unpack("<iIq", opened.read(16 * number)))


class DayReader:
    """The people of each day of a type: files by month, read when one of their days is used, a few kept at a time."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.paths = paths
        self.kept: OrderedDict[str, dict[int, BitMap]] = OrderedDict()

    def days(self) -> list[int]:
        """The days (UTC, since 1970) with a row, ascending."""
        found: list[int] = []
        for path in self.paths.values():
            with path.open("rb") as opened:
                found += [day for day, _size, _start in _places(opened) if day != WHOLE]
        return sorted(found)

    def people(self, day: int) -> BitMap:
        """The people with a row on the day; not to be changed."""
        month = month_of(day)
        if month not in self.kept:
            self.kept[month] = load_days(self.paths[month]) if month in self.paths else {}
            if len(self.kept) > MONTHS_KEPT:
                self.kept.popitem(last=False)
        self.kept.move_to_end(month)
        return self.kept[month].get(day, _NOBODY)


def union_of(bitmaps: Iterable[BitMap]) -> BitMap:
    several = list(bitmaps)
    return BitMap.union(*several) if len(several) > 1 else BitMap(several[0]) if several else BitMap()
