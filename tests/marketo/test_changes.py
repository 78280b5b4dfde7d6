"""Lead changes, deleted leads, and every way to narrow a read of activities."""

import pytest

from activities.models import Activity
from activities.recording.recorder import record_activities
from activities.types import standard as standard_types
from activities.types.standard import CHANGE_DATA_VALUE
from config.marketo.wire import paging
from people.core.source import Channel, Source
from people.lists import static_lists
from people.models import Person
from people.persons import deletion, upsert
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows
from tests.marketo.conftest import code, result

# the mark stays below what the reading transaction itself wrote, so these tests commit
pytestmark = pytest.mark.django_db(transaction=True)
READ = "/rest/v1/activities.json"


@pytest.fixture
def token(dialect):
    def issue(since="2026-01-01"):
        return dialect.get("/rest/v1/activities/pagingtoken.json", sinceDatetime=since).json()["nextPageToken"]

    return issue


def test_lead_changes_give_new_people_and_the_fields_asked_for(dialect, token):
    start = token()
    (created,) = result(
        dialect.post("/rest/v1/leads.json", {"input": [{"email": "a@example.com", "firstName": "Inés"}]})
    )
    dialect.post("/rest/v1/leads.json", {"input": [{"email": "a@example.com", "firstName": "Ines", "city": "Málaga"}]})
    body = dialect.get(
        "/rest/v1/activities/leadchanges.json", nextPageToken=start, fields="id,firstName,lastName"
    ).json()
    new, change = body["result"]
    assert (new["activityTypeId"], new["leadId"], new["fields"]) == (12, created["id"], [])
    assert change["activityTypeId"] == 13 and "primaryAttributeValue" not in change
    assert change["fields"] == [
        {"id": change["fields"][0]["id"], "name": "firstName", "newValue": "Ines", "oldValue": "Inés"}
    ]
    assert {"name": "Reason", "value": "Web service API"} in change["attributes"]
    assert {"name": "Lead ID", "value": created["id"]} in change["attributes"]
    assert body["moreResult"] is False and body["nextPageToken"]
    described = {row["id"]: row["rest"]["name"] for row in result(dialect.get("/rest/v1/leads/describe.json"))}
    assert described[change["fields"][0]["id"]] == "firstName"
    assert code(dialect.get("/rest/v1/activities/leadchanges.json", nextPageToken=start, fields="shoe")) == "1006"
    assert code(dialect.get("/rest/v1/activities/leadchanges.json", nextPageToken=start)) == "1002"


def test_a_summary_that_the_version_before_left_is_a_change_of_each_field_it_names(dialect, token):
    ann, start = make_person(), token()
    summary = new_activity(ann.pk, CHANGE_DATA_VALUE, primary_value="first_name, city")
    record_activities([summary], Source(Channel.IMPORT), may_record=frozenset({CHANGE_DATA_VALUE}))
    body = dialect.get("/rest/v1/activities/leadchanges.json", nextPageToken=start, fields="city").json()
    assert [row["name"] for row in body["result"][-1]["fields"]] == ["city"]


def test_a_changed_field_is_called_by_its_name_in_this_api(dialect, token):
    ann, start = make_person(), token()
    upsert.upsert_people([{"email": ann.email, "first_name": "Ann", "person_score": 5}], MARKETO)
    rows = result(dialect.get(READ, nextPageToken=start, activityTypeIds="13,22"))
    assert sorted(row["primaryAttributeValue"] for row in rows) == ["firstName", "leadScore"]


def test_deleted_leads(dialect, token):
    ann, start = make_person(first_name="Ann", last_name="Lee"), token()
    deletion.delete_people([ann.pk], None, MARKETO)
    (row,) = result(dialect.get("/rest/v1/activities/deletedleads.json", nextPageToken=start))
    assert (row["activityTypeId"], row["leadId"], row["attributes"]) == (37, ann.pk, [])
    assert (row["primaryAttributeValueId"], row["primaryAttributeValue"]) == (ann.pk, "Ann Lee")
    assert "fields" not in row


def test_reads_are_narrowed_to_leads_a_list_and_assets(dialect, token, monkeypatch):
    check, start = approved_type(), token()
    ann, bob, cid = make_person(), make_person(), make_person()
    seeds = static_lists.create_static_list("Seeds", None)
    static_lists.add_members(seeds, [ann.pk, bob.pk], MARKETO)
    record_rows(*(new_activity(one.pk) for one in (ann, bob, cid)))

    def leads(**parameters):
        page = dialect.get(READ, nextPageToken=start, **({"activityTypeIds": check.pk} | parameters))
        return [row["leadId"] for row in result(page)]

    assert leads() == [ann.pk, bob.pk, cid.pk]
    assert leads(leadIds=f"{ann.pk},{cid.pk}") == [ann.pk, cid.pk]
    assert leads(leadIds=[cid.pk, 999_999]) == [cid.pk]
    assert leads(listId=seeds.pk) == [ann.pk, bob.pk]
    monkeypatch.setattr("config.marketo.resources.activities.SHORT_LIST", 1)
    assert leads(listId=seeds.pk) == [ann.pk, bob.pk]
    assert leads(activityTypeIds=standard_types.ADD_TO_LIST, assetIds=seeds.pk) == [ann.pk, bob.pk]
    assert leads(activityTypeIds=standard_types.ADD_TO_LIST, assetIds=seeds.pk + 1) == []
    assert leads(assetIds=seeds.pk) == []
    (added, _second) = result(dialect.get(READ, nextPageToken=start, activityTypeIds=24))
    assert added["primaryAttributeValueId"] == seeds.pk and added["primaryAttributeValue"] == "Seeds"


