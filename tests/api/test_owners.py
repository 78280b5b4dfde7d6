"""Owners of static and smart lists, over the native API."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model

from people.core import audit
from people.core.models import Folder

BODIES = {"static-lists": {"name": "VIP"}, "smart-lists": {"name": "All", "rules": {"filters": []}}}


@pytest.fixture
def vera(db):
    return get_user_model().objects.create_user("vera")


@pytest.fixture(params=BODIES)
def listed(request, api):
    made = api.post(request.param, BODIES[request.param])
    assert made.status_code == 201, made.content
    return f"{request.param}/{made.json()['id']}"


def test_a_list_is_its_makers_until_it_is_given_to_somebody(api, listed, vera):
    assert api.get(listed).json()["owner"] == "olga"  # the client's owner: a program's things are its owner's
    folder = Folder.objects.create(name="Events")
    assert api.patch(listed, {"folder": folder.pk}).json()["owner"] == "olga"
    changed = api.patch(listed, {"owner": vera.pk})
    assert changed.status_code == 200, changed.content
    assert (changed.json()["owner"], changed.json()["folder"]) == ("vera", folder.pk)
    assert "owner" in audit.entry_sentence(LogEntry.objects.latest("pk"))
    assert api.patch(listed, {"owner": None}).json()["owner"] is None
    assert api.patch(listed, {"owner": "vera", "folder": None}).json()["owner"] == "vera"
    kept = api.get(listed).json()
    assert api.patch(listed, {"owner": kept["owner"]}).json()["owner"] == "vera"  # a value that was read may be sent


@pytest.mark.parametrize("path", BODIES)
def test_a_list_is_made_for_somebody(api, path, vera):
    assert api.post(path, {**BODIES[path], "owner": vera.pk}).json()["owner"] == "vera"
    assert api.post(path, {**BODIES[path], "name": "Theirs", "owner": "vera"}).json()["owner"] == "vera"
    assert api.post(path, {**BODIES[path], "name": "Nobody's", "owner": None}).json()["owner"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        0,
        -1,
        999_999,
        2**70,
        "nobody",
        "",
        " vera",
        "\ud800",
        "a\0b",
        "v" * 151,
        True,
        1.0,
        [],
        {"id": 1},
        "program",
        "gone",
    ],
)
def test_nobody_unfit_becomes_an_owner_and_nothing_else_is_changed(api, listed, vera, wrong):
    get_user_model().objects.create_user("program", is_api_only=True)
    get_user_model().objects.create_user("gone", is_active=False)
    reply = api.patch(listed, {"name": "Another", "owner": wrong})
    assert reply.status_code == 422, reply.content
    (fault,) = reply.json()["errors"]
    assert fault["path"] == "/owner" and fault["message"]
    after = api.get(listed).json()
    assert after["owner"] == "olga" and after["name"] != "Another"


def test_whoever_owns_it_now_may_keep_it(api, listed, vera):
    api.patch(listed, {"owner": vera.pk})
    get_user_model().objects.filter(pk=vera.pk).update(is_active=False)
    assert api.patch(listed, {"owner": vera.pk}).status_code == 200
    assert api.patch(listed, {"owner": None}).status_code == 200
    assert api.patch(listed, {"owner": vera.pk}).json()["errors"][0]["code"] == "unknown_user"


def test_giving_a_list_away_needs_the_right_to_change_it(narrowed, listed, vera):
    reader = narrowed("people.view_staticlist", "smartlists.view_smartlist")
    assert reader.patch(listed, {"owner": vera.pk}).status_code == 403
