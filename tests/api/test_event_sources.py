"""Event sources over the native API."""

import pytest

from activities.models import EventSource
from activities.recording.recorder import record_activities
from activities.sources import usage
from people.core.source import Channel, Source
from tests.activities.sources.senders import authenticate
from tests.factories import approved_type, new_activity

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
SITE = "https://www.example.com"


def test_a_site_is_made_changed_given_another_key_turned_off_and_deleted(api):
    made = api.post("event-sources", {"name": "Shop", "kind": "browser", "origins": [f"{SITE}/"]})
    assert made.status_code == 201, made.content
    address, body = made["Location"].partition("/api/v1/")[2], made.json()
    assert made["Cache-Control"] == "no-store" and body["collect_url"].endswith("/_a/e") and body["identity_secret"]
    shown = api.get(address)
    assert body["identity_secret"] not in shown.text and shown.json()["keys"][0]["key"] == body["write_key"]
    assert (shown.json()["origins"], shown.json()["state"]) == ([SITE], "on")
    changed = api.patch(address, {"consent": "denied", "munchkin_id": "123-ABC-456"}, If_Match=shown["ETag"])
    assert (changed.json()["consent"], changed.json()["munchkin_id"]) == ("denied", "123-ABC-456")
    assert api.patch(address, {"name": "Blog"}, If_Match=shown["ETag"]).status_code == 412
    rotated = api.post(f"{address}/rotate-key", {"overlap_hours": 1}).json()
    assert rotated["write_key"] != body["write_key"] and authenticate(body["write_key"], SITE)
    first = api.get(address).json()["keys"][1]
    assert first["expires_at"] and first["last_used_at"]
    ended = api.post(f"{address}/end-key", {"key": first["id"]})
    assert ended.status_code == 200 and len(ended.json()["keys"]) == 2
    assert api.post(f"{address}/end-key", {"key": first["id"]}).status_code == 409
    assert api.post(f"{address}/turn-off").json()["state"] == "off"
    assert api.get("event-sources?state=off&kind=browser&search=sho").json()["results"][0]["name"] == "Shop"
    assert api.post(f"{address}/turn-on").json()["state"] == "on"
    assert api.get(f"{address}/usage").json() == {"days": []} and api.get(address).json()["warning"] is None
    made = api.post("event-sources", {"name": "Old shop", "kind": "server", "user_id_field": ""})
    program = made["Location"].partition("/api/v1/")[2]
    assert "identify nobody" in api.get("event-sources?kind=server").json()["results"][0]["warning"]
    identified = api.post(f"{program}/identify-people").json()
    assert (identified["user_id_field"], identified["warning"]) == ("userId", None)
    assert api.delete(program).status_code == 204
    assert api.delete(address).status_code == 204
    assert not EventSource.objects.exists()


def test_a_row_has_the_keys_that_work_and_the_newest(api):
    made = api.post("event-sources", {"name": "ERP", "kind": "server"}).json()
    source = EventSource.objects.get()
    for number in range(30):
        source.keys.create(lookup=f"ended{number}", secret_hash=b"", expires_at=source.created_at)
    keys = api.get("event-sources").json()["results"][0]["keys"]
    assert len(keys) == 20 and made["write_key"].startswith(keys[0]["key"]) and keys[1]["key"] == "ended29"


def test_the_secret_of_a_program_is_in_the_first_reply_only(api):
    made = api.post("event-sources", {"name": "ERP", "kind": "server"}).json()
    assert authenticate(made["write_key"]).is_server
    shown = api.get(f"event-sources/{made['id']}")
    assert made["write_key"].rpartition("_")[2] not in shown.text
    assert made["write_key"].startswith(shown.json()["keys"][0]["key"])


def test_every_fault_is_named_with_its_place(api):
    body = {"name": "Shop", "kind": "browser", "origins": [SITE, "x"], "munchkin_id": "1", "user_id_field": "company"}
    reply = api.post("event-sources", body)
    assert reply.status_code == 422, reply.content
    assert {fault["path"] for fault in reply.json()["errors"]} == {"/origins/1", "/munchkin_id", "/user_id_field"}
    for wrong in ({"kind": "x"}, {"consent": "x"}, {"bytes_a_day": 0}, {"origins": SITE}, {"write_key": "mine"}):
        assert api.post("event-sources", {"name": "S", "kind": "server", **wrong}).status_code == 422, wrong
    assert not EventSource.objects.exists()
    api.post("event-sources", {"name": "Shop", "kind": "server"})
    assert api.post("event-sources", {"name": "SHOP", "kind": "server"}).status_code == 409


def test_one_that_sent_something_stays_and_shows_what(api):
    made = api.post("event-sources", {"name": "ERP", "kind": "server"}).json()
    usage.note_uses({made["id"]: usage.Use(1, 120, 2, 1)})
    (day,) = api.get(f"event-sources/{made['id']}/usage").json()["days"]
    assert {name: day[name] for name in ("requests", "bytes", "accepted", "rejected")} == {
        "requests": 1,
        "bytes": 120,
        "accepted": 2,
        "rejected": 1,
    }
    reply = api.delete(f"event-sources/{made['id']}")
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (409, "in_use")


def test_rejected_activities_know_their_source_and_two_sources_are_two_rows(api):
    approved_type()
    row = new_activity(999_999)
    ids = [api.post("event-sources", {"name": name, "kind": "server"}).json()["id"] for name in ("A", "B")]
    for event_source_id in (ids[0], ids[0], ids[1], None):
        record_activities([row], Source(Channel.API, event_source_id=event_source_id))
    rows = api.get("quarantine").json()["results"]
    assert {(row["event_source"], row["times"]) for row in rows} == {(ids[0], 2), (ids[1], 1), (None, 1)}
    assert [row["event_source"] for row in api.get(f"quarantine?event_source={ids[1]}").json()["results"]] == [ids[1]]
    assert api.delete(f"event-sources/{ids[1]}").status_code == 409


def test_rights_are_asked(narrowed):
    reader = narrowed("activities.view_eventsource")
    assert reader.get("event-sources").status_code == 200
    for call in ("event-sources", "event-sources/1/rotate-key", "event-sources/1/turn-off"):
        assert reader.post(call, {"name": "x", "kind": "server"}).status_code == 403, call
    assert narrowed("activities.view_activity").get("event-sources").status_code == 403
