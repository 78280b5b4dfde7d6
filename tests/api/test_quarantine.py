"""Refused activities over the native API."""

import pytest

from activities.models import RefusedActivity
from activities.recording.quarantine import room
from tests.api.test_activities import custom, row
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db


def test_what_was_refused_is_mended_and_replayed(api):
    approved_type()
    ann = make_person()
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


def test_a_row_that_is_not_kept_says_so_alone_and_in_a_batch(api, settings):
    approved_type()
    bad = row(make_person().pk, attributes={"amount": "twelve"})
    room.forget_rooms()
    alone = api.post("activities", bad)
    assert alone.status_code == 422 and "kept" not in alone.json()
    settings.QUARANTINE_BYTES_A_DAY = 0
    room.forget_rooms()
    other = row(make_person().pk, attributes={"amount": "thirteen"})
    alone = api.post("activities", other)
    assert alone.status_code == 422 and alone.json()["kept"] is False and alone.json()["code"] == "wrong_type"
    (result,) = api.post("activities/batch", {"activities": [other]}).json()["results"]
    assert result["kept"] is False
    room.forget_rooms()


def test_rights_are_asked_for(narrowed):
    assert narrowed("people.view_person").get("quarantine").status_code == 403
    assert narrowed("activities.view_refusedactivity").post("quarantine/replay", {"ids": [1]}).status_code == 403


def test_one_row_that_cannot_be_read_takes_no_page_and_no_list_with_it(api, client, owner):
    approved_type()
    ann = make_person()
    rows = [
        row(ann.pk, attributes={"amount": 10**30}),
        row(ann.pk, attributes={"branch": "\ud800"}),
        row(ann.pk, occurred_at=2**70),
    ]
    deep = [[]]
    for _level in range(100):
        deep = [deep]
    rows.append(row(ann.pk, attributes={"branch": deep}))
    assert api.post("activities/batch", {"activities": rows}).json()["refused"] == 4
    broken = RefusedActivity.objects.order_by("pk").first()
    RefusedActivity.objects.filter(pk=broken.pk).update(raw="[" * 5_000)
    listed = api.get("quarantine")
    assert listed.status_code == 200 and len(listed.json()["results"]) == 4
    client.force_login(owner)
    for kept in RefusedActivity.objects.all():
        assert api.get(f"quarantine/{kept.pk}").status_code == 200
        assert client.get(f"/admin/activities/refusedactivity/{kept.pk}/").status_code == 200
    assert client.get("/admin/activities/refusedactivity/").status_code == 200
    ids = list(RefusedActivity.objects.exclude(pk=broken.pk).values_list("pk", flat=True))
    assert api.post("quarantine/replay", {"ids": ids}).json()["recorded"] == 0


def test_a_correction_may_be_any_number_and_no_nest(api):
    approved_type()
    assert (
        api.post("activities/batch", {"activities": [row(make_person().pk, attributes={"amount": "x"})]}).json()[
            "refused"
        ]
        == 1
    )
    pk = RefusedActivity.objects.get().pk
    deep = "[" * 200 + "]" * 200
    for value in (
        "1e-999999999",
        "1e999999999",
        str(10**400),
        deep,
        '"\\ud800"',
        '"\\u0000"',
        '"' + "x" * 300_000 + '"',
    ):
        body = f'{{"ids": [{pk}], "part": "amount", "value": {value}}}'
        assert api.post("quarantine/correct", body).status_code in (200, 422), value[:50]
        assert api.post("quarantine/replay", {"ids": [pk]}).json()["recorded"] == 0
        assert api.get("quarantine").status_code == 200
    assert api.post("quarantine/correct", f'{{"ids": [{pk}], "part": "amount", "value": 1.50}}').status_code == 200
    assert api.post("quarantine/replay", {"ids": [pk]}).json()["recorded"] == 1
