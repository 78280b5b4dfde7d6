"""The import target of activities: meanings of columns, and activities made of rows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils.translation import gettext_lazy

from activities.consent import following
from activities.consent.state import CONSENTS
from activities.models import ActivityType
from activities.recording import column_recorder, history, parsing, recorder, schema
from activities.recording import rows as recording_rows
from activities.recording.columns import ActivityColumns
from activities.recording.file_rows import (
    FIELD,
    IMPORTED,
    ActivityReader,
    fields_of_type,
    recordable_type,
    template_parts,
)
from activities.recording.quarantine import storing
from activities.recording.row_digests import moments_in_utc, numbered_key
from activities.recording.rows import NewActivity, PersonLookup
from activities.rights import CHANGE_REFUSEDACTIVITY, RECORD_ACTIVITY, VIEW_ACTIVITYTYPE
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.core.source import Channel, Source
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import ExactDecoder, canonical_text, moment_text
from people.datatypes.parsing import BadValueError, is_blank, parse_moment, trim_text
from people.files.imports import targets as import_targets
from people.files.imports.column_names import unknown_column_problem
from people.files.imports.plan import (
    BatchResults,
    ExternalId,
    ImportPlan,
    ImportStatus,
    Mappable,
    RowHit,
    RowResult,
    column_key,
)
from people.files.imports.targets import ImportTarget, Reader
from people.files.models import Import
from people.files.tabular import FileShape
from people.models import Person
from people.persons.import_target import person_hit
from people.rights import VIEW_PERSON

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
    recording_rows.RecordStatus.ADDED: ImportStatus.ADDED,
    recording_rows.RecordStatus.REPEATED: ImportStatus.REPEATED,
    recording_rows.RecordStatus.REFUSED: ImportStatus.REFUSED,
}


def is_marketo_extract(shape: FileShape) -> bool:
    """True for a bulk extract of Marketo's activities."""
    return set(MARKETO.values()) <= set(shape.header)


def marketo_plan(**more: Any) -> ImportPlan:
    """The plan of a bulk extract; the person field `lookup_field` holds Marketo's id."""
    columns = {name: column for name, column in MARKETO.items() if name != "person"}
    person = {"person": "{" + MARKETO["person"] + "}", "lookup_field": "id", "null_text": "null"}
    return ImportPlan(**{"columns": columns, "external_id": ExternalId.COLUMN, **person, **more})


