"""Custom object types over the Marketo API: their life cycle."""

import pytest

from people.models import ObjectType
from people.objects.definition import ObjectFieldSpec
from tests.marketo.conftest import code, result
from tests.people.objects.world import COURSE_FIELDS, approved_type

pytestmark = pytest.mark.django_db
SCHEMA = "/rest/v1/customobjects/schema"
VIN = {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True, "description": "Number"}
OWNER = {"name": "leadId", "displayName": "Owner", "dataType": "link", "relatedTo": {"name": "lead", "field": "id"}}


@pytest.fixture
def truck(dialect):
    body = {"apiName": "truck_c", "displayName": "Truck", "description": "Big"}
    assert result(dialect.post(f"{SCHEMA}.json", body)) == []
    return f"{SCHEMA}/truck_c"


def described(dialect, path, **parameters):
    (row,) = result(dialect.get(f"{path}/describe.json", **parameters))
    return row


def test_a_fresh_draft(dialect, truck):
    row = described(dialect, truck)
    assert [field["name"] for field in row.pop("fields")] == ["createdAt", "marketoGUID", "updatedAt"]
    assert row == {
        "apiName": "truck_c",
        "pluralName": "Trucks",
        "state": "draft",
        "version": "draft",
        "displayName": "Truck",
        "description": "Big",
        "createdAt": None,
        "updatedAt": None,
        "idField": None,
        "dedupeFields": [],
        "searchableFields": [[]],
        "relationships": [],
    }
    assert not ObjectType.objects.get().is_shown_on_person
    assert code(dialect.post(f"{truck}/approve.json")) == "1003"  # without a dedupe field
    assert code(dialect.post(f"{truck}/discardDraft.json")) == "1048"
    assert code(dialect.get(f"{truck}/describe.json", state="approved")) == "1013"
    assert code(dialect.get(f"{truck}/describe.json", state="new")) == "1001"


def test_from_draft_to_records(dialect, truck):
    assert result(dialect.post(f"{truck}/addField.json", {"input": [VIN, OWNER]})) == []
    page = {"name": "page", "displayName": "Page", "dataType": "url"}
    result(dialect.post(f"{truck}/addField.json", {"input": [page]}))
    result(dialect.post(f"{truck}/page/updateField.json", {"displayName": "Home page", "dataType": "text"}))
    assert result(dialect.post(f"{truck}/approve.json")) == []
    row = described(dialect, truck)
    assert (row["state"], row["version"], row["idField"]) == ("approved", "approved", "marketoGUID")
    assert row["relationships"] == [{"field": "leadId", "type": "child", "relatedTo": {"name": "lead", "field": "id"}}]
    fields = {field["name"]: field for field in row["fields"]}
    assert (fields["leadId"]["dataType"], fields["vin"]["description"]) == ("integer", "Number")
    assert (fields["page"]["displayName"], fields["page"]["dataType"]) == ("Home page", "text")
    assert code(dialect.post(f"{truck}/approve.json")) == "1003"
    assert result(dialect.post(f"{truck}/deleteField.json", {"input": [{"name": "page"}]})) == []
    assert code(dialect.post(f"{truck}/deleteField.json", {"input": [{"name": "vin"}]})) == "1003"
    result(dialect.post(f"{SCHEMA}.json", {"apiName": "truck_c", "displayName": "Lorry", "showInLeadDetail": True}))
    assert described(dialect, truck)["state"] == "approvedWithDraft"
    draft = described(dialect, truck, state="draft")
    assert (draft["displayName"], draft["version"]) == ("Lorry", "draft")
    assert "page" not in [field["name"] for field in draft["fields"]]
    assert ObjectType.objects.get().is_shown_on_person
    assert result(dialect.get(f"{SCHEMA}.json", state="draft")) == []
    (listed,) = result(dialect.get(f"{SCHEMA}.json", state="approvedWithDraft", names="truck_c,none"))
    assert listed["displayName"] == "Truck"
    assert result(dialect.post(f"{truck}/discardDraft.json")) == []
    assert code(dialect.post(f"{truck}/discardDraft.json")) == "1048"
    assert result(dialect.post(f"{truck}/delete.json")) == []
    assert code(dialect.get(f"{truck}/describe.json")) == "1013"


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ("1002", {"displayName": "Boat"}),
        ("1002", {"apiName": "boat"}),
        ("1003", {"apiName": "b t", "displayName": "Boat"}),
        ("1003", {"apiName": "boat", "displayName": "Boat", "action": "upsert"}),
        ("1003", {"apiName": ["boat"], "displayName": "Boat"}),
        ("1001", {"apiName": "boat", "displayName": "Boat", "showInLeadDetail": "perhaps"}),
        ("1013", {"apiName": "boat", "displayName": "Boat", "action": "updateOnly"}),
        ("1017", {"apiName": "truck_c", "displayName": "Other", "action": "createOnly"}),
        ("1017", {"apiName": "lead", "displayName": "Lead"}),
    ],
)
def test_bad_types(dialect, truck, expected, body):
    assert code(dialect.post(f"{SCHEMA}.json", body)) == expected
    assert ObjectType.objects.count() == 1


