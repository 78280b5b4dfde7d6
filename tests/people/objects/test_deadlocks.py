"""Each pair of verbs on the same records, one of them held up after it locked rows: none is ended by a deadlock."""

import threading
from collections import Counter

import pytest
from django.db import connection

from people.core.errors import RejectedError
from people.models import ObjectRecord
from people.objects import removal
from people.objects.outcomes import RecordKey
from people.persons import merge
from people.persons import upsert as people_upsert
from tests.activities.recording.test_races import InThread
from tests.factories import MARKETO, make_person
from tests.people.objects.world import API, COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, saved, upsert

pytestmark = pytest.mark.django_db(transaction=True)


class World:
    """The records of one pair: of Ann, one that waits for an address, a deleted one, and those of a merge."""

    def __init__(self, course, enrolment, turn):
        self.course, self.enrolment, self.turn = course, enrolment, turn
        self.ann, self.ben, cat, dan = (make_person(email=self.email(name)) for name in ("ann", "ben", "cat", "dan"))
        self.own = self.save("ann", "py")
        self.waiting = self.save("eve", "py")
        self.late = self.save("ann", f"late{turn}")
        self.deleted = self.save("ann", "go")
        removal.delete_records(enrolment, [{"id": self.deleted.pk}], API, key=RecordKey.ID)
        for name in ("ben", "cat", "dan"):
            self.save(name, "py")
        self.merged = merge.merge_people(cat.pk, [dan.pk], None, API)

    def email(self, name):
        return f"{name}{self.turn}@example.com"

    def save(self, name, code):
        return saved(self.enrolment, student=self.email(name), course=code)

    def by_id(self, *rows):
        return upsert(self.enrolment, *rows, key=RecordKey.ID)


ALONE = ("merge", "undo of a merge")  # hold the lock of all people from the beginning on: other verbs wait for that
VERBS = {
    "update by id": lambda w: w.by_id({"id": w.own.pk, "grade": 1}, {"id": w.waiting.pk, "grade": 1}),
    "dedupe values by id": lambda w: w.by_id({"id": w.own.pk, "course": "new"}, {"id": w.waiting.pk, "course": "new"}),
    "upsert by values": lambda w: upsert(
        w.enrolment, *({"student": w.email(name), "course": "py", "grade": 3} for name in ("eve", "ann", "cat"))
    ),
    "delete by id": lambda w: removal.delete_records(
        w.enrolment, [{"id": w.waiting.pk}, {"id": w.own.pk}], API, key=RecordKey.ID
    ),
    "delete by values": lambda w: removal.delete_records(
        w.enrolment, [{"student": w.email(name), "course": "py"} for name in ("ann", "eve")], API
    ),
    "restore": lambda w: removal.restore_records(w.enrolment, [w.deleted.pk], API),
    "merge": lambda w: merge.merge_people(w.ann.pk, [w.ben.pk], None, API),
    "undo of a merge": lambda w: merge.undo_merge(w.merged.pk, None, API),
    "address of a person": lambda w: people_upsert.update_person(w.ann, {"email": w.email("eve")}, MARKETO),
    "a course that is waited for": lambda w: saved(w.course, code=f"late{w.turn}"),
}


class HeldUp(InThread):
    """Runs `work`, but after its first statement that locks records, sets `is_there` and waits for `go`."""

    def __init__(self, work):
        self.is_there, self.go = threading.Event(), threading.Event()
        super().__init__(work)

    def run(self):
        with connection.execute_wrapper(self.hold_up):
            super().run()
        self.is_there.set()

    def hold_up(self, execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "object_record" in sql and " update" in sql.lower() and not self.is_there.is_set():
            self.is_there.set()
            assert self.go.wait(20)
        return result


def wait_until_blocked(thread):
    """Return once the thread has ended or its connection waits for a lock."""
    for _ in range(1_000):
        thread.join(0.01)
        with connection.cursor() as cursor:
            cursor.execute(
                "select exists (select from pg_locks l join pg_stat_activity a using (pid) "
                "where not l.granted and a.datname = current_database())"
            )
            if not thread.is_alive() or cursor.fetchone()[0]:
                return
    raise AssertionError("neither blocked nor ended")


def faults_of(world, first, second):
    """Run both verbs at once; the errors that are no refusal."""
    held = HeldUp(lambda: VERBS[first](world))
    assert held.is_there.wait(20)
    other = InThread(lambda: VERBS[second](world))
    wait_until_blocked(other)
    held.go.set()
    faults = []
    for thread in (held, other):
        try:
            thread.result()
        except RejectedError:
            pass  # refused after the other
        except Exception as error:
            faults.append(f"{first} / {second}: {error!r}"[:200])
    return faults


@pytest.mark.parametrize("first", [verb for verb in VERBS if verb not in ALONE])
def test_no_two_verbs_deadlock(first):
    course = approved_type("Course", "course", COURSE_FIELDS)
    enrolment = approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    for code in ("py", "go", "new"):
        saved(course, code=code)
    faults = []
    for turn, second in enumerate(VERBS):
        faults += faults_of(World(course, enrolment, turn), first, second)
    assert faults == []
    live = ObjectRecord.objects.existing().filter(object_type=enrolment, person_id__isnull=False)
    assert max(Counter(live.values_list("person_id", "linked_id")).values()) == 1
