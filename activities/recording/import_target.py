"""Activities from a file: what its columns can mean, and how a row becomes an activity."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import repeat
from string import Formatter
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy

from activities.models import ActivityField, ActivityType
from activities.recording import column_recorder, parsing, quarantine, recorder, schema
from activities.recording import rows as recording_rows
from activities.recording.columns import Columns
from activities.recording.rows import Lookup, NewActivity
from people import datatypes
from people import lookup as people_lookup
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.core.source import Channel, Source
from people.datatypes import exact_json, fast_columns
from people.datatypes import keys as datatype_keys
from people.files.imports import targets as import_targets
from people.files.imports.plan import ExternalId, Hit, Mappable, Plan, Result, Results, Status
from people.files.imports.targets import Reader, Target
from people.files.models import Import
from people.files.tabular import Shape
from people.models import Person

FIELD = "field."  # before the API name of an activity field, among the names that columns are mapped to
# the eight columns of Marketo's bulk extract
MARKETO = {
    "person": "leadId",
    "activity_type": "activityTypeId",
    "occurred_at": "activityDate",
    "primary_value": "primaryAttributeValue",
    "attributes": "attributes",
    "external_id": "marketoGUID",
}
_STATUS = {
    recording_rows.Status.ADDED: Status.ADDED,
    recording_rows.Status.REPEATED: Status.REPEATED,
    recording_rows.Status.REFUSED: Status.REFUSED,
}


def template_parts(template: str) -> list[tuple[str, str | None]]:
    """The (text, column) pairs of a template. Raises `RejectedError` for anything but plain {column} places."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        message = _("'%(template)s': a brace is opened and not closed, or closed and not opened")
        raise RejectedError(Problem("bad_template", message % {"template": template}, ("person",))) from None
    if any(name is not None and (not name or spec or conversion) for _text, name, spec, conversion in parts):
        message = _("'%(template)s': only plain places like {customer_id} are understood") % {"template": template}
        raise RejectedError(Problem("bad_template", message, ("person",)))
    return [(text, name) for text, name, _spec, _conversion in parts]


def is_marketo(shape: Shape) -> bool:
    """Whether a file is a bulk extract of Marketo's activities."""
    return set(MARKETO.values()) <= set(shape.header)


def marketo_plan(**more: Any) -> Plan:
    """How a bulk extract is understood: the person by the field `lookup_field` that holds Marketo's id."""
    columns = {name: column for name, column in MARKETO.items() if name != "person"}
    person = {"person": "{" + MARKETO["person"] + "}", "lookup_field": "id", "null_text": "null"}
    return Plan(**{"columns": columns, "external_id": ExternalId.COLUMN, **person, **more})


