"""Refused rows are kept within bounds of a sender and a day, and of the imports of a user."""

import gzip
import io
import json
import re
from datetime import timedelta
from random import Random

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activities.models import RefusedActivity
from activities.recording.parsing import ActivityParser
from activities.recording.quarantine import room
from activities.recording.recorder import record_activities
from activities.recording.stream import outcome_as_dict, record_stream, record_values
from people.core import metrics
from people.core.source import Channel, Source
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.files.imports.plan import ImportPlan
from people.files.models import ImportFailure
from tests.factories import approved_type, make_person, new_activity

pytestmark = pytest.mark.django_db
ROOM = 20_000


@pytest.fixture(autouse=True)
def small_room(settings):
    settings.QUARANTINE_BYTES_A_DAY = ROOM
    room.forget_rooms()
    yield
    room.forget_rooms()


@pytest.fixture
def ann():
    approved_type()
    return make_person()


def refuse(ann, first, count, user=None, channel=Channel.API):
    rows = [new_activity(ann.pk, amount=f"many {number}") for number in range(first, first + count)]
    outcomes = record_activities(rows, Source(channel, user and user.pk))
    assert {outcome.status for outcome in outcomes} == {"refused"}


def bytes_kept(table="refused_activity"):
    with connection.cursor() as cursor:
        cursor.execute(f"select coalesce(sum(pg_column_size(r.*)), 0) from {table} r")
        return cursor.fetchone()[0]


def user(name):
    return get_user_model().objects.create_user(name)


@pytest.mark.parametrize("channel", [Channel.API, Channel.MARKETO, Channel.COMMAND, Channel.EVENTS])
def test_of_one_sender_and_day_as_much_is_kept_as_there_is_room(ann, channel):
    olga, vera = user("olga"), user("vera")
    for first in range(0, 200, 20):
        refuse(ann, first, 20, olga, channel)
        room.forget_rooms()  # as another process
    kept = RefusedActivity.objects.count()
    assert 10 < kept < 60 and bytes_kept() <= ROOM
    refuse(ann, 0, 10, vera, channel)
    assert RefusedActivity.objects.count() == kept + 10, "another sender has room of their own"
    stored = RefusedActivity.objects.filter(user=olga).earliest("pk").raw
    refuse(ann, int(re.search(r"many (\d+)", stored)[1]), 1, olga, channel)
    assert RefusedActivity.objects.get(user=olga, times=2).raw == stored, "a row that is stored is counted"
    yesterday = timezone.now() - timedelta(days=1)
    RefusedActivity.objects.filter(user=olga).update(first_at=yesterday, last_at=yesterday)
    room.forget_rooms()
    refuse(ann, 500, 5, olga, channel)
    assert RefusedActivity.objects.filter(user=olga).count() == kept + 5, "another day"


def test_rows_that_are_stored_do_not_grow_beyond_the_room(ann):
    keyed = [new_activity(ann.pk, amount="many", external_id=f"row {number}") for number in range(200)]
    record_activities(keyed, Source(Channel.API, None))
    kept = RefusedActivity.objects.count()
    text = Random(1).randbytes(5_000).hex()  # not to be compressed
    long = [new_activity(ann.pk, amount=text, external_id=f"row {number}") for number in range(200)]
    for _again in range(3):
        record_activities(long, Source(Channel.API, None))
        room.forget_rooms()
    # the last text for which there was room, at most
    assert RefusedActivity.objects.count() == kept and bytes_kept() <= ROOM + 12_000
    assert RefusedActivity.objects.filter(times=4).count() == kept, "each is counted"


def test_a_process_takes_a_share_and_counts_stored_rows_when_it_is_used_up(ann, django_assert_max_num_queries):
    refuse(ann, 0, 60)
    kept = RefusedActivity.objects.count()
    assert bytes_kept() <= ROOM and kept > ROOM / 8 / 1_000
    with django_assert_max_num_queries(12) as asked:
        refuse(ann, 100, 60)
    assert RefusedActivity.objects.count() == kept
    assert not [query for query in asked.captured_queries if "pg_column_size" in query["sql"]], "not within a minute"


def test_the_rows_of_a_sender_are_counted_without_reading_those_of_others(ann):
    refuse(ann, 0, 5, user("olga"))
    now, vera = timezone.now(), user("vera")
    of_others = [
        RefusedActivity(channel=Channel.API, user=vera, key=f"{number}", problems=[], first_at=now, last_at=now)
        for number in range(3_000)
    ]
    RefusedActivity.objects.bulk_create(of_others)
    olga = RefusedActivity.objects.exclude(user=vera)[0].user
    for source in (Source(Channel.API, olga.pk), Source(Channel.API), Source(Channel.EVENTS, None, event_source_id=1)):
        where, parameters = room.sender_condition(source)
        with connection.cursor() as cursor:
            cursor.execute("analyze refused_activity")
            cursor.execute(
                f"""explain (analyze, format json) select pg_column_size(raw) from refused_activity
                where last_at >= %s and {where}""",
                [now - timedelta(days=1), *parameters],
            )
            ((plan,),) = cursor.fetchall()
        top = plan[0]["Plan"]
        assert top.get("Rows Removed by Filter", 0) == 0 and top["Node Type"] != "Seq Scan", plan


def left_out():
    metrics.flush_metrics()
    return {labels[0]: parts[""] for labels, parts in metrics.metric_totals().get(room.LEFT_OUT, {}).items()}


