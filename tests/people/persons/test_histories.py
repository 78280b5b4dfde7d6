"""Any history of verbs over people leaves the database in the state of a plain model in Python.

The model has no tables: people with values, lists with members, activities under people, and a stack of
merges. After each step everything is compared; what a verb refuses must leave everything as it was.
"""

import copy
from dataclasses import dataclass, field

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from activities.models import Activity, ActivityKey, ActivityRemoval
from people.core.errors import RejectedError
from people.lists import static_lists
from people.models import Person, PersonDeletion, PersonField, PersonKey, PersonMerge, StaticListMember
from people.persons import deletion, upsert
from people.persons import merge as person_merge
from people.persons import size as person_size
from people.privacy import erasure
from people.privacy import search as privacy_search
from tests.factories import MARKETO, approved_type, new_activity, record_rows
from tests.hypothesis_profiles import examples

pytestmark = pytest.mark.django_db

FIELDS = ("first_name", "city", "number")  # "number" is a unique field of the team
VALUES = st.sampled_from([None, "a", "b", "c"])
INDEX = st.integers(0, 9)
EXAMPLES = examples(9, 500, "HISTORIES")


@dataclass
class Somebody:
    """One person of the model."""

    values: dict
    state: str = "live"
    lists: dict = field(default_factory=dict)  # name: which joining it was
    kept_lists: dict = field(default_factory=dict)  # while deleted
    winner: int | None = None


@dataclass
class Merge:
    winner: int
    losers: list
    changes: dict  # field: (before, after)
    lists: dict  # loser: lists it was on
    joined: dict  # list: the joining that the winner got
    moved: dict  # activity: whose it was just before
    undone: bool = False


