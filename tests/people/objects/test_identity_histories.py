"""Any history of records with a person in their dedupe values, and of merges of people, is as in a plain model.

The model has no tables: people with an address, and enrolments, each written with an address and a course.
"""

from dataclasses import dataclass

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from people.core.errors import RejectedError
from people.models import ObjectChange, ObjectRecord
from people.objects import removal
from people.objects.definition import ObjectFieldSpec
from people.objects.outcomes import RecordKey
from people.persons import merge, upsert
from tests.factories import MARKETO, make_person
from tests.hypothesis_profiles import examples
from tests.people.objects.world import API, approved_type
from tests.people.objects.world import upsert as upsert_records

pytestmark = pytest.mark.django_db
EXAMPLES = examples(12, 500, "HISTORIES")
INDEX = st.integers(0, 9)
ADDRESSES = [f"{name}@example.com" for name in "abcdef"]
COURSES = ("py", "go")
FIELDS = (
    ObjectFieldSpec("student", "Student", "email", is_dedupe=True, link_to="person", link_by="email"),
    ObjectFieldSpec("course", "Course", is_dedupe=True),
    ObjectFieldSpec("grade", "Grade", "integer"),
)


@dataclass
class Enrolment:
    student: str
    course: str
    grade: int
    owner: int | None
    changed: int  # when it was added or changed last
    state: str = "live"  # or "deleted" by a user, or "replaced"
    replaced_by: int | None = None


