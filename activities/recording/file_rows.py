"""Activities made of the rows of a file: of its columns, and of texts with columns in braces."""

from collections.abc import Sequence
from itertools import repeat
from string import Formatter
from typing import Any

from activities.models import ActivityField, ActivityType
from activities.querysets import ATTEND_EVENT, CONSENT_TYPES
from activities.recording import history, schema
from activities.recording.columns import ActivityColumns
from activities.recording.row_digests import moments_in_utc, person_keys, row_digests, stored_values, without_blanks
from activities.recording.rows import NewActivity, PersonLookup
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.datatypes import exact_json, fast_columns
from people.datatypes.canonical import canonical_text
from people.datatypes.parsing import is_blank
from people.datatypes.registry import BY_NAME
from people.files.imports.plan import ExternalId, ImportPlan
from people.files.tabular import FileShape

IMPORTED = frozenset((*CONSENT_TYPES, ATTEND_EVENT))  # the ids of standard types that rows may have
FIELD = "field."  # before the API name of an activity field, among the names that columns are mapped to


def template_parts(template: str) -> list[tuple[str, str | None]]:
    """The (text, column) pairs of a template. Raises `RejectedError` for anything but plain {column} places."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        message = _("“%(template)s”: a brace is not closed, or not opened")
        raise RejectedError(Problem(Code.BAD_TEMPLATE, message % {"template": template}, ("person",))) from None
    if any(name is not None and (not name or spec or conversion) for _text, name, spec, conversion in parts):
        message = _("“%(template)s”: use only plain placeholders like {customer_id}") % {"template": template}
        raise RejectedError(Problem(Code.BAD_TEMPLATE, message, ("person",)))
    return [(text, name) for text, name, _spec, _conversion in parts]


class ActivityReader:
    """Makes activities of rows, a column at a time; settings of the whole file are prepared once."""

    def __init__(self, plan: ImportPlan, shape: FileShape) -> None:
        place = {name: shape.header.index(column) for name, column in plan.columns.items()}
        read = plan.convention.column_reader
        kinds = {field.api_name: BY_NAME[field.data_type] for field in fields_of_type(plan.subject)}
        primary = next((field.data_type for field in fields_of_type(plan.subject) if field.is_primary), "string")
        self.plan = plan
        self.type_at = place.get("activity_type")
        self.moment_at, self.moments = place["occurred_at"], read(BY_NAME["datetime"])
        self.primary_at, self.primaries = place["primary_value"], read(BY_NAME[primary])
        self.attributes_at = place.get("attributes")
        self.external_at = place.get("external_id") if plan.external_id == ExternalId.COLUMN else None
        self.fields = sorted(
            (name.removeprefix(FIELD), at, read(kinds[name.removeprefix(FIELD)], name.removeprefix(FIELD)))
            for name, at in place.items()
            if name.startswith(FIELD)
        )
        activity_type = recordable_type(plan.subject) if plan.subject and self.attributes_at is None else None
        self.schema = (
            schema.schema_of_version(activity_type.live_id) if activity_type and activity_type.live_id else None
        )
        self.kinds = [kinds[name] for name, _at, _read in self.fields]
        self.texts = [kind.is_text for kind in self.kinds]
        self.is_primary_text = BY_NAME[primary].is_text
        self.unmarked = read(BY_NAME["email"])
        self.parts = [
            (text, None if name is None else shape.header.index(name)) for text, name in template_parts(plan.person)
        ]

    def read(self, table: Sequence[Sequence[Any]]) -> tuple[Sequence[Any], list[str] | None]:
        if not table:
            return [], []
        columns: list[Sequence[Any]] = list(zip(*table, strict=True))
        if null := self.plan.null_text:
            columns = [[None if cell == null else cell for cell in column] for column in columns]
        values = [(name, read(columns[at])) for name, at, read in self.fields]
        people = self._people(columns)
        if self.schema:
            return self._columns(columns, people, values, self.schema)
        return self._rows(columns, people, values)

    def _rows(
        self, columns: Sequence[Sequence[Any]], people: Sequence[str], values: Any
    ) -> tuple[Sequence[Any], list[str] | None]:
        """Rows of several types, or with whole objects of attributes; recording checks them."""
        types = self._types(columns)
        moments, primaries = self.moments(columns[self.moment_at]), self.primaries(columns[self.primary_at])
        pairs = [zip(repeat(name), column, strict=False) for name, column in values]
        attributes: Sequence[Any] = list(zip(*pairs, strict=True)) or [()] * len(people)
        wholes: Sequence[Any] = ()
        if self.attributes_at is not None:
            wholes = [() if is_blank(cell) else _object(cell) for cell in columns[self.attributes_at]]
            attributes = [(*some, *(more or ())) for some, more in zip(attributes, wholes, strict=True)]
        external_ids = repeat(None) if self.external_at is None else columns[self.external_at]
        references = self._references(people)
        rows: list[NewActivity | Problem] = list(
            map(NewActivity, references, types, moments, primaries, attributes, external_ids)
        )
        for place, whole in enumerate(wholes):
            if whole is None:
                cell = columns[self.attributes_at][place]  # type: ignore[index]
                rows[place] = bad_value(Code.WRONG_TYPE, _("a JSON object"), cell, "attributes")
        if history.is_history(self.plan):
            for row in rows:
                if type(row) is NewActivity:
                    history.fit_row(row)
        if self.plan.external_id != ExternalId.HASH:
            return rows, None
        digests = self._digests(people, types, moments, primaries, values, wholes)
        former_digests = self._former(columns, types, moments, values, wholes)
        for row, digest, former in zip(rows, digests, former_digests, strict=True):
            if former != digest and type(row) is NewActivity:
                row.former_id = former
        return rows, digests

    def _types(self, columns: Sequence[Sequence[Any]]) -> Sequence[Any]:
        if self.type_at is None:
            return [self.plan.subject] * len(columns[0])
        return [_number_or_name(cell) for cell in columns[self.type_at]]

    def _digests(
        self,
        people: Sequence[str],
        types: Sequence[Any],
        moments: Any,
        primaries: Sequence[Any],
        values: Any,
        wholes: Sequence[Any],
    ) -> list[str]:
        """A digest of each row's values as they are stored."""
        zone = self.plan.time_zone
        texts = [
            fast_columns.json_texts(kind, cells, zone) for kind, (_name, cells) in zip(self.kinds, values, strict=True)
        ]
        return row_digests(
            person_keys(people),
            types,
            moments_in_utc(moments, zone),
            [without_blanks(cell) for cell in primaries],
            *[stored_values(column, cells) for column, (_name, cells) in zip(texts, values, strict=True)],
            [sorted((name, without_blanks(value)) for name, value in whole or ()) for whole in wholes],
        )

    def _columns(
        self, columns: Sequence[Sequence[Any]], people: Sequence[str], values: Any, shape: schema.Schema
    ) -> tuple[ActivityColumns, list[str] | None]:
        """Rows of one type, with all checks done that need no database."""
        moments, primaries = self.moments(columns[self.moment_at]), self.primaries(columns[self.primary_at])
        external_ids = None if self.external_at is None else columns[self.external_at]
        activities = ActivityColumns(
            self.plan.subject,
            _numbers_or_names(people) if self.plan.lookup_field == "id" else people,
            self.plan.lookup_field,
            self.plan.create_people,
            moments,
            primaries,
            values,
            external_ids,
        )
        checked = activities.check(shape, self.plan.time_zone)
        # now, in the thread that reads ahead, and not while the database waits for them
        if self.plan.lookup_field != "id":
            activities.lookup_keys()
        if external_ids is not None or self.plan.external_id == ExternalId.HASH:
            checked.make_digests()
        if self.plan.external_id != ExternalId.HASH:
            return activities, None
        types = [self.plan.subject] * len(people)
        digests = row_digests(
            person_keys(people),
            types,
            moments_in_utc(moments, self.plan.time_zone),
            stored_values(checked.primary_values, primaries),
            *[stored_values(texts, cells) for texts, (_name, cells) in zip(checked.fields, values, strict=True)],
        )
        former = self._former(columns, types, moments, values)
        if former != digests:
            activities.former_ids = [old if old != new else None for old, new in zip(former, digests, strict=True)]
        return activities, digests

    def _former(self, columns: Any, types: Any, moments: Any, values: Any, wholes: Sequence[Any] = ()) -> list[str]:
        """The digests of version 0.1, made of the cells of text as they stand in the file."""
        parts = [
            columns[at] if is_text else column
            for (_name, at, _read), is_text, (_same, column) in zip(self.fields, self.texts, values, strict=True)
        ]
        primaries = columns[self.primary_at] if self.is_primary_text else self.primaries(columns[self.primary_at])
        return row_digests(self._people(columns, lambda cells: cells), types, moments, primaries, *parts, wholes)

    def _people(self, columns: Sequence[Sequence[Any]], read: Any = None) -> Sequence[Any]:
        """The text of the template for each row."""
        # by hand, because str.format() would follow attributes of its arguments
        if len(self.parts) == 1 and not self.parts[0][0] and self.parts[0][1] is not None:
            read = read or self.unmarked
            return read([cell if type(cell) is str else _text(cell) for cell in columns[self.parts[0][1]]])
        length = len(columns[0])
        texts = [
            [text] * length if at is None else [text + _text(cell) for cell in columns[at]] for text, at in self.parts
        ]
        return list(map("".join, zip(*texts, strict=True)))

    def _references(self, people: Sequence[str]) -> list[Any]:
        if self.plan.lookup_field == "id":
            return [_number_or_name(text) for text in people]
        field, create = self.plan.lookup_field, self.plan.create_people
        lookups = {text: PersonLookup(text, field, create) if text.strip() else None for text in set(people)}
        return [lookups[text] for text in people]