class World(RuleBasedStateMachine):
    """The verbs, done to the database and to the model alike."""

    @initialize()
    def begin(self):
        self.people, self.activities, self.merges = {}, {}, {}
        self.stack = []  # ids of merges, oldest first
        self.joinings = 0
        self.lists = {name: static_lists.create_static_list(name, None) for name in ("One", "Two")}
        PersonField.objects.create(api_name="number", label="Number", data_type="string", is_unique=True)
        self.type = approved_type()
        for first_name, city in (("a", None), (None, "b"), ("c", "c")):
            self.create(first_name, city)
        for pk in list(self.people):
            self.note_activity(*record_rows(new_activity(pk)), pk)

    def pick(self, index, *states):
        ids = [pk for pk, one in self.people.items() if one.state in states]
        return ids[index % len(ids)] if ids else None

    def holder(self, number, besides=()):
        """The person with a unique value: live people only."""
        return next(
            (
                pk
                for pk, one in self.people.items()
                if one.state == "live" and one.values["number"] == number and pk not in besides
            ),
            None,
        )

    def family(self, pk):
        found = [pk]
        for other, one in self.people.items():
            if one.state == "merged" and one.winner == pk:
                found += self.family(other)
        return found

    def note_activity(self, outcome, pk):
        self.activities[outcome.activity_id] = pk

    @precondition(lambda self: len(self.people) < 7)
    @rule(first_name=VALUES, city=VALUES)
    def create_another(self, first_name, city):
        self.create(first_name, city)

    def create(self, first_name, city):
        values = {"first_name": first_name, "city": city, "number": None}
        (outcome,) = upsert.upsert_people([values], MARKETO, action=upsert.UpsertAction.DUPLICATE)
        self.people[outcome.person_id] = Somebody(values)

    @rule(index=INDEX, name=st.sampled_from(FIELDS), value=VALUES)
    def change(self, index, name, value):
        pk = self.pick(index, "live", "deleted", "merged")
        if pk is None:
            return
        (outcome,) = upsert.upsert_people([{"id": pk, name: value}], MARKETO, "id", upsert.UpsertAction.UPDATE)
        is_taken = name == "number" and value is not None and self.holder(value, [pk]) is not None
        may = self.people[pk].state == "live" and not is_taken
        assert (outcome.status == upsert.UpsertStatus.UPDATED) == may
        if may:
            self.people[pk].values[name] = value

    @rule(index=INDEX, name=st.sampled_from(["One", "Two"]), joins=st.booleans())
    def move(self, index, name, joins):
        pk = self.pick(index, "live", "deleted", "merged", "erased")
        if pk is None:
            return
        (static_lists.add_members if joins else static_lists.remove_members)(self.lists[name], [pk], MARKETO)
        while self.people[pk].state == "merged":
            pk = self.people[pk].winner
        if self.people[pk].state == "live":
            if joins:
                self.joinings += 1
                self.people[pk].lists.setdefault(name, self.joinings)
            else:
                self.people[pk].lists.pop(name, None)

    @rule(index=INDEX)
    def record(self, index):
        pk = self.pick(index, "live", "deleted", "merged", "erased")
        if pk is None:
            return
        (outcome,) = record_rows(new_activity(pk))
        while self.people[pk].state == "merged":
            pk = self.people[pk].winner
        assert (outcome.activity_id is not None) == (self.people[pk].state == "live")
        if outcome.activity_id is not None:
            self.activities[outcome.activity_id] = pk

    @rule(index=INDEX)
    def delete(self, index):
        pk = self.pick(index, "live", "deleted", "merged")
        if pk is None:
            return
        one = self.people[pk]
        (outcome,) = deletion.delete_people([pk], None, MARKETO)
        assert (outcome.status == deletion.DeletionStatus.DELETED) == (one.state == "live")
        if one.state == "live":
            one.state, one.kept_lists, one.lists = "deleted", one.lists, {}

    @rule(index=INDEX)
    def restore(self, index):
        pk = self.pick(index, "deleted", "live")
        if pk is None:
            return
        one = self.people[pk]
        (outcome,) = deletion.restore_people([pk], None, MARKETO)
        number = one.values["number"]
        may = one.state == "deleted" and (number is None or self.holder(number, [pk]) is None)
        assert (outcome.status == deletion.DeletionStatus.RESTORED) == may
        if may:
            one.state, one.lists, one.kept_lists = "live", one.kept_lists, {}

    @rule(indexes=st.lists(INDEX, min_size=2, max_size=3, unique=True))
    def merge(self, indexes):
        self.merge_of(indexes, "live")

    @rule(indexes=st.lists(INDEX, min_size=2, max_size=2))
    def merge_anybody(self, indexes):
        self.merge_of(indexes, "live", "deleted", "merged", "erased")

    def merge_of(self, indexes, *states):
        ids = [pk for index in indexes if (pk := self.pick(index, *states)) is not None]
        if len(ids) < 2:
            return
        winner, losers = ids[0], list(dict.fromkeys(ids[1:]))
        may = winner not in losers and all(self.people[pk].state == "live" for pk in ids)
        before = copy.deepcopy(self.people)
        done = self.attempt(lambda: person_merge.merge_people(winner, losers, None, MARKETO))
        assert (done is not None) == may
        if may:
            self.merges[done.pk] = self.merged(before, winner, losers)
            self.stack.append(done.pk)

    def merged(self, before, winner, losers):
        stays, changes, joined, lists, moved = self.people[winner], {}, {}, {}, {}
        for name in FIELDS:
            value = next((before[pk].values[name] for pk in [winner, *losers] if before[pk].values[name]), None)
            if value != stays.values[name]:
                changes[name] = (stays.values[name], value)
                stays.values[name] = value
        for loser in losers:
            lists[loser] = self.people[loser].lists
            for name, joining in self.people[loser].lists.items():
                if name not in before[winner].lists:
                    joined[name] = min(joining, joined.get(name, joining))
            self.people[loser] = Somebody(before[loser].values, "merged", winner=winner)
        stays.lists |= joined
        for pk, whose in self.activities.items():
            if whose in losers:
                moved[pk], self.activities[pk] = whose, winner
        return Merge(winner, losers, changes, lists, joined, moved)

    @precondition(lambda self: self.stack)
    @rule()
    def counts_are_added_up(self):
        person_size.sum_up_people_counts()

    @rule()
    def undo_latest(self):
        standing = [number for number in self.stack if not self.merges[number].undone]
        if standing:
            self.undo_of(standing[-1])

    @precondition(lambda self: self.stack)
    @rule(index=INDEX)
    def undo(self, index):
        self.undo_of(self.stack[index % len(self.stack)])

    def undo_of(self, number):
        merge = self.merges[number]
        later = [
            pk
            for pk in self.stack
            if pk > number and self.merges[pk].winner == merge.winner and not self.merges[pk].undone
        ]
        taken = [loser for loser in merge.losers if self.number_is_taken(merge, loser)]
        may = not merge.undone and self.people[merge.winner].state == "live" and not later and not taken
        done = self.attempt(lambda: person_merge.undo_merge(number, None, MARKETO) or True)
        assert (done is not None) == may, (merge, later, taken)
        if may:
            self.unmerge(merge)

    def number_is_taken(self, merge, loser):
        number = self.people[loser].values["number"]
        if number is None:
            return False
        holder = self.holder(number)
        gives_back = (
            "number" in merge.changes and self.people[merge.winner].values["number"] == merge.changes["number"][1]
        )
        return holder is not None and not (holder == merge.winner and gives_back)

    def unmerge(self, merge):
        winner = self.people[merge.winner]
        for name, (before, after) in merge.changes.items():
            if winner.values[name] == after:
                winner.values[name] = before
        # people who left and came back since are members by another joining
        winner.lists = {name: one for name, one in winner.lists.items() if merge.joined.get(name) != one}
        for loser in merge.losers:
            self.people[loser] = Somebody(self.people[loser].values, "live", merge.lists[loser])
        for pk, whose in merge.moved.items():
            if pk in self.activities:
                self.activities[pk] = whose
        merge.undone = True

    @rule(index=INDEX)
    def erase(self, index):
        pk = self.pick(index, "live", "deleted", "merged", "erased")
        if pk is None:
            return
        may = self.people[pk].state in ("live", "deleted")
        family = self.family(pk)
        identity = self.attempt(lambda: erasure.erase_people([pk], None, MARKETO))
        assert (identity is not None) == may
        if not may:
            return
        assert list(identity.person_ids) == sorted(family) and privacy_search.find_traces(identity) == []
        for one in family:
            self.people[one] = Somebody(dict.fromkeys(FIELDS), "erased")
        self.activities = {number: whose for number, whose in self.activities.items() if whose not in family}
        self.stack = [
            number
            for number in self.stack
            if not {self.merges[number].winner, *self.merges[number].losers} & set(family)
        ]

    def attempt(self, verb):
        """The result of the verb, or None when it refused; a refusal keeps nothing."""
        try:
            with transaction.atomic():
                return verb()
        except RejectedError:
            return None

    @invariant()
    def the_database_says_the_same(self):
        if not hasattr(self, "people"):
            return
        for person in Person.objects.all():
            one = self.people[person.pk]
            found = {"first_name": person.first_name, "city": person.city, "number": person.fields.get("number")}
            assert (person.state, person.merged_into_id, found) == (one.state, one.winner, one.values)
        assert person_size.people_count() == sum(one.state == "live" for one in self.people.values())
        members = {(pk, name) for pk, one in self.people.items() for name in one.lists}
        assert set(StaticListMember.objects.values_list("person_id", "static_list__name")) == members
        keys = {
            (pk, one.values["number"])
            for pk, one in self.people.items()
            if one.state == "live" and one.values["number"]
        }
        assert set(PersonKey.objects.values_list("person_id", "value")) == keys
        mine = Activity.objects.filter(activity_type_id=self.type.pk)
        assert dict(mine.values_list("pk", "person_id")) == self.activities
        assert set(PersonDeletion.objects.values_list("pk", flat=True)) == {
            pk for pk, one in self.people.items() if one.state == "deleted"
        }
        assert set(PersonMerge.objects.values_list("pk", flat=True)) == set(self.stack)

    @invariant()
    def nothing_is_lost_from_the_log(self):
        """Each id is there once or was erased, and removals account for the difference of digests."""
        with connection.cursor() as cursor:
            cursor.execute("select count(*), count(distinct id) from activity")
            rows, ids = cursor.fetchone()
            assert rows == ids
            cursor.execute(
                "select count(*) from activity_removal where reason = 'merge' and replacement_digest is null"
            )
            assert cursor.fetchone() == (0,)


@pytest.mark.slow
def test_any_history_of_verbs_leaves_what_the_model_says():
    """Every run in a transaction of its own, rolled back at its end."""
    savepoints = []

    class Isolated(World):
        def __init__(self):
            super().__init__()
            savepoints.append(transaction.savepoint())

        def teardown(self):
            transaction.savepoint_rollback(savepoints.pop())

    run_state_machine_as_test(
        Isolated,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert not ActivityRemoval.objects.exists() and not ActivityKey.objects.exists()
