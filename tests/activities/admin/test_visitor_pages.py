"""The page of a visitor, the browsers beside a timeline, and visits by day of a web site."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from activities.log.timeline import timeline_entries
from activities.models import Activity, Association, VisitorActivity
from activities.recording import recorder
from activities.recording.rows import NewActivity
from activities.visitors.glances import Glance
from people.core.source import SYSTEM
from tests.activities.visitors.factories import Evidence, log_of, make_hit, make_site, make_visitor, own
from tests.factories import make_person
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    user = get_user_model().objects.create_user("vera", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client.force_login(user)
    return client


def test_support_sees_who_a_visitor_is_says_it_and_undoes_it(staff):
    site, ann = make_site(), make_person(first_name="Ann", last_name="Lee")
    visitor = make_visitor(site)
    make_hit(visitor, site, "example.com/pricing")
    make_hit(visitor, site, "<script>alert(1)</script>", is_bot=True)
    address = f"/admin/activities/visitor/{visitor.pk}/"
    page = staff.get(f"{address}change/").text
    assert "example.com/pricing" in page and "1 activity waiting" in page
    assert "&lt;script&gt;alert(1)" in page
    staff.post(f"{address}do/associate/", {"person": ann.pk})
    with query_budget("visitors: visitor"):
        page = staff.get(f"{address}change/").text
    assert "Ann Lee" in page and "Signature or server call" in page
    listed = staff.get("/admin/activities/visitor/").text
    assert f'timeline/{ann.pk}/"><bdi>Ann Lee</bdi>' in listed and "Web site" in listed
    association = Association.objects.get()
    assert association.created_by.username == "vera" and len(log_of(ann.pk)) == 1
    staff.post(f"{address}do/undo/", {"association": association.pk})
    assert "Undone" in staff.get(f"{address}change/").text and log_of(ann.pk) == []
    assert staff.post(f"{address}do/undo/", {"association": 0}).status_code == 404
    assert str(visitor) in staff.get("/admin/activities/visitor/").text


def test_visitors_are_described_in_words(staff):
    """The list and the page of a visitor name its browser, pages and origin; reasons are sentences, not codes."""
    site = make_site()
    stranger, silent = make_visitor(site), make_visitor(site)
    make_hit(
        stranger, site, "example.com/start", version=2, browser="Chrome", platform="Windows",
        utm_source="newsletter", utm_medium="email",
    )  # fmt: skip
    make_hit(stranger, site, "example.com/pricing", version=2, browser="Chrome", platform="Windows")
    make_hit(stranger, site, "example.com/robots", is_bot=True)
    make_hit(stranger, site, None, said={"email": "a@example.com", "refused": "blocked_identifier"})
    with query_budget("visitors: list"):
        listed = staff.get("/admin/activities/visitor/").text
    for text in ("Chrome on Windows", "newsletter / email", "example.com/pricing", str(silent)):
        assert text in listed
    assert "example.com/robots" not in listed
    page = staff.get(f"/admin/activities/visitor/{stranger.pk}/change/").text
    for text in ("Unknown visitor", "first seen", "UTM Source", "example.com/start", "The identifier names nobody"):
        assert text in page
    assert "blocked_identifier" not in page
    assert "Nothing is kept here any more." in staff.get(f"/admin/activities/visitor/{silent.pk}/change/").text


def test_the_page_of_a_recognized_visitor_has_the_name_and_consents_of_the_person(staff):
    site, ann = make_site(), make_person(first_name="Ann", last_name="Lee")
    visitor = make_visitor(site)
    own(visitor, ann.pk, site, Evidence.FORM)
    page = staff.get(f"/admin/activities/visitor/{visitor.pk}/change/").text
    assert "<bdi>Ann Lee</bdi></h1>" in page and "Open the person" in page
    assert "No consent is recorded." in page


def test_a_referrer_of_the_same_site_is_no_origin():
    inner = Glance(first_page="www.example.com/a", referrer="https://www.example.com/")
    outer = Glance(first_page="www.example.com/a", referrer="https://search.example/?q=1")
    assert (inner.origin, outer.origin, Glance().origin) == ("Directly", "search.example", "")


def test_the_person_page_says_where_they_came_from_and_their_browsers(staff):
    site, ann = make_site(), make_person()
    visitor = make_visitor(site)
    make_hit(
        visitor, site, "example.com/", version=2, referrer_url="https://news.example.org/a?b=c",
        utm_campaign="spring", browser="Firefox", platform="Linux", client_ip_address="10.0.0.1",
    )  # fmt: skip
    own(visitor, ann.pk, site, Evidence.FORM)
    address = f"/admin/activities/activitytype/timeline/{ann.pk}/"
    with query_budget("visitors: devices"):
        devices = staff.get(f"{address}devices/").text
    for text in ("news.example.org", "spring", "Firefox", "Linux", "Submitted form"):
        assert text in devices
    timeline = staff.get(address).text
    row = timeline[timeline.index("<summary><span") : timeline.index("ca-moment__more")]
    assert "news.example.org" in row and "spring" in row and "10.0.0.1" not in row, "at a glance: the source"
    assert "Devices" not in staff.get(f"/admin/activities/activitytype/timeline/{make_person().pk}/devices/").text


def test_a_site_shows_its_visits_by_day(staff):
    site = make_site()
    visitor = make_visitor(site)
    make_hit(visitor, site)
    make_hit(visitor, site)
    make_hit(visitor, site, is_bot=True)
    text = " ".join(staff.get(f"/admin/activities/visitor/visits/{site.pk}/").text.split())
    assert '<td class="ca-number">2</td> <td class="ca-number">1</td>' in text


def test_the_row_of_a_visit_has_its_title_and_where_from_but_nothing_that_says_nothing():
    ann = make_person()

    def row(**values):
        named = {"url": "https://www.example.com/a", "page_title": "Prices", "browser": "Chrome", **values}
        visit = NewActivity(ann.pk, 1, timezone.now(), "www.example.com/a", list(named.items()))
        (outcome,) = recorder.record_activities([visit], SYSTEM, may_record=frozenset({1}))
        (entry,) = timeline_entries([Activity.objects.get(pk=outcome.activity_id)])
        return [(value.api_name, value.text) for value in entry.on_row]

    inner = row(referrer_url="https://www.example.com/", is_bot=False)
    assert inner == [("page_title", "Prices"), ("browser", "Chrome")]
    outer = row(referrer_url="https://search.example/?q=1", is_bot=True)
    assert [name for name, _text in outer] == ["page_title", "referrer_url", "is_bot"]
    assert outer[1] == ("referrer_url", "search.example")


def test_without_rights_to_people_and_activities_a_visitor_has_no_address_and_no_values(client):
    site = make_site()
    visitor = make_visitor(site)
    make_hit(visitor, site, "example.com/start", version=3, page_title="Secret offer")
    make_hit(visitor, site, None, said={"email": "ann@example.com", "refused": "blocked_identifier"})
    user = get_user_model().objects.create_user("vic", is_staff=True)
    address = f"/admin/activities/visitor/{visitor.pk}/change/"
    client.force_login(user)
    shown = {"ann@example.com": "view_person", "Secret offer": "view_activity"}
    user.user_permissions.add(Permission.objects.get(codename="view_visitor"))
    assert not [text for text in shown if text in client.get(address).text]
    for text, right in shown.items():
        user.user_permissions.add(Permission.objects.get(codename=right))
        assert text in client.get(address).text


def test_a_visitor_is_not_seen_first_after_what_it_did(staff):
    """A program sends later what happened before; a visitor without pages has no card of where it came from."""
    site, ann = make_site(), make_person(first_name="Ann", last_name="Lee")
    visitor = make_visitor(site)
    own(visitor, ann.pk, site, Evidence.FORM)
    association = Association.objects.get()
    Association.objects.filter(pk=association.pk).update(from_at=timezone.now() - timedelta(hours=2, minutes=5))
    make_hit(visitor, site, None, said={"email": "a@example.com"})
    VisitorActivity.objects.update(occurred_at=timezone.now() - timedelta(hours=2, minutes=5))
    reply = staff.get(f"/admin/activities/visitor/{visitor.pk}/change/")
    assert reply.context["first_at"] == VisitorActivity.objects.get().occurred_at
    assert ">for 2 hours</time>" in reply.text and "since" not in reply.text.split("Who it is")[1][:600]
    assert "Where it came from" not in reply.text and "Web site" in reply.text
    spanish = staff.get(f"/admin/activities/visitor/{visitor.pk}/change/", headers={"Accept-Language": "es"}).text
    assert ">desde hace 2 horas</time>" in spanish
