"""The life of a type over the Marketo API, and people."""

import pytest

from activities.recording.recorder import record_activities
from activities.recording.rows import NewActivity
from people.core.source import SYSTEM
from people.models import Person
from tests.factories import make_person

TYPE = "/rest/v1/activities/external/type"
NEW = {
    "apiName": "attendWorkshop",
    "name": "Attend Workshop",
    "description": "Took part",
    "triggerName": "Attends Workshop",
    "filterName": "Attended Workshop",
    "primaryAttribute": {"apiName": "workshopName", "name": "Workshop Name"},
}


def result(reply):
    body = reply.json()
    assert body["success"] is True, body
    return body["result"][0]


def code(reply):
    assert reply.status_code == 200
    return reply.json()["errors"][0]["code"]


def test_a_life(dialect):
    created = result(dialect.post(f"{TYPE}.json", NEW))
    assert created["status"] == "draft" and created["id"] >= 100_001
    assert created["primaryAttribute"] == {
        "apiName": "workshopName",
        "name": "Workshop Name",
        "description": "",
        "dataType": "string",
    }
    assert "attributes" not in created
    seats = {"attributes": [{"apiName": "seatCount", "name": "Seat Count", "dataType": "integer"}]}
    assert (
        result(dialect.post(f"{TYPE}/attendWorkshop/attributes/create.json", seats))["attributes"][0]["apiName"]
        == "seatCount"
    )
    assert result(dialect.post(f"{TYPE}/attendWorkshop/approve.json"))["status"] == "approved"
    renamed = {"attributes": [{"apiName": "seatCount", "name": "Seats"}]}
    changed = result(dialect.post(f"{TYPE}/attendWorkshop/attributes/update.json", renamed))
    assert (changed["status"], changed["attributes"][0]["name"]) == ("approved with draft", "Seats")
    live = result(dialect.get(f"{TYPE}/attendWorkshop/describe.json"))
    draft = result(dialect.get(f"{TYPE}/attendWorkshop/describe.json", draft="True"))
    assert (live["attributes"][0]["name"], draft["attributes"][0]["name"]) == ("Seat Count", "Seats")
    assert result(dialect.post(f"{TYPE}/attendWorkshop/discardDraft.json"))["status"] == "approved"
    gone = result(
        dialect.post(f"{TYPE}/attendWorkshop/attributes/delete.json", {"attributes": [{"apiName": "seatCount"}]})
    )
    assert "attributes" not in gone
    assert (
        result(dialect.post(f"{TYPE}/attendWorkshop.json", {"primaryAttribute": {"name": "Title"}}))[
            "primaryAttribute"
        ]["name"]
        == "Title"
    )
    assert result(dialect.post(f"{TYPE}/attendWorkshop/delete.json"))["status"] == "deleted"
    assert code(dialect.get(f"{TYPE}/attendWorkshop/describe.json")) == "1013"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"apiName": ""}, "1002"),
        ({"apiName": "12"}, "1003"),
        ({"name": "Attend: Workshop"}, "1003"),
        ({"name": 7}, "1003"),
        ({"primaryAttribute": None}, "1002"),
        ({"primaryAttribute": {"apiName": "a", "name": "A", "dataType": "colour"}}, "1003"),
    ],
)
def test_what_a_type_must_have(dialect, change, expected):
    assert code(dialect.post(f"{TYPE}.json", NEW | change)) == expected


def test_what_is_missing_is_named_as_marketo_names_it(dialect):
    for member in ("apiName", "name", "triggerName", "filterName"):
        reply = dialect.post(f"{TYPE}.json", {name: value for name, value in NEW.items() if name != member})
        message = f"Missing value for the required parameter '{member}'"
        assert reply.json()["errors"] == [{"code": "1002", "message": message}]


def test_who_may_not_change_a_type_learns_nothing_of_its_fields(dialect, dialect_with):
    dialect.post(f"{TYPE}.json", NEW)
    narrow, body = dialect_with("activities.view_activitytype"), {"attributes": [{"apiName": "none", "name": "N"}]}
    for verb in ("update", "delete"):
        assert code(narrow.post(f"{TYPE}/attendWorkshop/attributes/{verb}.json", body)) == "603"


def test_other_refusals(dialect):
    dialect.post(f"{TYPE}.json", NEW)
    assert code(dialect.post(f"{TYPE}.json", NEW)) == "1017"
    assert code(dialect.post(f"{TYPE}/nothing/approve.json")) == "1013"
    dialect.post(f"{TYPE}/attendWorkshop/approve.json")
    assert code(dialect.post(f"{TYPE}/attendWorkshop/approve.json")) == "1003"


