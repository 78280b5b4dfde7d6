"""Smart lists over the native API."""

import json

import pytest

from activities.log import retention
from activities.log.columns import builder
from people.lists import static_lists
from people.persons import deletion
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.lists import copies as list_copies
from smartlists.lists import editing as list_editing
from tests.api.test_activities import paths
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows
from tests.smartlists.campaign_factories import make_draft_campaign
from tests.smartlists.rule_factories import activity_filter, aggregate_condition, field_constraint
from tests.smartlists.rule_factories import person_field_filter as did_person

SPAIN = {"filters": [{"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]}]}
TEXT = 'smart list "Big depositors"\n\nmatch all\n1: did "Deposited Check" where Amount > 500\n'


@pytest.fixture
def people(db):
    approved_type()
    everybody = [make_person(country=country) for country in ("Spain", "France", "Spain", "Spain")]
    record_rows(new_activity(everybody[0].pk, amount=700), new_activity(everybody[1].pk, amount=600))
    return [one.pk for one in everybody]


def members(api, address):
    reply = api.get(address)
    assert reply.status_code == 200, reply.content
    return [row["person"] for row in reply.json()["results"]], reply.json()


def test_a_list_is_made_counted_changed_and_deleted(api, people):
    made = api.post("smart-lists", {"name": "Spain", "rules": SPAIN})
    assert made.status_code == 201, made.content
    address = f"smart-lists/{made.json()['id']}"
    assert made.json()["current"] is None
    counted = api.get(f"{address}/count").json()
    assert counted["count"] == 3 and counted["per_filter"] == [3]
    assert api.get(address).json()["current"] == counted
    changed = api.patch(address, {"text": TEXT, "evaluate_every_minutes": 60}, If_Match=made["ETag"])
    assert changed.status_code == 200 and changed.json()["evaluate_every_minutes"] == 60
    changed = api.patch(address, {"refresh_automatically": False}, If_Match=changed["ETag"])
    assert changed.status_code == 200
    assert (changed.json()["evaluate_every_minutes"], changed.json()["refresh_automatically"]) == (60, False)
    assert api.patch(address, {"name": "x"}, If_Match=made["ETag"]).status_code == 412
    assert api.get(f"{address}/count").json()["count"] == 2
    assert api.post(f"{address}/archive").json()["is_archived"] is True
    assert [row["name"] for row in api.get("smart-lists?is_archived=true&current__gte=2").json()["results"]] == [
        "Spain"
    ]
    assert api.post(f"{address}/unarchive").json()["is_archived"] is False
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404 and api.get(f"{address}/members").status_code == 404


def test_pages_of_members_are_of_one_evaluation(api, people):
    address = f"smart-lists/{api.post('smart-lists', {'name': 'Spain', 'rules': SPAIN}).json()['id']}"
    found, first = members(api, f"{address}/members?page_size=2")
    assert found == [people[0], people[2]] and first["count"] == 3
    make_person(country="Spain")
    assert api.post(f"{address}/evaluate").json()["count"] == 4
    rest, second = members(api, f"{address}/members?page_size=2&cursor={first['cursor']}")
    assert rest == [people[3]] and second["next"] is None and second["as_of"] == first["as_of"]
    assert len(members(api, f"{address}/members")[0]) == 4
    deletion.delete_people([people[0]], None, MARKETO)
    assert people[0] not in members(api, f"{address}/members")[0]
    assert api.get(f"{address}/members?cursor=W10").status_code == 404
    assert api.get(f"{address}/members?colour=red").status_code == 400


def test_text_goes_in_and_comes_out(api, people):
    made = api.post("smart-lists", {"text": TEXT})
    assert made.status_code == 201 and made.json()["name"] == "Big depositors"
    shown = api.get(f"smart-lists/{made.json()['id']}/text").json()
    assert shown["rules"] == made.json()["rules"]
    again = api.post("smart-lists/translate", {"text": shown["text"]}).json()
    assert again["rules"] == shown["rules"] and again["text"] == shown["text"]
    assert (
        api.post("smart-lists/translate", {"rules": shown["rules"]}, Accept_Language="es").json()["sentence"]
        != shown["sentence"]
    )


def test_rules_are_evaluated_without_being_saved(api, people):
    reply = api.post("smart-lists/evaluate", {"rules": SPAIN}, Idempotency_Key="k").json()
    assert reply["count"] == 3 and reply["people"] == [people[0], people[2], people[3]]
    assert reply["answered_by"] == ["sql"]
    assert api.get("smart-lists").json()["results"] == []


def test_an_evaluation_says_what_answered_each_filter(api, people, column_index, own_rows_read):
    builder.build_index()
    reply = api.post("smart-lists/evaluate", {"rules": {"filters": [activity_filter(), SPAIN["filters"][0]]}}).json()
    assert (reply["per_filter"], reply["answered_by"]) == ([2, 3], ["columns", "sql"])


def test_every_fault_of_rules_has_its_place(api, people):
    wrong = {"filters": [SPAIN["filters"][0], {**SPAIN["filters"][0], "operator": "tastes like"}]}
    assert paths(api.post("smart-lists/evaluate", {"rules": wrong})) == {("/filters/1/operator", "unknown_operator")}
    in_text = api.post("smart-lists", {"text": TEXT.replace("Amount", "Colour")})
    assert in_text.status_code == 422 and in_text.json()["errors"][0]["path"].startswith("/line/4/column/")
    assert api.post("smart-lists", {"name": "x"}).status_code == 422
    assert api.post("smart-lists", {"name": "x", "rules": SPAIN, "text": TEXT}).status_code == 422
    assert api.post("smart-lists", {"name": "x", "rules": 7}).status_code == 422


def test_what_a_list_uses_stays_and_circles_are_refused(api, people):
    first = api.post("smart-lists", {"name": "A", "text": TEXT}).json()["id"]
    inside = {"filters": [{"kind": "smart_list", "list": first}]}
    second = api.post("smart-lists", {"name": "B", "rules": inside}).json()["id"]
    assert api.delete(f"smart-lists/{first}").json()["code"] == "in_use"
    circle = {"filters": [{"kind": "smart_list", "list": second}]}
    assert api.patch(f"smart-lists/{first}", {"rules": circle}).json()["code"] == "cycle"
    assert api.delete("activity-types/depositCheck").json()["code"] == "in_use"


def test_rights_are_asked_for(narrowed, people):
    reader = narrowed("smartlists.view_smartlist")
    assert reader.get("smart-lists").status_code == 200
    assert reader.post("smart-lists", {"name": "x", "rules": SPAIN}).status_code == 403
    assert narrowed("people.view_person").post("smart-lists/evaluate", {"rules": SPAIN}).status_code == 403


def test_one_person_is_explained(api, people):
    address = f"smart-lists/{api.post('smart-lists', {'text': TEXT}).json()['id']}/explain"
    yes = api.get(f"{address}/{people[0]}").json()
    assert yes["is_member"] and yes["verdicts"][0]["times"] == 1 and yes["verdicts"][0]["activities"][0]["id"]
    no = api.get(f"{address}/{people[2]}").json()
    assert not no["is_member"] and no["verdicts"][0]["miss"]["text"] and no["deciding"] == [1]
    assert api.get(f"{address}/999999").json()["is_live"] is False


def test_what_looks_back_further_than_is_kept_is_told_with_its_place(api, db):
    retention.set_retention(approved_type(), 12, None)
    long = activity_filter(field_constraint("@occurred_at", "in past", "24 months"))
    made = list_editing.create_smart_list("Faithful", {"filters": [did_person("country", "is", "Spain"), long]}, None)
    (problem,) = api.get(f"smart-lists/{made.pk}/health").json()["problems"]
    assert (problem["code"], problem["path"]) == ("kept_shorter", "/filters/1")
    campaign = make_draft_campaign(audience={"smart_list": made.pk})
    (problem,) = api.get(f"smart-campaigns/{campaign.pk}/health").json()["problems"]
    assert problem["code"] == "kept_shorter" and problem["message"].startswith("In the list “Faithful”")


def test_static_lists_are_filled_from_a_smart_list(api, people):
    spain = list_editing.create_smart_list("Spain", SPAIN, None)
    kept, address = static_lists.create_static_list("Kept", None), f"smart-lists/{spain.pk}"
    put = api.post(f"{address}/put-into", {"static_list": kept.pk})
    assert (put.status_code, put.json()["joined"], put.json()["left"]) == (200, 3, 0), put.content
    body = {"static_list": kept.pk, "mode": "replace", "every_minutes": 1440}
    made = api.post(f"{address}/copies", body)
    assert made.status_code == 201 and made.json()["state"] == "waiting", made.content
    list_copies.run_copy(made.json()["id"])
    (listed,) = api.get(f"{address}/copies?mode=replace").json()["results"]
    assert (listed["state"], listed["joined"], listed["every_minutes"]) == ("done", 0, 1440)
    for path, wrong in (("mode", "x"), ("every_minutes", 5), ("static_list", 2**40)):
        assert api.post(f"{address}/copies", body | {path: wrong}).json()["errors"][0]["path"] == f"/{path}"
    assert api.delete(f"static-lists/{kept.pk}").status_code == 409
    assert api.delete(f"{address}/copies/{listed['id']}").status_code == 204
    assert api.delete(f"{address}/copies/{listed['id']}").status_code == 404
    assert api.get("smart-lists/99999/copies").status_code == 404


@pytest.mark.parametrize(
    "value", ["1e-999999999", "0e-999999999", "1e999999999", "1e99999999999999999999", "9" * 5_000]
)
def test_a_rule_with_a_number_without_bounds_is_refused_before_it_is_evaluated(api, people, value):
    plain = activity_filter(field_constraint("amount", "greater than", "VALUE"))
    for rule in (plain, activity_filter(aggregate=aggregate_condition("sum", "amount", "at least", "VALUE"))):
        body = json.dumps({"rules": {"version": 1, "match": "all", "filters": [rule]}})
        good = api.post("smart-lists/evaluate", body.replace("VALUE", "500"))
        assert good.status_code == 200, good.content
        for old, new in (('"VALUE"', value), ("VALUE", value)):
            reply = api.post("smart-lists/evaluate", body.replace(old, new))
            assert reply.status_code == 422 and len(reply.content) < 20_000, reply.content[:500]


def test_what_keeps_a_campaign_from_being_activated_is_what_activating_refuses(api, db):
    approved_type()
    campaign = make_draft_campaign({"do": "wait", "period": "1 day"})
    assert api.get(f"smart-campaigns/{campaign.pk}/activation").json() == {"can_activate": True, "problems": []}
    empty = campaign_lifecycle.create_campaign("Empty", None)
    said = api.get(f"smart-campaigns/{empty.pk}/activation").json()
    refused = api.post(f"smart-campaigns/{empty.pk}/activate")
    assert said["can_activate"] is False
    assert [one["code"] for one in said["problems"]] == ["no_trigger", "no_step"]
    assert [one["code"] for one in refused.json()["errors"]] == ["no_trigger", "no_step"]