class World(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.addresses, self.states, self.records, self.merges = {}, {}, {}, []
        self.now = 0
        self.type = approved_type("Enrolment", "enrolment", FIELDS)
        for address in ADDRESSES[:3]:
            self.appear(address)

    def pick(self, index, things):
        return things[index % len(things)] if things else None

    def live_people(self):
        return [pk for pk, state in self.states.items() if state == "live"]

    def named(self, address):
        return next((pk for pk in self.live_people() if self.addresses[pk] == address), None)

    def appear(self, address):
        pk = make_person(email=address).pk
        self.addresses[pk], self.states[pk] = address, "live"
        self.join([pk])

    @rule(index=INDEX)
    def somebody_appears(self, index):
        free = [address for address in ADDRESSES if address not in self.addresses.values()]
        if free:
            self.appear(self.pick(index, free))

    @rule(person=INDEX, index=INDEX)
    def get_another_address(self, person, index):
        free = [address for address in ADDRESSES if address not in self.addresses.values()]
        pk = self.pick(person, self.live_people())
        if free and pk:
            self.addresses[pk] = self.pick(index, free)
            upsert.upsert_people([{"id": pk, "email": self.addresses[pk]}], MARKETO, "id", upsert.UpsertAction.UPDATE)
            self.join([pk])

    @rule(address=st.sampled_from(ADDRESSES), course=st.sampled_from(COURSES), grade=st.integers(1, 3))
    def enrol(self, address, course, grade):
        self.now += 1
        pk, owner = self.found(address, course), self.named(address)
        (outcome,) = upsert_records(self.type, {"student": address, "course": course, "grade": grade})
        if pk is None:
            assert outcome.status == "created"
            self.records[outcome.record_id] = Enrolment(address, course, grade, owner, self.now)
            return
        assert (outcome.status, outcome.record_id) == ("updated", pk)
        if self.records[pk].grade != grade:
            self.records[pk].grade, self.records[pk].changed = grade, self.now

    def found(self, address, course):
        """The record that these dedupe values name."""
        owner = self.named(address)
        alike = {pk: one for pk, one in self.records.items() if one.course == course}
        for pk, one in alike.items():
            if one.state == "live" and one.student == address:
                return pk
        for one in (alike[pk] for pk in sorted(alike, reverse=True)):
            if one.state == "replaced" and one.student == address:
                stays = self.records[one.replaced_by]
                if stays.state == "live" and owner in (None, stays.owner):
                    return one.replaced_by
                break
        live = (pk for pk, one in alike.items() if one.state == "live" and one.owner == owner is not None)
        return next(live, None)

    @rule(index=INDEX)
    def remove(self, index):
        pk = self.pick(index, sorted(self.records))
        if pk:
            (outcome,) = removal.delete_records(self.type, [{"id": pk}], API, key=RecordKey.ID)
            assert (outcome.status == "deleted") == (self.records[pk].state == "live")
            if self.records[pk].state == "live":
                self.records[pk].state = "deleted"

    @rule(index=INDEX)
    def restore(self, index):
        pk = self.pick(index, sorted(self.records))
        if not pk:
            return
        one = self.records[pk]
        (outcome,) = removal.restore_records(self.type, [pk], API)
        owner = one.owner or self.named(one.student)
        met = [
            other
            for other in self.records.values()
            if other.state == "live"
            and other.course == one.course
            and other is not one
            and (other.student == one.student or (owner is not None and other.owner == owner))
        ]
        may = one.state != "live" and not met
        assert (outcome.status == "restored") == may
        if may:
            one.state, one.owner, one.replaced_by = "live", owner, None

    @rule(indexes=st.lists(INDEX, min_size=2, max_size=3, unique=True))
    def merge(self, indexes):
        people = list(dict.fromkeys(self.pick(index, self.live_people()) for index in indexes))
        if len(people) < 2:
            return
        winner, losers = people[0], people[1:]
        meeting = merge.preview_merge(winner, losers, None).notes
        done = merge.merge_people(winner, losers, None, MARKETO)
        moved = [(pk, one.owner) for pk, one in self.records.items() if one.owner in losers]
        for loser in losers:
            self.states[loser] = "merged"
        for pk, _owner in moved:
            self.records[pk].owner = winner
        before = sum(one.state == "live" for one in self.records.values())
        self.settle([pk for pk, _owner in moved])
        assert bool(meeting) == (before != sum(one.state == "live" for one in self.records.values()))
        self.merges.append((done.pk, winner, losers, moved))

    @rule(index=INDEX)
    def undo(self, index):
        if not self.merges:
            return
        at = index % len(self.merges)
        merge_id, winner, losers, moved = self.merges[at]
        may = self.states[winner] == "live" and not any(row[1] == winner for row in self.merges[at + 1 :])
        try:
            with transaction.atomic():
                merge.undo_merge(merge_id, None, MARKETO)
            assert may
        except RejectedError:
            assert not may
        if not may:
            return
        back = [pk for pk, _owner in moved if self.records[pk].owner == winner]
        for pk, owner in moved:
            if pk in back:
                self.records[pk].owner = owner
        self.settle(back)
        for loser in losers:
            self.states[loser] = "live"
        self.merges.pop(at)
        self.join([winner, *losers])

    @rule(first=INDEX, second=INDEX)
    def undo_at_once_is_as_if_nothing_had_been(self, first, second):
        people = list(dict.fromkeys(self.pick(index, self.live_people()) for index in (first, second)))
        if len(people) == 2:
            before = self.stored()
            done = merge.merge_people(people[0], people[1:], None, MARKETO)
            merge.undo_merge(done.pk, None, MARKETO)
            # records that wait for no other person were joined before
            assert self.stored() == before

    def join(self, people):
        joined = []
        for pk, one in self.records.items():
            if one.state == "live" and one.owner is None and self.named(one.student) in people:
                one.owner = self.named(one.student)
                joined.append(pk)
        self.settle(joined)

    def settle(self, ids):
        groups = {}
        for pk, one in self.records.items():
            stays = self.records.get(one.replaced_by)
            takes_part = one.state == "live" or (
                one.state == "replaced" and (stays.state != "deleted" or stays.owner != one.owner)
            )
            if one.owner is not None and takes_part:
                groups.setdefault((one.owner, one.course), []).append(pk)
        for group in groups.values():
            if any(pk in ids or self.records[pk].replaced_by in ids for pk in group):
                self.decide(sorted(group, key=lambda pk: (self.records[pk].changed, pk), reverse=True))

    def decide(self, group):
        def is_free(pk):
            own = self.records[pk]
            return own.state == "live" or not any(
                (one.student, one.course, one.state) == (own.student, own.course, "live")
                for other, one in self.records.items()
                if other not in group
            )

        stays = next((pk for pk in group if is_free(pk)), None)
        for pk in group if stays else ():
            one = self.records[pk]
            one.state, one.replaced_by = ("live", None) if pk == stays else ("replaced", stays)

    def stored(self):
        columns = ("pk", "fields", "person_id", "deleted_at", "replaced_by_id")
        rows = ObjectRecord.objects.order_by("pk").values_list(*columns)
        return [(*row[:3], row[3] is None, row[4]) for row in rows]

    @invariant()
    def the_database_says_the_same(self):
        expected = [
            (
                pk,
                {"student": one.student, "course": one.course, "grade": one.grade},
                one.owner,
                one.state == "live",
                one.replaced_by if one.state == "replaced" else None,
            )
            for pk, one in sorted(self.records.items())
        ]
        assert self.stored() == expected
        live = [(one.owner, one.course) for one in self.records.values() if one.state == "live" and one.owner]
        assert len(live) == len(set(live))

    @invariant()
    def nothing_is_lost(self):
        """The values of a replaced record stand in the history of the one that stays."""
        for pk, one in self.records.items():
            if one.state == "replaced":
                (latest, *_more) = ObjectChange.objects.filter(record_id=pk, kind=3).order_by("-pk")
                assert latest.changes["grade"] == [one.grade, None] and latest.replaced_by_id is not None


@pytest.mark.slow
def test_histories():
    class Machine(World):
        def __init__(self):
            super().__init__()
            self.savepoint = transaction.savepoint()

        def teardown(self):
            transaction.savepoint_rollback(self.savepoint)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
