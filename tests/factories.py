"""Small makers of the things that most tests need, through the product's own verbs."""

import itertools
from collections.abc import Sequence

from django.utils import timezone

from activities.models import ActivityType
from activities.recording import sql as recording_sql
from activities.recording.recorder import record
from activities.recording.rows import NewActivity, Outcome
from activities.types.definition import ACTIVITY_TYPES, FieldSpec, Names
from people.core.source import Channel, Source
from people.definitions import drafts, lifecycle
from people.models import Person
from people.persons import upsert

MARKETO = Source(Channel.MARKETO)
_numbers = itertools.count(1)

CHECK_FIELDS = (
    FieldSpec("check", "Check", is_primary=True),
    FieldSpec("amount", "Amount", "currency"),
    FieldSpec("branch", "Branch"),
    FieldSpec("deposited_on", "Deposited On", "date"),
    FieldSpec("is_foreign", "Is Foreign", "boolean"),
    FieldSpec("pages", "Pages", "integer"),
)


def names(name: str = "Deposit Check", api_name: str = "depositCheck") -> Names:
    verb, rest = name.split(" ", 1)
    return Names(api_name, name, f"{verb}ed {rest}", f"{verb}s {rest}", "A cheque reached an account")


def draft_type(
    name: str = "Deposit Check", api_name: str = "depositCheck", fields: Sequence[FieldSpec] = CHECK_FIELDS
) -> ActivityType:
    return lifecycle.create(ACTIVITY_TYPES, names(name, api_name), fields, None)


def approved_type(
    name: str = "Deposit Check", api_name: str = "depositCheck", fields: Sequence[FieldSpec] = CHECK_FIELDS
) -> ActivityType:
    activity_type = draft_type(name, api_name, fields)
    lifecycle.approve(activity_type, None)
    return ActivityType.objects.get(pk=activity_type.pk)


def person(**values: object) -> Person:
    values.setdefault("email", f"person{next(_numbers)}@example.com")
    (outcome,) = upsert.upsert([values], MARKETO)
    assert outcome.person_id, outcome.problems
    return Person.objects.get(pk=outcome.person_id)


def activity(
    person_id: object,
    activity_type: object = "depositCheck",
    occurred_at: object = "2026-11-20T10:00:00Z",
    primary_value: object = "No. 1",
    external_id: object = None,
    **attributes: object,
) -> NewActivity:
    return NewActivity(person_id, activity_type, occurred_at, primary_value, list(attributes.items()), external_id)


def recorded(*rows: NewActivity, source: Source = MARKETO) -> list[Outcome]:
    return record(rows, source)


def edit_description(activity_type: ActivityType, text: str) -> None:
    drafts.edit(activity_type, None, description=text)


def record_by_our_clock(monkeypatch) -> None:
    """Have activities recorded when this process thinks it is: for tests that travel, as the database does not."""
    taken = recording_sql.new_ids
    monkeypatch.setattr(recording_sql, "new_ids", lambda number: (taken(number)[0], timezone.now()))