class ActivitiesTarget(Target):
    kind = "activities"
    label = gettext_lazy("Activities")
    rights = ("activities.record_activity",)
    batch = recorder.MAX_BATCH
    has_external_ids = True

    def rights_of(self, plan: Plan) -> tuple[str, ...]:
        return (parsing.CREATE,) if plan.create_people else ()

    def subjects(self) -> list[tuple[str, Any]]:
        types = ActivityType.objects.recordable().custom().select_related("live").order_by("live__name")
        found = [(one.api_name, _("Activities: %(type)s") % {"type": one}) for one in types]
        return [*found, ("", _("Activities of several types (a bulk extract of Marketo)"))]

    def mappable(self, subject: str) -> list[Mappable]:
        live = _fields(subject)
        primary = next((field for field in live if field.is_primary), None)
        return [
            Mappable("occurred_at", _("Occurred at"), "datetime", True, ("date", "activityDate", "timestamp", "fecha")),
            *([] if subject else [Mappable("activity_type", _("Activity type"), "string", True, ("activityTypeId",))]),
            Mappable(
                "primary_value",
                primary.name if primary else _("Primary field"),
                primary.data_type if primary else "string",
                True,
                (primary.api_name if primary else "", "primaryAttributeValue"),
            ),
            *(
                Mappable(FIELD + field.api_name, field.name, field.data_type, aliases=(field.api_name,))
                for field in live
                if not field.is_primary
            ),
            Mappable("attributes", _("All other fields, as a JSON object"), aliases=("attributes",)),
            Mappable("external_id", _("External id"), "string", aliases=("externalId", "marketoGUID")),
        ]

    def labels(self, subject: str) -> dict[str, Any]:
        known = {name.removeprefix(FIELD): label for name, label in super().labels(subject).items()}
        return known | {"person": _("Person")}

    def problems(self, plan: Plan, shape: Shape) -> Iterable[Problem]:
        if plan.subject and _type(plan.subject) is None:
            message = _("there is no approved activity type '%(name)s'") % {"name": plan.subject}
            yield Problem("unknown_type", message, ("subject",), "", plan.subject)
        known = ["id", *people_lookup.lookup_fields()]
        if plan.lookup_field not in known:
            message = _("People cannot be looked up by '%(field)s'.") % {"field": plan.lookup_field}
            yield Problem("unknown_lookup_field", message, ("lookup_field",), ", ".join(known), plan.lookup_field)
        yield from _person_problems(plan, shape)
        if plan.external_id not in set(ExternalId):
            yield Problem("wrong_type", _("there is no such kind of external id"), ("external_id",))
        if (plan.external_id == ExternalId.COLUMN) != bool(plan.columns.get("external_id")):
            message = _("a column for the external id is needed exactly when it is taken from a column")
            yield Problem("missing_value", message, ("columns", "external_id"))

    def reader(self, plan: Plan, shape: Shape) -> Reader:
        return _Reader(plan, shape).read

    def record(self, rows: Sequence[Any], plan: Plan, source: Source, *, dry_run: bool) -> Results:
        if isinstance(rows, Columns):
            recorded = column_recorder.record(rows, source, zone=plan.time_zone, dry_run=dry_run)
            others = {place: _result(outcome) for place, outcome in recorded.others.items()}
            return Results(recorded.ids, others, recorded.created)
        batch = recorder.Batch(rows, source, plan.time_zone)
        recorder.record_batch(batch, dry_run=dry_run, keep_refused=False)
        return Results.of([_result(outcome) for outcome in batch.outcomes], batch.created)

    def identities(self, rows: Sequence[Any], plan: Plan) -> dict[int, tuple[str, str]]:
        has_keys = not isinstance(rows, Columns) or rows.external_ids is not None
        return super().identities(rows, plan) if has_keys else {}

    def identity(self, row: Any, plan: Plan) -> tuple[str, str] | None:
        if datatypes.is_blank(row.external_id):
            return None
        person = row.person
        if isinstance(person, Lookup):
            person = (person.field, datatype_keys.key_of(person.value))
        key = repr((person, row.activity_type, datatypes.trimmed(str(row.external_id))))
        moment = _moments([row.occurred_at], plan.time_zone)[0]
        compiled = _schema(row.activity_type)
        if compiled is None:
            return key, repr((moment, row.primary_value, tuple(row.attributes)))
        checked = compiled.check(row.primary_value, row.attributes, plan.time_zone)
        return key, repr((moment, checked.primary_value, checked.attributes))

    def again(self, is_same: bool, plan: Plan) -> Result:
        if is_same:
            return Result(Status.REPEATED)
        message = _("the external id came before in the file, with other content")
        return Result(Status.REFUSED, (Problem("external_id_reused", message, ("external_id",)),))

    def hits(self, rows: Sequence[Any], plan: Plan) -> dict[int, Hit]:
        named = {place: rows[place].person for place in range(len(rows))}
        ids = {place: person for place, person in named.items() if type(person) is int and datatype_keys.is_id(person)}
        found = people_lookup.by_id(ids.values()) if ids else {}
        ids = {place: found[pk] for place, pk in ids.items() if pk in found}
        lookups = {place: person for place, person in named.items() if isinstance(person, Lookup)}
        known = (
            people_lookup.by_field(plan.lookup_field, [lookup.value for lookup in lookups.values()]) if lookups else {}
        )
        for place, lookup in lookups.items():
            if people := known.get(datatype_keys.key_of(lookup.value)):
                ids[place] = people[0]
        people = Person.objects.in_bulk(ids.values())
        return {place: Hit(pk, str(people[pk])) for place, pk in ids.items()}

    def links(self, job: Import, user: Any) -> list[tuple[str, str]]:
        found = []
        activity_type = _type((job.plan or {}).get("subject", ""))
        if activity_type is not None and job.added and user.has_perm("activities.view_activitytype"):
            address = reverse("admin:activities_activitytype_change", args=[activity_type.pk])
            found.append((_("See %(type)s") % {"type": activity_type}, address))
        if job.refused and user.has_perms(("activities.change_refusedactivity", "people.view_person")):
            address = reverse("admin:activities_refusedactivity_changelist")
            query = f"channel__exact={Channel.IMPORT:d}&origin_id__exact={job.pk}"
            found.append((_("Correct the refused rows"), f"{address}?{query}"))
        return found

    def keyed(self, rows: Sequence[Any], external_ids: Sequence[str | None]) -> Sequence[Any]:
        if isinstance(rows, Columns):
            rows.external_ids = external_ids
            if rows.former_ids is not None:
                rows.former_ids = [
                    former and key and _numbered(former, key)
                    for former, key in zip(rows.former_ids, external_ids, strict=True)
                ]
            return rows
        for row, external_id in zip(rows, external_ids, strict=True):
            if external_id is not None and type(row) is NewActivity:
                row.external_id = external_id
                row.former_id = row.former_id and _numbered(row.former_id, external_id)
        return rows

    def keep(self, rows: Sequence[Any], results: Sequence[Result], plan: Plan, source: Source) -> None:
        types = dict(ActivityType.objects.values_list("api_name", "pk"))
        ids = set(types.values())
        types |= {row.activity_type: row.activity_type for row in rows if row.activity_type in ids}
        quarantine.keep(rows, results, source, plan.time_zone, types)

    def settled(self, keys: Collection[str]) -> set[str]:
        return quarantine.replayed(keys)

    def settle(self, recorded: Mapping[str, int | None]) -> None:
        quarantine.settle(recorded)

    def stored(self, row: Any, plan: Plan) -> Sequence[tuple[str, str]]:
        shown = [(_("Person"), str(getattr(row.person, "value", row.person)))]
        try:
            moment = datatypes.moment_text(datatypes.parse_moment(row.occurred_at, plan.time_zone))
        except datatypes.BadValueError:
            moment = str(row.occurred_at)
        shown.append((_("Occurred at"), moment))
        found = (
            ActivityType.objects.approved()
            .filter(
                **({"pk": row.activity_type} if isinstance(row.activity_type, int) else {"api_name": row.activity_type})
            )
            .first()
        )
        if found is None or found.live_id is None:
            return [*shown, (_("Activity type"), str(row.activity_type))]
        compiled = schema.of_version(found.live_id)
        checked = compiled.check(row.primary_value, row.attributes, plan.time_zone)
        names = {field.api_name: field.name for field in found.live.fields.all()}
        values = datatypes.ExactDecoder().decode(checked.attributes)
        primary = names.get(compiled.primary.api_name, "") if compiled.primary else ""
        shown.append((primary or _("Primary field"), str(checked.primary_value or "")))
        return shown + [(names[name], datatypes.canonical_text(value)) for name, value in values.items()]


