"""Explanations of one person: verdicts as the evaluation has them, their proofs, the nearest miss."""

from datetime import UTC, datetime

import pytest
from django.db import transaction
from hypothesis import given

from activities.types.definition import ActivityFieldSpec
from people.core.source import Channel, Source
from people.lists import static_lists
from people.models import Person
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator, explanation
from smartlists.lists import editing as list_editing
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.smartlists import oracle, oracle_worlds, strategies
from tests.smartlists.evaluation.test_evaluator import deposit, people
from tests.smartlists.evaluation.test_oracle import DRAWS, catalogue, populate  # noqa: F401 (a fixture)
from tests.smartlists.rule_factories import (
    activity_filter,
    aggregate_condition,
    count_condition,
    field_constraint,
    parse_filters,
    person_field_filter,
    sequence_filter,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def check():
    return approved_type()


def verdict(filter_, who, now=NOW):
    explained = explanation.explain_membership(parse_filters(filter_), who, now)
    (found,) = explained.verdicts
    assert explained.is_member == found.holds == (who in evaluator.evaluate_members(parse_filters(filter_), now=now))
    assert (found.miss is None) or not found.holds
    return found


def miss(filter_, who, now=NOW):
    found = verdict(filter_, who, now)
    assert not found.holds
    return found.miss.code, found.miss.text


def test_a_person_field_is_proved_by_its_value():
    ann, bob = people({"country": "Spain", "number_of_employees": 450, "date_of_birth": "1990-03-02"}, {})
    assert verdict(person_field_filter("country", "is", "spain"), ann).value == "Spain"
    assert miss(person_field_filter("country", "is", "Chile"), ann) == ("other_value", "Country is “Spain”")
    assert miss(person_field_filter("country", "is not", "Spain"), ann) == ("other_value", "Country is “Spain”")
    assert miss(person_field_filter("country", "is", "Chile"), bob) == ("no_value", "Country has no value")
    assert (
        miss(person_field_filter("number_of_employees", "at least", "500"), ann)[1] == "Num Employees: 450, 50 too low"
    )
    assert (
        miss(person_field_filter("number_of_employees", "between", "1", "400"), ann)[1]
        == "Num Employees: 450, 50 too high"
    )
    assert miss(person_field_filter("number_of_employees", "greater than", "450"), ann)[0] == "on_the_bound"
    assert (
        miss(person_field_filter("number_of_employees", "is", "1", "440"), ann)[1] == "Num Employees: 450, 10 too high"
    )
    assert miss(person_field_filter("date_of_birth", "after", "1990-03-02"), ann)[1] == "Date of Birth: 1 day too early"
    assert (
        miss(person_field_filter("date_of_birth", "before", "1990-03-01"), ann)[1] == "Date of Birth: 2 days too late"
    )
    assert miss(person_field_filter("date_of_birth", "is empty"), ann)[0] == "other_value"


def test_an_activity_is_proved_by_its_rows(check):
    ann, bob = people({}, {})
    first = deposit(ann, "2026-11-01T10:00:00Z", amount="100")
    second = deposit(ann, "2026-11-05T10:00:00Z", amount="300")
    found = verdict(
        activity_filter(field_constraint("amount", "at least", "100"), count=count_condition("exactly", "2")), ann
    )
    assert [one.activity_id for one in found.activities] == [second, first] and found.times == 2
    assert verdict(activity_filter(did=False), bob).times == 0
    assert miss(activity_filter(did=False), ann) == ("did", "did this 2 times")
    assert miss(activity_filter(count=count_condition("at least", "3")), ann) == ("too_few", "2 of 3 times")
    assert miss(activity_filter(count=count_condition("at most", "1")), ann) == ("too_many", "2 times, at most 1")
    assert miss(activity_filter(), bob) == ("too_few", "never did this")
    assert miss(activity_filter(count=count_condition("at least", "3")), bob) == ("too_few", "0 of 3 times")
    assert verdict(activity_filter(aggregate=aggregate_condition("sum", "amount", "is", "400")), ann).value == "400"
    assert (
        miss(activity_filter(aggregate=aggregate_condition("sum", "amount", "at least", "1000")), ann)[1]
        == "Sum of Amount: 400, 600 too low"
    )
    assert miss(activity_filter(aggregate=aggregate_condition("last", "branch", "is", "North")), ann) == (
        "no_value",
        "Last Branch has no value",
    )


def test_the_nearest_row_says_what_it_lacks(check):
    (ann,) = people({})
    deposit(ann, "2026-08-26T11:00:00Z", amount="900", branch="North")
    deposit(ann, "2026-11-20T10:00:00Z", amount="10", branch="South")
    recent, rich = field_constraint("@occurred_at", "in past", "90 days"), field_constraint("amount", "at least", "500")
    north = field_constraint("branch", "is", "North")
    assert miss(activity_filter(recent, rich, north), ann) == ("too_early", "Occurred at: 1 hour too early")
    assert miss(activity_filter(recent, rich, field_constraint("branch", "is", "South")), ann) == (
        "too_low",
        "Amount: 10 USD, 490 USD too low",
    )
    assert (
        miss(activity_filter(field_constraint("amount", "at least", "901")), ann)[1] == "Amount: 900 USD, 1 USD too low"
    )
    assert miss(
        activity_filter(field_constraint("amount", "between", "20", "30"), field_constraint("branch", "is", "East")),
        ann,
    ) == ("too_low", "Amount: 10 USD, 10 USD too low; Branch is “South”")
    assert miss(activity_filter(field_constraint("pages", "is", "3")), ann) == ("no_value", "Pages has no value")


def test_sequences(check):
    approved_type("Buy Car", "buyCar")
    ann, bob, cas = people({}, {}, {})
    first = deposit(ann, "2026-11-01T10:00:00Z")
    bought = deposit(ann, "2026-11-09T12:00:00Z", type="buyCar")
    deposit(bob, "2026-11-01T10:00:00Z", type="buyCar")
    deposit(bob, "2026-11-02T10:00:00Z")
    step, car = {"type": "depositCheck"}, {"type": "buyCar"}
    found = verdict(sequence_filter(step, car), ann)
    assert [(one.activity_id, one.step) for one in found.activities] == [(first, 1), (bought, 2)]
    assert miss(sequence_filter(step, {**car, "within_days": 7}), ann) == ("too_late", "“Buyed Car”: 1 day too late")
    assert miss(sequence_filter(step, car), bob) == ("wrong_order", "“Buyed Car” came before, not after")
    assert miss(sequence_filter(step, car), cas) == ("too_few", "no “Deposited Check” matches")
    assert miss(sequence_filter(car, step, car), bob) == ("wrong_order", "“Buyed Car” came before, not after")
    followed = miss(sequence_filter(step, {**car, "within_days": 10, "not": True}), ann)
    assert followed == ("followed", "“Buyed Car” followed after 8 days")
    assert (
        verdict(sequence_filter(step, {**car, "within_days": 8, "not": True}), ann).activities[0].activity_id == first
    )
    open_ = miss(sequence_filter(step, {**car, "within_days": 30, "not": True}), bob)
    assert open_ == ("still_open", "the time in which nothing may follow ends in 7 days")


def test_lists_are_explained_inside(check):
    (ann,) = people({"country": "Spain"})
    static = static_lists.create_static_list("Kept", None)
    on_list = {"kind": "static_list", "list": static.pk, "member": True}
    assert verdict({**on_list, "member": False}, ann).since is None
    static_lists.add_members(static, [ann], Source(Channel.SYSTEM))
    assert verdict(on_list, ann).since is not None
    inner = list_editing.create_smart_list(
        "Inner", {"filters": [person_field_filter("country", "is", "Chile"), on_list]}, None
    )
    outer = parse_filters({"kind": "smart_list", "list": inner.pk, "member": True}, on_list, match="any")
    explained = explanation.explain_membership(outer, ann)
    assert explained.is_member and explained.deciding == (2,)
    nested = explained.verdicts[0].nested
    assert not nested.is_member and [one.holds for one in nested.verdicts] == [False, True] and nested.deciding == (1,)


def test_nobody_and_somebody_who_is_gone(check):
    (ann,) = people({})
    deposit(ann)
    Person.objects.filter(pk=ann).update(state="deleted")
    for who in (ann, 2_000_000_000, 10**12, -1):
        explained = explanation.explain_membership(
            parse_filters(activity_filter(), activity_filter(did=False), match="any"), who
        )
        assert not explained.is_live and not explained.is_member


@DRAWS
@given(data=strategies.st.data(), scene=strategies.scenes())
@pytest.mark.slow
def test_verdicts_agree_with_the_oracle(catalogue, data, scene):  # noqa: F811 (the fixture)
    with transaction.atomic():
        oracle_worlds.set_clock(scene.zone, scene.week_starts_on)
        world = populate(data, scene)
        names = Catalogue()
        form = data.draw(strategies.rules(scene, list(world.static_lists), list(world.smart_lists)))
        found = parse_rules(form, names)
        for who in sorted(world.people)[:4]:
            explained = explanation.explain_membership(found, who, scene.now, names)
            assert [one.holds for one in explained.verdicts] == oracle.verdicts(world, form, who)
            assert explained.is_member == oracle.holds(world, form, who)
            assert all(
                bool(one.miss) == (not one.holds) for one in explained.verdicts if isinstance(one.filter, SPEAKING)
            )
            for one in explained.verdicts:
                if isinstance(one.filter, rules.Sequence) and one.holds:
                    assert one.activities
        transaction.set_rollback(True)


SPEAKING = (rules.PersonField, rules.Activity, rules.Sequence)


def test_sums_and_averages_of_huge_numbers_are_explained(db):
    approved_type(
        "Weigh Star",
        "weighStar",
        (ActivityFieldSpec("star", "Star", is_primary=True), ActivityFieldSpec("mass", "Mass", "float")),
    )
    who = make_person().pk
    assert not any(
        outcome.problems
        for outcome in record_rows(*(new_activity(who, "weighStar", mass=mass) for mass in (1e308, 1e308, 0.1)))
    )
    for function in ("sum", "average"):
        aggregate = {"function": function, "field": "mass", "operator": "less than", "values": ["1"]}
        found = parse_rules(
            {"filters": [{"kind": "activity", "did": True, "type": "weighStar", "aggregate": aggregate}]}, Catalogue()
        )
        (answer,) = explanation.explain_membership(found, who).verdicts
        assert answer.miss
        assert len(answer.value) > 300
