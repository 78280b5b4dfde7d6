"""What evaluation finds is what the oracle says: random rules over random people, in zones whose clocks change.

ORACLE_EXAMPLES=5000 makes a long run of it. Every example is a world of its own with several lists.
"""

import os
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from smartlists import evaluation, rules
from smartlists.catalogue import Catalogue
from tests.smartlists import generating, oracle, worlds
from tests.smartlists.generating import Scene
from tests.smartlists.oracle import Happening, World

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "80"))
LISTS = 5  # lists an example
STATES = ("live", "live", "live", "live", "deleted")
DRAWS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)  # fmt: skip


@pytest.fixture
def catalogue(db):
    worlds.make_catalogue()


@DRAWS
@given(data=st.data(), scene=generating.scenes())
def test_evaluation_agrees_with_the_oracle(catalogue, data, scene):
    with transaction.atomic():
        worlds.set_clock(scene.zone, scene.week_starts_on)
        world = populate(data, scene)
        names = Catalogue()
        for _list in range(LISTS):
            form = data.draw(generating.rules(scene, list(world.static_lists), list(world.smart_lists)))
            agree(world, rules.parse(form, names), form, names)
        transaction.set_rollback(True)


def populate(data: st.DataObject, scene: Scene) -> World:
    """A world drawn by hypothesis, and the same in the database."""
    random = scene.random
    people = [scene.person() for _person in range(random.randint(3, 9))]
    states = random.choices(STATES, k=len(people))
    ids = worlds.insert_people(people, states)
    rows = [scene.happening(ids) for _happening in range(random.randint(0, 90))]
    world = World(
        scene.now, scene.world.zone, scene.week_starts_on, dict(worlds.PERSON_FIELDS), dict(worlds.ACTIVITY_FIELDS)
    )
    world.people = {pk: row for pk, row, state in zip(ids, people, states, strict=True) if state == "live"}
    world.happenings = [
        Happening(pk, person, name, occurred_at, recorded_at, values)
        for pk, (person, name, _version, occurred_at, recorded_at, values) in zip(
            worlds.insert_happenings(rows), rows, strict=True
        )
    ]
    for number in (1, 2):
        members = set(random.sample(ids, random.randint(0, len(ids))))
        world.static_lists[worlds.insert_static_list(number, sorted(members))] = members
    for number in (1, 2):
        form = data.draw(generating.rules(scene, list(world.static_lists), list(world.smart_lists)))
        stored = rules.dump(rules.parse(form))
        world.smart_lists[worlds.insert_smart_list(number, stored)] = form
    note(f"now {scene.now} in {scene.zone}: {ids} {states} {world.people} {world.happenings} {world.static_lists}")
    return world


def agree(world: World, found: rules.Rules, form: dict[str, Any], names: Catalogue) -> None:
    expected = oracle.members(world, form)
    verdicts = {person: oracle.verdicts(world, form, person) for person in world.people}
    counts = [sum(answers[position] for answers in verdicts.values()) for position in range(len(form["filters"]))]
    event("some are members" if 0 < len(expected) < len(world.people) else "all or none are members")
    evaluated = evaluation.evaluate(found, now=world.now, names=names)
    assert set(evaluated.members) == expected
    assert [one.count for one in evaluated.per_filter] == counts
    few = sorted(world.people)[::2]
    assert set(evaluation.members(found, among=few, now=world.now)) == expected & set(few)
