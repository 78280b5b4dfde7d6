"""A public client of other authors, unchanged but for its host, against the served application."""

import pytest
from django.contrib.auth import get_user_model
from marketorestpython.client import MarketoClient

from config.access.clients import editing as client_editing
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from tests.activities.visitors.factories import make_site
from tests.people.objects.world import approved_type as approved_object_type

pytestmark = pytest.mark.django_db(transaction=True)
WORKSHOP = {
    "apiName": "attendWorkshop",
    "name": "Attend Workshop",
    "triggerName": "Attends Workshop",
    "filterName": "Attended Workshop",
    "primaryAttributeApiName": "workshopName",
    "primaryAttributeName": "Workshop Name",
}
SEATS = {"apiName": "seatCount", "name": "Seat Count", "dataType": "integer"}


@pytest.fixture
def call(live_server):
    """Calls a method of the client, by its name."""
    owner = get_user_model().objects.create_superuser("olga", password="x")
    credentials = client_editing.create_client("Old script", owner, None)
    client = MarketoClient("123-ABC-456", credentials.client_id, credentials.client_secret, max_retry_time=8)
    client.host = live_server.url

    def call(method, *positional, **arguments):
        return client.execute(*positional, method=method, **arguments)

    call.client = client
    return call


@pytest.fixture
def workshop(call):
    call("create_custom_activity_type", **WORKSHOP)
    call("create_custom_activity_type_attribute", apiName="attendWorkshop", attributes=[SEATS])
    (approved,) = call("approve_custom_activity_type", apiName="attendWorkshop")
    return approved["id"]


def leads(call, *names):
    rows = call("create_update_leads", leads=[{"email": f"{name}@x.test"} for name in names], lookupField="email")
    return [row["id"] for row in rows]


def attended(lead, workshop, **more):
    return {
        "leadId": lead,
        "activityDate": "2026-11-20T10:00:00Z",
        "activityTypeId": workshop,
        "primaryAttributeValue": "Intro",
        "attributes": [{"apiName": "seatCount", "value": 2}],
    } | more


def test_activities(call, workshop):
    ann, bob = leads(call, "ann", "bob")
    rows = call(
        "add_custom_activities", input=[attended(ann, workshop), attended(999_999, workshop), attended(bob, workshop)]
    )
    assert [row["status"] for row in rows] == ["added", "skipped", "added"]
    assert any(row["id"] == workshop for row in call("get_activity_types"))
    assert call("get_paging_token", sinceDatetime="2026-11-20")
    wanted = {"activityTypeIds": [str(workshop)], "sinceDatetime": "2026-11-01"}
    found = call("get_lead_activities", **wanted, batchSize=1)
    assert [row["leadId"] for row in found] == [ann, bob]
    assert found[0]["attributes"] == [{"name": "Seat Count", "apiName": "seatCount", "value": 2}]
    assert len(call("get_lead_activities", **wanted, untilDatetime="2026-11-19")) == 0
    assert len(call("get_lead_activities", **wanted, leadIds=[ann])) == 1
    assert [len(page) for page in call("get_lead_activities_yield", **wanted, batchSize=1)] == [1, 1]


def test_leads(call):
    ann, bob, cid = leads(call, "ann", "bob", "cid")
    assert call("get_lead_by_id", id=ann, fields=["email"]) == [{"id": ann, "email": "ann@x.test"}]
    values = ["ann@x.test", "bob@x.test"]
    by_filter = {"filterType": "email", "filterValues": values, "fields": ["id", "email"]}
    expected = [{"id": ann, "email": "ann@x.test"}, {"id": bob, "email": "bob@x.test"}]
    assert call("get_multiple_leads_by_filter_type", **by_filter) == expected
    assert call("get_multiple_leads_by_filter_type", **by_filter, batchSize=1) == expected
    call(
        "create_update_leads",
        leads=[{"id": ann, "firstName": "Ann"}],
        action="updateOnly",
        lookupField="id",
        asyncProcessing=False,
        partitionName="Default",
    )
    changes = call("get_lead_changes", fields=["firstName"], sinceDatetime="2026-01-01")
    assert [field["newValue"] for row in changes for field in row["fields"]] == ["Ann"]
    pages = list(call("get_lead_changes_yield", fields=["firstName"], sinceDatetime="2026-01-01", batchSize=2))
    assert sum(map(len, pages)) == 4
    make_site(munchkin_id="287-GTJ-838")
    assert call("associate_lead", id=ann, cookie="id:287-GTJ-838&token:_mch-x.test-1396310362214-46169") is True
    assert call("merge_lead", id=ann, leadIds=[bob]) is True
    assert call("delete_lead", id=[cid]) == [{"id": cid, "status": "deleted"}]
    (deleted,) = call("get_deleted_leads", sinceDatetime="2026-01-01")
    assert (deleted["leadId"], deleted["primaryAttributeValue"]) == (cid, "cid@x.test")
    assert call("get_lead_partitions")[0]["name"] == "Default"
    assert any(row["rest"]["name"] == "firstName" for row in call("describe"))
    assert call("describe2")[0]["name"] == "API Lead"


