"""The column index answers as SQL does, and as the oracle does: over random worlds, some of them built long before."""

from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from activities.log.columns import builder, manifest
from activities.models import Activity
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.rules.parsing import parse_rules
from tests.hypothesis_profiles import examples
from tests.smartlists import oracle, oracle_worlds, strategies
from tests.smartlists.evaluation import test_oracle as sql_tests

pytestmark = [pytest.mark.django_db, pytest.mark.one_server("the column index is off on a cluster")]
WORLDS = examples(12, 2_000, "ORACLE_EXAMPLES")
LISTS = 12  # lists a world
# amounts that columns hold: the greatest that the product takes are left to SQL, and tried by a test of their own
AMOUNTS = (*strategies.AMOUNTS[:-1], Decimal("899999999999999.9999"))
DRAWS = settings(max_examples=WORLDS, deadline=None, suppress_health_check=list(HealthCheck))
answered: Counter[str] = Counter()  # filters on activities, by what answered them; "not held": of types in no file


@pytest.fixture
def catalogue(db):
    oracle_worlds.make_catalogue()


@pytest.mark.slow
def test_columns_agree_with_the_oracle_and_with_sql_and_answer_most_of_it(catalogue, column_index):
    """Of the types that the index holds; sums of floats and the greatest amounts are left to SQL.

    A world may have been built before any row of a type was recorded: such a type is in no file.
    """

    @DRAWS
    @given(data=st.data(), scene=strategies.scenes())
    def search(data, scene):
        with transaction.atomic(), patch.object(strategies, "AMOUNTS", AMOUNTS):
            oracle_worlds.set_clock(scene.zone, scene.week_starts_on)
            world = sql_tests.populate(data, scene)
            _build_at_some_ids(scene.random)
            names = Catalogue()
            for _list in range(LISTS):
                form = data.draw(strategies.rules(scene, list(world.static_lists), list(world.smart_lists)))
                agree(world, form, names)
            transaction.set_rollback(True)

    answered.clear()
    search()
    assert answered["columns"] > 2 * answered["sql"]
    assert answered["columns"] > answered["not held"]  # else the draw leaves little to compare


@pytest.mark.slow
@settings(DRAWS, max_examples=max(WORLDS // 2, 8))
@given(data=st.data(), scene=strategies.scenes())
def test_sequences_in_columns_agree_at_the_ends_of_their_windows(catalogue, column_index, data, scene):
    with transaction.atomic():
        oracle_worlds.set_clock(scene.zone, scene.week_starts_on)
        people = [scene.person() for _person in range(20)]
        ids = oracle_worlds.insert_people(people, ["live"] * len(people))
        world = sql_tests.empty_world(scene)
        world.people = dict(zip(ids, people, strict=True))
        world.happenings = sql_tests.insert(scene.grid(ids))
        _build_at_some_ids(scene.random)
        names = Catalogue()
        for _list in range(10):
            agree(world, {"version": 1, "match": "all", "filters": [data.draw(strategies.plain_sequences())]}, names)
        transaction.set_rollback(True)


def _build_at_some_ids(random: Random) -> None:
    """One build, or several one after another: what is recorded after the last is answered besides."""
    ids = list(Activity.objects.order_by("pk").values_list("pk", flat=True)) or [0]
    for mark in sorted(random.choice(ids) for _build in range(random.randint(1, 3))):
        builder.build_index(mark)


def agree(world: oracle.World, form: dict[str, Any], names: Catalogue) -> None:
    parsed = parse_rules(form, names)
    expected = oracle.members(world, form)
    found = evaluator.evaluate_rules(parsed, now=world.now, names=names)
    with patch("smartlists.evaluation.evaluator.pin_manifest", return_value=None):
        by_sql = evaluator.evaluate_rules(parsed, now=world.now, names=names)
    assert set(by_sql.members) == expected
    assert set(found.members) == expected
    assert [part.count for part in found.per_filter] == [part.count for part in by_sql.per_filter]
    assert {part.engine for part in by_sql.per_filter} <= {"sql"}
    for part, item in zip(found.per_filter, form["filters"], strict=True):
        if item["kind"] in {"activity", "sequence"}:
            answer = part.engine if _is_held(item, names) else "not held"
            event(f"{item['kind']} answered by {answer}")
            answered[answer] += 1


def _is_held(item: dict[str, Any], names: Catalogue) -> bool:
    """True if the files have all types of a filter."""
    built = manifest.current_manifest()
    types = [step["type"] for step in item["steps"]] if item["kind"] == "sequence" else [item["type"]]
    return built is not None and {names.type(api_name).id for api_name in types} <= built.types.keys()
