"""Audit entries: found by who, what, when and object, page by page, and taken out as a file."""

import csv
import io
import json
from datetime import timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from people.core import audit
from people.core.models import Installation
from people.lists import static_lists
from people.models import StaticList
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db
PAGE, FILE = "/admin/audit/", "/admin/audit/export/"


@pytest.fixture
def reader(client):
    Installation.objects.create()
    found = get_user_model().objects.create_user("rita", is_staff=True)
    found.user_permissions.add(Permission.objects.get(codename="view_logentry"))
    client.force_login(found)
    return found


@pytest.fixture
def entries(reader):
    """One an hour: Guests made by Vera, renamed by Olga, =1+1 made by Olga."""
    vera, olga = (get_user_model().objects.create_superuser(name) for name in ("vera", "olga"))
    now = timezone.now().replace(hour=12, minute=0)
    with time_machine.travel(now - timedelta(days=2), tick=False):
        guests = static_lists.create_static_list("Guests", vera)
    with time_machine.travel(now - timedelta(days=1), tick=False):
        static_lists.change_static_list(guests, olga, name="Visitors")
    with time_machine.travel(now, tick=False):
        static_lists.create_static_list("=1+1", olga)
    return now, guests


def rows(client, **asked):
    return [
        json.loads(line)
        for line in b"".join(client.get(FILE, {"format": "ndjson"} | asked).streaming_content).splitlines()
    ]


@pytest.mark.parametrize(
    ("asked", "objects"),
    [
        ({"who": "ve"}, ["Guests"]),
        ({"who": "OLGA"}, ["=1+1", "Visitors"]),
        ({"what": "changed"}, ["Visitors"]),
        ({"thing": "visit"}, ["Visitors"]),
        ({"thing": "%"}, []),
        ({"who": "nobody"}, []),
        ({"thing": "=1"}, ["=1+1"]),
    ],
)
def test_entries_are_found_by_who_what_and_object(client, entries, asked, objects):
    kind = ContentType.objects.get_for_model(StaticList).pk
    assert [row["object"] for row in rows(client, kind=kind, **asked)] == objects


def test_entries_are_found_by_number_and_by_day(client, entries):
    now, guests = entries
    kind, day = ContentType.objects.get_for_model(StaticList).pk, (now - timedelta(days=1)).date().isoformat()
    assert [row["what"] for row in rows(client, kind=kind, thing=guests.pk)] == ["changed", "created"]
    assert [row["object"] for row in rows(client, kind=kind, since=day, until=day)] == ["Visitors"]


@pytest.mark.parametrize(
    "wrong",
    [{"since": "soon"}, {"kind": "x"}, {"before": "0"}, {"what": "nothing"}, {"format": "exe"}, {"before": "9" * 30}],
)
def test_what_cannot_be_asked_is_said(client, entries, wrong):
    assert client.get(FILE, {"format": "csv"} | wrong).status_code == 400
    assert client.get(PAGE, wrong).status_code == 200


def test_the_page_says_it_in_the_readers_language(client, entries):
    assert "Created" in client.get(PAGE).text
    page = client.get(PAGE, headers={"Accept-Language": "es"}).text
    assert "Auditoría" in page and "Visitors" in page


def test_pages_follow_each_other_without_loss(client, reader):
    made = [static_lists.create_static_list(f"List {number}", None) for number in range(60)]
    found, asked = [], PAGE
    while asked:
        page = client.get(asked)
        found += [entry.object_repr for entry, _sentence in page.context["entries"]]
        asked = f"{PAGE}?{page.context['older']}" if page.context["older"] else ""
    assert [name for name in found if name.startswith("List")] == [str(one) for one in reversed(made)]


def test_a_page_asks_little(client, entries):
    ContentType.objects.clear_cache()
    client.get(PAGE)
    with query_budget("audit"):
        client.get(PAGE)


def test_the_file_is_safe_in_a_spreadsheet_and_complete(client, entries):
    text = b"".join(client.get(FILE, {"format": "csv"}).streaming_content).decode("utf-8-sig")
    found = list(csv.DictReader(io.StringIO(text)))
    assert {row["object"] for row in found} >= {"'=1+1", "Visitors", "Guests"}
    assert found[-1]["time"].endswith("+00:00") and found[-1]["says"] == "Created"


def test_taking_it_out_leaves_an_entry(client, reader):
    client.get(FILE, {"format": "csv"})
    assert audit.entry_sentence(LogEntry.objects.latest("pk")) == "Exported audit entries (csv)"


def test_it_takes_the_right_to_read_it(client, reader):
    client.force_login(get_user_model().objects.create_user("nosy", is_staff=True))
    assert client.get(PAGE).status_code == 403 and client.get(FILE).status_code == 403