def _result(outcome: recording_rows.Outcome) -> Result:
    is_added = outcome.status is recording_rows.Status.ADDED
    return Result(_STATUS[outcome.status], outcome.problems, outcome.activity_id if is_added else None)


class _Reader:
    """Makes activities of rows, a column at a time; what can be settled once a file is settled here."""

    def __init__(self, plan: Plan, shape: Shape) -> None:
        place = {name: shape.header.index(column) for name, column in plan.columns.items()}
        read = plan.convention.column_reader
        kinds = {field.api_name: datatypes.BY_NAME[field.data_type] for field in _fields(plan.subject)}
        primary = next((field.data_type for field in _fields(plan.subject) if field.is_primary), "string")
        self.plan = plan
        self.type_at = place.get("activity_type")
        self.moment_at, self.moments = place["occurred_at"], read(datatypes.BY_NAME["datetime"])
        self.primary_at, self.primaries = place["primary_value"], read(datatypes.BY_NAME[primary])
        self.attributes_at = place.get("attributes")
        self.external_at = place.get("external_id") if plan.external_id == ExternalId.COLUMN else None
        self.fields = sorted(
            (name.removeprefix(FIELD), at, read(kinds[name.removeprefix(FIELD)], name.removeprefix(FIELD)))
            for name, at in place.items()
            if name.startswith(FIELD)
        )
        found = _type(plan.subject) if plan.subject and self.attributes_at is None else None
        self.schema = schema.of_version(found.live_id) if found and found.live_id else None
        self.kinds = [kinds[name] for name, _at, _read in self.fields]
        self.texts = [_is_text(kind) for kind in self.kinds]
        self.is_primary_text = _is_text(datatypes.BY_NAME[primary])
        self.unmarked = read(datatypes.BY_NAME["email"])
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
        if self.type_at is None:
            types: Sequence[Any] = [self.plan.subject] * len(table)
        else:
            types = [_number_or_name(cell) for cell in columns[self.type_at]]
        moments, primaries = self.moments(columns[self.moment_at]), self.primaries(columns[self.primary_at])
        pairs = [zip(repeat(name), column, strict=False) for name, column in values]
        attributes: Sequence[Any] = list(zip(*pairs, strict=True)) or [()] * len(table)
        wholes: Sequence[Any] = ()
        if self.attributes_at is not None:
            wholes = [() if datatypes.is_blank(cell) else _object(cell) for cell in columns[self.attributes_at]]
            attributes = [(*some, *(more or ())) for some, more in zip(attributes, wholes, strict=True)]
        external_ids = repeat(None) if self.external_at is None else columns[self.external_at]
        references = self._references(people)
        rows = list(map(NewActivity, references, types, moments, primaries, attributes, external_ids))
        for place, whole in enumerate(wholes):
            if whole is None:
                cell = columns[self.attributes_at][place]  # type: ignore[index]
                rows[place] = bad_value("wrong_type", _("a JSON object"), cell, "attributes")
        if self.plan.external_id != ExternalId.HASH:
            return rows, None
        zone = self.plan.time_zone
        texts = [
            fast_columns.json_texts(kind, cells, zone) for kind, (_name, cells) in zip(self.kinds, values, strict=True)
        ]
        digests = _digests(
            _keys(people),
            types,
            _moments(moments, zone),
            [_same(cell) for cell in primaries],
            *[_plain(column, cells) for column, (_name, cells) in zip(texts, values, strict=True)],
            [sorted((name, _same(value)) for name, value in whole or ()) for whole in wholes],
        )
        for row, digest, former in zip(
            rows, digests, self._former(columns, types, moments, values, wholes), strict=True
        ):
            if former != digest and type(row) is NewActivity:
                row.former_id = former
        return rows, digests

    def _columns(
        self, columns: Sequence[Sequence[Any]], people: Sequence[str], values: Any, shape: schema.Schema
    ) -> tuple[Columns, list[str] | None]:
        """Rows of one type, checked already as far as no database is needed."""
        moments, primaries = self.moments(columns[self.moment_at]), self.primaries(columns[self.primary_at])
        external_ids = None if self.external_at is None else columns[self.external_at]
        made = Columns(
            self.plan.subject,
            _numbers_or_names(people) if self.plan.lookup_field == "id" else people,
            self.plan.lookup_field,
            self.plan.create_people,
            moments,
            primaries,
            values,
            external_ids,
        )
        checked = made.check(shape, self.plan.time_zone)
        if self.plan.external_id != ExternalId.HASH:
            return made, None
        types = [self.plan.subject] * len(people)
        digests = _digests(
            _keys(people),
            types,
            _moments(moments, self.plan.time_zone),
            _plain(checked.primary_values, primaries),
            *[_plain(texts, cells) for texts, (_name, cells) in zip(checked.fields, values, strict=True)],
        )
        former = self._former(columns, types, moments, values)
        if former != digests:
            made.former_ids = [old if old != new else None for old, new in zip(former, digests, strict=True)]
        return made, digests

    def _former(self, columns: Any, types: Any, moments: Any, values: Any, wholes: Sequence[Any] = ()) -> list[str]:
        """The digests as version 0.1 made them: of the cells of text as they stand in the file."""
        parts = [
            columns[at] if is_text else column
            for (_name, at, _read), is_text, (_same, column) in zip(self.fields, self.texts, values, strict=True)
        ]
        primaries = columns[self.primary_at] if self.is_primary_text else self.primaries(columns[self.primary_at])
        return _digests(self._people(columns, lambda cells: cells), types, moments, primaries, *parts, wholes)

    def _people(self, columns: Sequence[Sequence[Any]], read: Any = None) -> Sequence[Any]:
        """What the template says of each row, as text."""
        # by hand, because str.format() would follow attributes of what it is given
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
        known = {text: Lookup(text, field, create) if text.strip() else None for text in set(people)}
        return [known[text] for text in people]