def test_lists(call):
    ann, bob = leads(call, "ann", "bob")
    (seeds,) = call("create_list", name="Seeds", folderId=1, folderType="Folder", description="Ours")
    assert call("update_list", id=seeds["id"], name="Better seeds")[0]["name"] == "Better seeds"
    assert call("add_leads_to_list", listId=seeds["id"], id=[ann, bob])[1] == {"id": bob, "status": "added"}
    assert [row["status"] for row in call("member_of_list", listId=seeds["id"], id=[ann])] == ["memberof"]
    assert [row["id"] for row in call("get_multiple_leads_by_list_id", listId=seeds["id"], batchSize=1)] == [ann, bob]
    pages = call("get_multiple_leads_by_list_id_yield", listId=seeds["id"], fields=["email"], batchSize=1)
    assert [page[0]["email"] for page in pages if page] == ["ann@x.test", "bob@x.test"]
    assert call("remove_leads_from_list", listId=seeds["id"], id=[ann]) == [{"id": ann, "status": "removed"}]
    assert call("get_list_by_id", id=seeds["id"])[0]["description"] == "Ours"
    assert call("get_list_by_name", name="Better seeds")[0]["id"] == seeds["id"]
    assert call("get_multiple_lists", name=["Better seeds"], batchSize=1)[0]["id"] == seeds["id"]
    assert len(call("browse_lists", folderId=1, folderType="Folder")) == 1
    assert len(list(call("browse_lists_yield", maxReturn=1))) == 1
    assert call("delete_list", id=seeds["id"]) == [{"id": seeds["id"]}]
    with pytest.raises(KeyError):  # nothing found has no result, as with Marketo itself
        call("get_list_by_id", id=seeds["id"])


def test_smart_lists(call):
    rules = {
        "version": 1,
        "match": "all",
        "filters": [{"kind": "activity", "did": True, "type": "clickLink", "constraints": []}],
    }
    made = list_editing.create_smart_list("Clickers", rules, None)
    (found,) = call("get_smart_list_by_id", id=made.pk, includeRules=True)
    assert found["rules"]["filters"][0]["ruleTypeId"] == 3
    assert call("get_smart_list_by_name", name="Clickers")[0]["id"] == made.pk
    assert [row["name"] for page in call("get_smart_lists", maxReturn=1) for row in page] == ["Clickers"]
    (copy,) = call("clone_smart_list", id=made.pk, name="Copy", folderId=1, folderType="Folder", description="Mine")
    assert (copy["name"], copy["description"]) == ("Copy", "Mine")
    assert call("delete_smart_list", id=copy["id"]) == [{"id": copy["id"]}]
    assert list(SmartList.objects.all()) == [made]


def test_the_life_of_a_type(call, workshop):
    api_name = {"apiName": "attendWorkshop"}
    (listed,) = call("get_custom_activity_types")
    assert (listed["id"], listed["status"]) == (workshop, "approved")
    (changed,) = call("update_custom_activity_type", **api_name, description="Took part", primaryAttributeName="Title")
    assert (changed["status"], changed["primaryAttribute"]["name"]) == ("approved with draft", "Title")
    assert call("describe_custom_activity_type", **api_name, draft=True)[0]["description"] == "Took part"
    assert call("describe_custom_activity_type", **api_name)[0]["description"] == ""
    seats = {"apiName": "seatCount", "name": "Seats"}
    (changed,) = call("update_custom_activity_type_attribute", **api_name, attributes=[seats])
    assert changed["attributes"][0]["name"] == "Seats"
    (changed,) = call("delete_custom_activity_type_attribute", **api_name, attributes=[{"apiName": "seatCount"}])
    assert "attributes" not in changed
    assert call("discard_custom_activity_type_draft", **api_name)[0]["status"] == "approved"
    assert call("delete_custom_activity_type", **api_name)[0]["status"] == "deleted"
    assert call("get_custom_activity_types") == []


