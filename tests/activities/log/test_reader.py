"""Following the log from a date on: nothing is left out, nothing comes twice, and the start is near."""

import itertools
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.log import reader as log_reader
from people.core.db import citus
from tests.activities.recording.test_races import InThread
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.hypothesis_profiles import examples

pytestmark = pytest.mark.django_db(transaction=True)
TYPE, OTHER_TYPE = 4711, 4712
_years = itertools.count(1910)


def put(rows, type_id=TYPE):
    """Insert (recorded at, occurred at) pairs in this order; return their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into activity (person_id, activity_type_id, version, occurred_at, recorded_at, door)
            select 1, %s, 1, occurred, recorded, 1
            from unnest(%s::timestamptz[], %s::timestamptz[]) with ordinality as r (recorded, occurred, n) order by n
            returning id""",
            [type_id, [recorded for recorded, _ in rows], [occurred for _, occurred in rows]],
        )
        return [pk for (pk,) in cursor.fetchall()]


def follow(position, limit=3, **narrowed):
    seen, more = [], True
    while more:
        page = log_reader.read_activities(position, [TYPE], limit=limit, **narrowed)
        seen += [row.pk for row in page.activities]
        position, more = page.position, page.has_more
    return seen, position


# recorded at: a step after the one before, clocks half an hour apart; occurred at: long before, just before, ahead
STEPS = st.sampled_from([0, 1, 40, 300, 5_000])
CLOCKS = st.integers(-29, 29)
LATENESS = st.one_of(st.integers(-100_000, 60), st.integers(-12, 12), st.integers(0, 40_000))
ROWS = st.lists(st.tuples(STEPS, CLOCKS, LATENESS), max_size=25)


def moments(rows, start):
    found, clock = [], start
    for step, skew, late in rows:
        clock += timedelta(minutes=step)
        recorded_at = clock + timedelta(minutes=skew)
        found.append((recorded_at, recorded_at + timedelta(minutes=late)))
    return found, clock


@given(before=ROWS, after=ROWS, since_minutes=st.integers(-10_000, 60_000))
@settings(max_examples=examples(20, 300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_reader_with_a_date_gets_what_occurred_since_and_all_that_comes_later(before, after, since_minutes):
    start = datetime(next(_years), 1, 1, tzinfo=UTC)  # activities of earlier examples are older than this
    since = start + timedelta(minutes=since_minutes)
    rows, clock = moments(before, start)
    ids = put(rows)
    put([(recorded_at, since) for recorded_at, _ in rows[-1:]] * 3, OTHER_TYPE)
    position = log_reader.start_position(since)
    later, _clock = moments(after, clock + timedelta(minutes=60))
    later_ids = put(later)
    expected = [pk for pk, (_recorded, occurred) in zip(ids, rows, strict=True) if occurred >= since] + later_ids
    seen, end = follow(position)
    assert [pk for pk in seen if pk >= (ids + later_ids + [0])[0]] == expected
    assert follow(end)[0] == []
    assert follow(position, person_ids=[1])[0] == seen and follow(position, person_ids=[2])[0] == []


def test_the_start_is_near_the_first_row_that_counts():
    start = datetime(2025, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=hour) for hour in range(2_000)]
    ids = put([(hour, hour - timedelta(minutes=1)) for hour in hours])
    assert ids[0] - 1 <= log_reader.start_position(start).last_id <= ids[0]
    with CaptureQueriesContext(connection) as queries:
        position = log_reader.start_position(hours[1_500])
    assert 0 <= ids[1_500] - position.last_id <= 4
    with CaptureQueriesContext(connection) as reads:
        log_reader.read_activities(position, [TYPE, OTHER_TYPE, 5])
    assert (len(queries), len(reads)) == ((3, 5) if citus.is_distributed() else (4, 3))


def test_one_row_far_ahead_of_its_time_moves_the_start_back_to_it():
    start = datetime(2025, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=hour) for hour in range(500)]
    ids = put([(hour, hour + timedelta(hours=450) if n == 100 else hour) for n, hour in enumerate(hours)])
    assert follow(log_reader.start_position(hours[490]))[0] == [ids[100], *ids[490:]]


def test_what_occurred_before_the_date_is_passed_over_with_the_token():
    start = datetime(next(_years), 1, 1, tzinfo=UTC)
    minutes = [start + timedelta(minutes=minute) for minute in range(180)]
    ids = put([(minute, minute - timedelta(seconds=5)) for minute in minutes])
    if not citus.is_distributed():
        assert log_reader.start_position(minutes[120]).last_id == ids[121] - 1
    assert follow(log_reader.start_position(minutes[120]))[0] == ids[121:]


def test_what_is_uncommitted_when_the_token_is_made_is_read_later_wherever_it_lies():
    check, ann = approved_type(), make_person()
    is_written, may_commit = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            outcomes = record_rows(new_activity(ann.pk, occurred_at="2001-01-01"), new_activity(ann.pk))
            is_written.set()
            may_commit.wait(10)
        return [outcome.activity_id for outcome in outcomes]

    writer = InThread(slow)
    assert is_written.wait(10)
    (quick,) = record_rows(new_activity(ann.pk))
    position = log_reader.start_position(datetime(2026, 11, 1, tzinfo=UTC))
    page = log_reader.read_activities(position, [check.pk])
    assert list(page.activities) == []
    may_commit.set()
    slow_ids = writer.result()
    page = log_reader.read_activities(page.position, [check.pk])
    # back-dated, but invisible when the token was made
    assert [row.pk for row in page.activities] == [*slow_ids, quick.activity_id]


def test_rows_have_what_the_model_has():
    check, ann = approved_type(), make_person()
    start = log_reader.start_position()
    record_rows(new_activity(ann.pk, amount="0.10", branch="Málaga"))
    (row,) = log_reader.read_activities(start, [check.pk]).activities
    (stored,) = log_reader.person_timeline(ann.pk, type_ids=[check.pk])
    assert row._asdict() == {name: getattr(stored, name) for name in row._fields}