def _text(cell: Any) -> str:
    return "" if cell is None else canonical_text(cell).strip() if not isinstance(cell, str) else cell


def _number_or_name(cell: Any) -> Any:
    """The cell as an id where it can be one, else as a name."""
    if type(cell) is not str:
        return cell
    text = cell.strip()
    return int(text) if text.isdigit() and text.isascii() and len(text) < 11 else text


def _numbers_or_names(cells: Sequence[Any]) -> Sequence[Any]:
    joined = "".join(cells)
    if joined.isascii() and joined.isdigit() and "" not in cells and max(map(len, cells)) < 11:
        return list(map(int, cells))
    return list(map(_number_or_name, cells))


def _object(cell: Any) -> list[tuple[str, Any]] | None:
    if isinstance(cell, dict):
        return list(cell.items())
    try:
        value = exact_json.load_exact_json(str(cell).encode("utf-8", "surrogatepass"))
    except exact_json.InvalidJSONError:
        return None
    return list(value.items()) if isinstance(value, dict) else None


def recordable_type(api_name: str) -> ActivityType | None:
    return ActivityType.objects.recordable().for_imports().filter(api_name=api_name).first()


def fields_of_type(subject: str) -> list[ActivityField]:
    activity_type = recordable_type(subject) if subject else None
    return list(activity_type.live.fields.all()) if activity_type and activity_type.live else []
