"""Import of object records: each row creates or changes a record of one type."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.core.source import Source
from people.datatypes.canonical import canonical_text
from people.datatypes.registry import BY_NAME
from people.files.imports import targets as import_targets
from people.files.imports.plan import BatchResults, ImportPlan, ImportStatus, Mappable, RowHit, RowResult
from people.files.imports.targets import ImportTarget, Reader, reader_of_columns
from people.files.imports.undoing import UndoneRecords
from people.files.models import Import
from people.files.tabular import FileShape
from people.models import ObjectRecord, ObjectType
from people.models.object_types import PERSON
from people.objects import import_undo, links, records
from people.objects.definition import EMAIL
from people.objects.matching import parse_record_id
from people.objects.outcomes import RECORD_ACTIONS, RECORD_KEYS, RecordAction, RecordKey, RecordOutcome, RecordStatus
from people.objects.queries import records_by_keys
from people.objects.schema import ObjectSchema, RecordField, live_schema

# data types of what can name a record besides its fields
_IDS: Mapping[str, str] = {RecordKey.ID: "integer", RecordKey.GUID: "string"}
# names of a link by e-mail address in files of other systems
_EMAILS = ("email", "e-mail", "mail", "email address", "correo", "correo electrónico")


class ObjectsTarget(ImportTarget):
    kind = "objects"
    label = gettext_lazy("Objects")
    rights = (records.VIEW, records.ADD, records.CHANGE)  # a preview shows the values of existing records
    batch = records.MAX_BATCH
    defaults = MappingProxyType({"lookup_field": str(RecordKey.DEDUPE)})
    statuses = (ImportStatus.ADDED, ImportStatus.UPDATED, ImportStatus.REPEATED, ImportStatus.REFUSED)
    repeated_label = gettext_lazy("unchanged")
    repeated_word = "unchanged"

    def subjects(self) -> list[tuple[str, Any]]:
        types = ObjectType.objects.recordable().select_related("live").order_by("live__plural_name")
        return [(row.api_name, _("Objects: %(type)s") % {"type": row.live_or_draft.plural_name}) for row in types]

    def mappable(self, subject: str) -> list[Mappable]:
        schema = _schema_named(subject)
        if schema is None:
            return []
        ids = {RecordKey.ID: _("Record id"), RecordKey.GUID: _("GUID of the record")}
        return [
            *(_mappable(field) for field in schema.fields.values()),
            *(Mappable(str(name), label, _IDS[name], is_guessed=False) for name, label in ids.items()),
        ]

    def optional(self, plan: ImportPlan) -> Collection[str]:
        if plan.lookup_field == RecordKey.DEDUPE:
            return ()
        schema = _schema_named(plan.subject)
        return [field.api_name for field in schema.dedupe] if schema else ()

    def needs_lookup_choice(self, plan: ImportPlan) -> bool:
        return False

    def problems(self, plan: ImportPlan, shape: FileShape) -> Iterable[Problem]:
        if _writable_type(plan.subject) is None:
            message = _("no approved object type has the API name “%(name)s”") % {"name": plan.subject}
            yield Problem(Code.UNKNOWN_TYPE, message, ("subject",), "", plan.subject)
        if plan.lookup_field not in RECORD_KEYS:
            message = _("Records can't be found by “%(field)s”.") % {"field": plan.lookup_field}
            yield Problem(
                Code.UNKNOWN_LOOKUP_FIELD, message, ("lookup_field",), ", ".join(RECORD_KEYS), plan.lookup_field
            )
        elif plan.lookup_field in _IDS and plan.lookup_field not in plan.columns:
            message = _("choose a column for the id by which records are looked up")
            yield Problem(Code.MISSING_VALUE, message, ("columns", plan.lookup_field))
        if plan.action not in RECORD_ACTIONS:
            message = _("there is no such action")
            yield Problem(Code.WRONG_TYPE, message, ("action",), ", ".join(RECORD_ACTIONS), plan.action)
        elif plan.lookup_field in _IDS and plan.action == RecordAction.CREATE:
            message = _("records that are looked up by id can only be updated")
            yield Problem(Code.WRONG_TYPE, message, ("action",), RecordAction.UPDATE, plan.action)

    def reader(self, plan: ImportPlan, shape: FileShape) -> Reader:
        fields = live_schema(_type_named(plan.subject)).fields
        places = []
        for name, column in plan.columns.items():
            if name not in _IDS or name == plan.lookup_field:
                # a field that was removed since: each row is refused for it when it is recorded
                data_type = fields[name].data_type if name in fields else BY_NAME[_IDS.get(name, "string")]
                places.append((name, shape.header.index(column), plan.convention.reader(data_type, name)))
        return reader_of_columns(places, plan.null_text)

    def record(self, rows: Sequence[Any], plan: ImportPlan, source: Source, *, dry_run: bool) -> BatchResults:
        outcomes = records.upsert_records(
            _type_named(plan.subject),
            rows,
            source,
            key=RecordKey(plan.lookup_field),
            action=RecordAction(plan.action),
            zone=plan.time_zone,
            dry_run=dry_run,
        )
        # the number that a result has belongs to activities
        return BatchResults.of([RowResult(_status(outcome), outcome.problems) for outcome in outcomes])

    def identities(self, rows: Sequence[Any], plan: ImportPlan) -> dict[int, tuple[str, str]]:
        if plan.lookup_field != RecordKey.DEDUPE:
            return {}
        return {
            place: (schema.dedupe_hash(values).hex(), repr(sorted(values.items(), key=lambda pair: pair[0])))
            for place, schema, values in _good_values(rows, plan)
        }

    def repeated_row_result(self, is_same: bool, plan: ImportPlan) -> RowResult:
        if plan.action == RecordAction.CREATE:
            message = _("a record with these dedupe values exists already")
            return RowResult(ImportStatus.REFUSED, (Problem(Code.RECORD_EXISTS, message),))
        return RowResult(ImportStatus.REPEATED if is_same else ImportStatus.UPDATED)

    def hits(self, rows: Sequence[Any], plan: ImportPlan) -> dict[int, RowHit]:
        """The existing records that the rows name, each with what its row would change."""
        good = list(_good_values(rows, plan))
        if not good or plan.action == RecordAction.CREATE:
            return {}
        schema = good[0][1]
        if plan.lookup_field == RecordKey.DEDUPE:
            found = records_by_keys(schema, [values for _place, _schema, values in good])
            existing = {good[index][0]: record for index, record in found.items()}
        else:
            existing = _records_by_id(schema, {place: rows[place][plan.lookup_field] for place, *_more in good}, plan)
        return {
            place: RowHit(
                _("Record:"),
                reverse("admin:people_objectrecord_change", args=[existing[place].pk]),
                existing[place].name,
                _changes(schema, existing[place], values, plan),
            )
            for place, _schema, values in good
            if place in existing
        }

    def links(self, job: Import, user: Any) -> list[tuple[str, str]]:
        object_type = ObjectType.objects.approved().filter(api_name=(job.plan or {}).get("subject", "")).first()
        if object_type is None or not user.has_perm(records.VIEW) or job.state in Import.life.running:
            return []
        if job.state in (Import.State.UPLOADED, Import.State.CHECKED):
            return []
        address = reverse("admin:people_objectrecord_of_type", args=[object_type.pk])
        pages = [
            (job.added, _("See the records created"), "added_by"),
            (job.updated, _("See the records changed"), "changed_by"),
        ]
        return [(str(label), f"{address}?{name}={job.pk}") for number, label, name in pages if number]

    def undo_rights(self, job: Import) -> tuple[str, ...]:
        return (records.DELETE,) if job.added else ()

    def preview_undo(self, job: Import) -> UndoneRecords:
        return import_undo.preview_undo(job)

    def undo(self, job: Import, source: Source, track: Callable[[UndoneRecords], None]) -> None:
        import_undo.undo_import(job, source, track)

    def stored(self, row: Any, plan: ImportPlan) -> Sequence[tuple[str, str]]:
        schema = live_schema(_type_named(plan.subject))
        named = {name: raw for name, raw in row.items() if name in schema.fields}
        values, _problems = schema.check(named, plan.time_zone)
        shown = {name: values.get(name, raw) for name, raw in named.items()}
        ids = [(_("Record id"), str(row[name] or "")) for name in _IDS if name in row]
        return [*ids, *((schema.label(name), _text_of(value)) for name, value in shown.items())]


def _mappable(field: RecordField) -> Mappable:
    """The target of a field; the label of a link names its target and key."""
    label, aliases = field.name, [field.api_name]
    if field.link_to == PERSON:
        label = _("%(field)s (link to a person by %(by)s)") % {"field": field.name, "by": field.link_by}
        aliases += [field.name, *(_EMAILS if field.link_by == EMAIL else ())]
    elif field.link_to:
        values = {"field": field.name, "type": field.link_to, "by": field.link_by}
        label = _("%(field)s (link to %(type)s by %(by)s)") % values
        aliases.append(field.name)
    return Mappable(
        field.api_name, label, field.data_type.name, field.is_dedupe, aliases=tuple(aliases), is_key=field.is_dedupe
    )


def _writable_type(api_name: str) -> ObjectType | None:
    return ObjectType.objects.recordable().filter(api_name=api_name).first()


def _type_named(api_name: str) -> ObjectType:
    """The type, a retired one included. Raises `RejectedError` (`unknown_type`)."""
    object_type = ObjectType.objects.existing().filter(api_name=api_name).first()
    if object_type is None:
        raise RejectedError(Problem(Code.UNKNOWN_TYPE, _("There is no such object type."), ("object_type",)))
    return object_type


def _schema_named(api_name: str) -> ObjectSchema | None:
    object_type = ObjectType.objects.approved().filter(api_name=api_name).first()
    return live_schema(object_type) if object_type else None


def _status(outcome: RecordOutcome) -> ImportStatus:
    if outcome.status is RecordStatus.REFUSED:
        return ImportStatus.REFUSED
    if outcome.status is RecordStatus.CREATED:
        return ImportStatus.ADDED
    return ImportStatus.UPDATED if outcome.is_changed else ImportStatus.REPEATED


def _good_values(
    rows: Sequence[Mapping[str, Any]], plan: ImportPlan
) -> Iterator[tuple[int, ObjectSchema, dict[str, Any]]]:
    """(place, schema, canonical values) of the rows without a problem of their own."""
    schema = live_schema(_type_named(plan.subject))
    for place, row in enumerate(rows):
        values, problems = schema.check({name: raw for name, raw in row.items() if name not in _IDS}, plan.time_zone)
        if not problems and (plan.lookup_field != RecordKey.DEDUPE or not schema.missing_dedupe(row)):
            yield place, schema, values


def _records_by_id(schema: ObjectSchema, raw_ids: Mapping[int, Any], plan: ImportPlan) -> dict[int, ObjectRecord]:
    name, parse = ("pk", parse_record_id) if plan.lookup_field == RecordKey.ID else ("guid", links.parse_guid)
    ids = {place: parse(raw) for place, raw in raw_ids.items()}
    rows = ObjectRecord.objects.existing().filter(object_type=schema.type_id, **{f"{name}__in": set(ids.values())})
    by_id = {getattr(record, name): record for record in rows}
    return {place: by_id[record_id] for place, record_id in ids.items() if record_id in by_id}


def _changes(
    schema: ObjectSchema, record: ObjectRecord, values: Mapping[str, Any], plan: ImportPlan
) -> list[tuple[str, str, str]]:
    """(label, old, new) of each value that a row changes; by dedupe fields, a record keeps the form that they have."""
    before = schema.canonical(record.fields)
    names = [
        name
        for name, value in values.items()
        if before.get(name) != value and not (schema.fields[name].is_dedupe and plan.lookup_field == RecordKey.DEDUPE)
    ]
    return [(schema.label(name), _text_of(before.get(name)), _text_of(values[name])) for name in names]


def _text_of(value: Any) -> str:
    return "" if value is None else canonical_text(value)


import_targets.register_target(ObjectsTarget())
