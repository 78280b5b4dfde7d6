"""The published JSON Schema accepts what rules can be, and refuses what no names could make right."""

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from smartlists.catalog import Catalogue
from smartlists.rules import json_schema as rules_schema
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules
from tests.hypothesis_profiles import examples
from tests.smartlists import oracle_worlds, strategies

pytestmark = pytest.mark.django_db
VALIDATOR = Draft202012Validator(rules_schema.rules_json_schema())


@pytest.fixture
def names(db):
    oracle_worlds.make_catalogue()
    oracle_worlds.insert_static_list(1, [])
    oracle_worlds.insert_smart_list(1, {"version": 1, "match": "all", "filters": []})
    return Catalogue()


def test_it_is_a_schema():
    Draft202012Validator.check_schema(rules_schema.rules_json_schema())


@settings(
    max_examples=examples(25, 400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data(), scene=strategies.scenes())
def test_it_accepts_all_rules(names, data, scene):
    oracle_worlds.set_clock(scene.zone, scene.week_starts_on)
    form = data.draw(strategies.rules(scene, list(names.static_lists), list(names.smart_lists)))
    VALIDATOR.validate(form)
    VALIDATOR.validate(rules.dump_rules(parse_rules(form, names)))


FULL = {
    "version": 1,
    "match": "advanced",
    "logic": "1 and (2 or 3) and 4",
    "filters": [
        {"kind": "person_field", "field": "person_score", "operator": "is", "values": [5, "6"], "empty": "include"},
        {
            "kind": "activity",
            "did": True,
            "type": "depositCheck",
            "constraints": [{"field": "@occurred_at", "operator": "in past", "values": ["3 weeks"]}],
            "count": {"operator": "between", "values": [1, "3"]},
            "aggregate": {"function": "sum", "field": "amount", "operator": "at least", "values": [12.5]},
        },
        {"kind": "sequence", "steps": [{"type": "a"}, {"type": "b", "within_days": 7, "not": True}]},
        {"kind": "static_list", "list": 1, "member": False},
    ],
}

WRONG = [
    (("version",), 2),
    (("match",), "some"),
    (("logic",), None),
    (("logic",), 5),
    (("extra",), 1),
    (("filters",), {}),
    (("filters",), [{"kind": "person_field", "field": "a", "operator": "is", "values": ["x"]}] * 201),
    (("filters", 0, "kind"), "person"),
    (("filters", 0, "kind"), None),
    (("filters", 0, "field"), "no name"),
    (("filters", 0, "field"), "@occurred_at"),
    (("filters", 0, "operator"), "resembles"),
    (("filters", 0, "operator"), "is empty"),
    (("filters", 0, "operator"), "greater than"),
    (("filters", 0, "values"), None),
    (("filters", 0, "values"), "Spain"),
    (("filters", 0, "values"), [["Spain"]]),
    (("filters", 0, "values"), ["x"] * 1_001),
    (("filters", 0, "empty"), "maybe"),
    (("filters", 0, "constraints"), []),
    (("filters", 1, "did"), "yes"),
    (("filters", 1, "type"), None),
    (("filters", 1, "constraints", 0, "values"), ["3 weeks", "4 weeks"]),
    (("filters", 1, "constraints", 0, "extra"), 1),
    (("filters", 1, "count", "values"), ["1"]),
    (("filters", 1, "count", "values"), ["-1", "2"]),
    (("filters", 1, "count", "operator"), "about"),
    (("filters", 1, "aggregate", "function"), "median"),
    (("filters", 1, "aggregate", "empty"), "include"),
    (("filters", 2, "steps"), [{"type": "a"}]),
    (("filters", 2, "steps", 1, "within_days"), 0),
    (("filters", 2, "steps", 1, "not"), 1),
    (("filters", 3, "list"), "VIP"),
    (("filters", 3, "operator"), "is"),
]


def test_a_full_example_is_accepted():
    VALIDATOR.validate(FULL)
    VALIDATOR.validate({})


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_it_refuses(path, value):
    """`value` None stands for a key that is missing."""
    form = copy.deepcopy(FULL)
    at = form
    for step in path[:-1]:
        at = at[step]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    assert not VALIDATOR.is_valid(form)
