"""Small makers of the things that most tests need, through the product's own verbs."""

import itertools
from collections.abc import Sequence

from django.contrib.auth.models import Permission
from django.utils import timezone

from activities.models import ActivityType
from activities.recording import sql as recording_sql
from activities.recording.recorder import record_activities
from activities.recording.rows import NewActivity, RecordOutcome
from activities.types.definition import ACTIVITY_TYPES, ActivityFieldSpec, TypeNames
from config.access.models import User
from people.core.source import Channel, Source
from people.definitions import drafts, lifecycle
from people.models import Person
from people.persons import upsert
from tests import copied_types

MARKETO = Source(Channel.MARKETO)
_numbers = itertools.count(1)

CHECK_FIELDS = (
    ActivityFieldSpec("check", "Check", is_primary=True),
    ActivityFieldSpec("amount", "Amount", "currency"),
    ActivityFieldSpec("branch", "Branch"),
    ActivityFieldSpec("deposited_on", "Deposited On", "date"),
    ActivityFieldSpec("is_foreign", "Is Foreign", "boolean"),
    ActivityFieldSpec("pages", "Pages", "integer"),
)


def type_names(name: str = "Deposit Check", api_name: str = "depositCheck") -> TypeNames:
    verb, rest = name.split(" ", 1)
    return TypeNames(api_name, name, f"{verb}ed {rest}", f"{verb}s {rest}", "A cheque reached an account")


def draft_type(
    name: str = "Deposit Check", api_name: str = "depositCheck", fields: Sequence[ActivityFieldSpec] = CHECK_FIELDS
) -> ActivityType:
    return lifecycle.create_definition(ACTIVITY_TYPES, type_names(name, api_name), fields, None)


def approved_type(
    name: str = "Deposit Check", api_name: str = "depositCheck", fields: Sequence[ActivityFieldSpec] = CHECK_FIELDS
) -> ActivityType:
    def make() -> ActivityType:
        activity_type = draft_type(name, api_name, fields)
        lifecycle.approve_draft(activity_type, None)
        return ActivityType.objects.get(pk=activity_type.pk)

    return copied_types.approved_type((name, api_name, tuple(fields)), make)


def make_person(**values: object) -> Person:
    values.setdefault("email", f"person{next(_numbers)}@example.com")
    (outcome,) = upsert.upsert_people([values], MARKETO)
    assert outcome.person_id, outcome.problems
    return Person.objects.get(pk=outcome.person_id)


def user_with(*rights: str, is_staff: bool = False) -> User:
    """A user with these permissions ("app.codename") and no other. `is_staff`: may open the admin."""
    made = User.objects.create_user(f"user with {next(_numbers)}", is_staff=is_staff)
    for right in rights:
        app, codename = right.split(".")
        made.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return made


def new_activity(
    person_id: object,
    activity_type: object = "depositCheck",
    occurred_at: object = "2026-11-20T10:00:00Z",
    primary_value: object = "No. 1",
    external_id: object = None,
    **attributes: object,
) -> NewActivity:
    return NewActivity(person_id, activity_type, occurred_at, primary_value, list(attributes.items()), external_id)


def record_rows(*rows: NewActivity, source: Source = MARKETO) -> list[RecordOutcome]:
    return record_activities(rows, source)


def edit_description(activity_type: ActivityType, text: str) -> None:
    drafts.edit_draft_names(activity_type, None, description=text)


def record_by_our_clock(monkeypatch) -> None:
    """Record activities at the time of this process's clock: for tests that travel, as the database does not."""
    taken = recording_sql.new_ids
    monkeypatch.setattr(recording_sql, "new_ids", lambda number: (taken(number)[0], timezone.now()))
