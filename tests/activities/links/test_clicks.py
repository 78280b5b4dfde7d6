"""Clicks: whose they are, which are of machines, and what they are in the log."""

from datetime import timedelta

import pytest
from django.utils import timezone

from activities.links import personal_data as link_data
from activities.links.clicks import ReceivedClick, keep_clicks
from activities.links.targets import target_of
from activities.models import Activity, Association, EventSource, LinkClick, LinkDay, VisitorActivity
from activities.tracking.agents import parse_agent
from activities.visitors import undoing
from people.core.source import SYSTEM
from people.persons import merge as person_merge
from people.privacy import erasure
from tests.activities.links.factories import LONG_AGO, SALE, click, clicks_of, make_link, processed
from tests.activities.visitors.factories import dispatch, make_site, make_visitor, own
from tests.config.collector.pages import CHROME
from tests.factories import make_person

pytestmark = pytest.mark.django_db
TOKEN = "ab" * 16
SCANNER = "Mozilla/5.0 (compatible; Barracuda Sentinel)"


def counts(link):
    return list(LinkDay.objects.filter(link=link).values_list("clicks", "machines"))


def test_a_click_that_is_tried_again_while_its_first_try_waits_counts_once():
    link = make_link()
    at, agent = timezone.now(), parse_agent(CHROME)
    once, other = (ReceivedClick(target_of(link), at, who, agent) for who in ("one browser", "another"))
    keep_clicks([once, other, once])
    keep_clicks([once])
    assert LinkClick.objects.count() == 2 and counts(link) == [(2, 0)]


def test_a_persons_own_link_is_their_click():
    ann = make_person()
    link = make_link(activity="click_email", email_name="May news", utm_campaign="may")
    plain = make_link("Leaflet")
    assert click(link, ann.pk) and click(plain, ann.pk, at=timezone.now() - timedelta(hours=1))
    rows = processed()
    assert [(row.state, row.person_id, row.is_signed) for row in rows] == [("recorded", ann.pk, True)] * 2
    assert sorted(clicks_of(ann.pk)) == [(3, SALE, False), (11, "May news", False)]
    email = Activity.objects.get(person_id=ann.pk, activity_type_id=11)
    assert (email.channel, email.origin_id, email.occurred_at) == (10, link.pk, rows[0].received_at)
    values = {name: email.attributes[name] for name in ("link", "link_id", "campaign", "client_ip_address", "browser")}
    assert values == {
        **{"link": SALE, "link_id": link.pk, "campaign": "may", "client_ip_address": "192.0.2.0", "browser": "Chrome"}
    }
    assert processed() == rows and Activity.objects.filter(activity_type_id=11).count() == 1
    assert counts(link) == [(1, 0)]


def test_clicks_of_some_seconds_are_one_and_machines_are_apart():
    link, now = make_link(), timezone.now().replace(second=9, microsecond=500_000) - timedelta(minutes=2)
    assert click(link, at=now, who="a")
    assert not click(link, at=now + timedelta(seconds=1), who="a"), "in the next window, and the same click"
    assert click(link, at=now + timedelta(seconds=12), who="a")
    assert click(link, at=now, who="b")
    assert click(link, at=now, who="a", method="HEAD") and click(link, at=now, who="c", agent=SCANNER)
    assert click(link, at=now, who="d", agent="") and click(link, at=now, who="e", agent="Mozilla/5.0")
    assert counts(link) == [(3, 4)]
    reasons = set(LinkClick.objects.filter(is_machine=True).values_list("reason", flat=True))
    assert reasons == {"HEAD", "user agent: Barracuda", "user agent: no user agent", "user agent: Mozilla/5.0"}


def test_what_machines_do_with_a_persons_link_is_marked_and_says_nothing_of_a_browser():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site, TOKEN)
    first, second = make_link(), make_link("Second", "https://www.example.com/b")
    now = timezone.now() - LONG_AGO
    click(first, ann.pk, agent=SCANNER, token=TOKEN, at=now)
    click(first, ann.pk, method="HEAD", at=now)
    # a gateway that calls itself a browser follows both links of a message at once
    click(first, bob.pk, at=now, token=TOKEN), click(second, bob.pk, at=now + timedelta(seconds=1))
    processed()
    assert clicks_of(ann.pk) == [(3, SALE, True)] and {is_bot for *_more, is_bot in clicks_of(bob.pk)} == {True}
    assert len(clicks_of(bob.pk)) == 2
    assert not visitor.associations.exists()
    assert counts(first) == [(0, 3)] and counts(second) == [(0, 1)]


