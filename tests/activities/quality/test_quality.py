"""Counts of events that fitted a type or did not, by source and library; and notices, of which there are never many."""

from datetime import UTC, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from activities.inbox import days, editing
from activities.models import QualityDay, Sighting, SightingDay
from activities.quality import counting, notices
from activities.quality.figures import quality_of_type
from people.core.notifications import Notice
from tests.activities.segment.senders import make_program, message, send
from tests.factories import approved_type

pytestmark = pytest.mark.django_db


@pytest.fixture
def mia(client):
    user = get_user_model().objects.create_user("mia", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client.force_login(user)
    return user


def deposit(version="1", **properties):
    library = {"library": {"name": "shop", "version": version}}
    return message("track", "Deposit Check", {"check": "1", **properties}, userId="u-1", context=library)


def figures(activity_type):
    return {
        (sender.source, sender.library): (sender.events, sender.unknown, sender.wrong)
        for sender in quality_of_type(activity_type).senders
    }


def test_events_are_counted_by_source_and_library_once(client, mia, monkeypatch):
    shop, till = make_program(), make_program("Till")
    check = approved_type()
    first = [deposit(), deposit(tip=1), deposit("2", amount="much"), deposit("2", amount="much", tip=1)]
    send(shop, *first)
    send(shop, *first[:2])
    send(till, deposit(), message("track", "Typo", userId="u-1"), message("track", "Deposit Check", {}, userId="u-1"))
    expected = {
        ("Shop back end", "shop/1"): (2, 1, 0),
        ("Shop back end", "shop/2"): (2, 0, 2),
        ("Till", "shop/1"): (1, 0, 0),
        ("Till", "analytics-python/2.4.0"): (1, 0, 1),
    }
    assert figures(check) == expected, "what was sent again is not counted again"

    page = client.get(f"/admin/activities/activitytype/{check.pk}/quality/").text
    assert "Till" in page and "shop/2" in page and "2\n          (100.0 %)" in page and ">tip<" in page
    reply = client.get(f"/api/v1/activity-types/{check.api_name}/quality").json()
    assert reply["senders"][0] == {"event_source": shop.pk, "library": "shop/1", "events": 2, "unknown": 1, "wrong": 0}
    assert [row["name"] for row in reply["properties"]] == ["tip"]
    editing.ignore_name(Sighting.objects.get(name="tip"), None)
    assert quality_of_type(check).properties == []

    # made-up libraries are counted together
    monkeypatch.setattr(counting, "MAX_LIBRARIES", 4)
    for number in range(6):
        send(till, deposit(f"<{number}>" * 50), deposit(str(number)))
    names = set(QualityDay.objects.filter(source=till).values_list("library", flat=True))
    assert len(names) == 5 and counting.OTHER_LIBRARIES in names and max(map(len, names)) <= 100
    QualityDay.objects.update(day=timezone.now().astimezone(UTC).date() - timedelta(days=91))
    assert counting.forget_old_days() and not QualityDay.objects.exists()


def test_news_are_said_once_and_cannot_flood(mia):
    shop = make_program("Shop 100 %s")
    check = approved_type()
    send(shop, *(message("track", f"Typo {chr(97 + n // 26)}{chr(97 + n % 26)}", userId="u-1") for n in range(40)))
    send(shop, deposit(tip=1, tax=2))
    assert notices.notify_of_news() == 2 and notices.notify_of_news() == 0
    assert [str(notice) for notice in Notice.objects.order_by("kind")] == [
        "40 new event names from Shop 100 %s.",
        "2 new properties in events of Deposit Check.",
    ]
    send(shop, message("track", "Another", userId="u-1"))
    assert notices.notify_of_news() == 0, "one unread notice of a source is enough"
    Notice.objects.update(read_at=timezone.now())
    send(shop, message("track", "One More", userId="u-1"), deposit(third=1))
    editing.ignore_name(Sighting.objects.get(name="third"), None)
    assert notices.notify_of_news() == 1, "what was decided is no news"
    assert all(notice.url for notice in Notice.objects.all())

    today = timezone.now().astimezone(UTC).date()
    QualityDay.objects.all().delete()
    day = {"activity_type": check, "source": shop}
    QualityDay.objects.create(**day, day=today - timedelta(days=3), events=100, wrong=2)
    QualityDay.objects.create(**day, day=today, events=10, wrong=9)
    assert notices.notify_of_changed_values(today) == 0, "too few to say so"
    QualityDay.objects.filter(day=today).update(events=100, wrong=30)
    assert notices.notify_of_changed_values(today) == 1 and notices.notify_of_changed_values(today) == 0
    assert str(Notice.objects.latest("pk")) == (
        "30 % of the events of Deposit Check don't fit any more; before it was 2 %."
    )
    QualityDay.objects.filter(day=today).update(wrong=2, unknown=19)
    assert notices.notify_of_changed_values(today) == 0, "a rise that is too small to say so"
    QualityDay.objects.filter(day=today).update(unknown=75)
    assert notices.notify_of_changed_values(today) == 1 and notices.notify_of_changed_values(today) == 0
    assert str(Notice.objects.latest("pk")) == (
        "75 % of the events of Deposit Check bring properties that no field takes; before it was 0 %."
    )


def typo(number=1, **properties):
    return [message("track", "Typo", {"always": 1, **properties}, userId="u-1") for _index in range(number)]


def test_undefined_events_are_counted_by_day_with_digests_of_their_properties():
    shop = make_program()
    first = typo(2, ann="ann@example.com")
    send(shop, *first, *typo(), message("track", "Typo", {"none": None, "ann@example.com": 1}, userId="u-1"))
    send(shop, *first)  # repeats are not counted again
    (day,) = SightingDay.objects.all()
    assert (day.count, sorted(day.properties.values())) == (4, [1, 2, 3])
    assert set(map(len, day.properties)) == {12} and "ann" not in str(day.properties)
    send(shop, message("track", "Typo", {f"p{number}": 1 for number in range(400)}, userId="u-1"))
    day.refresh_from_db()
    assert day.count == 5 and len(day.properties) == days.MAX_PROPERTIES
    assert max(day.properties.values()) == 3, "those that most events have stay"
    SightingDay.objects.update(day=day.day - timedelta(days=days.KEPT_DAYS + 1))
    assert days.forget_old_days() == 1 and not SightingDay.objects.exists()


def test_an_undefined_name_that_jumps_or_changes_is_said_once(mia):
    shop, today = make_program("Shop 100 %s"), timezone.now().astimezone(UTC).date()
    send(shop, *typo(), *(message("track", name, userId="u-1") for name in ("Steady", "New", "Seldom")))
    rows = {row.name: row for row in Sighting.objects.all()}
    SightingDay.objects.all().delete()

    def came(name, ago, count, **properties):
        row = {"sighting": rows[name], "day": today - timedelta(days=ago)}
        SightingDay.objects.update_or_create(**row, defaults={"count": count, "properties": properties})

    for ago in (1, 2, 3):
        came("Typo", ago, 40, a=40, b=10)
        came("Steady", ago, 100, a=50)
    came("Seldom", 2, 1)
    came("Typo", 0, 119, a=119, b=36)
    came("Steady", 0, 150, a=90)
    came("New", 0, 5_000)
    came("Seldom", 0, 90)
    assert notices.notify_of_changed_values(today) == 0, "too few, too little of a rise, or news of another notice"
    came("Typo", 0, 120, a=120, b=36)
    assert notices.notify_of_changed_values(today) == 1 and notices.notify_of_changed_values(today) == 0
    assert str(Notice.objects.latest("pk")) == (
        "1 undefined event name of Shop 100 %s came at least three times as often as before."
    )
    came("Steady", 0, 150, a=45)
    came("Typo", 0, 119, a=119, c=30)
    assert notices.notify_of_changed_values(today) == 1
    assert str(Notice.objects.latest("pk")) == (
        "The properties of 2 undefined event names of Shop 100 %s come in another share."
    )
    Notice.objects.all().delete()
    for name in rows:
        editing.ignore_name(rows[name], None)
    assert notices.notify_of_changed_values(today) == 0, "what was decided is no news"
