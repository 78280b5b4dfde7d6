"""Sequences in columns where days decide: rows at the borders of days and at the ends of windows, periods and builds between."""

from datetime import UTC, datetime, timedelta
from random import Random
from unittest.mock import patch

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from activities.log.columns import among, bitmaps, builder
from smartlists.catalog import Catalogue
from smartlists.evaluation.columns import day_sequences
from smartlists.evaluation.columns.day_sequences import StepDays
from tests.hypothesis_profiles import examples
from tests.smartlists import oracle_worlds
from tests.smartlists.evaluation import test_columns as column_tests
from tests.smartlists.evaluation import test_oracle as sql_tests
from tests.smartlists.evaluation.test_columns import catalogue  # noqa: F401
from tests.smartlists.oracle_worlds import VERSIONS
from tests.smartlists.strategies import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.one_server("the column index is off on a cluster")]
WORLDS = examples(12, 1_000, "ORACLE_EXAMPLES")
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
DAY, SMALLEST = timedelta(days=1), timedelta(microseconds=1)
WINDOWS = (1, 2, 3, 5, 9)
CONDITIONS = (
    {"field": "@occurred_at", "operator": "in past", "values": ["7 days"]},
    {"field": "@occurred_at", "operator": "between", "values": ["2026-11-12", "2026-11-20"]},
    {"field": "@occurred_at", "operator": "before", "values": ["2026-11-18"]},
    {"field": "@occurred_at", "operator": "is not", "values": ["2026-11-14"]},
    {"field": "@backfill", "operator": "is", "values": ["false"]},
    {"field": "@recorded_at", "operator": "is not empty", "values": []},
)


def rows_at_borders(scene, people):
    """A few rows of each person near midnights of UTC, and as far as a window, or nearly so, after another row."""
    chance, rows = scene.random, []
    for person in people:
        moments = [MIDNIGHT - chance.randint(0, 16) * DAY + chance.choice((-1, 0, 0, 1, 40_000_000_000)) * SMALLEST]
        for _row in range(chance.randint(0, 4)):
            moments.append(
                chance.choice(moments) + chance.choice((0, *WINDOWS)) * DAY + chance.randint(-1, 1) * SMALLEST
            )
        for moment in moments:
            name = chance.choice(("depositCheck", "rateFilm"))
            primary = next(iter(VERSIONS[name][0]))
            rows.append((person, name, 1, moment, moment, scene._values(VERSIONS[name][0], primary)))
    chance.shuffle(rows)
    return rows


def sequences(chance):
    steps = [{"type": chance.choice(("depositCheck", "rateFilm"))} for _step in range(chance.choice((2, 2, 2, 3)))]
    for number, step in enumerate(steps):
        if chance.random() < 0.3:
            step["constraints"] = [chance.choice(CONDITIONS)]
        if number and chance.random() < 0.8:
            step["within_days"] = chance.choice(WINDOWS)
    if chance.random() < 0.4:
        steps[-1] |= {"not": True, "within_days": chance.choice(WINDOWS)}
    return {"kind": "sequence", "steps": steps}


@pytest.mark.slow
@settings(max_examples=WORLDS, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_days_and_rows_agree_with_the_oracle_at_borders(catalogue, column_index, seed):  # noqa: F811
    chance = Random(seed)
    zone = chance.choice(("UTC", "Asia/Kathmandu"))
    scene = Scene(MIDNIGHT + chance.choice((-1, 0, 1, 40_000_000_000)) * SMALLEST, zone, 0, chance)
    block, few = chance.choice((1, 2, 3, 32)), chance.choice((0, 3, 50_000))
    with (
        transaction.atomic(),
        patch.object(day_sequences, "BLOCK_DAYS", block),
        patch.object(among, "FEW", few),
        patch.object(bitmaps, "MONTHS_KEPT", chance.choice((1, 8))),
    ):
        oracle_worlds.set_clock(zone, 0)
        people = [scene.person() for _person in range(20)]
        ids = oracle_worlds.insert_people(people, ["live"] * len(people))
        world = sql_tests.empty_world(scene)
        world.people = dict(zip(ids, people, strict=True))
        world.happenings = sql_tests.insert(rows_at_borders(scene, ids))
        column_tests._build_at_some_ids(chance)
        names = Catalogue()
        for _list in range(12):
            column_tests.agree(world, {"version": 1, "match": "all", "filters": [sequences(chance)]}, names)
        transaction.set_rollback(True)


class Days:
    """People by day, in memory."""

    def __init__(self, people_of_day):
        self.people_of_day = people_of_day

    def people(self, day):
        return self.people_of_day.get(day, BitMap())


@pytest.mark.parametrize("block", [1, 2, 3, 5, 7])
def test_unions_of_days_are_those_of_each_day_by_itself(block):
    chance = Random(block)
    days = {day: BitMap([chance.randint(0, 300)]) for day in range(-40, 60) if chance.random() < 0.6}
    second = StepDays(Days(days), sorted(days), (), True)
    for span in range(block, 30):
        unions = day_sequences._Unions(second, block)
        for day in sorted(chance.sample(range(-60, 70), 50)):
            expected = BitMap.union(BitMap(), *(days.get(one, BitMap()) for one in range(day, day + span)))
            assert BitMap.union(BitMap(), *unions.between(day, day + span - 1)) == expected


def test_most_people_are_decided_without_their_rows(catalogue, column_index):  # noqa: F811
    """A hundred people with a check and a film ten days later, and one with both on one day."""
    (*most, same) = oracle_worlds.insert_people([{}] * 101, ["live"] * 101)
    shape = {"depositCheck": {"check": "1"}, "rateFilm": {"stars": 3}}
    rows = [
        (person, name, 1, MIDNIGHT + days * DAY, MIDNIGHT + days * DAY, shape[name])
        for person in (*most, same)
        for name, days in (("depositCheck", -40), ("rateFilm", -40 if person == same else -30))
    ]
    oracle_worlds.insert_happenings(rows)
    builder.build_index()
    asked, decide = [], day_sequences.decide_sequence

    def noted(*arguments):
        asked.append(decide(*arguments))
        return asked[-1]

    world = sql_tests.empty_world(Scene(MIDNIGHT, "UTC", 0, Random(1)))
    world.people = {person: {} for person in (*most, same)}
    world.happenings = [
        oracle_worlds.Happening(number, person, name, moment, moment, values)
        for number, (person, name, _version, moment, _recorded, values) in enumerate(rows)
    ]
    films = ({"within_days": 11}, {}, {"within_days": 11, "not": True}, {"within_days": 9, "not": True})
    with patch.object(day_sequences, "decide_sequence", noted), patch.object(column_tests, "event"):
        for more in films:
            steps = [{"type": "depositCheck"}, {"type": "rateFilm", **more}]
            form = {"version": 1, "match": "all", "filters": [{"kind": "sequence", "steps": steps}]}
            column_tests.agree(world, form, Catalogue())
    assert [set(decided.undecided) for decided in asked] == [{same}] * 4
    assert [len(decided.certain) for decided in asked] == [100, 100, 0, 100]


def test_a_cancellation_ends_the_work_on_days():
    days = Days({day: BitMap([1]) for day in range(100)})
    step = StepDays(days, range(100), (), True)

    def cancelled():
        raise InterruptedError

    with patch.object(day_sequences, "SHORT", -1), pytest.raises(InterruptedError):
        list(day_sequences._paused(day_sequences._in_window(step, step, 9), cancelled))
