"""Hostile values of strangers, in each way that a form can come: kept and shown as text, and no formula in a file.

The ways: our page, HTML on another site, the tracking script, the kiosk with and without its script, the native API.
"""

import json
import time
import unicodedata
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from activities.forms import export_kind
from activities.forms.kiosk_links import kiosk_secret
from activities.models import Activity, FormSubmission
from activities.sources.authentication import Sender
from activities.sources.editing import rotate_key
from activities.tracking import wire
from activities.tracking.agents import parse_agent
from activities.tracking.committing import commit_submissions
from activities.tracking.live_types import load_live_types
from activities.tracking.reading import Client
from activities.tracking.submissions import Submission
from activities.visitors import partitions
from people.files.exports.kinds import Marks, select_sql
from people.models import Person
from tests.activities.forms.factories import AGENT, make_form
from tests.activities.visitors.factories import dispatch, make_site
from tests.factories import make_person

pytestmark = pytest.mark.django_db
NUL, LONE = "\0", "\ud83d"  # LONE: half of an emoji, which JSON can spell
EMOJI = "👩‍👩‍👧 Ж 漢字 " + "a\u0301\u0323" * 3
RIGHT_TO_LEFT = "\u202eeval\u2066شركة"  # with characters that turn what follows around
HTML = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 }}{% load x %}"
FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "|calc", "%0a=1", "'=1", "\t=1", "\r=1", "\n=1", " =1")
# typed value: kept value
VALUES = {
    HTML: HTML,
    EMOJI: EMOJI,
    RIGHT_TO_LEFT: RIGHT_TO_LEFT,
    f"a{NUL}b{NUL}": "ab",
    "x" * 255: "x" * 255,
    "' or 1=1; drop table person; --": "' or 1=1; drop table person; --",
    "%s %(a)s {0} \\u0000 \\": "%s %(a)s {0} \\u0000 \\",
    **{text: text.strip() for text in FORMULAS},
}
WAYS = ("page", "html", "kiosk", "kiosk without script", "api")
MEGABYTE = "x" * 1_000_000


@pytest.fixture
def browser(client, settings):
    settings.FORM_SUBMISSIONS_PER_ADDRESS = settings.FORM_SUBMISSIONS_PER_FORM = 1_000
    client.defaults["HTTP_USER_AGENT"] = AGENT
    return client


@pytest.fixture
def form():
    return make_form(event="Fair", people_an_hour=1_000)


def send(browser, form, way, values, number):
    """Send a form in one of the ways; the answer."""
    if way in ("page", "html"):
        return browser.post(f"/f/{form.key}/", values | ({"_own": "1"} if way == "page" else {}))
    if way == "api":
        body = json.dumps({"values": values})
        return browser.post(f"/api/v1/forms/{form.pk}/submissions", body, content_type="application/json")
    address = f"/k/{kiosk_secret(form)}/"
    if way == "kiosk without script":
        return browser.post(address, values)
    now = int(time.time() * 1000)
    body = json.dumps({"sent": now, "items": [{"id": f"hostile-{number:08d}", "at": now, "values": values}]})
    return browser.post(address, body, content_type="application/json")


@pytest.mark.parametrize("way", WAYS)
def test_hostile_text_is_kept_and_shown_as_text(browser, form, way):
    browser.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    # a program reads that it sent a NUL; in a browser no user could
    texts = {typed: text for typed, text in VALUES.items() if way != "api" or NUL not in typed}
    for number, typed in enumerate(texts):
        values = {"email": f"guest{number}@example.com", "first_name": "Ada", "company": typed}
        reply = send(browser, form, way, values, number)
        assert reply.status_code in (200, 201, 303), (typed, reply.status_code)
    rows = list(FormSubmission.objects.order_by("pk"))
    kept = [row.values["company"] for row in rows]
    assert kept == list(texts.values())
    assert {row.way for row in rows} == {way.partition(" ")[0]} and {row.state for row in rows} == {"recorded"}
    assert list(Person.objects.order_by("pk").values_list("company", flat=True)) == [
        unicodedata.normalize("NFC", text) for text in kept
    ]
    hostile = rows[0]
    for address in (
        f"/admin/activities/form/{form.pk}/submissions/",
        f"/admin/activities/form/{form.pk}/submissions/{hostile.pk}/",
        f"/admin/activities/activitytype/timeline/{hostile.person_id}/",
        f"/admin/people/person/{hostile.person_id}/change/",
    ):
        page = browser.get(address)
        assert page.status_code == 200 and "<script>alert(1)" not in page.text and "<img src=x" not in page.text
        assert "alert(1)" in page.text, f"{address} shows it, as text"
    assert not [cell for cell in exported(form) if is_formula(cell)]


