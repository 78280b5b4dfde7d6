"""Smart campaigns over the native API."""

import pytest

from people.lists import static_lists
from smartlists.campaigns import dispatcher, triggers
from smartlists.lists import editing as list_editing
from tests.factories import approved_type, make_person
from tests.smartlists.campaign_factories import record_deposit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]


@pytest.fixture
def definition(db):
    approved_type()
    vips = static_lists.create_static_list("VIPs", None)
    return {
        "triggers": [
            {"type": "depositCheck", "constraints": [{"field": "amount", "operator": "greater than", "values": [1000]}]}
        ],
        "steps": [{"do": "add_to_list", "list": vips.pk}],
    }


def test_a_campaign_is_made_activated_read_and_paused(api, definition):
    made = api.post("smart-campaigns", {"name": "Big cheques", "definition": definition})
    assert made.status_code == 201, made.content
    assert made.json()["state"] == "draft" and made.json()["definition"]["qualification"]["how"] == "once"
    address = f"smart-campaigns/{made.json()['id']}"
    assert api.patch(address, {"description": "new"}, If_Match=made["ETag"]).status_code == 200
    assert api.patch(address, {"description": "newer"}, If_Match=made["ETag"]).status_code == 412
    assert api.post(f"{address}/activate").json()["state"] == "active"
    assert api.delete(address).status_code == 409
    ann, bob = make_person(), make_person()
    record_deposit(ann.pk, amount=5000)
    record_deposit(bob.pk, amount=5)
    record_deposit(ann.pk, amount=6000)
    dispatcher.process_all_due_work()
    assert api.get(f"{address}/summary").json() | {"latency": None} == {
        "entered": 1,
        "finished": 1,
        "failed": 0,
        "skipped": {"once": 1},
        "latency": None,
        "steps": [
            {
                **{"path": "0", "do": "add_to_list", "reached": 1, "waiting": 0, "done": 1},
                **{"nothing": 0, "queued": 0, "failed": 0, "branches": []},
            }
        ],
    }
    rows = api.get(f"{address}/entries?state=done").json()["results"]
    assert [(row["person"], [step["outcome"] for step in row["steps"]]) for row in rows] == [(ann.pk, ["done"])]
    assert api.post(f"{address}/pause").json()["state"] == "paused"
    assert api.post(f"{address}/archive").json()["state"] == "archived"
    assert [row["name"] for row in api.get("smart-campaigns?state=archived").json()["results"]] == ["Big cheques"]
    assert api.post(f"{address}/unarchive").json()["state"] == "paused"


def test_problems_have_their_place(api, definition):
    definition["steps"].append({"do": "change_field", "field": "titel", "to": "x"})
    reply = api.post("smart-campaigns", {"name": "Bad", "definition": definition})
    assert reply.status_code == 422, reply.content
    (fault,) = reply.json()["errors"]
    assert fault["code"] == "unknown_field" and fault["path"].endswith("/steps/1/field")


def test_a_run_once_states_its_cap(api, definition):
    made = api.post("smart-campaigns", {"name": "Once", "definition": definition}).json()
    everybody = list_editing.create_smart_list("Everybody", {"filters": []}, None)
    make_person(), make_person()
    address = f"smart-campaigns/{made['id']}/run"
    assert api.post(address, {"smart_list": everybody.pk, "cap": 1}).status_code in (409, 422)
    assert api.post(address, {"smart_list": 999, "cap": 1}).status_code == 422
    assert api.post(address, {"smart_list": everybody.pk, "cap": 2}).json()["count"] == 2
    dispatcher.process_all_due_work()
    assert api.get(f"smart-campaigns/{made['id']}/summary").json()["finished"] == 2


def test_rights_are_asked(narrowed, definition):
    reader = narrowed("smartlists.view_smartcampaign")
    assert reader.get("smart-campaigns").status_code == 200
    assert reader.post("smart-campaigns", {"name": "x"}).status_code == 403
    assert reader.get("smart-campaigns/99/entries").status_code == 404


def test_runs_are_listed_with_why_they_failed_and_cancelled(api, definition, monkeypatch):
    address = f"smart-campaigns/{api.post('smart-campaigns', {'name': 'X', 'definition': definition}).json()['id']}"
    everybody = list_editing.create_smart_list("Everybody", {"filters": []}, None)
    make_person()
    made = api.post(f"{address}/run", {"smart_list": everybody.pk, "cap": 5}).json()
    (row,) = api.get(f"{address}/runs?state=running").json()["results"]
    assert (row["id"], row["count"], row["entered"], row["problem"]) == (made["id"], 1, 0, "")
    with monkeypatch.context() as patched:
        patched.setattr(triggers, "enter_candidates", lambda _candidates: {}["fault"])
        dispatcher.process_all_due_work()
    (row,) = api.get(f"{address}/runs").json()["results"]
    assert row["tries"] == 1 and "KeyError" in row["problem"]
    assert api.post(f"{address}/runs/{made['id']}/cancel").json()["state"] == "cancelled"
    assert api.post(f"{address}/runs/{made['id']}/cancel").status_code == 409
    assert api.post(f"smart-campaigns/999/runs/{made['id']}/cancel").status_code == 404
    assert api.get("smart-campaigns/999/runs").status_code == 404
