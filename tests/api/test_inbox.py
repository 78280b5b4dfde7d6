"""The inbox over the native API."""

import pytest

from activities.inbox import editing
from activities.models import Activity, Sighting
from activities.rights import ADD_ACTIVITYTYPE, VIEW_EVENTSOURCE
from people.rights import VIEW_PERSON
from tests.activities.segment.senders import make_program, message, send
from tests.activities.visitors.factories import dispatch
from tests.factories import approved_type
from tests.query_budget import query_budget

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]


def test_a_name_is_found_decided_about_and_replayed(api, narrowed):
    program = make_program()
    check = approved_type()
    send(
        program,
        message("track", "Cheque In", {"check": "No. 1", "sum": 2}, userId="u-1"),
        message("track", "Typo", userId="u-1"),
    )
    with query_budget("api: GET inbox"):
        rows = api.get(f"inbox?state=new&event_source={program.pk}&ordering=id").json()["results"]
    assert [(row["name"], row["waiting"], row["libraries"]) for row in rows] == [
        ("Cheque In", 1, {"analytics-python/2.4.0": 1}),
        ("Typo", 1, {"analytics-python/2.4.0": 1}),
    ]
    cheque, typo = (row["id"] for row in rows)
    shapes = api.get(f"inbox/{cheque}").json()["shapes"]
    assert {shape["path"]: shape["data_type"] for shape in shapes} == {"check": "string", "sum": "integer"}
    early = api.post(f"inbox/{cheque}/replay")
    assert (early.status_code, early.json()["code"]) == (422, "unapproved_type")
    assert api.post(f"inbox/{cheque}/map", {"activity_type": "nothing"}).status_code == 422
    mapped = api.post(f"inbox/{cheque}/map", {"activity_type": "depositCheck", "fields_by_path": {"sum": "amount"}})
    assert mapped.status_code == 200, mapped.content
    assert (mapped.json()["state"], mapped.json()["activity_type"]) == ("mapped", "depositCheck")
    assert api.get(f"inbox/{cheque}").json()["left_out"] == []
    assert api.get(f"inbox/{cheque}/replay").status_code == 404
    replayed = api.post(f"inbox/{cheque}/replay")
    assert replayed.status_code == 200 and replayed.json() == api.get(f"inbox/{cheque}/replay").json()
    former = {"replayed": 1, "refused": 0, "left_out": []}  # all that it had before there were jobs
    assert former.items() <= replayed.json().items()
    assert (replayed.json()["state"], replayed.json()["total"], replayed.json()["problem"]) == ("done", 1, "")
    dispatch()
    assert Activity.objects.get(activity_type_id=check.pk).attributes == {"amount": 2}
    for verb, state in (("ignore", "ignored"), ("reopen", "new"), ("block", "blocked")):
        assert api.post(f"inbox/{typo}/{verb}").json()["state"] == state
    reader = narrowed(editing.VIEW)
    assert reader.get(f"inbox/{typo}").status_code == 200 and reader.post(f"inbox/{typo}/ignore").status_code == 403
    assert Sighting.objects.get(pk=typo).state == "blocked" and reader.post(f"inbox/{typo}/forget").status_code == 403
    assert api.post(f"inbox/{typo}/forget").json() == {"deleted_events": 1}
    assert api.get(f"inbox/{typo}").status_code == 404


def test_a_name_becomes_a_draft_with_the_fields_that_the_wizard_proposes_once(api, narrowed):
    program = make_program()
    shown = {"product": "Bike", "price": 12.5, "is gift": "yes"}
    send(program, message("track", "order_completed", shown, userId="u-1"))
    name = Sighting.objects.get()
    made = api.post(f"inbox/{name.pk}/create-type")
    assert made.status_code == 201, made.content
    assert (made.json()["state"], made.json()["activity_type"]) == ("mapped", "orderCompleted")
    draft = api.get("activity-types/orderCompleted").json()["draft"]
    fields = {field["api_name"]: (field["data_type"], field["is_primary"]) for field in draft["fields"]}
    assert fields == {"product": ("string", True), "price": ("currency", False), "isGift": ("boolean", False)}
    assert set(made.json()["fields_by_path"]) == {*shown}
    again = api.post(f"inbox/{name.pk}/create-type")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state"), "a request sent twice makes one type"
    api.post(f"inbox/{name.pk}/reopen")
    taken = api.post(f"inbox/{name.pk}/create-type")
    assert taken.status_code == 409 and Sighting.objects.get().state == "new", "nothing is half done"
    assert api.post(f"inbox/{name.pk}/create-type", {"name": "Order Made"}).json()["activity_type"] == "orderMade"
    for rights in ((editing.VIEW, editing.CHANGE, ADD_ACTIVITYTYPE), (editing.VIEW, editing.CHANGE, VIEW_PERSON)):
        assert narrowed(*rights).post(f"inbox/{name.pk}/create-type").status_code == 403, rights


def test_a_property_becomes_a_field_of_the_draft(api):
    program, check = make_program(), approved_type()
    send(program, message("track", check.api_name, {"check": "1", "branchCode": "007"}, userId="u-1"))
    dispatch()
    found = Sighting.objects.get(kind="property")
    added = api.post(f"inbox/{found.pk}/add-field")
    assert (added.status_code, added.json()["state"]) == (200, "mapped"), added.content
    draft = api.get(f"activity-types/{check.api_name}").json()["draft"]
    assert draft["fields"][-1]["api_name"] == "branchCode" and draft["fields"][-1]["data_type"] == "string"
    event = Sighting.objects.create(source=found.source, kind="event", name="Other", name_key="other", count=1)
    assert api.post(f"inbox/{event.pk}/add-field").json()["code"] == "wrong_kind"


def test_the_last_events_of_a_source_say_what_became_of_them(api, narrowed):
    program = make_program()
    send(program, message("track", "Typo", {"a": 1}, userId="u-1"), message("track", "", userId="u-1"))
    answer = api.get(f"event-sources/{program.pk}/events")
    assert answer.status_code == 200, answer.content
    events = answer.json()["events"]
    assert [(event["kind"], event["outcome"]) for event in events] == [("track", "refused"), ("track", "waiting")]
    assert events[1]["title"] == "Typo" and events[0]["problem"]["code"] and events[0]["number"] > events[1]["number"]
    assert narrowed(VIEW_EVENTSOURCE).get(f"event-sources/{program.pk}/events").status_code == 403
    assert narrowed(VIEW_EVENTSOURCE, VIEW_PERSON).get(f"event-sources/{program.pk}/events").status_code == 200
