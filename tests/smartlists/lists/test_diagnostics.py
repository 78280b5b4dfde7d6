"""Problems of a list, in words; and lists that are called impossible have no members."""

from unittest.mock import patch

import pytest
from django.db import transaction
from hypothesis import given

from people.definitions import drafts, lifecycle
from people.lists import static_lists
from people.models import PersonField
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.lists import editing as list_editing
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules
from smartlists.rules.periods import Clock
from tests.factories import approved_type
from tests.smartlists import oracle_worlds, strategies
from tests.smartlists.evaluation.test_evaluator import people
from tests.smartlists.evaluation.test_oracle import DRAWS, catalogue, populate  # noqa: F401 (a fixture)
from tests.smartlists.rule_factories import (
    activity_filter,
    aggregate_condition,
    count_condition,
    evaluate_filters,
    field_constraint,
    parse_filters,
    person_field_filter,
    sequence_filter,
)

pytestmark = pytest.mark.django_db


def codes(*filters):
    return [problem.code for problem in list_diagnostics.filter_problems(parse_filters(*filters))]


@pytest.fixture
def check():
    return approved_type()


def test_retired_removed_hidden_and_archived_things_are_told(check):
    static = static_lists.create_static_list("Kept", None)
    inner = list_editing.create_smart_list("Inner", {"filters": [activity_filter()]}, None)
    on_list = {"kind": "static_list", "list": static.pk, "member": True}
    made = list_editing.create_smart_list(
        "Outer",
        {
            "filters": [
                activity_filter(field_constraint("amount", "at least", "5")),
                person_field_filter("country", "is", "Spain"),
                on_list,
                {"kind": "smart_list", "list": inner.pk, "member": True},
                sequence_filter({"type": "depositCheck"}, {"type": "depositCheck"}),
            ]
        },
        None,
    )
    assert list_diagnostics.smart_list_problems(made) == []
    PersonField.objects.filter(api_name="country").update(is_hidden=True)
    static_lists.archive_static_list(static, None)
    list_editing.archive_smart_list(inner, None)
    lifecycle.retire_definition(check, None)
    told = [(problem.code, problem.path[:2]) for problem in list_diagnostics.smart_list_problems(made)]
    assert told == [
        ("retired_type", ("filters", 0)),
        ("hidden_field", ("filters", 1)),
        ("archived_list", ("filters", 2)),
        ("archived_list", ("filters", 3)),
        ("retired_type", ("filters", 4)),
        ("retired_type", ("filters", 4)),
        ("retired_type", ()),
    ]
    assert "In the list “Inner”" in list_diagnostics.smart_list_problems(made)[-1].message


def test_a_removed_field_is_told(check):
    drafts.remove_draft_fields(check, ["branch"], None)
    lifecycle.approve_draft(check, None)
    (problem,) = list_diagnostics.filter_problems(
        parse_filters(activity_filter(field_constraint("branch", "is", "North")))
    )
    assert problem.code == "removed_field" and "branch" in problem.message


def test_what_is_gone_is_told(check):
    lost = rules.Rules(
        filters=(
            rules.Activity("gone"),
            rules.PersonField("gone", "is empty"),
            rules.StaticList(7),
            rules.SmartList(8),
            rules.Sequence((rules.Step("gone"), rules.Step("depositCheck"))),
            rules.Activity("depositCheck", constraints=(rules.Constraint("gone", "is empty"),)),
        )
    )
    assert [problem.code for problem in list_diagnostics.filter_problems(lost)] == [
        "deleted_type",
        "removed_field",
        "deleted_list",
        "deleted_list",
        "deleted_type",
        "removed_field",
    ]


