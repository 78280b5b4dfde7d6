"""The life of an activity type over the native API."""

import pytest

from people.definitions import lifecycle
from tests.factories import approved_type, draft_type

pytestmark = pytest.mark.django_db

WEBINAR = {
    "name": "Attend Webinar",
    "fields": [{"name": "Webinar", "is_primary": True}, {"name": "Minutes", "data_type": "integer"}],
}


def test_from_a_draft_to_retired_and_back(api):
    made = api.post("activity-types", WEBINAR)
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["api_name"], body["state"], body["live"]) == ("attendWebinar", "draft", None)
    assert body["draft"]["filter_name"] == "Attended Webinar"
    assert [field["api_name"] for field in body["draft"]["fields"]] == ["webinar", "minutes"]
    approved = api.post("activity-types/attendWebinar/approve", If_Match=made["ETag"])
    assert approved.json()["state"] == "approved" and approved.json()["live"]["number"] == 1
    assert api.get(f"activity-types/{body['id']}").json() == api.get("activity-types/attendWebinar").json()
    assert api.post("activity-types/attendWebinar/approve").status_code == 409
    edited = api.patch("activity-types/attendWebinar", {"description": "Online"})
    assert edited.json()["state"] == "approved_with_draft" and edited.json()["live"]["description"] == ""
    assert (
        api.post("activity-types/attendWebinar/return", {"reason": "Why?"}).json()["draft"]["return_reason"] == "Why?"
    )
    assert api.post("activity-types/attendWebinar/discard-draft").json()["draft"] is None
    assert api.post("activity-types/attendWebinar/retire").json()["state"] == "retired"
    assert api.post("activity-types/attendWebinar/retire").status_code == 409
    assert api.post("activity-types/attendWebinar/restore").json()["state"] == "approved"
    assert api.delete("activity-types/attendWebinar").status_code == 204
    assert api.get("activity-types/attendWebinar").status_code == 404
    assert api.post("activity-types/attendWebinar/undelete").json()["state"] == "approved"
    assert api.post("activity-types/attendWebinar/undelete").json()["code"] == "not_deleted"
    assert api.post("activity-types/nobody/undelete").status_code == 404


def test_fields_are_added_changed_set_and_removed_in_the_draft(api):
    approved_type()
    address = "activity-types/depositCheck/fields"
    added = api.post(address, {"fields": [{"name": "Teller"}]})
    assert added.status_code == 201 and added.json()["draft"]["fields"][-1]["api_name"] == "teller"
    assert api.patch(f"{address}/amount", {"name": "Sum"}).status_code == 200
    locked = api.patch(f"{address}/amount", {"data_type": "string"})
    assert locked.status_code == 422 and locked.json()["errors"][0]["path"] == "/fields/amount"
    assert api.patch(f"{address}/nothing", {"name": "Sum"}).status_code == 422
    assert api.delete(f"{address}/pages").status_code == 200
    assert {field["name"] for field in api.get(address).json()} == {
        "Check",
        "Sum",
        "Branch",
        "Deposited On",
        "Is Foreign",
        "Teller",
    }
    only = api.put(address, {"fields": [{"api_name": "check", "name": "Check", "is_primary": True}]})
    assert [field["api_name"] for field in only.json()["draft"]["fields"]] == ["check"]
    api.post("activity-types/depositCheck/approve")
    assert [version["number"] for version in api.get("activity-types/depositCheck/versions").json()] == [1, 2]
    assert len(api.get("activity-types/depositCheck/versions/1").json()["fields"]) == 6
    assert api.get("activity-types/depositCheck/versions/3").status_code == 404


def test_the_second_of_two_editors_is_told(api):
    draft_type()
    tag = api.get("activity-types/depositCheck")["ETag"]
    assert api.patch("activity-types/depositCheck", {"description": "one"}, If_Match=tag).status_code == 200
    for method, path, body in (
        ("PATCH", "", {"description": "two"}),
        ("POST", "/approve", None),
        ("PUT", "/fields", {"fields": [{"name": "A"}]}),
        ("DELETE", "", None),
    ):
        reply = api(method, f"activity-types/depositCheck{path}", body, If_Match=tag)
        assert reply.status_code == 412 and reply.json()["code"] == "precondition_failed", (method, path)


def test_what_is_wrong_with_a_type_is_said_at_its_place(api):
    approved_type()
    reply = api.post(
        "activity-types", {"name": "Deposit_check", "fields": [{"name": "A"}, {"name": "a", "data_type": "moon"}]}
    )
    assert reply.status_code == 422
    assert reply.json()["errors"] == [
        {"code": "wrong_type", "message": '"moon" is not a valid choice.', "path": "/fields/1/data_type"}
    ]
    taken = api.post("activity-types", {**WEBINAR, "name": "Deposit check", "api_name": "other"})
    assert taken.status_code == 409 and taken.json()["code"] == "name_taken"
    assert api.post("activity-types", {"name": "Buy Car", "fields": [{"name": "Car"}]}).json()["code"] == "no_primary"


def test_standard_types_refuse_and_filters_find(api):
    approved_type()
    draft_type("Attend Webinar", "attendWebinar")
    assert api.patch("activity-types/12", {"description": "x"}).status_code == 409

    def names(query):
        reply = api.get(f"activity-types?{query}&is_standard=false")
        return [row["api_name"] for row in reply.json()["results"]]

    assert names("state=draft") == ["attendWebinar"]
    assert names("state=draft,approved") == ["depositCheck", "attendWebinar"]
    assert names("name__startswith=dep") == ["depositCheck"]
    assert names("filter_name__contains=DED WEB") == ["attendWebinar"]
    assert names("live__isempty=true") == ["attendWebinar"]
    assert names("ordering=-api_name") == ["depositCheck", "attendWebinar"]


def test_a_second_approver_is_asked_for_where_the_team_wants_one(api, settings):
    settings.REQUIRE_SECOND_APPROVER = True
    api.post("activity-types", WEBINAR)
    reply = api.post("activity-types/attendWebinar/approve")
    assert reply.status_code == 403 and reply.json()["code"] == "second_approver"


def test_rights_are_asked_for(narrowed):
    lifecycle.approve_draft(draft_type(), None)
    reader = narrowed("activities.view_activitytype")
    assert reader.get("activity-types/depositCheck/fields").status_code == 200
    for method, path in (
        ("POST", ""),
        ("PATCH", "/depositCheck"),
        ("DELETE", "/depositCheck"),
        ("PUT", "/depositCheck/fields"),
        ("POST", "/depositCheck/approve"),
        ("POST", "/depositCheck/retire"),
        ("DELETE", "/depositCheck/fields/amount"),
    ):
        reply = reader(method, f"activity-types{path}", {})
        assert reply.status_code == 403 and reply.json()["errors"][0]["expected"].startswith("activities."), path
