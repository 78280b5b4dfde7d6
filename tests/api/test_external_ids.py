"""External ids of activities: shown, and found exactly."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities.api import filters
from activities.models import ActivityKey
from people.core.source import SYSTEM
from people.persons import merge as person_merge
from tests.api.test_activities import ids
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db(transaction=True)  # the log is read as far as it is committed


@pytest.fixture
def people():
    approved_type()
    return make_person(email="ann@example.com"), make_person(email="ben@example.com")


def record(person_id, external_id=None):
    return record_rows(new_activity(person_id, external_id=external_id))[0].activity_id


def test_external_ids_are_shown_in_lists_and_alone(api, people):
    ann, _ben = people
    named, nameless = record(ann.pk, "Order-1"), record(ann.pk)
    listed = api.get("activities?activity_type=depositCheck&fields=external_id").json()["results"]
    assert [(row["id"], row["external_id"]) for row in listed] == [(named, "Order-1"), (nameless, None)]
    assert api.get(f"activities/{named}").json()["external_id"] == "Order-1"
    assert api.get(f"activities/{nameless}").json()["external_id"] is None


def test_external_ids_are_found_exactly(api, people):
    ann, ben = people
    first, second = record(ann.pk, "Order-1"), record(ben.pk, "Order-1")
    record(ann.pk, "order-1"), record(ann.pk, "Order-10"), record(ann.pk)
    assert ids(api.get("activities?external_id=Order-1")) == [first, second]
    assert ids(api.get(f"activities?external_id=Order-1&person={ben.pk}")) == [second]
    assert ids(api.get(f"activities?external_id=Order-1&person__in={ann.pk},{ben.pk}")) == [first, second]
    assert ids(api.get("activities?external_id=Order-1&activity_type=depositCheck")) == [first, second]
    assert ids(api.get("activities?external_id=Order")) == []
    for bad, code in (("", "missing_value"), ("x" * 256, "too_long"), ("%00", "wrong_type")):
        assert api.get(f"activities?external_id={bad}").json()["code"] == code


def test_an_external_id_of_very_many_asks_for_more(api, people, monkeypatch):
    ann, ben = people
    monkeypatch.setattr(filters, "MAX_SAME_KEY", 1)
    first, _second = record(ann.pk, "1"), record(ben.pk, "1")
    assert api.get("activities?external_id=1").json()["code"] == "too_many_values"
    assert ids(api.get(f"activities?external_id=1&person={ann.pk}")) == [first]


def test_what_a_merge_moved_keeps_its_external_id(api, people):
    ann, ben = people
    kept, moved, both = record(ann.pk, "same"), record(ben.pk, "own"), record(ben.pk, "same")
    person_merge.merge_people(ann.pk, [ben.pk], None, SYSTEM)
    shown = {row["id"]: row["external_id"] for row in api.get(f"activities?person={ann.pk}").json()["results"]}
    known = dict(ActivityKey.objects.values_list("activity_id", "external_id"))
    assert shown[kept] == "same" and shown[moved] == "own" and shown[both] == known.get(both)
    assert ids(api.get(f"activities?external_id=own&person={ann.pk}")) == [moved]


def test_a_page_reads_all_its_external_ids_in_one_statement(api, people):
    ann, _ben = people
    counts = []
    for number in range(1, 4):
        record(ann.pk, f"order-{number}")
        with CaptureQueriesContext(connection) as statements:
            api.get("activities?activity_type=depositCheck")
        counts.append(sum('"activity_key"' in statement["sql"] for statement in statements))
    assert counts == [1, 1, 1]