@pytest.mark.django_db(transaction=True)
def test_of_all_senders_together_as_much_is_kept_as_there_is_room(ann, settings):
    settings.QUARANTINE_BYTES_A_DAY, settings.QUARANTINE_BYTES = 10 * ROOM, ROOM
    RefusedActivity.objects.all().delete()
    before = left_out()
    for number in range(5):
        refuse(ann, 100 * number, 20, user(f"user{number}"))
        room.forget_rooms()
    kept = RefusedActivity.objects.count()
    assert 10 < kept < 60 and bytes_kept() <= ROOM
    after = left_out()
    assert after["installation"] - before.get("installation", 0) == 100 - kept
    RefusedActivity.objects.all().delete()
    room.forget_rooms()
    refuse(ann, 0, 10)
    assert RefusedActivity.objects.count() == 10, "removed rows make room, though their table has not shrunk"


def test_the_size_of_all_rows_is_estimated_from_a_sample_of_a_large_table(monkeypatch):
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into refused_activity (door, key, raw, zone, code, field, problems, times, first_at, last_at, state)
            select 1, n, repeat(md5(n::text), 10 + n %% 20), 'UTC', 'wrong_type', '', '[]', 1, now(), now(), 'waiting'
            from generate_series(1, %s) n""",
            [8_000],
        )
    exact = room._stored_bytes()
    monkeypatch.setattr(room, "SAMPLED_PAGES", 200)
    with CaptureQueriesContext(connection) as asked:
        assert room._stored_bytes() == pytest.approx(exact, rel=0.4)
    (share,) = re.findall(r"tablesample system \(([0-9.]+)\)", asked[-1]["sql"])
    assert 0 < float(share) < 50, "the rest of the table is not read"
    RefusedActivity.objects.filter(pk__in=RefusedActivity.objects.order_by("pk")[:7_000]).delete()
    assert room._stored_bytes() < exact * 0.4


def test_nothing_new_is_kept_in_the_reserve_of_the_disk_and_stored_rows_are_counted(ann, settings):
    settings.DATABASE_IS_EMBEDDED = True
    refuse(ann, 0, 3)
    settings.DISK_RESERVE_BYTES = 2**62
    refuse(ann, 0, 6)
    assert sorted(RefusedActivity.objects.values_list("times", flat=True)) == [2, 2, 2]
    settings.DATABASE_IS_EMBEDDED = False
    refuse(ann, 0, 6)
    assert RefusedActivity.objects.count() == 6, "the disk of another server is not known"


def test_replies_say_which_rows_are_not_kept(ann, settings, django_user_model):
    settings.QUARANTINE_BYTES_A_DAY = 6_000
    olga = django_user_model.objects.create_superuser("olga")
    good = {
        "activity_type": "depositCheck",
        "person": ann.pk,
        "occurred_at": "2026-11-20T10:00:00Z",
        "primary_value": "1",
    }
    values = [{**good, "attributes": {"amount": f"many {number}"}} for number in range(20)] + [good]
    source, parser = Source(Channel.API, olga.pk), ActivityParser(olga)
    outcomes = record_values(values, source, parser)
    replies = [outcome_as_dict(outcome) for outcome in outcomes]
    left_out = [place for place, reply in enumerate(replies) if reply.get("kept") is False]
    assert len(left_out) + RefusedActivity.objects.count() == 20 and 0 < len(left_out) < 20
    kept = next(place for place in range(20) if place not in left_out)
    assert replies[kept].keys() == {"status", "errors"} and replies[-1].keys() == {"status", "id"}
    lines = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    *said, last = map(json.loads, record_stream(io.BytesIO(lines).read, source, parser).read().splitlines())
    assert [place for place, line in enumerate(said) if line.get("kept") is False] == left_out
    assert last["summary"]["not_kept"] == len(left_out) and last["summary"]["lines"] == 21
    mixed = [*values[:20], {**good, "activity_type": "unknown", "attributes": {}}]
    outcomes = record_values(mixed, source, parser)
    assert [place for place, outcome in enumerate(outcomes[:20]) if outcome.is_left_out] == left_out


def test_the_refused_rows_of_a_users_imports_of_a_day_are_bounded(settings, tmp_path, monkeypatch):
    settings.DATA_DIR, settings.IMPORT_REFUSED_BYTES_KEPT = tmp_path, 20_000
    monkeypatch.setattr(import_runner, "IMPORTS_A_DAY", 2)
    approved_type()
    olga, vera = (get_user_model().objects.create_superuser(name) for name in ("olga", "vera"))
    kept = [import_refused(olga) for _import in range(4)]
    assert min(kept[:2]) > 20 and max(kept[2:]) < 5, kept
    assert bytes_kept("file_import_failure") <= 2 * 20_000
    assert import_refused(vera) == kept[0]


def import_refused(by):
    """Import 300 rows that are refused; return how many are kept for the report."""
    lines = b"email,when,check\n" + b"".join(b"ghost%d@example.com,soon,No. 1\n" % number for number in range(300))
    job = import_jobs.upload_file([gzip.compress(lines)], "f.csv.gz", "activities", by)
    columns = {"occurred_at": "when", "primary_value": "check"}
    plan = ImportPlan(columns=columns, subject="depositCheck", person="{email}", create_people=True)
    import_jobs.set_plan(job, plan, by)
    import_jobs.take_step(job, "start", by, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    kept = ImportFailure.objects.filter(of=job).count()
    waiting = RefusedActivity.objects.filter(channel=Channel.IMPORT, origin_id=job.pk).count()
    assert (job.refused, job.not_kept) == (300, 300 - waiting)
    return kept
