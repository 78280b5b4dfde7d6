"""Segments: rows of one activity type in a Parquet file, sorted by person, and the bitmaps that come out of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pyroaring import BitMap

from activities.log.columns import bitmaps, fields, files
from activities.log.columns.fields import Column, StoredField
from activities.log.columns.files import File
from activities.log.columns.session import Session, paths, text

RANGE_BITS = 18  # of a person's id: how many people's rows lie together
SORTED = "order by person, occurred_at, id"
ENDING = "parquet"


def of_csv(session: Session, source: Path, wanted: Sequence[Column]) -> File | None:
    """The segment of rows that PostgreSQL sent; None where there are none."""
    held = ", ".join(f"'{column.name}': '{column.storage.held}'" for column in wanted)
    rows = (
        f"read_csv({text(str(source))}, columns = {{{held}}}, header = false, auto_detect = false, delim = ',',"
        " quote = '\"', escape = '\"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false, strict_mode = true)"
    )
    return _write(session, f"select * from {rows}")


def without(session: Session, segment: File, gone: BitMap) -> File | None:
    """The segment as it is, or a new one that has nothing of these people; None where that leaves nothing."""
    path = files.intact(segment)
    ids = list(gone)
    if segment.part:
        start = int(segment.part) << RANGE_BITS
        ids = list(gone & BitMap(range(start, start + (1 << RANGE_BITS))))
    ((number,),) = session.rows(
        f"select count(*) from read_parquet({paths([path])}) where person in (select unnest(?::INTEGER[]))", [ids]
    )
    if number == 0:
        return segment
    kept = f"select * from read_parquet({paths([path])}) where person not in (select unnest(?::INTEGER[]))"
    return _write(session, kept, segment.part, [ids])


def fold(session: Session, segments: Sequence[File]) -> list[File]:
    """Put what came lately with the other rows of its people: one segment a range of people."""
    of_range = {int(segment.part): segment for segment in segments if segment.part}
    late = [files.intact(segment) for segment in segments if not segment.part]
    ranges = session.rows(f"select distinct person >> {RANGE_BITS} from read_parquet({paths(late)})")
    folded = dict(of_range)
    for (number,) in ranges:
        whole = [files.intact(of_range[number])] if number in of_range else []
        start = number << RANGE_BITS
        rows = f"select * from read_parquet({paths([*whole, *late])}) where person between ? and ?"
        made = _write(session, rows, str(number), [start, start + (1 << RANGE_BITS) - 1])
        if made is not None:
            folded[number] = made
    return [folded[number] for number in sorted(folded)]


def days(session: Session, segments: Iterable[File]) -> dict[int, BitMap]:
    """Who has a row on which day (UTC, since 1970)."""
    found: dict[int, BitMap] = {}
    for segment in segments:
        day = bitmaps.day_sql("occurred_at")
        rows = session.rows(
            f"""select day, {bitmaps.PACKED_BLOCK}, {bitmaps.PACKED} from (
                select distinct {day} as day, person from read_parquet({paths([files.intact(segment)])}))
            group by 1, 2"""
        )
        for number, block, packed in rows:
            people = bitmaps.of_packed(packed, block)
            found[number] = found[number] | people if number in found else people
    return found


def unfit(session: Session, segment: File, of: Iterable[StoredField]) -> frozenset[int]:
    """The ids of the fields with a value that was marked as one that columns cannot hold."""
    marks = fields.unfit_sql(of)
    if not marks:
        return frozenset()
    wanted = ", ".join(f"coalesce(bool_or({condition}), false)" for condition in marks.values())
    (found,) = session.rows(f"select {wanted} from read_parquet({paths([files.intact(segment)])})")
    return frozenset(pk for pk, is_unfit in zip(marks, found, strict=True) if is_unfit)


def top(session: Session, segments: Sequence[File]) -> int:
    """The greatest id of a person in the segments."""
    if not segments:
        return 0
    (row,) = session.rows(f"select max(person) from read_parquet({paths([files.intact(file) for file in segments])})")
    return row[0] or 0


def _write(session: Session, rows: str, part: str = "", parameters: Sequence[object] = ()) -> File | None:
    target = files.folder() / files.new_name("rows", ENDING)
    ((number,),) = session.rows(
        f"copy ({rows} {SORTED}) to {text(str(target))} (format parquet, row_group_size 122880)", parameters
    )
    if number == 0:
        target.unlink()
        return None
    return files.keep(target, number, part)
