"""Static lists: the lead database's view and the asset API's, and who is on them."""

import json

import pytest

from people.lists import folders, static_lists
from people.models import StaticList
from tests.factories import make_person
from tests.marketo.conftest import code, result

ASSET = "/rest/asset/v1"
NO_ASSETS = ["No assets found for the given search criteria."]


@pytest.fixture
def seeds(db):
    return static_lists.create_static_list("Seeds", None, description="Ours")


@pytest.mark.parametrize("spelling", ["list", "lists"])
@pytest.mark.parametrize(
    "ids",
    [
        lambda path, one, two: (f"{path}?id={one}&id={two}", None),
        lambda path, one, two: (f"{path}?id={one},{two}", None),
        lambda path, one, two: (f"{path}?id={one}%26id%3D{two}", None),
        lambda path, one, two: (path, {"input": [{"id": one}, {"id": str(two)}]}),
    ],
)
def test_members_come_and_go_in_every_spelling(dialect, seeds, spelling, ids):
    ann, bob = make_person(), make_person()
    path, body = ids(f"/rest/v1/{spelling}/{seeds.pk}/leads.json", ann.pk, bob.pk)
    added = [{"id": ann.pk, "status": "added"}, {"id": bob.pk, "status": "added"}]
    assert result(dialect.post(path, body)) == added
    assert result(dialect.post(path, body)) == added  # again is added again
    listed = result(dialect.get(f"/rest/v1/{spelling}/{seeds.pk}/leads.json", fields="email"))
    assert listed == [{"id": ann.pk, "email": ann.email}, {"id": bob.pk, "email": bob.email}]
    assert [row["status"] for row in result(dialect.delete(path, body))] == ["removed", "removed"]
    assert result(dialect.delete(path, body))[0] == {
        "id": ann.pk,
        "status": "skipped",
        "reasons": [{"code": "1015", "message": "Lead not in list"}],
    }


def test_whoever_is_nobody_is_skipped_alone(dialect, seeds):
    ann = make_person()
    body = {"input": [{"id": 999_999}, {"id": ann.pk}, {"id": None}, {"id": "x\0"}, 7, {"id": 10**30}]}
    rows = result(dialect.post(f"/rest/v1/lists/{seeds.pk}/leads.json", body))
    assert [row["status"] for row in rows] == ["skipped", "added", "skipped", "skipped", "skipped", "skipped"]
    assert rows[0] == {"id": 999_999, "status": "skipped", "reasons": [{"code": "1004", "message": "Lead not found"}]}
    assert "id" not in rows[2]


def test_is_member_by_query_and_by_overridden_post(dialect, seeds):
    ann, bob = make_person(), make_person()
    dialect.post(f"/rest/v1/lists/{seeds.pk}/leads.json?id={ann.pk}")
    path = f"/rest/v1/lists/{seeds.pk}/leads/ismember.json"
    by_query = result(dialect.get(path, id=[ann.pk, bob.pk, 999_999]))
    by_json = result(dialect.post(f"{path}?_method=GET", {"input": [{"id": pk} for pk in (ann.pk, bob.pk, 999_999)]}))
    assert by_query == by_json
    assert [row["status"] for row in by_query] == ["memberof", "notmemberof", "skipped"]


def test_pages_of_members_have_a_token_only_when_there_are_more(dialect, seeds):
    people = [make_person() for _ in range(5)]
    dialect.post(f"/rest/v1/lists/{seeds.pk}/leads.json", {"input": [{"id": one.pk} for one in people]})
    path, seen, token = f"/rest/v1/list/{seeds.pk}/leads.json?_method=GET", [], {}
    while True:  # as a public client requests it: a POST marked as a GET, with a form
        body = dialect.form(path, batchSize=2, listId=seeds.pk, **token).json()
        seen += [row["id"] for row in body["result"]]
        if "nextPageToken" not in body:
            break
        token = {"nextPageToken": body["nextPageToken"]}
    assert seen == [one.pk for one in people]
    (membership,) = result(dialect.get(f"/rest/v1/leads/{people[0].pk}/listMembership.json"))
    assert membership["listId"] == seeds.pk and membership["createdAt"].endswith("Z")