def test_a_click_without_a_person_is_the_visitors_and_becomes_the_persons():
    site, ann = make_site(), make_person()
    visitor, link = make_visitor(site, TOKEN), make_link()
    click(link, token=TOKEN), click(link, token="cd" * 16), click(link, who="no cookie")
    assert VisitorActivity.objects.count() == 1, "nobody's click makes a visitor"
    assert [row.visitor_id for row in processed()] == [visitor.pk, None, None]
    association = own(visitor, ann.pk, site)
    dispatch()
    assert clicks_of(ann.pk) == [(3, SALE, False)]
    assert [row.person_id for row in processed()] == [ann.pk, None, None]
    click(link, token=TOKEN, at=timezone.now())
    dispatch()
    assert len(clicks_of(ann.pk)) == 2 and LinkClick.objects.filter(person_id=ann.pk).count() == 2
    undoing.undo_association(association.pk, None)
    assert clicks_of(ann.pk) == [] and not LinkClick.objects.filter(person_id=ann.pk).exists()


def test_a_persons_link_says_whose_browser_it_is_unless_somebody_owns_it():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor, link = make_visitor(site, TOKEN), make_link()
    quiet = make_link("Quiet", "https://www.example.com/quiet", is_identifying=False)
    click(quiet, ann.pk, token=TOKEN, at=timezone.now() - timedelta(hours=2))
    processed()
    assert not visitor.associations.exists()
    click(link, token=TOKEN, at=timezone.now() - timedelta(hours=1))
    click(link, ann.pk, token=TOKEN)
    processed()
    (association,) = visitor.associations.all()
    assert (association.person_id, association.evidence) == (ann.pk, Association.Evidence.EMAIL_TOKEN)
    dispatch()
    assert sorted(clicks_of(ann.pk)) == [(3, "https://www.example.com/quiet", False)] + [(3, SALE, False)] * 2
    own(visitor, ann.pk, site, Association.Evidence.FORM)
    click(link, bob.pk, token=TOKEN, at=timezone.now() - timedelta(minutes=5))
    processed()
    assert clicks_of(bob.pk) == [(3, SALE, False)], "the click is the recipient's"
    assert visitor.associations.get().person_id == ann.pk, "and a forwarded email makes nobody the forwarder"


def test_who_asks_not_to_be_tracked_is_only_counted():
    site, ann = make_site(), make_person()
    make_visitor(site, TOKEN)
    link = make_link()
    click(link, ann.pk, token=TOKEN, opts_out=True), click(link, token=TOKEN, opts_out=True)
    EventSource.objects.update(consent="denied")
    link.refresh_from_db()
    click(link, token=TOKEN, who="later")
    assert [(row.person_id, row.visitor_id, row.state) for row in processed()] == [(None, None, "counted")] * 3
    assert {str(row.values) for row in processed()[:2]} == {"{}"}
    assert counts(link) == [(3, 0)] and not clicks_of(ann.pk) and not VisitorActivity.objects.exists()


def test_clicks_follow_a_merge_and_go_with_an_erase():
    site, ann, bob = make_site(), make_person(email="ann@example.com"), make_person()
    visitor, link = make_visitor(site, TOKEN), make_link()
    click(link, ann.pk)
    processed()
    merge = person_merge.merge_people(bob.pk, [ann.pk], None, SYSTEM)
    click(link, ann.pk, at=timezone.now() - timedelta(minutes=3))
    assert {row.person_id for row in processed()} == {bob.pk} and len(clicks_of(bob.pk)) == 2
    person_merge.undo_merge(merge.pk, None, SYSTEM)
    assert LinkClick.objects.filter(person_id=ann.pk).count() == 1
    click(link, token=TOKEN)
    own(visitor, ann.pk, site)
    click(link, ann.pk, at=timezone.now() - timedelta(minutes=9))
    processed()
    erasure.erase_people([ann.pk], None, SYSTEM)
    assert set(LinkClick.objects.values_list("person_id", flat=True)) == {bob.pk}
    click(link, ann.pk, at=timezone.now() - timedelta(minutes=20))
    last = processed()[-1]
    assert (last.state, last.person_id, last.values) == ("refused", None, {}), "an old link records nothing"
    LinkClick.objects.update(received_at=timezone.now() - timedelta(days=401))
    assert link_data.forget_old_clicks() == 2 and sum(day.clicks for day in LinkDay.objects.all()) == 5