@pytest.mark.parametrize(
    "constraints",
    [
        [field_constraint("amount", "at least", "5"), field_constraint("amount", "at most", "4")],
        [field_constraint("amount", "greater than", "5"), field_constraint("amount", "at most", "5")],
        [field_constraint("amount", "is", "5", "6"), field_constraint("amount", "between", "7", "9")],
        [field_constraint("amount", "between", "5", "5"), field_constraint("amount", "is not", "5")],
        [field_constraint("amount", "is empty"), field_constraint("amount", "at least", "1")],
        [field_constraint("amount", "is empty"), field_constraint("amount", "is not empty")],
        [field_constraint("branch", "is", "North"), field_constraint("branch", "is", "South")],
        [field_constraint("branch", "is", "North"), field_constraint("branch", "not starts with", "NO")],
        [field_constraint("branch", "is", "North", "South"), field_constraint("branch", "contains", "x")],
        [field_constraint("is_foreign", "is", "true"), field_constraint("is_foreign", "is", "false")],
        [
            field_constraint("deposited_on", "after", "2026-11-20"),
            field_constraint("deposited_on", "before", "2026-11-21"),
        ],
        [
            field_constraint("@occurred_at", "in past", "3 days"),
            field_constraint("@occurred_at", "in past before", "4 days"),
        ],
        [field_constraint("@occurred_at", "in future after", "3 days")],
        [
            field_constraint("@recorded_at", "in future", "3 days"),
            field_constraint("@recorded_at", "in future after", "1 hour"),
        ],
    ],
)
def test_contradictions_are_told(check, constraints):
    assert codes(activity_filter(*constraints)) == ["never_matches"]
    assert codes(activity_filter(*constraints, did=False)) == ["always_matches"]
    assert codes(sequence_filter({"type": "depositCheck"}, {"type": "depositCheck", "constraints": constraints})) == [
        "never_matches"
    ]


@pytest.mark.parametrize(
    "constraints",
    [
        [field_constraint("amount", "at least", "5"), field_constraint("amount", "at most", "5")],
        [field_constraint("amount", "is not", "5"), field_constraint("amount", "is empty")],
        [field_constraint("amount", "at least", "5", empty="include"), field_constraint("amount", "is empty")],
        [field_constraint("branch", "is", "North", "South"), field_constraint("branch", "not contains", "nor")],
        [field_constraint("branch", "starts with", "N"), field_constraint("branch", "ends with", "x")],
        [
            field_constraint("deposited_on", "after", "2026-11-20"),
            field_constraint("deposited_on", "before", "2026-11-22"),
        ],
        [field_constraint("@occurred_at", "in future", "10 days")],
    ],
)
def test_what_is_possible_is_left_alone(check, constraints):
    assert codes(activity_filter(*constraints)) == []


def test_contradictions_that_ask_for_no_rows_hold_for_everybody(check):
    contradiction = [field_constraint("amount", "at least", "5"), field_constraint("amount", "at most", "4")]
    for counted in (
        count_condition("between", "0", "3"),
        count_condition("at most", "2"),
        count_condition("exactly", "0"),
    ):
        assert codes(activity_filter(*contradiction, count=counted)) == ["always_matches"]
        assert codes(activity_filter(*contradiction, count=counted, did=False)) == ["never_matches"]
    assert codes(activity_filter(*contradiction, count=count_condition("between", "1", "3"))) == ["never_matches"]


def test_counts_that_leave_nothing_to_compute(check):
    nothing = activity_filter(
        count=count_condition("exactly", "0"), aggregate=aggregate_condition("sum", "amount", "at least", "1")
    )
    assert codes(nothing) == ["never_matches"]
    assert codes({**nothing, "aggregate": aggregate_condition("sum", "amount", "is not", "1")}) == []


def test_person_fields_contradict_nothing_by_themselves():
    people({"country": "Spain"})
    assert codes(person_field_filter("country", "is", "Spain"), person_field_filter("country", "is", "Chile")) == []
    assert (
        evaluate_filters(person_field_filter("country", "is", "Spain"), person_field_filter("country", "is", "Chile"))
        == set()
    )


COUNTS = {"never_matches": lambda world: 0, "always_matches": lambda world: len(world.people)}


@DRAWS
@given(data=strategies.st.data(), scene=strategies.scenes())
@pytest.mark.slow
def test_what_can_never_match_never_does(catalogue, data, scene):  # noqa: F811 (the fixture)
    # worlds have activities further ahead than the product lets in
    with transaction.atomic(), patch.object(list_diagnostics, "_LATEST", {}):
        oracle_worlds.set_clock(scene.zone, scene.week_starts_on)
        world = populate(data, scene)
        form = data.draw(strategies.rules(scene, list(world.static_lists), list(world.smart_lists)))
        rules_ = parse_rules(form, Catalogue())
        told = {
            problem.path[1]: problem.code
            for problem in list_diagnostics.filter_problems(rules_, clock=Clock.current(scene.now))
            if problem.code in COUNTS and len(problem.path) == 2
        }
        per_filter = evaluator.evaluate_rules(rules_, now=scene.now).per_filter
        for position, code in told.items():
            assert per_filter[position].count == COUNTS[code](world)
        transaction.set_rollback(True)