def test_lists_by_id_and_name(dialect, seeds):
    other = static_lists.create_static_list("Customers", None)
    assert [row["id"] for row in result(dialect.get("/rest/v1/lists.json"))] == [seeds.pk, other.pk]
    assert [row["name"] for row in result(dialect.get("/rest/v1/lists.json", name="Customers"))] == ["Customers"]
    assert [row["name"] for row in result(dialect.form("/rest/v1/lists.json", _method="GET", id=seeds.pk))] == ["Seeds"]
    assert result(dialect.get("/rest/v1/lists.json", programName="P")) == []
    first = dialect.get("/rest/v1/lists.json", batchSize=1).json()
    second = dialect.get("/rest/v1/lists.json", batchSize=1, nextPageToken=first["nextPageToken"]).json()
    assert second["result"][0]["id"] == other.pk and "nextPageToken" not in second
    (row,) = result(dialect.get(f"/rest/v1/lists/{seeds.pk}.json"))
    assert row["description"] == "Ours" and "programName" not in row
    assert code(dialect.get("/rest/v1/lists/99999.json")) == "1013"


def test_lists_over_the_asset_api(dialect):
    folder = folders.create_folder("Group Lists", None)
    (found,) = result(dialect.get(f"{ASSET}/folder/byName.json", name="Group Lists"))
    place = json.dumps({"id": found["id"], "type": "Folder"})
    (made,) = result(dialect.form(f"{ASSET}/staticLists.json", name="Seeds", folder=place, description="Ours"))
    assert made["folder"] == {"id": found["id"], "type": "Folder"} and "computedUrl" in made
    assert made["createdAt"].endswith("Z+0000")
    assert StaticList.objects.get().folder == folder
    body = dialect.get(f"{ASSET}/staticList/{made['id']}.json").json()
    assert (body["errors"], body["warnings"]) == ([], [])
    (renamed,) = result(dialect.form(f"{ASSET}/staticList/{made['id']}.json", name="Better seeds"))
    assert (renamed["name"], renamed["description"]) == ("Better seeds", "Ours")
    assert result(dialect.get(f"{ASSET}/staticList/byName.json", name="Better seeds"))[0]["id"] == made["id"]
    refused = dialect.form(f"{ASSET}/staticLists.json", name="better SEEDS", folder='{"id":1,"type":"Folder"}').json()
    assert refused["errors"] == [{"code": "709", "message": "Static List with the same name already exists"}]
    assert refused["warnings"] == []
    assert result(dialect.post(f"{ASSET}/staticList/{made['id']}/delete.json")) == [{"id": made["id"]}]
    body = dialect.get(f"{ASSET}/staticList/{made['id']}.json").json()
    assert "result" not in body and body["warnings"] == NO_ASSETS


def test_an_asset_search_pages_by_offset_and_says_when_there_is_nothing(dialect):
    for name in "abc":
        static_lists.create_static_list(name, None)
    assert [row["name"] for row in result(dialect.get(f"{ASSET}/staticLists.json", maxReturn=2))] == ["a", "b"]
    assert [row["name"] for row in result(dialect.get(f"{ASSET}/staticLists.json", maxReturn=2, offset=2))] == ["c"]
    assert dialect.get(f"{ASSET}/staticLists.json", offset=3).json()["warnings"] == NO_ASSETS
    later = dialect.get(f"{ASSET}/staticLists.json", earliestUpdatedAt="2100-01-01T00:00:00Z").json()
    assert "result" not in later
    too_many = dialect.get(f"{ASSET}/staticLists.json", maxReturn=201).json()["errors"]
    assert too_many == [{"code": "701", "message": "maxReturn cannot be greater than 200"}]
    for change, expected in ({"folder": "x"}, "701"), ({"folder": '{"id": 77}'}, "710"), ({"name": " "}, "701"):
        fields = {"name": "New", "folder": '{"id": 1}'} | change
        assert code(dialect.form(f"{ASSET}/staticLists.json", **fields)) == expected
    assert code(dialect.form(f"{ASSET}/staticList/99999/delete.json")) == "702"


@pytest.mark.parametrize(
    "path", ["programs.json", "segmentation.json", "emails.json", "folder/7/tokens.json?folderType=Program"]
)
def test_neighbours_that_clients_probe_are_empty(dialect, path):
    body = dialect.get(f"{ASSET}/{path}").json()
    assert body["success"] is True and "result" not in body and body["warnings"] == NO_ASSETS
    assert result(dialect.get("/rest/v1/campaigns.json")) == []


def test_each_verb_needs_its_right(dialect_with, seeds):
    reader = dialect_with("people.view_staticlist", "people.view_person")
    assert result(reader.get(f"/rest/v1/lists/{seeds.pk}/leads.json")) == []
    assert code(reader.post(f"/rest/v1/lists/{seeds.pk}/leads.json?id=1")) == "603"
    assert code(reader.form(f"{ASSET}/staticLists.json", name="x", folder='{"id": 1}')) == "603"
    assert code(reader.post(f"{ASSET}/staticList/{seeds.pk}/delete.json")) == "603"
