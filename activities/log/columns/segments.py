"""Segments: rows of one activity type in a Parquet file, sorted by person, and the bitmaps computed from them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pyroaring import BitMap

from activities.log.columns import bitmaps, fields, files
from activities.log.columns.fields import StoredColumn, StoredField
from activities.log.columns.files import IndexFile
from activities.log.columns.session import DuckSession, path_list, text_literal

RANGE_BITS = 18  # the last bits of person ids: the size of a range of people
SORTED = "order by person, occurred_at, id"
ENDING = "parquet"


def segment_from_csv(session: DuckSession, source: Path, columns: Sequence[StoredColumn]) -> IndexFile | None:
    """The segment of rows that PostgreSQL sent; None without rows."""
    column_types = ", ".join(f"'{column.name}': '{column.storage.held}'" for column in columns)
    rows = (
        f"read_csv({text_literal(str(source))}, columns = {{{column_types}}}, header = false, auto_detect = false,"
        " delim = ',', quote = '\"', escape = '\"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false,"
        " strict_mode = true)"
    )
    return _write(session, f"select * from {rows}")


def segment_without(session: DuckSession, segment: IndexFile, removed_people: BitMap) -> IndexFile | None:
    """The segment, or a new one without the rows of these people; None if no row is left."""
    path = files.intact_path(segment)
    ids = list(removed_people)
    if segment.part:
        start = int(segment.part) << RANGE_BITS
        ids = list(removed_people & BitMap(range(start, start + (1 << RANGE_BITS))))
    ((number,),) = session.rows(
        f"select count(*) from read_parquet({path_list([path])}) where person in (select unnest(?::INTEGER[]))", [ids]
    )
    if number == 0:
        return segment
    remaining_sql = f"select * from read_parquet({path_list([path])}) where person not in (select unnest(?::INTEGER[]))"
    return _write(session, remaining_sql, segment.part, [ids])


def merge_segments(session: DuckSession, segments: Sequence[IndexFile]) -> list[IndexFile]:
    """Merge the segments of recent rows with the other rows of their people: one segment per range of people."""
    of_range = {int(segment.part): segment for segment in segments if segment.part}
    late = [files.intact_path(segment) for segment in segments if not segment.part]
    ranges = session.rows(f"select distinct person >> {RANGE_BITS} from read_parquet({path_list(late)})")
    folded = dict(of_range)
    for (number,) in ranges:
        whole = [files.intact_path(of_range[number])] if number in of_range else []
        start = number << RANGE_BITS
        rows = f"select * from read_parquet({path_list([*whole, *late])}) where person between ? and ?"
        merged = _write(session, rows, str(number), [start, start + (1 << RANGE_BITS) - 1])
        if merged is not None:
            folded[number] = merged
    return [folded[number] for number in sorted(folded)]


def people_by_day(session: DuckSession, segments: Iterable[IndexFile]) -> dict[int, BitMap]:
    """The people with a row, by day (UTC, since 1970)."""
    people_of_day: dict[int, BitMap] = {}
    for segment in segments:
        day = bitmaps.day_sql("occurred_at")
        rows = session.rows(
            f"""select day, {bitmaps.PACKED_BLOCK}, {bitmaps.PACKED} from (
                select distinct {day} as day, person from read_parquet({path_list([files.intact_path(segment)])}))
            group by 1, 2"""
        )
        for number, block, packed in rows:
            people = bitmaps.bitmap_of_packed(packed, block)
            people_of_day[number] = people_of_day[number] | people if number in people_of_day else people
    return people_of_day


def unfit_fields(session: DuckSession, segment: IndexFile, of: Iterable[StoredField]) -> frozenset[int]:
    """The ids of the fields with a value marked as one that columns cannot hold."""
    marks = fields.unfit_sql(of)
    if not marks:
        return frozenset()
    expressions = ", ".join(f"coalesce(bool_or({condition}), false)" for condition in marks.values())
    (row,) = session.rows(f"select {expressions} from read_parquet({path_list([files.intact_path(segment)])})")
    return frozenset(pk for pk, is_unfit in zip(marks, row, strict=True) if is_unfit)


def greatest_person_id(session: DuckSession, segments: Sequence[IndexFile]) -> int:
    """The greatest id of a person in the segments."""
    if not segments:
        return 0
    (row,) = session.rows(
        f"select max(person) from read_parquet({path_list([files.intact_path(file) for file in segments])})"
    )
    return row[0] or 0


def _write(session: DuckSession, rows: str, part: str = "", parameters: Sequence[object] = ()) -> IndexFile | None:
    target = files.index_folder() / files.new_file_name("rows", ENDING)
    ((number,),) = session.rows(
        f"copy ({rows} {SORTED}) to {text_literal(str(target))} (format parquet, row_group_size 122880)", parameters
    )
    if number == 0:
        target.unlink()
        return None
    return files.store_file(target, number, part)