class ActivitiesTarget(ImportTarget):
    kind = "activities"
    label = gettext_lazy("Activities")
    rights = (RECORD_ACTIVITY,)
    batch = recorder.MAX_BATCH
    has_external_ids = True
    keeps_refused = True

    def rights_of(self, plan: ImportPlan) -> tuple[str, ...]:
        return (parsing.CREATE,) if plan.create_people else ()

    def batch_of(self, plan: ImportPlan) -> int:
        activity_type = recordable_type(plan.subject) if plan.subject else None
        if activity_type is not None and activity_type.pk not in CONSENTS:
            return self.batch
        return min(self.batch, recorder.MAX_BATCH // following.LOG_ENTRIES)

    def subjects(self) -> list[tuple[str, Any]]:
        types = ActivityType.objects.recordable().for_imports().select_related("live").order_by("live__name")
        subjects = [
            (activity_type.api_name, _("Activities: %(type)s") % {"type": activity_type}) for activity_type in types
        ]
        return [*subjects, ("", _("Activities of several types (a bulk extract of Marketo)"))]

    def mappable(self, subject: str) -> list[Mappable]:
        live = fields_of_type(subject)
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

    def needs_lookup_choice(self, plan: ImportPlan) -> bool:
        if not plan.person:
            return super().needs_lookup_choice(plan)
        return plan.lookup_field == "id" or column_key(plan.person) in ("personid", "leadid", "id")

    def person_columns(self, shape: FileShape, emails: Sequence[str]) -> list[str] | None:
        """The columns called like an e-mail address, else those with such values, else those called like our ids."""
        names = ("email", "emailaddress", "mail", "correo", "correoelectronico")
        named = [column for column in shape.header if column_key(column) in names]
        return named or [*emails] or [column for column in shape.header if column_key(column) in ("personid", "leadid")]

    def labels(self, subject: str) -> dict[str, Any]:
        labels = {name.removeprefix(FIELD): label for name, label in super().labels(subject).items()}
        return labels | {"person": _("Person")}

    def problems(self, plan: ImportPlan, shape: FileShape) -> Iterable[Problem]:
        if plan.subject and recordable_type(plan.subject) is None:
            message = _("no approved activity type has the API name “%(name)s”") % {"name": plan.subject}
            yield Problem(Code.UNKNOWN_TYPE, message, ("subject",), "", plan.subject)
        lookup_fields = ["id", *people_lookup.lookup_fields()]
        if plan.lookup_field not in lookup_fields:
            message = _("People can't be found by “%(field)s”.") % {"field": plan.lookup_field}
            yield Problem(
                Code.UNKNOWN_LOOKUP_FIELD, message, ("lookup_field",), ", ".join(lookup_fields), plan.lookup_field
            )
        yield from _person_problems(plan, shape)
        if plan.external_id not in set(ExternalId):
            yield Problem(Code.WRONG_TYPE, _("there is no such kind of external id"), ("external_id",))
        if (plan.external_id == ExternalId.COLUMN) != bool(plan.columns.get("external_id")):
            message = _("choose a column for the external id only if the id comes from a column")
            yield Problem(Code.MISSING_VALUE, message, ("columns", "external_id"))

    def reader(self, plan: ImportPlan, shape: FileShape) -> Reader:
        return ActivityReader(plan, shape).read

    def record(self, rows: Sequence[Any], plan: ImportPlan, source: Source, *, dry_run: bool) -> BatchResults:
        """Record a batch; of standard types `IMPORTED`, and Marketo's history as back-fill and with a right."""
        if isinstance(rows, ActivityColumns):
            recorded = column_recorder.record_columns(
                rows, source, zone=plan.time_zone, may_record=IMPORTED, dry_run=dry_run
            )
            others = {place: _result(outcome) for place, outcome in recorded.others.items()}
            return BatchResults(recorded.ids, others, recorded.created)
        may_record = IMPORTED
        if history.is_history(plan):
            user = None if source.user_id is None else get_user_model().objects.get(pk=source.user_id)
            may_record |= history.history_types(plan, user)
        batch = recorder.ActivityBatch(rows, source, plan.time_zone, may_record)
        recorder.record_batch(batch, dry_run=dry_run, keep_refused=False)
        return BatchResults.of([_result(outcome) for outcome in batch.outcomes], batch.created)

    def identities(self, rows: Sequence[Any], plan: ImportPlan) -> dict[int, tuple[str, str]]:
        has_keys = not isinstance(rows, ActivityColumns) or rows.external_ids is not None
        return super().identities(rows, plan) if has_keys else {}

    def identity(self, row: Any, plan: ImportPlan) -> tuple[str, str] | None:
        if is_blank(row.external_id):
            return None
        person = row.person
        if isinstance(person, PersonLookup):
            person = (person.field, datatype_keys.key_of(person.value))
        key = repr((person, row.activity_type, trim_text(str(row.external_id))))
        moment = moments_in_utc([row.occurred_at], plan.time_zone)[0]
        compiled = _schema(row.activity_type)
        if compiled is None:
            return key, repr((moment, row.primary_value, tuple(row.attributes)))
        checked = compiled.check(row.primary_value, row.attributes, plan.time_zone)
        return key, repr((moment, checked.primary_value, checked.attributes))

    def repeated_row_result(self, is_same: bool, plan: ImportPlan) -> RowResult:
        if is_same:
            return RowResult(ImportStatus.REPEATED)
        message = _("an earlier row has the same external id, with other values")
        return RowResult(ImportStatus.REFUSED, (Problem(Code.EXTERNAL_ID_REUSED, message, ("external_id",)),))

    def hits(self, rows: Sequence[Any], plan: ImportPlan) -> dict[int, RowHit]:
        references = {place: rows[place].person for place in range(len(rows))}
        ids = {
            place: person for place, person in references.items() if type(person) is int and datatype_keys.is_id(person)
        }
        people_by_id = people_lookup.person_ids_by_id(ids.values()) if ids else {}
        ids = {place: people_by_id[pk] for place, pk in ids.items() if pk in people_by_id}
        lookups = {place: person for place, person in references.items() if isinstance(person, PersonLookup)}
        people_by_key = (
            people_lookup.person_ids_by_field(plan.lookup_field, [lookup.value for lookup in lookups.values()])
            if lookups
            else {}
        )
        for place, lookup in lookups.items():
            if people := people_by_key.get(datatype_keys.key_of(lookup.value)):
                ids[place] = people[0]
        persons = Person.objects.in_bulk(ids.values())
        return {place: person_hit(persons[pk]) for place, pk in ids.items()}

    def links(self, job: Import, user: Any) -> list[tuple[str, str]]:
        links = []
        activity_type = recordable_type((job.plan or {}).get("subject", ""))
        if activity_type is not None and job.added and user.has_perm(VIEW_ACTIVITYTYPE):
            address = reverse("admin:activities_activitytype_change", args=[activity_type.pk])
            links.append((str(_("See %(type)s") % {"type": activity_type}), address))
        if job.refused and user.has_perms((CHANGE_REFUSEDACTIVITY, VIEW_PERSON)):
            address = reverse("admin:activities_refusedactivity_changelist")
            query = f"channel__exact={Channel.IMPORT:d}&origin_id__exact={job.pk}"
            links.append((str(_("Correct the rejected rows")), f"{address}?{query}"))
        return links

    def keyed(self, rows: Sequence[Any], external_ids: Sequence[str | None]) -> Sequence[Any]:
        if isinstance(rows, ActivityColumns):
            rows.external_ids = external_ids
            if rows.former_ids is not None:
                rows.former_ids = [
                    former and key and numbered_key(former, key)
                    for former, key in zip(rows.former_ids, external_ids, strict=True)
                ]
            return rows
        for row, external_id in zip(rows, external_ids, strict=True):
            if external_id is not None and type(row) is NewActivity:
                row.external_id = external_id
                row.former_id = row.former_id and numbered_key(row.former_id, external_id)
        return rows

    def keep(self, rows: Sequence[Any], results: Sequence[RowResult], plan: ImportPlan, source: Source) -> int:
        types = dict(ActivityType.objects.values_list("api_name", "pk"))
        ids = set(types.values())
        types |= {row.activity_type: row.activity_type for row in rows if row.activity_type in ids}
        return len(storing.keep_refused_rows(rows, results, source, plan.time_zone, types))

    def settled(self, keys: Collection[str]) -> set[str]:
        return storing.replayed_keys(keys)

    def settle(self, recorded: Mapping[str, int | None]) -> None:
        storing.settle_rows(recorded)

    def stored(self, row: Any, plan: ImportPlan) -> Sequence[tuple[str, str]]:
        pairs: list[tuple[str, str]] = [(_("Person"), str(getattr(row.person, "value", row.person)))]
        try:
            moment = moment_text(parse_moment(row.occurred_at, plan.time_zone))
        except BadValueError:
            moment = str(row.occurred_at)
        pairs.append((_("Occurred at"), moment))
        activity_type = (
            ActivityType.objects.approved()
            .filter(
                **({"pk": row.activity_type} if isinstance(row.activity_type, int) else {"api_name": row.activity_type})
            )
            .first()
        )
        if activity_type is None or activity_type.live is None or activity_type.live_id is None:
            return [*pairs, (_("Activity type"), str(row.activity_type))]
        compiled = schema.schema_of_version(activity_type.live_id)
        checked = compiled.check(row.primary_value, row.attributes, plan.time_zone)
        names = {field.api_name: field.name for field in activity_type.live.fields.all()}
        values = ExactDecoder().decode(checked.attributes)
        primary = names.get(compiled.primary.api_name, "") if compiled.primary else ""
        pairs.append((primary or _("Primary field"), str(checked.primary_value or "")))
        return pairs + [(names[name], canonical_text(value)) for name, value in values.items()]


def _result(outcome: recording_rows.RecordOutcome) -> RowResult:
    is_added = outcome.status is recording_rows.RecordStatus.ADDED
    return RowResult(_STATUS[outcome.status], outcome.problems, outcome.activity_id if is_added else None)


def _person_problems(plan: ImportPlan, shape: FileShape) -> Iterable[Problem]:
    try:
        columns = [name for _text, name in template_parts(plan.person) if name]
    except RejectedError as refusal:
        yield from refusal.problems
        return
    if not columns:
        message = _("say which column names the person, like {email}, or write a text with columns in braces")
        yield Problem(Code.MISSING_VALUE, message, ("person",))
    for name in columns:
        if name not in shape.header:
            yield unknown_column_problem(("person",), name, shape.header)


def _schema(reference: Any) -> schema.Schema | None:
    activity_type = ActivityType.objects.filter(**{"pk" if type(reference) is int else "api_name": reference}).first()
    return schema.schema_of_version(activity_type.live_id) if activity_type and activity_type.live_id else None


import_targets.register_target(ActivitiesTarget())
