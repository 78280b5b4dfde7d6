"""Campaigns that wait for dates, with more than one connection; and how much they read among many records."""

import json
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from people.models import ObjectRecord
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.running import record_dates as dates
from smartlists.models import CampaignEntry, DateWatch
from tests.activities.recording.test_races import InThread
from tests.factories import make_person
from tests.hypothesis_profiles import examples
from tests.people.objects import world
from tests.people.objects.world import changed, saved
from tests.smartlists.campaign_factories import add_to_list_step, make_active_campaign, make_static_list

pytestmark = pytest.mark.django_db(transaction=True)
RECORDS = examples(10_000, 200_000, "DATED_RECORDS")
MINUTE = timedelta(minutes=1)
SOLD = {"object": "car", "event": "date", "date": "sold_at"}
# cars sold one a minute, half of them by now
CARS = """insert into object_record (guid, object_type_id, version, person_id, dedupe_hash, name, revision, fields)
    select gen_random_uuid(), %(type)s, 1, %(person)s, sha256(n::text::bytea), n::text, 1, jsonb_build_object('plate', n::text,
        'sold_at', to_char((%(start)s + n * interval '1 minute') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    from generate_series(1, %(number)s) n"""
SCANNED = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")


@pytest.fixture
def car():
    return world.approved_type()


@pytest.fixture
def ann():
    return make_person(email="ann@example.com")


@pytest.fixture
def campaign(car):
    return make_active_campaign(add_to_list_step(make_static_list("Seen")), triggers=[SOLD])


def in_a_minute(number=1):
    return (timezone.now() + number * MINUTE).isoformat()


def entered():
    return sorted(CampaignEntry.objects.values_list("record_id", flat=True))


def test_where_nothing_is_due_nobody_is_waited_for(car, ann, campaign):
    saved(car, plate="1", owner=ann.email, sold_at=in_a_minute(60))
    with transaction.atomic():
        campaign_lifecycle.lock_dispatcher_position()
        looking = InThread(lambda: dates.enter_reached_dates(timezone.now() + 5 * MINUTE))
        assert looking.result() == 0
    assert DateWatch.objects.get().read_at > timezone.now()


def test_two_that_look_at_once_enter_each_date_once(car, ann, campaign):
    records = [saved(car, plate=str(number), owner=ann.email, sold_at=in_a_minute()).pk for number in range(5)]
    now = timezone.now() + 5 * MINUTE
    with transaction.atomic():
        campaign_lifecycle.lock_dispatcher_position()
        both = [InThread(lambda: dates.enter_reached_dates(now)) for _one in range(2)]
        assert all(one.is_waiting() for one in both)
    assert sorted(one.result() for one in both) == [0, 5]
    assert entered() == records


def test_what_commits_after_the_look_is_found_by_the_next(car, ann, campaign):
    late = saved(car, plate="1", owner=ann.email, sold_at=in_a_minute(60))
    with transaction.atomic():
        changed(late, sold_at=in_a_minute(2))
        new = saved(car, plate="2", owner=ann.email, sold_at=in_a_minute(2))
        assert InThread(lambda: dates.enter_reached_dates(timezone.now() + 5 * MINUTE)).result() == 0
    assert dates.enter_reached_dates(timezone.now() + 10 * MINUTE) == 2
    assert entered() == [late.pk, new.pk]


def test_a_campaign_paused_between_the_look_and_the_entering_enters_what_was_reached_before(car, ann, campaign):
    now = timezone.now()
    record = saved(car, plate="1", owner=ann.email, sold_at=(now - MINUTE).isoformat())
    DateWatch.objects.update(read_at=now - 2 * MINUTE)
    type(campaign.object_watch).objects.update(active_since=now - 2 * MINUTE)
    with transaction.atomic():
        campaign_lifecycle.lock_dispatcher_position()
        looking = InThread(dates.enter_reached_dates)
        assert looking.is_waiting()
        campaign_lifecycle.pause_campaign(campaign, None)
    assert looking.result() == 0
    saved(car, plate="2", owner=ann.email, sold_at=(now - MINUTE).isoformat())  # saved after the pause
    assert (dates.enter_reached_dates(), entered()) == (1, [record.pk])
    assert CampaignEntry.objects.get().state == "held" and DateWatch.objects.get().looks == []


@pytest.mark.slow
def test_a_look_reads_what_is_due_and_what_changed_not_all_records(car, ann, campaign):
    now = timezone.now()
    start = now - timedelta(minutes=RECORDS // 2)
    with connection.cursor() as cursor:
        cursor.execute(CARS, {"type": car.pk, "person": ann.pk, "start": start, "number": RECORDS})
        cursor.execute("vacuum analyze object_record")
        cursor.execute("analyze object_change")
    assert ObjectRecord.objects.count() == RECORDS
    type(campaign.object_watch).objects.update(active_since=now - timedelta(days=10))
    DateWatch.objects.update(read_at=now - 5 * MINUTE)
    record = ObjectRecord.objects.get(name=str(RECORDS - 1))
    changed(record, sold_at=(now - timedelta(days=1)).isoformat())
    with CaptureQueriesContext(connection) as queries:
        assert dates.enter_reached_dates(now) == 6
    finding = [
        query["sql"] for query in queries if "object_record" in query["sql"] and "person_field" not in query["sql"]
    ]
    assert len(finding) == 3, "by the index, among the changed, and with locks"
    rows = [rows_read(sql) for sql in finding[:2]]
    assert max(rows) < 50, rows  # of 200,000 records as of 10,000


def rows_read(sql):
    """The rows that the nodes of the plan visited on their way."""
    with connection.cursor() as cursor:
        cursor.execute("explain (analyze, format json) " + sql.replace("%", "%%"))
        (plan,) = cursor.fetchone()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return _visited(plan[0]["Plan"])


def _visited(node):
    own = sum(node.get(name, 0) for name in SCANNED) * node["Actual Loops"]
    return own + sum(map(_visited, node.get("Plans", ())))