@pytest.mark.parametrize(
    ("expected", "field"),
    [
        ("1002", {"displayName": "VIN", "dataType": "string"}),
        ("1002", {"name": "vin", "dataType": "string"}),
        ("1002", {"name": "vin", "displayName": "VIN"}),
        ("1002", {"name": "vin", "displayName": "VIN", "dataType": "link"}),
        ("1003", {"name": "vin", "displayName": "VIN", "dataType": "colour"}),
        ("1003", {"name": "v n", "displayName": "VIN", "dataType": "string"}),
        ("1003", {"name": "vin", "displayName": "VIN", "dataType": "link", "relatedTo": "lead"}),
        ("1002", {"name": "vin", "displayName": "VIN", "dataType": "link", "relatedTo": {"name": "lead"}}),
        ("1003", OWNER | {"relatedTo": {"name": "company", "field": "id"}}),
        ("1003", OWNER | {"relatedTo": {"name": "lead", "field": "phone"}}),
        ("1001", VIN | {"name": "other", "isDedupeField": "yes"}),
        ("1003", "vin"),
    ],
)
def test_one_bad_field_refuses_all(dialect, truck, expected, field):
    assert code(dialect.post(f"{truck}/addField.json", {"input": [VIN, field]})) == expected
    assert described(dialect, truck)["dedupeFields"] == []


def test_unknown_fields_are_1006(dialect, truck):
    assert code(dialect.post(f"{truck}/deleteField.json", {"input": [{"name": "title"}]})) == "1006"
    assert code(dialect.post(f"{truck}/title/updateField.json", {"displayName": "Title"})) == "1006"


def test_what_links_go_to_and_who_uses_a_type(dialect, truck):
    assert result(dialect.get(f"{SCHEMA}/fieldDataTypes.json"))[:5] == ["string", "boolean", "integer", "float", "link"]
    approved_type("Course", "course", COURSE_FIELDS)
    lead, course = result(dialect.get(f"{SCHEMA}/linkableObjects.json"))
    assert lead["fields"][0] == {"name": "Id", "displayName": "Id", "dataType": "integer"}
    assert [field["name"] for field in course["fields"]] == ["marketoGUID", "code"]
    to_course = {"name": "course", "displayName": "Course", "dataType": "link"}
    for field in course["fields"]:
        related = {"relatedTo": {"name": "course", "field": field["name"]}}
        result(dialect.post(f"{truck}/addField.json", {"input": [to_course | related]}))
        result(dialect.post(f"{truck}/deleteField.json", {"input": [{"name": "course"}]}))
    lesson = (
        ObjectFieldSpec("at", "At", is_dedupe=True),
        ObjectFieldSpec("course", "Course", link_to="course", link_by="code"),
    )
    used_by = approved_type("Lesson", "lesson", lesson)
    (asset,) = result(dialect.get(f"{SCHEMA}/course/dependentAssets.json"))
    assert asset == {"assetType": "Object Type", "assetId": used_by.pk, "assetName": "Lesson", "usedFields": []}
    assert code(dialect.post(f"{SCHEMA}/course/delete.json")) == "1022"


def test_rights(dialect_with, truck):
    reader = dialect_with("people.view_objecttype")
    for path in (f"{SCHEMA}.json", f"{truck}/approve.json", f"{truck}/addField.json", f"{truck}/delete.json"):
        assert code(reader.post(path, {})) == "603"
    changer = dialect_with("people.change_objecttype")
    assert code(changer.post(f"{SCHEMA}.json", {"apiName": "boat", "displayName": "Boat"})) == "603"
    assert (
        result(changer.post(f"{SCHEMA}.json", {"apiName": "truck_c", "pluralName": "Lorries", "action": "updateOnly"}))
        == []
    )
