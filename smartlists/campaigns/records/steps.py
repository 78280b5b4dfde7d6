"""The actions of steps that change and create object records."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.db.sequences import last_value
from people.core.source import Channel
from people.fields import catalog
from people.models import ObjectRecord, ObjectType, Person
from people.objects import records
from people.objects.outcomes import RecordAction, RecordKey, RecordOutcome, RecordStatus
from people.objects.schema import ObjectSchema, live_schema
from smartlists.campaigns import token_values
from smartlists.campaigns.definitions.record_parts import ChangeRecord, CreateRecord
from smartlists.campaigns.entries.step_results import ActionContext, Dones, EntryRow, StepResult
from smartlists.models import ObjectWatch, StepOutcome

Outcome = StepOutcome.Outcome


def change_records(step: ChangeRecord, entries: Sequence[EntryRow], situation: ActionContext) -> Dones:
    """Change the records that triggered the entries; skipped where none of this type did, or it was deleted."""
    object_type = ObjectType.objects.existing().get(api_name=step.type)
    texts = token_values.render_for_entries(step.to, entries, situation)
    existing = set(
        ObjectRecord.objects.existing()
        .filter(pk__in=[entry.record_id for entry in entries if entry.record_id], object_type=object_type)
        .values_list("pk", flat=True)
    )
    changing = [entry for entry in entries if entry.record_id in existing]
    rows = [{"id": entry.record_id, step.field: texts[entry.id] or None} for entry in changing]
    outcomes = _written(object_type, rows, changing, situation, key=RecordKey.ID, action=RecordAction.UPDATE)
    results = {entry.id: _result(outcome, texts[entry.id]) for entry, outcome in zip(changing, outcomes, strict=True)}
    return {entry.id: results.get(entry.id, StepResult(Outcome.NOTHING)) for entry in entries}


def create_records(step: CreateRecord, entries: Sequence[EntryRow], situation: ActionContext) -> Dones:
    """Create a record for each entry that belongs to its person; where one exists already, nothing is to do."""
    object_type = ObjectType.objects.existing().get(api_name=step.type)
    schema = live_schema(object_type)
    texts = {name: token_values.render_for_entries(text, entries, situation) for name, text in step.values}
    owners = _owners(schema, [entry.person_id for entry in entries])
    link = schema.person_link
    creating = [entry for entry in entries if link is None or owners.get(entry.person_id) not in (None, "")]
    rows = [
        {
            **{name: values[entry.id] or None for name, values in texts.items()},
            **({link.api_name: owners[entry.person_id]} if link else {}),
        }
        for entry in creating
    ]
    outcomes = _written(object_type, rows, creating, situation, action=RecordAction.CREATE)
    results = {
        entry.id: _result(outcome, str(outcome.record_id or ""))
        for entry, outcome in zip(creating, outcomes, strict=True)
    }
    # without that value it would be a record without a person
    problem = _("the person has no value for “%(link)s”") % {"link": link.link_by} if link else ""
    return {entry.id: results.get(entry.id) or StepResult(Outcome.FAILED, problem) for entry in entries}


def _owners(schema: ObjectSchema, person_ids: Sequence[int]) -> dict[int, Any]:
    """The value by which a record's link names each of the people."""
    link = schema.person_link
    if link is None:
        return {}
    if link.link_by == "id":
        return {pk: pk for pk in person_ids}
    info = catalog.field_catalogue()[link.link_by]
    people = Person.objects.filter(pk__in=person_ids)
    return {person.pk: catalog.person_value(person, info) for person in people}


def _written(
    object_type: ObjectType,
    rows: Sequence[Mapping[str, Any]],
    entries: Sequence[EntryRow],
    situation: ActionContext,
    **how: Any,
) -> list[RecordOutcome]:
    """Write the rows, one for each entry, and note how deep in a chain of campaigns that happened."""
    if not rows:
        return []
    last_id = last_value("object_change_id_seq")
    outcomes = records.upsert_records(object_type, rows, situation.source, **how)
    if ObjectWatch.objects.exists():
        depths = {
            outcome.record_id: min(entry.depth, settings.CAMPAIGN_MAX_DEPTH) + 1
            for entry, outcome in zip(entries, outcomes, strict=True)
            if outcome.record_id
        }
        with connection.cursor() as cursor:
            cursor.execute(
                """insert into campaign_record_effect (change_id, depth)
                select c.id, w.depth from object_change c
                join unnest(%s::bigint[], %s::smallint[]) as w (record, depth) on w.record = c.record_id
                where c.id > %s and c.channel = %s and c.origin_id = %s on conflict do nothing""",
                [list(depths), list(depths.values()), last_id, int(Channel.CAMPAIGN), situation.campaign.pk],
            )
    return outcomes


def _result(outcome: RecordOutcome, detail: str) -> StepResult:
    if outcome.status is not RecordStatus.REFUSED:
        return StepResult(Outcome.DONE, detail)
    codes = {problem.code for problem in outcome.problems}
    text = "; ".join(str(problem.message) for problem in outcome.problems)
    return StepResult(Outcome.NOTHING if codes == {Code.RECORD_EXISTS} else Outcome.FAILED, text)
