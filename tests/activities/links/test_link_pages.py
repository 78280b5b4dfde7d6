"""The team's pages and programs: making links, seeing clicks, codes for print, people's own links, the API."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from activities.links import editing
from activities.links.tokens import open_token
from activities.models import LinkDestination, TrackedLink
from people.core.source import SYSTEM
from people.lists import static_lists
from tests.activities.links.factories import SALE, click, make_link, processed
from tests.activities.visitors.factories import make_site, make_visitor
from tests.factories import make_person

pytestmark = pytest.mark.django_db
LIST = "/admin/activities/trackedlink/"
API = "/api/v1/links"
NEW = {"name": "Leaflet", "destination": SALE, "channel": "print", "activity": "click_link"}


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def test_a_link_is_made_in_one_step_changed_and_turned_off(staff):
    site = make_site()
    assert "A tracked link is a short address" in staff.get(LIST).text
    made = staff.post(f"{LIST}add/", NEW)
    link = TrackedLink.objects.get()
    assert made.headers["Location"] == f"{LIST}{link.pk}/change/"
    assert (link.website, link.owner.username, link.is_identifying) == (site, "vera", False)
    page = staff.get(made.headers["Location"]).text
    assert f"/l/{link.code}" in page and "<svg" in page and "No clicks yet" in page
    settings = f"{LIST}{link.pk}/settings/"
    form = staff.get(settings).context["form"]
    initial = {name: value for name, value in form.initial.items() if value is not None}
    changed = {**initial, "destination": "https://www.example.com/b", "utm_source": "leaflet", "revision": "1"}
    changed["expires_at"] = "2099-01-01T10:00"
    assert staff.post(settings, changed).status_code == 302
    link.refresh_from_db()
    assert (link.utm_source, link.expires_at.year, link.revision) == ("leaflet", 2099, 2)
    stale = staff.post(settings, {**changed, "name": "Other"})
    assert stale.status_code == 422 and "in the meantime" in stale.text
    history = staff.get(f"{LIST}{link.pk}/destinations/").text
    assert SALE in history and "https://www.example.com/b" in history and LinkDestination.objects.count() == 2
    for answers, field in (
        ({"name": ""}, "name"),
        ({"destination": "javascript:alert(1)"}, "destination"),
        ({"activity": "click_email"}, "email_name"),
        ({"fallback": "nowhere"}, "fallback"),
    ):
        reply = staff.post(settings, {**changed, "revision": "2", **answers})
        assert reply.status_code == 422 and reply.context["form"].errors[field], answers
    assert staff.post(f"{LIST}add/", {**NEW, "name": "Two", "code": link.code}).context["form"].errors["code"]
    staff.post(f"{LIST}{link.pk}/do/off/")
    assert "is off" in staff.get(f"{LIST}{link.pk}/change/").text
    staff.post(f"{LIST}{link.pk}/do/on/")
    assert TrackedLink.objects.get().is_on
    assert staff.post(f"{LIST}{link.pk}/do/delete/").headers["Location"] == LIST and not TrackedLink.objects.exists()


def test_codes_for_print_are_files(staff):
    link = make_link(code="fair")
    drawing = staff.get(f"{LIST}{link.pk}/code.svg")
    assert drawing.headers["Content-Type"] == "image/svg+xml" and b"<svg" in drawing.content
    assert drawing.headers["Content-Disposition"] == 'attachment; filename="fair.svg"'
    picture = staff.get(f"{LIST}{link.pk}/code.png")
    assert picture.content.startswith(b"\x89PNG") and int.from_bytes(picture.content[16:20], "big") >= 500
    assert staff.get(f"{LIST}{link.pk}/code.exe").status_code == 404


def test_the_list_and_the_page_show_who_clicked(staff, client, django_assert_max_num_queries):
    site, ann = make_site(), make_person(first_name="Ann", email="ann@example.com")
    make_visitor(site, "ab" * 16)
    link = make_link()
    make_link("Other", "https://www.example.com/o")
    click(link, ann.pk), click(link, token="ab" * 16), click(link, who="x"), click(link, agent="curl/8")
    processed()
    with django_assert_max_num_queries(22):
        page = staff.get(LIST)
    assert "Spring sale" in page.text and page.text.count("<tr") >= 3
    text = staff.get(f"{LIST}{link.pk}/change/").text
    assert "ann@example.com" in text or "Ann" in text
    assert "personal link" in text and "Visitor" in text and "Unknown person" in text and "curl" not in text
    assert "user agent: curl" in staff.get(f"{LIST}{link.pk}/change/?machines").text
    assert staff.get(f"{LIST}{link.pk}/change/?before=1").status_code == 200


def test_a_file_has_the_own_links_of_a_lists_members(staff):
    ann, evil = make_person(email="ann@example.com"), make_person(email="x@example.com", first_name="=1+1")
    guests = static_lists.create_static_list("Guests", None)
    static_lists.add_members(guests, [ann.pk, evil.pk], SYSTEM)
    link, other = make_link(), make_link("Other", "https://www.example.com/o")
    page = staff.get(f"{LIST}{link.pk}/people/").text
    assert "{{link_token}}" in page and "Guests" in page
    reply = staff.post(f"{LIST}{link.pk}/people/file/", {"list": guests.pk})
    rows = list(csv.DictReader(io.StringIO(b"".join(reply.streaming_content).decode())))
    assert [row["person_id"] for row in rows] == [str(ann.pk), str(evil.pk)] and rows[1]["name"].startswith("'=")
    own, now = rows[0]["link"].partition("?p=")[2], timezone.now()
    assert [open_token(own, pk, now) for pk in (link.pk, other.pk)] == [ann.pk, None]
    assert [open_token(rows[0]["link_token"], pk, now) for pk in (link.pk, other.pk)] == [ann.pk, ann.pk]
    assert "Made personal links for 2 people" in staff.get("/admin/audit/").text


def test_programs_make_links_and_personal_links(staff):
    ann = make_person()

    def send(method, path, body=None, **headers):
        sent = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        reply = getattr(staff, method)(path, None if body is None else json.dumps(body), "application/json", **sent)
        return reply.status_code, reply.json() if reply.content else None, reply.headers

    status, made, headers = send(
        "post", API, {"name": "Mail", "destination": SALE, "code": "Mail-May", "channel": "email"}
    )
    assert (status, made["code"], made["target"]) == (201, "mail-may", SALE)
    assert made["url"].endswith("/l/mail-may") and headers["Location"].endswith(f"{API}/{made['id']}")
    path, etag = f"{API}/{made['id']}", headers["ETag"]
    assert send("patch", path, {"utm_source": "mail"}, if_match=etag)[1]["target"].endswith("utm_source=mail#top")
    assert send("patch", path, {"name": "New"}, if_match=etag)[0] == 412, "it has changed"
    status, problem, _headers = send("post", API, {"name": "Mail 2", "destination": "nowhere", "code": "api"})
    assert status == 422 and {error["path"] for error in problem["errors"]} == {"/code", "/destination"}
    assert send("post", API, {"name": "X", "destination": SALE, "code": "mail-may"})[0] in (409, 422)
    assert send("post", API, {"name": "X", "destination": SALE, "unknown": 1})[0] == 422
    asked = {"people": [ann.pk, 999_999], "days": 30}
    status, reply, headers = send("post", f"{path}/people-links", asked, idempotency_key="k1")
    assert status == 200 and headers["Cache-Control"] == "no-store"
    good, bad = reply["people_links"]
    assert open_token(good["token"], made["id"], timezone.now()) == ann.pk and good["url"].endswith(
        f"?p={good['token']}"
    )
    assert open_token(good["token"], made["id"], timezone.now() + timedelta(days=32)) is None
    assert (bad["person"], bad["url"], bad["problem"]["code"]) == (999_999, "", "unknown_person")
    assert send("post", f"{path}/people-links", asked, idempotency_key="k1")[1] == reply
    assert send("post", f"{path}/people-links", {"people": list(range(1, 1_002))})[0] == 422
    link = TrackedLink.objects.get(pk=made["id"])
    click(link, ann.pk), click(link, method="HEAD")
    processed()
    counts = staff.get(f"{path}/counts").json()
    assert (counts["clicks"], counts["people"], counts["machines"], len(counts["days"])) == (1, 1, 1, 30)
    (row,) = staff.get(f"{path}/clicks?is_machine=false").json()["results"]
    assert (row["person_id"], row["state"], row["is_signed"]) == (ann.pk, "recorded", True)
    assert send("post", f"{path}/turn-off")[1]["is_on"] is False and send("post", f"{path}/turn-on")[1]["is_on"]
    assert send("delete", path)[0] == 409
    unused = editing.create_link("Unused", SALE, None)
    assert send("delete", f"{API}/{unused.pk}")[0] == 204
    assert [row["code"] for row in staff.get(f"{API}?search=mai&channel=email").json()["results"]] == ["mail-may"]