def exported(form):
    """All texts of the file of the form's submissions."""
    statement = export_kind.submissions_statement({"form": form.pk})
    with connection.cursor() as cursor:
        cursor.execute(select_sql(statement, Marks.GUARDS), statement.parameters)
        return [cell for row in cursor.fetchall() for cell in row if isinstance(cell, str)]


def is_formula(cell):
    return cell.startswith(tuple("=+-@|%\t\r"))


@pytest.mark.parametrize("way", WAYS)
def test_what_no_field_can_hold_is_refused_before_it_is_kept(browser, form, way):
    """A megabyte, too long a value, half an emoji, and values that are no text."""
    browser.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    ada = {"email": "ada@example.com", "first_name": "Ada"}
    assert send(browser, form, way, ada | {"company": MEGABYTE}, 1).status_code in (400, 413, 422)
    assert not FormSubmission.objects.exists()
    reply = send(browser, form, way, ada | {"company": "x" * 2_001}, 2)
    if way == "kiosk":  # the visitor has left and cannot correct it
        row = FormSubmission.objects.get()
        assert (row.state, row.reason, len(row.values["company"])) == ("held", "invalid_values", 2_001)
    else:
        assert reply.status_code in (400, 422) and not FormSubmission.objects.exists()
    if way in ("kiosk", "api"):  # JSON has more values than text
        for number, odd in enumerate((LONE, 7, None, True, [[]], {"a": 1}, 1e300, ["=1"])):
            reply = send(browser, form, way, ada | {"company": odd, "email": f"odd{number}@example.com"}, 10 + number)
            assert reply.status_code in (200, 201, 400, 422), odd
        kept = {row.values.get("company", "") for row in FormSubmission.objects.exclude(state="held")}
        assert all(isinstance(text, str) and "\ud83d" not in text for text in kept)


def test_what_the_script_reads_of_a_form_is_kept_and_shown_as_text(browser):
    """The third way goes through the collector, as evidence of the visitor, and never changes a known person."""
    site, ann = make_site(), make_person(email="ann@example.com", company="Engines")
    key = rotate_key(site, None, timedelta(0)).key
    partitions.forget_partitions()
    sender = Client(Sender(site, key, "https://www.example.com"), timezone.now(), parse_agent(AGENT), "192.0.2.0")
    now = int(time.time() * 1000)
    typed = [*VALUES, f"half {LONE}", MEGABYTE, 7, None, [["=1"]], {"a": HTML}]
    hits = [
        {
            "id": f"message-{number:08d}",
            "type": "form",
            "at": now,
            "url": "https://www.example.com/a",
            "data": {"form": HTML, "fields": {"email": "ann@example.com", "company": text, HTML: "x"}},
        }
        for number, text in enumerate(typed)
    ]
    items = wire.read_batch(wire.Batch(now, "ab" * 16, "unknown", hits), sender, load_live_types())
    assert not [item.problems for item in items if item.problems]
    commit_submissions([Submission(site.pk, 0, items)])
    dispatch()
    logged = Activity.objects.filter(person_id=ann.pk, activity_type_id=2).order_by("pk")
    fields = [activity.attributes["form_fields"] for activity in logged]
    assert len(fields) == len(typed) and max(map(len, fields)) < 5_000
    for text, shown in zip(VALUES.values(), fields, strict=False):
        assert unicodedata.normalize("NFC", text.strip()) in shown
    ann.refresh_from_db()
    assert ann.company == "Engines"
    browser.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    for address in (
        f"/admin/activities/activitytype/timeline/{ann.pk}/",
        f"/admin/activities/eventsource/{site.pk}/live/",
    ):
        page = browser.get(address).text
        assert "<script>alert(1)" not in page and "<img src=x" not in page
