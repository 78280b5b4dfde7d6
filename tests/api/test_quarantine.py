"""Refused activities over the native API."""

import pytest

from tests.api.test_activities import custom, row
from tests.factories import approved_type, person

pytestmark = pytest.mark.django_db


def test_what_was_refused_is_mended_and_replayed(api):
    approved_type()
    ann = person()
    rows = [row(ann.pk, attributes={"amount": "twelve"}), row(ann.pk, occurred_at="soon")]
    assert api.post("activities/batch", {"activities": rows}).json()["refused"] == 2
    waiting = api.get("quarantine?state=waiting&code=wrong_type&activity_type=depositCheck").json()["results"]
    waiting.sort(key=lambda one: one["errors"][0]["path"])
    assert [one["errors"][0]["path"] for one in waiting] == ["/attributes/amount", "/occurred_at"]
    assert waiting[0]["row"]["primary_value"] == "No. 1" and waiting[0]["source"] == "api"
    assert api.get(f"quarantine/{waiting[0]['id']}").json() == waiting[0]
    ids = [one["id"] for one in waiting]
    assert api.post("quarantine/correct", {"ids": ids[:1], "part": "amount", "value": "12"}).json() == {"changed": 1}
    assert api.post("quarantine/replay", {"ids": ids}).json() == {"recorded": 1, "refused": 1}
    assert api.post("quarantine/dismiss", {"ids": ids}).json() == {"changed": 1}
    assert custom().get().attributes == {"amount": 12}
    states = {one["state"] for one in api.get("quarantine").json()["results"]}
    assert states == {"replayed", "dismissed"}


def test_rights_are_asked_for(narrowed):
    assert narrowed("people.view_person").get("quarantine").status_code == 403
    assert narrowed("activities.view_refusedactivity").post("quarantine/replay", {"ids": [1]}).status_code == 403
