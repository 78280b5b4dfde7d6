"""Leads deleted and merged, and fields defined, over the Marketo API."""

import pytest

from people.models import Person, PersonField
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.marketo.conftest import code, result


@pytest.mark.parametrize(
    ("method", "path", "with_body"),
    [
        ("post", "/rest/v1/leads/delete.json", True),
        ("post", "/rest/v1/leads/delete.json?id={ids}", False),
        ("delete", "/rest/v1/leads.json", True),
        ("post", "/rest/v1/leads.json?_method=DELETE", True),
    ],
)
def test_leads_are_deleted_in_every_spelling(dialect, method, path, with_body):
    ann, bob = make_person(first_name="Ann"), make_person()
    ids = [ann.pk, 999_999, ann.pk]
    body = {"input": [{"id": pk} for pk in ids]} if with_body else None
    rows = result(dialect.request(method, path.format(ids=",".join(map(str, ids))), body))
    assert rows[0] == {"id": ann.pk, "status": "deleted"}
    for row, pk in zip(rows[1:], ids[1:], strict=True):
        assert row == {"id": pk, "status": "skipped", "reasons": [{"code": "1004", "message": "Lead not found"}]}
    assert list(Person.objects.live()) == [bob]
    assert code(dialect.get(f"/rest/v1/lead/{ann.pk}.json")) == "1004"


def test_losers_become_the_winner(dialect):
    approved_type()
    ann, bob, cid = (
        make_person(first_name="Ann"),
        make_person(first_name="Bob", city="Oslo"),
        make_person(country="Spain"),
    )
    record_rows(new_activity(bob.pk))
    body = dialect.post(f"/rest/v1/leads/{ann.pk}/merge.json?leadIds={bob.pk}%2C{cid.pk}&mergeInCRM=False").json()
    assert body["success"] is True and "result" not in body
    (winner,) = result(dialect.get(f"/rest/v1/lead/{ann.pk}.json", fields="firstName,city,country"))
    assert winner == {"id": ann.pk, "firstName": "Ann", "city": "Oslo", "country": "Spain"}
    assert code(dialect.get(f"/rest/v1/lead/{bob.pk}.json")) == "1004"
    row = {"leadId": bob.pk, "activityTypeId": 1, "activityDate": "2026-11-20"}
    assert result(dialect.post("/rest/v1/activities/external.json", {"input": [row]}))[0]["errors"][0]["code"] == "1004"


def test_what_cannot_be_merged(dialect):
    ann, bob = make_person(), make_person()
    merge = lambda query: dialect.post(f"/rest/v1/leads/{ann.pk}/merge.json?{query}")  # noqa: E731
    assert code(merge("")) == "1002"
    assert code(merge(f"leadId={ann.pk}")) == "1003"
    assert code(merge("leadId=999999")) == "1004"
    assert code(merge("leadIds=" + ",".join(map(str, range(1000, 1026))))) == "1080"
    assert code(merge("leadId=x")) == "1001"
    assert code(dialect.post(f"/rest/v1/leads/999999/merge.json?leadId={bob.pk}")) == "1004"
    assert Person.objects.live().count() == 2


def test_fields_are_created_and_changed(dialect):
    path = "/rest/v1/leads/schema/fields"
    field = {
        "displayName": "Shoe Size",
        "name": "shoeSize",
        "dataType": "integer",
        "description": "EU",
        "isHidden": False,
    }
    rows = result(
        dialect.post(
            f"{path}.json",
            {
                "input": [
                    field,
                    field,
                    {"name": "site", "displayName": "Site", "dataType": "url"},
                    {"name": "x"},
                    {"displayName": "No name", "dataType": "string"},
                    {"name": "9x", "displayName": "Nine", "dataType": "string"},
                    {"name": ["x"], "displayName": "y", "dataType": ["z"]},
                    7,
                    {"name": "firstName", "displayName": "Again", "dataType": "string"},
                ]
            },
        )
    )
    assert rows[0] == {"name": "shoeSize", "status": "created"} and rows[2]["status"] == "created"
    assert [row["reasons"][0]["code"] for row in rows if "reasons" in row] == [
        "1017",
        "1003",
        "1002",
        "1003",
        "1003",
        "1002",
        "1017",
    ]
    assert PersonField.objects.get(api_name="shoeSize").is_api_created
    (row,) = result(dialect.get(f"{path}/site.json"))
    assert (row["dataType"], row["isApiCreated"]) == ("url", True)
    change = {"displayName": "Size of shoe", "isHidden": True}
    assert result(dialect.post(f"{path}/shoeSize.json", {"input": [change]})) == [
        {"name": "shoeSize", "status": "updated"}
    ]
    (row,) = result(dialect.get(f"{path}/shoeSize.json"))
    assert (row["displayName"], row["isHidden"], row["description"]) == ("Size of shoe", True, "EU")
    assert code(dialect.post(f"{path}/shoeSize.json", {"input": [{"dataType": "string"}]})) == "1003"
    assert code(dialect.post(f"{path}/shoeSize.json", {"input": [change, change]})) == "1003"
    assert code(dialect.post(f"{path}/nothing.json", {"input": [change]})) == "1006"
    ann = make_person(shoeSize=38)
    assert result(dialect.get(f"/rest/v1/lead/{ann.pk}.json", fields="shoeSize"))[0]["shoeSize"] == 38


def test_each_verb_needs_its_right(dialect_with):
    ann = make_person()
    reader = dialect_with("people.view_person", "people.change_person")
    assert code(reader.post(f"/rest/v1/leads/delete.json?id={ann.pk}")) == "603"
    assert code(reader.post(f"/rest/v1/leads/{ann.pk}/merge.json?leadId=5")) == "603"
    assert code(reader.post("/rest/v1/leads/schema/fields.json", {"input": [{"name": "x"}]})) == "603"
    assert code(reader.post("/rest/v1/leads/schema/fields/firstName.json", {"input": [{}]})) == "603"
    assert code(reader.post("/rest/v1/leads.json", {"input": [{"email": "a@example.com"}]})) == "603"
    assert result(reader.post("/rest/v1/leads.json", {"input": [{"email": ann.email}], "action": "updateOnly"}))