def test_usage(call):
    call("get_activity_types")
    assert call("get_daily_usage")[0]["total"] >= 1
    assert len(call("get_last_7_days_usage")) == 7
    with pytest.raises(Exception, match="Lead not found"):
        call("get_lead_by_id", id=999_999)
    assert {"errorCode": "1004", "count": 1} in call("get_daily_errors")[0]["errors"]
    assert len(call("get_last_7_days_errors")) == 7


def test_what_it_only_looks_for_is_empty(call):
    assert call("get_multiple_campaigns") == []
    assert call("get_folder_by_name", name="Default")[0]["folderType"] == "Zone"
    assert list(call("get_programs_yield")) == list(call("get_emails_yield")) == call("get_segmentations") == []
    with pytest.raises(KeyError, match="result"):  # left out by Marketo as well
        call("get_tokens", id=1, folderType="Program")
    with pytest.raises(Exception, match="610"):
        call("describe_opportunity")


def test_it_comes_back_from_a_limit(call, settings):
    call("get_activity_types")
    settings.DIALECT_RATE_LIMIT, settings.DIALECT_RATE_SECONDS = 1, 1
    # its own repetition after a 606 loses the token, and only 601 makes it log in again
    assert all(call("get_activity_types") for _again in range(3))


def test_custom_object_types(call):
    boat = {"apiName": "boat"}
    call("create_update_custom_object_type", **boat, displayName="Boat", pluralName="Boats", description="Floats")
    name = {"name": "name", "displayName": "Name", "dataType": "string", "isDedupeField": True}
    lead = {"name": "leadId", "displayName": "Owner", "dataType": "link", "relatedTo": {"name": "Lead", "field": "Id"}}
    assert call("add_field_custom_object_type", **boat, fields=[name, lead]) == []
    (draft,) = call("describe_custom_object_type", **boat)
    assert (draft["state"], draft["version"], draft["dedupeFields"]) == ("draft", "draft", ["name"])
    assert call("approve_custom_object_type", **boat) == []
    call("create_update_custom_object_type", **boat, displayName="Vessel", action="updateOnly", showInLeadDetail=True)
    (row,) = call("get_list_of_custom_object_types")
    assert (row["displayName"], row["state"], row["version"]) == ("Boat", "approvedWithDraft", "approved")
    assert call("discard_custom_object_type", **boat) == []
    assert call("describe_custom_object_type", **boat)[0]["state"] == "approved"
    assert call("delete_custom_object_type", **boat) == []
    assert call("get_list_of_custom_object_types") == []


def test_custom_objects(call):
    approved_object_type()
    rows = call("create_update_custom_objects", name="car", input=[{"plate": "1", "colour": "blue"}, {"plate": ""}])
    assert [row["status"] for row in rows] == ["created", "skipped"]
    changes = {"action": "updateOnly", "dedupeBy": "idField"}
    guid = {"marketoGUID": rows[0]["marketoGUID"]}
    (row,) = call("create_update_custom_objects", name="car", input=[{**guid, "colour": "red"}], **changes)
    assert row["status"] == "updated"
    call("create_update_custom_objects", name="car", input=[{"plate": "2"}])
    wanted = {"filterType": "dedupeFields", "input": [{"plate": "1"}, {"plate": "2"}], "fields": ["plate", "colour"]}
    found = call("get_custom_objects", name="car", **wanted, batchSize=1)
    assert [(row["plate"], row.get("colour")) for row in found] == [("1", "red"), ("2", None)]
    assert [row["name"] for row in call("get_list_of_custom_objects", names="car")] == ["car"]
    assert call("describe_custom_object", name="car")[0]["idField"] == "marketoGUID"
    (row,) = call("delete_custom_objects", name="car", input=[guid], deleteBy="idField")
    assert row["status"] == "deleted"