def test_types_lists_standard_and_approved_ones(dialect):
    dialect.post(f"{TYPE}.json", NEW)
    before = {row["id"]: row for row in dialect.get("/rest/v1/activities/types.json").json()["result"]}
    assert before[13]["primaryAttribute"]["name"] == "Attribute Name" and "apiName" not in before[13]
    assert "primaryAttribute" not in before[12]
    dialect.post(f"{TYPE}/attendWorkshop/approve.json")
    body = dialect.get("/rest/v1/activities/types.json").json()
    assert "nextPageToken" not in body and body["result"][-1]["apiName"] == "attendWorkshop"


def test_leads_are_synced_and_read_back(dialect):
    reply = dialect.post(
        "/rest/v1/leads.json",
        {
            "input": [
                {"email": "ann@example.com", "firstName": "Ann", "country": "Spain"},
                {"email": "nonsense"},
                {"email": "b@example.com", "shoe": 1},
            ]
        },
    ).json()
    ann, bad, unknown = reply["result"]
    assert ann["status"] == "created" and bad["reasons"][0]["code"] == "1003"
    assert unknown["reasons"] == [{"code": "1006", "message": "Field 'shoe' not found"}]
    again = dialect.post("/rest/v1/leads.json", {"input": [{"email": "ANN@example.com", "lastName": None}]}).json()[
        "result"
    ]
    assert again == [{"id": ann["id"], "status": "updated"}]
    (found,) = dialect.get(
        "/rest/v1/leads.json", filterType="email", filterValues="ann@example.com", fields="country,firstName"
    ).json()["result"]
    assert found == {"id": ann["id"], "country": "Spain", "firstName": "Ann"}
    assert list(dialect.get(f"/rest/v1/lead/{ann['id']}.json").json()["result"][0]) == [
        "id",
        "firstName",
        "lastName",
        "email",
        "updatedAt",
        "createdAt",
    ]


def test_a_form_body_may_say_that_a_post_is_a_get(dialect):
    ann = make_person()
    form = f"_method=GET&filterType=id&filterValues={ann.pk}&fields=email"
    reply = dialect.post("/rest/v1/leads.json", form, "application/x-www-form-urlencoded").json()
    assert reply["result"] == [{"id": ann.pk, "email": ann.email}]


def test_lead_refusals(dialect):
    post = lambda **body: dialect.post("/rest/v1/leads.json", body)  # noqa: E731
    assert post(input=[]).json()["errors"] == [{"code": "1003", "message": "Leads not specified"}]
    assert code(post(input=[{}], lookupField="shoe")) == "1006"
    assert code(post(input=[{}], lookupField="city")) == "1011"  # there, but shared by many
    assert code(post(input=[{}], action="explode")) == "1001"
    assert code(dialect.get("/rest/v1/lead/99.json")) == "1004"
    assert code(dialect.get("/rest/v1/leads.json", filterType="city", filterValues="x")) == "1011"
    update = post(input=[{"email": "x@example.com"}], action="updateOnly").json()["result"][0]
    assert update["reasons"] == [{"code": "1004", "message": "Lead not found"}]
    assert not Person.objects.exists()


def test_standard_types_have_marketo_s_names_and_attributes(dialect):
    rows = {row["id"]: row for row in dialect.get("/rest/v1/activities/types.json").json()["result"]}
    visit = rows[1]
    assert visit["name"] == "Visit Webpage" and visit["primaryAttribute"] == {
        "name": "Webpage ID",
        "dataType": "integer",
    }
    names = {row["name"] for row in visit["attributes"]}
    assert names >= {"Client IP Address", "Query Parameters", "Referrer URL", "Search Engine", "Search Query"}
    assert names >= {"User Agent", "Webpage URL", "Is Bot Activity", "Bot Activity Pattern"} and "Path" not in names
    assert rows[27]["name"] == "Email Bounced Soft" and rows[90001]["name"] == "Attend Event"
    assert {"name": "Campaign Run ID", "dataType": "integer"} in rows[6]["attributes"]
    assert not any("apiName" in row for row in rows.values())


@pytest.mark.django_db(transaction=True)  # the mark stays below what the reading transaction itself wrote
def test_activities_have_the_attribute_names_of_types_json(dialect):
    values = [("page_path", "/a"), ("url", "https://example.com/a")]
    row = NewActivity(make_person().pk, 1, "2026-11-20T10:00:00Z", "example.com/a", values)
    record_activities([row], SYSTEM, may_record=frozenset({row.activity_type}))
    token = dialect.get("/rest/v1/activities/pagingtoken.json", sinceDatetime="2026-01-01T00:00:00Z").json()
    parameters = {"nextPageToken": token["nextPageToken"], "activityTypeIds": 1}
    (row,) = dialect.get("/rest/v1/activities.json", **parameters).json()["result"]
    assert row["primaryAttributeValue"] == "example.com/a"
    assert {"name": "Webpage URL", "value": "/a"} in row["attributes"]
    assert {"name": "URL", "value": "https://example.com/a"} in row["attributes"]
