"""The inbox over the native API."""

import pytest

from activities.inbox import editing
from activities.models import Activity, Sighting
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
