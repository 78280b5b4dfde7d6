"""Refused rows are kept within bounds of a sender and a day, and of the imports of a user."""

import gzip
import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from activities.models import RefusedActivity
from activities.recording import quarantine
from activities.recording.recorder import record_activities
from people.core.source import Channel, Source
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.files.imports.plan import ImportPlan
from people.files.models import ImportFailure
from tests.factories import approved_type, make_person, new_activity

pytestmark = pytest.mark.django_db
ROOM = 20_000


@pytest.fixture(autouse=True)
def room(settings):
    settings.QUARANTINE_BYTES_A_DAY = ROOM
    quarantine.forget_rooms()
    yield
    quarantine.forget_rooms()


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
        quarantine.forget_rooms()  # as another process
    kept = RefusedActivity.objects.count()
    assert 10 < kept < 60 and bytes_kept() <= ROOM
    refuse(ann, 0, 10, vera, channel)
    assert RefusedActivity.objects.count() == kept + 10, "another sender has room of their own"
    stored = RefusedActivity.objects.filter(user=olga).earliest("pk").raw
    refuse(ann, int(re.search(r"many (\d+)", stored)[1]), 1, olga, channel)
    assert RefusedActivity.objects.get(user=olga, times=2).raw == stored, "a row that is stored is counted"
    yesterday = timezone.now() - timedelta(days=1)
    RefusedActivity.objects.filter(user=olga).update(first_at=yesterday, last_at=yesterday)
    quarantine.forget_rooms()
    refuse(ann, 500, 5, olga, channel)
    assert RefusedActivity.objects.filter(user=olga).count() == kept + 5, "another day"


def test_a_process_takes_a_share_and_counts_stored_rows_when_it_is_used_up(ann, django_assert_max_num_queries):
    refuse(ann, 0, 60)
    kept = RefusedActivity.objects.count()
    assert bytes_kept() <= ROOM and kept > ROOM / 8 / 1_000
    with django_assert_max_num_queries(12) as asked:
        refuse(ann, 100, 60)
    assert RefusedActivity.objects.count() == kept
    assert not [query for query in asked.captured_queries if "pg_column_size" in query["sql"]], "not within a minute"


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
    assert job.refused == 300
    return ImportFailure.objects.filter(of=job).count()
