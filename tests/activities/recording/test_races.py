"""Races: two real connections at the same moment, and a recorder that is killed."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from django.conf import settings
from django.db import connection, transaction

from activities.log import reader as log_reader
from activities.models import Activity, ActivityKey, ActivityType
from activities.recording import column_recorder
from activities.recording.columns import ActivityColumns
from activities.recording.rows import RecordStatus
from people.definitions import lifecycle
from people.models import Person
from people.persons import upsert
from tests.factories import MARKETO, approved_type, edit_description, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db(transaction=True)


class InThread(threading.Thread):
    """Runs `work` on a connection of its own; `result()` waits for it."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.value, self.error = work, None, None
        self.start()

    def run(self):
        try:
            self.value = self.work()
        except BaseException as error:
            self.error = error
        finally:
            connection.close()

    def result(self):
        self.join(20)
        assert not self.is_alive(), "still waiting"
        if self.error:
            raise self.error
        return self.value

    def is_waiting(self):
        """True if it is still held up after a moment."""
        self.join(0.4)
        return self.is_alive()


def test_approve_waits_for_a_recording_and_later_ones_see_the_new_version():
    check, ann = approved_type(), make_person()
    edit_description(check, "two")
    with transaction.atomic():
        (first,) = record_rows(new_activity(ann.pk))
        approving = InThread(lambda: lifecycle.approve_draft(check, None))
        assert approving.is_waiting()
    approving.result()
    (second,) = record_rows(new_activity(ann.pk))
    assert Activity.objects.get(pk=first.activity_id).version == 1
    assert Activity.objects.get(pk=second.activity_id).version == 2


@pytest.mark.parametrize(
    ("verb", "code"), [(lifecycle.retire_definition, "retired_type"), (lifecycle.delete_definition, "unknown_type")]
)
def test_nothing_is_recorded_once_a_retire_or_delete_has_committed(verb, code):
    check, ann = approved_type(), make_person()
    with transaction.atomic():
        verb(check, None)
        recording = InThread(lambda: record_rows(new_activity(ann.pk)))
        assert recording.is_waiting()
    (outcome,) = recording.result()
    assert outcome.problems[0].code == code
    assert not Activity.objects.filter(activity_type_id=check.pk).exists()


def test_one_external_id_from_two_recorders_is_stored_once():
    approved_type()
    ann = make_person()
    with transaction.atomic():
        (first,) = record_rows(new_activity(ann.pk, external_id="T-1"))
        other = InThread(lambda: record_rows(new_activity(ann.pk, external_id="T-1")))
        assert other.is_waiting()
    (second,) = other.result()
    assert (first.status, second.status) == (RecordStatus.ADDED, RecordStatus.REPEATED)
    assert first.activity_id == second.activity_id
    assert ActivityKey.objects.count() == 1


def test_the_mark_stays_below_what_is_not_committed():
    check = approved_type()
    ann, bob = make_person(), make_person()
    start = log_reader.start_position()
    is_written, may_commit = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            outcome = record_rows(new_activity(ann.pk))
            is_written.set()
            may_commit.wait(10)
        return outcome

    slow_writer = InThread(slow)
    assert is_written.wait(10)
    (quick,) = record_rows(new_activity(bob.pk))
    page = log_reader.read_activities(start, [check.pk])
    assert page.activities == [] and not page.has_more  # the later id is committed, the earlier one is not
    may_commit.set()
    (slow_outcome,) = slow_writer.result()
    assert slow_outcome.activity_id < quick.activity_id
    page = log_reader.read_activities(page.position, [check.pk])
    assert [row.pk for row in page.activities] == [slow_outcome.activity_id, quick.activity_id]


def test_an_insert_that_knows_nothing_of_the_lock_holds_it_all_the_same():
    check, ann = approved_type(), make_person()
    before = log_reader.high_water_mark()
    held = InThread(lambda: _insert_and_look(check.pk, ann.pk))
    assert held.result() == before
    assert log_reader.high_water_mark() > before


def _insert_and_look(type_id, person_id):
    """The mark that another connection sees while this one has not committed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "insert into activity (person_id, activity_type_id, version, occurred_at, door) values (%s, %s, 1, now(), 1)",
            [person_id, type_id],
        )
        return InThread(log_reader.high_water_mark).result()


def test_concurrent_upserts_of_one_new_email_create_one_person():
    with transaction.atomic():
        upsert.upsert_people([{"email": "new@example.com"}], MARKETO)
        other = InThread(lambda: upsert.upsert_people([{"email": "NEW@example.com", "first_name": "Ann"}], MARKETO))
        assert other.is_waiting()
    (outcome,) = other.result()
    assert outcome.status == upsert.UpsertStatus.UPDATED
    assert Person.objects.get().first_name == "Ann"


RECORDER = """
import os, sys, django
django.setup()
from django.db import connection
from activities.recording.recorder import record_activities
from tests.factories import MARKETO, new_activity
batch = 0
while True:
    keys = [f"K-{batch}-{i}" for i in range(50)]
    outcomes = record_activities([new_activity(int(sys.argv[1]), int(sys.argv[2]), external_id=key) for key in keys], MARKETO)
    print(*(f"{key}={outcome.activity_id}" for key, outcome in zip(keys, outcomes)), flush=True)
    batch += 1
"""


@pytest.mark.slow
def test_what_was_acknowledged_is_there_once_after_kill_9(django_db_blocker):
    check, ann = approved_type(), make_person()
    acknowledged = {}
    for _round in range(3):
        recorder = subprocess.Popen(
            [sys.executable, "-c", RECORDER, str(ann.pk), str(check.pk)],
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "DATA_DIR": str(settings.DATA_DIR),
                "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
            },
        )
        lines = [recorder.stdout.readline() for _ in range(3)]
        time.sleep(0.01 * _round)
        recorder.send_signal(signal.SIGKILL)
        lines += recorder.stdout.read().splitlines()
        recorder.wait()
        for pair in " ".join(line.strip() for line in lines if line.endswith("\n") or "=" in line).split():
            key, _, activity_id = pair.partition("=")
            assert acknowledged.setdefault(key, activity_id) == activity_id
    stored = dict(ActivityKey.objects.values_list("external_id", "activity_id"))
    assert len(acknowledged) >= 150
    complete = {key: int(pk) for key, pk in acknowledged.items() if key in stored}
    assert {key: stored[key] for key in complete} == complete and complete.keys() == acknowledged.keys()
    assert Activity.objects.filter(activity_type_id=check.pk).count() == len(stored)
    assert ActivityType.objects.get(pk=check.pk).is_recordable


def test_columns_whose_external_ids_another_recorder_stores_at_the_same_time_are_recorded_once():
    check, ann = approved_type(), make_person()

    def columns(places):
        return ActivityColumns(
            check.pk,
            [ann.pk for _place in places],
            "id",
            False,
            ["2026-11-20T10:00:00Z" for _place in places],
            [f"No. {place}" for place in places],
            [],
            [f"k{place}" for place in places],
        )

    with transaction.atomic():
        column_recorder.record_columns(columns(range(60, 80)), MARKETO)
        recording = InThread(lambda: column_recorder.record_columns(columns(range(80)), MARKETO))
        assert recording.is_waiting()
    recorded = recording.result()
    assert {place: outcome.status for place, outcome in recorded.others.items()} == dict.fromkeys(
        range(60, 80), RecordStatus.REPEATED
    )
    assert Activity.objects.filter(activity_type_id=check.pk).count() == ActivityKey.objects.count() == 80