def _is_text(kind: datatypes.DataType) -> bool:
    return not (kind.is_moment or kind.is_number or kind.name == "boolean")


def _numbered(former: str, key: str) -> str:
    """The key of a row with a digest as version 0.1 made it, as often as `key` says that its content came."""
    return f"row:{former}:{key.rpartition(':')[2]}"


def _keys(people: Sequence[str]) -> Sequence[str]:
    known = datatype_keys.keys_of(set(people))
    return [known[person] for person in people]


def _same(cell: Any) -> Any:
    return datatypes.trimmed(cell) if type(cell) is str else cell


def _plain(texts: Sequence[str | None], cells: Sequence[Any]) -> list[Any]:
    """The values as they are stored, without the quotes of JSON; cells that are no values as they are."""
    return [
        cell if text is None else text[1:-1] if text[:1] == '"' and text[-1:] == '"' and len(text) > 1 else text
        for text, cell in zip(texts, cells, strict=True)
    ]


def _moments(cells: Sequence[Any], zone: Any) -> list[Any]:
    """The moments in UTC, in one notation; cells that are no moments as they are."""
    texts, _moments = fast_columns.moments_of(cells, zone)
    return [
        cell
        if text is None
        else f"{text[:19]}Z"
        if text[19] != "."
        else datatypes.moment_text(datetime.fromisoformat(text))
        for text, cell in zip(texts, cells, strict=True)
    ]


