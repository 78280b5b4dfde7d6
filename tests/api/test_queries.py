"""The budget of statements of each kind of call: tests/query_counts.json."""

import pytest

from tests.api.test_activities import row
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db


@pytest.fixture
def some(api):
    approved_type()
    people = [make_person().pk for _number in range(5)]
    api.get("me")  # the first call of a minute notes that the client was here
    return people, [one.activity_id for one in record_rows(*(new_activity(pk) for pk in people))]


READS = (
    "activities?activity_type=depositCheck",
    "activities?source=api",
    "activity-types",
    "api-clients",
    "me",
    "people",
    "people?email=ann@example.com",
    "people?search=ann",
    "person-fields",
    "quarantine",
    "smart-lists",
    "static-lists",
)


@pytest.mark.parametrize("address", READS)
def test_lists_take_as_many_statements_however_long_they_are(api, some, address):
    with query_budget(f"api: GET {address}"):
        assert api.get(address).status_code == 200


def test_things_take_their_budget(api, some):
    people, activities = some
    for name, address in (
        ("people/{id}", f"people/{people[0]}"),
        ("activities/{id}", f"activities/{activities[0]}"),
        ("activity-types/{id}", "activity-types/depositCheck"),
    ):
        with query_budget(f"api: GET {name}"):
            assert api.get(address).status_code == 200


def test_recording_takes_as_many_statements_for_a_thousand_as_for_one(api, some):
    people, _activities = some
    for count in (1, 1_000):
        with query_budget("api: POST activities/batch"):
            reply = api.post("activities/batch", {"activities": [row(people[0])] * count})
        assert reply.json()["added"] == count
    with query_budget("api: POST activities"):
        assert api.post("activities", row(people[0])).status_code == 201
    with query_budget("api: PATCH people/{id}"):
        assert api.patch(f"people/{people[0]}", {"city": "Vigo"}).status_code == 200
