"""Activities of one type as columns, as a file or a uniform call provides them, checked by the live version.

Good rows take no step of their own here. A row that is bad, or rare, is only marked; it becomes a `NewActivity`
and is checked as such.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from hashlib import blake2b
from itertools import compress
from typing import Any, overload

from activities.recording.rows import NewActivity, PersonLookup
from activities.recording.schema import MAX_ATTRIBUTES_BYTES, MAX_PRIMARY, Schema
from activities.recording.sql import ReadyRow
from people.datatypes import fast_columns
from people.datatypes import keys as datatype_keys
from people.datatypes.parsing import is_blank
from people.datatypes.registry import BY_NAME


@dataclass(slots=True)
class CheckedColumns:
    """The columns as a version stores them; rows at the places `others` are not checked, whatever their values."""

    schema: Schema
    occurred_at: Sequence[str | None]
    moments: Sequence[datetime | None]
    primary_values: Sequence[str | None]
    attributes: Sequence[str]
    others: set[int]
    fields: Sequence[fast_columns.Texts] = ()  # JSON texts
    digests: Sequence[str] | None = None  # of the contents, in hexadecimal, where they were made beforehand

    def make_digests(self) -> None:
        """Make the digests of all rows, for a caller that has time before they are needed; none where a row is bad."""
        if not self.others:
            self.digests = content_digests(self.occurred_at, self.primary_values, self.attributes)


@dataclass(slots=True)
class ActivityColumns(Sequence[NewActivity]):
    """Activities of the type with this id or API name; rows are made only when they are read.

    `people`: ids, or values of `lookup_field`. `fields`: (API name, values) of secondary fields, in the order of
    their names. All columns are of one length. `row_of` makes a row of its entry in `source_rows`, where that keeps
    more than the columns: the order of its fields.
    `former_ids`: the external ids that an earlier version would have given the rows.
    """

    activity_type: int | str
    people: Sequence[Any]
    lookup_field: str
    create_people: bool
    occurred_at: Sequence[Any]
    primary_values: Sequence[Any]
    fields: Sequence[tuple[str, Sequence[Any]]]
    external_ids: Sequence[Any] | None = None
    checked: CheckedColumns | None = None
    source_rows: Sequence[Any] = ()
    row_of: Callable[[Any], NewActivity] | None = None
    former_ids: Sequence[str | None] | None = None
    keys_by_text: dict[str, str] | None = None

    def __len__(self) -> int:
        return len(self.people)

    @overload
    def __getitem__(self, place: int) -> NewActivity: ...
    @overload
    def __getitem__(self, place: slice) -> "ActivityColumns": ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            fields = [(name, cells[place]) for name, cells in self.fields]
            external_ids = None if self.external_ids is None else self.external_ids[place]
            return ActivityColumns(
                self.activity_type,
                self.people[place],
                self.lookup_field,
                self.create_people,
                self.occurred_at[place],
                self.primary_values[place],
                fields,
                external_ids,
                None,
                self.source_rows[place],
                self.row_of,
                None if self.former_ids is None else self.former_ids[place],
            )
        if self.row_of is not None:
            return self.row_of(self.source_rows[place])
        return NewActivity(
            self.reference(self.people[place]),
            self.activity_type,
            self.occurred_at[place],
            self.primary_values[place],
            tuple((name, cells[place]) for name, cells in self.fields),
            None if self.external_ids is None else self.external_ids[place],
        )

    def __iter__(self) -> Iterator[NewActivity]:
        return map(self.__getitem__, range(len(self)))

    def reference(self, person: Any) -> Any:
        """The reference of a row to this person."""
        if self.lookup_field == "id":
            return person
        return None if is_blank(person) else PersonLookup(person, self.lookup_field, self.create_people)

    def lookup_keys(self) -> dict[str, str]:
        """The key (`keys.key_of`) of each distinct text of `people` that is not blank; made once."""
        if self.keys_by_text is None:
            texts = set(self.people)
            if set(map(type, texts)) != {str} or any(map(str.isspace, texts)) or "" in texts:
                texts = {text for text in texts if not is_blank(text)}
            self.keys_by_text = datatype_keys.keys_of(texts)
        return self.keys_by_text

    def check(self, schema: Schema, zone: tzinfo) -> CheckedColumns:
        """Check every column except people and external ids; a check by the same schema is reused."""
        if self.checked is None or self.checked.schema is not schema:
            self.checked = _check(self, schema, zone)
        return self.checked


def content_digests(
    moments: Sequence[str | None], primaries: Sequence[str | None], attributes: Sequence[str]
) -> list[str]:
    """The digests of rows as they are stored, in hexadecimal; equal to `ReadyRow.digest`."""
    if max(map(len, moments), default=0) > 25:  # type: ignore[arg-type]  # a fraction of a second
        rows = zip(moments, primaries, attributes, strict=True)
        return [ReadyRow(0, 0, 0, at or "", primary, values, None).digest.hex() for at, primary, values in rows]
    return [
        blake2b(f"{at[:19]}Z\0{primary}\0{values}".encode(), digest_size=16).hexdigest()  # type: ignore[index]
        for at, primary, values in zip(moments, primaries, attributes, strict=True)
    ]


def _check(columns: ActivityColumns, schema: Schema, zone: tzinfo) -> CheckedColumns:
    others: set[int] = set()
    occurred_at, moments = fast_columns.parse_moments(columns.occurred_at, zone)
    _note(others, occurred_at, None)
    primaries = _primaries(columns, schema, zone, others)
    pieces = []
    for name, cells in columns.fields:
        if (data_type := schema.type_of(name)) is None:
            others.update(range(len(columns)))
            break
        texts = fast_columns.json_texts(data_type, cells, zone)
        _note(others, texts, None)
        pieces.append((name, texts))
    attributes = _objects(pieces, len(columns))
    if attributes and len(max(attributes, key=len)) * 4 > MAX_ATTRIBUTES_BYTES:
        others.update(place for place, text in enumerate(attributes) if len(text) * 4 > MAX_ATTRIBUTES_BYTES)
    field_texts = [texts for _name, texts in pieces]
    return CheckedColumns(schema, occurred_at, moments, primaries, attributes, others, field_texts)


def _primaries(columns: ActivityColumns, schema: Schema, zone: tzinfo, others: set[int]) -> Sequence[str | None]:
    if schema.primary is None:
        others.update(range(len(columns)))
        return columns.primary_values
    data_type = BY_NAME[schema.primary.data_type]
    texts = fast_columns.plain_texts(data_type, columns.primary_values, zone)
    _note(others, texts, None)
    _note(others, texts, "")
    if max(map(len, filter(None, texts)), default=0) > MAX_PRIMARY:
        others.update(place for place, text in enumerate(texts) if text and len(text) > MAX_PRIMARY)
    return texts


def _note(others: set[int], column: Sequence[Any], mark: Any) -> None:
    if mark in column:
        others.update(compress(range(len(column)), [value == mark for value in column]))


def _objects(pieces: Sequence[tuple[str, fast_columns.Texts]], length: int) -> list[str]:
    """The JSON text of every row's attributes; `pieces` are in the order of the names."""
    if not pieces:
        return ["{}"] * length
    is_whole = not any("" in texts or None in texts for _name, texts in pieces)
    if is_whole:
        template = "{" + ", ".join(f'"{name}": %s' for name, _texts in pieces) + "}"
        return list(map(template.__mod__, zip(*[texts for _name, texts in pieces], strict=True)))
    parts = [[text and f'"{name}": {text}' for text in texts] for name, texts in pieces]
    return ["{" + ", ".join(filter(None, row)) + "}" for row in zip(*parts, strict=True)]