def _digests(*columns: Sequence[Any]) -> list[str]:
    """Of the rows that these columns make."""
    found = []
    for cells in zip(*[column for column in columns if column], strict=True):
        try:
            content = "\0".join(cells)
        except TypeError:
            content = repr(cells)
        found.append(blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest())
    return found


def _text(cell: Any) -> str:
    return "" if cell is None else datatypes.canonical_text(cell).strip() if not isinstance(cell, str) else cell


def _number_or_name(cell: Any) -> Any:
    """An id where the cell can be one."""
    if type(cell) is not str:
        return cell
    text = cell.strip()
    return int(text) if text.isdigit() and text.isascii() and len(text) < 11 else text


def _numbers_or_names(cells: Sequence[Any]) -> Sequence[Any]:
    whole = "".join(cells)
    if whole.isascii() and whole.isdigit() and "" not in cells and max(map(len, cells)) < 11:
        return list(map(int, cells))
    return list(map(_number_or_name, cells))


def _object(cell: Any) -> list[tuple[str, Any]] | None:
    if isinstance(cell, dict):
        return list(cell.items())
    try:
        found = exact_json.loads(str(cell).encode("utf-8", "surrogatepass"))
    except exact_json.InvalidJSONError:
        return None
    return list(found.items()) if isinstance(found, dict) else None


def _person_problems(plan: Plan, shape: Shape) -> Iterable[Problem]:
    try:
        named = [name for _text, name in template_parts(plan.person) if name]
    except RejectedError as refusal:
        yield from refusal.problems
        return
    if not named:
        message = _("say in which column the person is: {email}, or a text with columns in braces")
        yield Problem("missing_value", message, ("person",))
    for name in named:
        if name not in shape.header:
            message = _("there is no column '%(name)s'") % {"name": name}
            yield Problem("unknown_column", message, ("person",), ", ".join(shape.header), name)


def _type(api_name: str) -> ActivityType | None:
    return ActivityType.objects.recordable().custom().filter(api_name=api_name).first()


def _schema(reference: Any) -> schema.Schema | None:
    found = ActivityType.objects.filter(**{"pk" if type(reference) is int else "api_name": reference}).first()
    return schema.of_version(found.live_id) if found and found.live_id else None


def _fields(subject: str) -> list[ActivityField]:
    found = _type(subject) if subject else None
    return list(found.live.fields.all()) if found and found.live else []


import_targets.register(ActivitiesTarget())
