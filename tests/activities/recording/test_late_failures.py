"""People who cannot be created after their rows were found good: a fault of their rows alone."""

import pytest

from activities.models import Activity
from activities.recording import column_recorder, recorder
from activities.recording.columns import ActivityColumns
from activities.recording.rows import PersonLookup, RecordStatus
from people.core.errors import Problem
from people.models import Person
from people.persons import upsert
from tests.factories import MARKETO, approved_type, new_activity

pytestmark = pytest.mark.django_db
NAMES = ["ann@example.com", "late@example.com", "bob@example.com", "late@example.com"]
AT = "2026-11-20T10:00:00Z"


@pytest.fixture(autouse=True)
def late(monkeypatch):
    """Refuses late@example.com only when all people are to be created, as a concurrent change might."""
    approved_type()
    really = upsert.upsert_people

    def refusing(rows, source, lookup_field="email", *args, **more):
        kept = [row for row in rows if row.get("email") != "late@example.com"]
        outcomes = iter(really(kept, source, lookup_field, *args, **more))
        refused = upsert.UpsertOutcome(
            upsert.UpsertStatus.REFUSED, None, (Problem("value_taken", "taken", ("email",)),)
        )
        return [refused if row.get("email") == "late@example.com" else next(outcomes) for row in rows]

    monkeypatch.setattr(upsert, "upsert_people", refusing)


def test_rows_of_the_others_are_recorded():
    rows = [new_activity(PersonLookup(name, create=True), external_id=str(place)) for place, name in enumerate(NAMES)]
    outcomes = recorder.record_activities(rows, MARKETO)
    assert [outcome.status for outcome in outcomes] == [RecordStatus.ADDED, RecordStatus.REFUSED] * 2
    assert [problem.path for problem in outcomes[1].problems] == [("person", "email")]
    assert Person.objects.count() == 2
    assert Activity.objects.filter(activity_type_id__gt=100_000).count() == 2


def test_columns_of_the_others_are_recorded():
    columns = ActivityColumns("depositCheck", NAMES, "email", True, [AT] * 4, ["No. 1"] * 4, [], list("0123"))
    recorded = column_recorder.record_columns(columns, MARKETO)
    assert [pk is None for pk in recorded.ids] == [False, True, False, True]
    assert {place: outcome.problems[0].code for place, outcome in recorded.others.items()} == dict.fromkeys(
        (1, 3), "value_taken"
    )
    assert Activity.objects.filter(activity_type_id__gt=100_000).count() == 2
