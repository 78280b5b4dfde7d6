"""Bounds of one transaction of clicks, and the order in which it locks."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from activities.links.processing import process_clicks
from activities.models import Association, LinkClick, LinkDay
from activities.visitors import announcements, moving, undoing
from tests.activities.links.factories import LONG_AGO, click, clicks_of, make_link
from tests.activities.visitors.factories import dispatch, make_hit, make_site, make_visitor, own
from tests.config.test_outages import other_connection
from tests.factories import make_person


@pytest.mark.django_db(transaction=True)
def test_a_gateways_clicks_and_a_commit_never_wait_for_each_other():
    """Both lock the counts by link and day, whatever the order of the clicks."""
    ann, first, second = make_person(), make_link(), make_link("Second", "https://www.example.com/b")
    now = timezone.now() - LONG_AGO
    click(second, ann.pk, at=now), click(first, ann.pk, at=now + timedelta(seconds=1))
    lock = "update link_day set clicks = clicks + 1 where link_id = %s"
    with other_connection() as other:
        with other.transaction():
            other.execute(lock, [first.pk])
            processing = threading.Thread(target=in_thread, args=[process_clicks])
            processing.start()
            deadline = time.monotonic() + 30
            while not is_anybody_waiting():
                assert time.monotonic() < deadline and processing.is_alive()
            other.execute(lock, [second.pk])
        processing.join(30)
    assert [(day.clicks, day.machines) for day in LinkDay.objects.order_by("link_id")] == [(1, 1)] * 2
    assert set(LinkClick.objects.values_list("state", "reason")) == {("recorded", "too fast")}


def in_thread(work):
    try:
        work()
    finally:
        connection.close()


def is_anybody_waiting():
    with connection.cursor() as cursor:
        cursor.execute("select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
        return cursor.fetchone() is not None


@pytest.mark.django_db
def test_associations_of_one_transaction_give_a_bounded_number_of_rows(monkeypatch):
    monkeypatch.setattr(moving, "MAX_BATCH", 5)
    site, link = make_site(), make_link()
    people = [make_person() for _number in range(4)]
    for number, person in enumerate(people):
        token = f"{number:032x}"
        visitor = make_visitor(site, token)
        for _hit in range(2):
            make_hit(visitor, site)
        click(link, person.pk, token=token, at=timezone.now() - LONG_AGO + timedelta(seconds=number))
    rounds = []
    while process_clicks():
        rounds.append(Association.objects.count())
    assert rounds == [2, 4]
    dispatch()
    assert [len(clicks_of(person.pk)) for person in people] == [1] * 4


@pytest.mark.django_db
def test_clicks_of_a_browser_change_their_owner_in_small_steps_also_for_an_undo(monkeypatch):
    monkeypatch.setattr(announcements, "STEP", 2)
    site, ann, bob = make_site(), make_person(), make_person()
    visitor, link = make_visitor(site, "ab" * 16), make_link()
    for number in range(5):
        click(link, token="ab" * 16, at=timezone.now() - timedelta(minutes=number + 1))

    def owned_by(person):
        return LinkClick.objects.filter(person_id=person.pk).count()

    association = own(visitor, ann.pk, site)
    assert owned_by(ann) == 2 and association.is_unfinished
    dispatch()
    assert owned_by(ann) == 5 and not Association.objects.filter(is_unfinished=True).exists()
    own(visitor, bob.pk, site, Association.Evidence.SERVER)
    undoing.undo_association(association.pk, None)
    dispatch()
    assert (owned_by(ann), owned_by(bob)) == (0, 5)
    assert not Association.objects.filter(is_unfinished=True).exists()
