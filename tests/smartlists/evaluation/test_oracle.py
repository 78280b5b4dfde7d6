"""The evaluation agrees with the oracle: random rules over random people, in zones whose clocks change.

ORACLE_EXAMPLES=5000 LONG_TESTS=1 makes a long run of it. Every example is a world of its own with several lists.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from people.datatypes.canonical import canonical_text
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator, explanation
from smartlists.evaluation.postgres import engine, snapshot
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules
from tests.hypothesis_profiles import examples
from tests.smartlists import oracle, oracle_worlds, strategies
from tests.smartlists.oracle import Happening, World
from tests.smartlists.strategies import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
EXAMPLES = examples(30, 2_000, "ORACLE_EXAMPLES")
LISTS = 5  # lists an example
LIMITS = ((engine.FEW, snapshot.MANY_ROWS), (0, snapshot.MANY_ROWS), (0, -2), (engine.FEW, -2))
STATES = ("live", "live", "live", "live", "deleted")
DRAWS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)


@pytest.fixture
def catalogue(db):
    oracle_worlds.make_catalogue()


@DRAWS
@given(data=st.data(), scene=strategies.scenes())
def test_evaluation_agrees_with_the_oracle(catalogue, data, scene):
    with transaction.atomic():
        oracle_worlds.set_clock(scene.zone, scene.week_starts_on)
        world = populate(data, scene)
        names = Catalogue()
        for _list in range(LISTS):
            form = data.draw(strategies.rules(scene, list(world.static_lists), list(world.smart_lists)))
            found = parse_rules(form, names)
            agree(world, found, form, names, *data.draw(st.sampled_from(LIMITS)))
            explained(world, found, form, names, data.draw(st.sampled_from([*world.people, *world.gone])))
        transaction.set_rollback(True)


@settings(DRAWS, max_examples=max(EXAMPLES // 8, 10))
@given(data=st.data(), scene=strategies.scenes())
def test_sequences_agree_at_the_ends_of_their_windows(catalogue, data, scene):
    with transaction.atomic():
        oracle_worlds.set_clock(scene.zone, scene.week_starts_on)
        people = [scene.person() for _person in range(20)]
        ids = oracle_worlds.insert_people(people, ["live"] * len(people))
        world = empty_world(scene)
        world.people = dict(zip(ids, people, strict=True))
        world.happenings = insert(scene.grid(ids))
        names = Catalogue()
        for _list in range(10):
            form = {"version": 1, "match": "all", "filters": [data.draw(strategies.plain_sequences())]}
            agree(world, parse_rules(form, names), form, names, *LIMITS[0])
        transaction.set_rollback(True)


@settings(DRAWS, max_examples=max(EXAMPLES // 8, 8))
@given(scene=strategies.scenes())
def test_first_and_last_agree_where_activities_fall_together(catalogue, scene):
    with transaction.atomic():
        people = [{"created_at": scene.now}] * 10
        ids = oracle_worlds.insert_people(people, ["live"] * len(people))
        world = empty_world(scene)
        world.people = dict(zip(ids, people, strict=True))
        world.happenings = insert(scene.together(ids))
        names = Catalogue()
        for function in ("first", "last"):
            for amount in scene.pools["currency"]:
                aggregate = {
                    "function": function,
                    "field": "amount",
                    "operator": "is",
                    "values": [canonical_text(amount)],
                }
                card = {"kind": "activity", "did": True, "type": "depositCheck", "aggregate": aggregate}
                form = {"version": 1, "match": "all", "filters": [card]}
                agree(world, parse_rules(form, names), form, names, *LIMITS[0])
        transaction.set_rollback(True)


@settings(DRAWS, max_examples=max(EXAMPLES // 8, 8))
@given(scene=strategies.scenes())
def test_moments_agree_at_the_edges_of_periods(catalogue, scene):
    with transaction.atomic():
        oracle_worlds.set_clock(scene.zone, scene.week_starts_on)
        moments = [*scene.moments, *scene.apart]
        people = [{"created_at": moment, "my_date": scene.world.day_of(moment)} for moment in moments]
        ids = oracle_worlds.insert_people(people, ["live"] * len(people))
        world = empty_world(scene)
        world.people = dict(zip(ids, people, strict=True))
        names = Catalogue()
        for name, operator, values in strategies.edges(scene):
            item = {"kind": "person_field", "field": name, "operator": operator, "values": values}
            form = {"version": 1, "match": "all", "filters": [item]}
            agree(world, parse_rules(form, names), form, names, *LIMITS[0])
        transaction.set_rollback(True)


@settings(DRAWS, max_examples=max(EXAMPLES // 2, 20))
@given(data=st.data(), texts=st.lists(strategies.any_text(), min_size=4, max_size=8))
def test_any_text_is_compared_as_the_oracle_does(catalogue, data, texts):
    scene = Scene(datetime(2026, 11, 24, tzinfo=UTC), "UTC", 0, Random(0))
    with transaction.atomic():
        people = [{"country": text, "created_at": scene.now} for text in texts]
        ids = oracle_worlds.insert_people(people, ["live"] * len(people))
        world = empty_world(scene)
        world.people = dict(zip(ids, people, strict=True))
        names = Catalogue()
        for operator in strategies.TEXT_OPERATORS:
            values = [data.draw(strategies.parts(texts)) for _value in range(data.draw(st.integers(1, 2)))]
            item = {"kind": "person_field", "field": "country", "operator": operator, "values": values}
            form = {"version": 1, "match": "all", "filters": [item]}
            agree(world, parse_rules(form, names), form, names, *LIMITS[0])
        transaction.set_rollback(True)


def empty_world(scene: Scene) -> World:
    return World(
        scene.now,
        scene.world.zone,
        scene.week_starts_on,
        dict(oracle_worlds.PERSON_FIELDS),
        dict(oracle_worlds.ACTIVITY_FIELDS),
        dict(oracle_worlds.OBJECT_FIELDS),
    )


def insert(rows: Sequence[Any]) -> list[Happening]:
    return [
        Happening(pk, person, name, occurred_at, recorded_at, values)
        for pk, (person, name, _version, occurred_at, recorded_at, values) in zip(
            oracle_worlds.insert_happenings(rows), rows, strict=True
        )
    ]


def populate(data: st.DataObject, scene: Scene) -> World:
    """A world full of everything, and the same in the database."""
    random = scene.random
    people = [scene.person() for _person in range(random.randint(3, 9))]
    states = random.choices(STATES, k=len(people))
    ids = oracle_worlds.insert_people(people, states)
    world = empty_world(scene)
    world.people = {pk: row for pk, row, state in zip(ids, people, states, strict=True) if state == "live"}
    world.gone = set(ids) - set(world.people)
    happenings = [scene.happening(ids) for _happening in range(random.randint(0, 90))]
    consents = [scene.consent(ids) for _consent in range(random.randint(0, 20))]
    world.happenings = insert([*happenings, *consents])
    world.records = oracle_worlds.insert_records([scene.record(ids) for _record in range(random.randint(0, 40))])
    for number in (1, 2):
        members = set(random.sample(ids, random.randint(0, len(ids))))
        world.static_lists[oracle_worlds.insert_static_list(number, sorted(members))] = members
    for number in (1, 2):
        form = data.draw(strategies.rules(scene, list(world.static_lists), list(world.smart_lists)))
        stored = rules.dump_rules(parse_rules(form, Catalogue()))
        world.smart_lists[oracle_worlds.insert_smart_list(number, stored)] = form
    note(
        f"now {scene.now} in {scene.zone}: {ids} {states} {world.people} {world.happenings} {world.records} {world.static_lists}"
    )
    return world


def agree(world: World, found: rules.Rules, form: dict[str, Any], names: Catalogue, most: int, rows: int) -> None:
    """`most` people are named to the database rather than picked out; from `rows` on answers arrive in ranges."""
    expected = oracle.members(world, form)
    verdicts = {person: oracle.verdicts(world, form, person) for person in world.people}
    counts = [sum(answers[position] for answers in verdicts.values()) for position in range(len(form["filters"]))]
    event("some are members" if 0 < len(expected) < len(world.people) else "all or none are members")
    evaluated = evaluator.evaluate_rules(found, now=world.now, names=names)
    assert set(evaluated.members) == expected
    assert [one.count for one in evaluated.per_filter] == counts
    few = sorted(world.people)[::2]
    with patch.object(engine, "FEW", most), patch.object(snapshot, "MANY_ROWS", rows):
        assert set(evaluator.evaluate_members(found, among=few, now=world.now)) == expected & set(few)


def explained(world: World, found: rules.Rules, form: dict[str, Any], names: Catalogue, person: int) -> None:
    """The explanation of one person agrees with the oracle, and its proofs prove it."""
    answer = explanation.explain_membership(found, person, world.now, names)
    if person not in world.people:
        assert (answer.is_live, answer.is_member, [one.holds for one in answer.verdicts]) == (
            False,
            False,
            [False] * len(form["filters"]),
        )
        return
    assert (answer.is_live, answer.is_member) == (True, oracle.holds(world, form, person))
    assert [one.holds for one in answer.verdicts] == oracle.verdicts(world, form, person)
    assert list(answer.deciding) == oracle.deciding(world, form, person)
    for verdict, card in zip(answer.verdicts, form["filters"], strict=True):
        assert not (verdict.holds and verdict.miss)
        PROOFS[card["kind"]](world, verdict, card, person)


def proves_value(world: World, verdict: Any, card: dict[str, Any], person: int) -> None:
    value = world.people[person].get(card["field"])
    assert verdict.value == (None if value is None else canonical_text(value))
    assert verdict.holds or verdict.miss


def proves_activities(world: World, verdict: Any, card: dict[str, Any], person: int) -> None:
    rows = oracle.matching(world, card, person)
    assert verdict.times == len(rows)
    assert [one.activity_id for one in verdict.activities] == [row.id for row in reversed(rows)][:10]
    assert verdict.holds or verdict.miss


def proves_sequence(world: World, verdict: Any, card: dict[str, Any], person: int) -> None:
    ids = [one.activity_id for one in verdict.activities]
    assert verdict.miss or oracle.is_chain(world, card, person, ids)


def proves_membership(world: World, verdict: Any, card: dict[str, Any], person: int) -> None:
    assert (verdict.since is not None) == (person in world.static_lists[card["list"]])


def proves_nested(world: World, verdict: Any, card: dict[str, Any], person: int) -> None:
    assert verdict.nested.is_member == oracle.holds(world, world.smart_lists[card["list"]], person)


def proves_consent(world: World, verdict: Any, card: dict[str, Any], person: int) -> None:
    said = oracle.consents(world, card, person)
    assert [one.activity_id for one in verdict.activities] == ([max(said)[2]] if said else [])
    assert verdict.holds or verdict.miss


def proves_records(world: World, verdict: Any, card: dict[str, Any], person: int) -> None:
    rows = sorted(oracle.records_of(world, card, person), key=lambda row: (row.updated_at, row.id), reverse=True)
    assert verdict.times == len(rows)
    assert [one.record_id for one in verdict.records] == [row.id for row in rows][:10]
    assert verdict.holds or verdict.miss


PROOFS = {
    "object": proves_records,
    "consent": proves_consent,
    "person_field": proves_value,
    "activity": proves_activities,
    "sequence": proves_sequence,
    "static_list": proves_membership,
    "smart_list": proves_nested,
}