def test_pages_of_a_narrowed_read_have_everything_once(dialect, token):
    check, start = approved_type(), token()
    ann, bob = make_person(), make_person()
    record_rows(*(new_activity(one.pk, primary_value=f"{i}") for i in range(5) for one in (ann, bob)))
    seen, more = [], True
    while more:
        page = dialect.get(READ, nextPageToken=start, activityTypeIds=check.pk, leadIds=ann.pk, batchSize=2).json()
        seen += [row["primaryAttributeValue"] for row in page["result"]]
        start, more = page["nextPageToken"], page["moreResult"]
    assert seen == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"activityTypeIds": "1,2,3,6,7,8,9,10,11,12,13"}, "1003"),
        ({"activityTypeIds": "5"}, "1003"),
        ({"activityTypeIds": "99999999999"}, "1001"),
        ({"activityTypeIds": "9999999999"}, "1003"),
        ({"activityTypeIds": "x"}, "1001"),
        ({"activityTypeIds": ""}, "1002"),
        ({"activityTypeIds": "1", "leadIds": ",".join(map(str, range(1, 32)))}, "1003"),
        ({"activityTypeIds": "1", "listId": "4711"}, "1013"),
        ({"activityTypeIds": "1,2", "assetIds": "1"}, "1003"),
        ({"activityTypeIds": "1", "batchSize": "many"}, "1001"),
        ({"activityTypeIds": "1", "nextPageToken": "nonsense"}, "1003"),
        ({"activityTypeIds": "1", "nextPageToken": ""}, "1002"),
    ],
)
def test_what_cannot_be_read(dialect, token, parameters, expected):
    assert code(dialect.get(READ, **{"nextPageToken": token(), **parameters})) == expected


def test_dates_of_a_token_in_every_form(dialect):
    forms = [
        "2026-11-20",
        "2026-11-20T10:00",
        "2026-11-20T10:00:00",
        "2026-11-20T10:00:00.768Z",
        "2026-11-20T10:00:00+0100",
        "2026-11-20T10:00:00-08:00",
    ]
    for text in forms:
        body = dialect.get("/rest/v1/activities/pagingtoken.json", sinceDatetime=text).json()
        assert body["success"] and "result" not in body
        assert set(body["nextPageToken"].rstrip("=")) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        assert paging.decode_position(body["nextPageToken"]).since is not None
    assert code(dialect.get("/rest/v1/activities/pagingtoken.json", sinceDatetime="yesterday")) == "1001"
    assert code(dialect.get("/rest/v1/activities/pagingtoken.json")) == "1002"


def test_months_of_custom_activities_as_marketo_limits_them(dialect, token, settings):
    check, start = approved_type(), token("2001-01-01")
    ann = make_person()
    record_rows(
        new_activity(ann.pk, occurred_at="2001-01-01", primary_value="old"), new_activity(ann.pk, primary_value="new")
    )
    settings.DIALECT_ACTIVITY_MONTHS = 25
    assert [
        row["primaryAttributeValue"] for row in result(dialect.get(READ, nextPageToken=start, activityTypeIds=check.pk))
    ] == ["new"]
    assert result(dialect.get(READ, nextPageToken=start, activityTypeIds=12))[0]["leadId"] == ann.pk
    settings.DIALECT_ACTIVITY_MONTHS = None
    assert len(result(dialect.get(READ, nextPageToken=start, activityTypeIds=check.pk))) == 2


def test_ids_as_text_are_ids_and_other_text_is_none(dialect):
    check, ann = approved_type(), make_person()
    row = {
        "leadId": str(ann.pk),
        "activityTypeId": str(check.pk),
        "activityDate": "2026-11-20",
        "primaryAttributeValue": "x",
    }
    rows = result(
        dialect.post(
            "/rest/v1/activities/external.json",
            {
                "input": [
                    row,
                    row | {"activityTypeId": "depositCheck"},
                    row | {"leadId": ann.email},
                    row | {"activityTypeId": True},
                    row | {"leadId": True},
                ]
            },
        )
    )
    assert [entry["status"] for entry in rows] == ["added"] + ["skipped"] * 4
    assert [entry["errors"][0]["code"] for entry in rows[1:]] == ["1003", "1001", "1003", "1001"]
    assert Activity.objects.filter(activity_type_id=check.pk).count() == 1
    assert Person.objects.count() == 1
