"""Members of lists: filters, counts, aggregates, sequences, logic, zones; on a database small enough to follow."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from people.core import installation
from people.core.errors import RejectedError
from people.core.models import Installation
from people.models import Person, StaticList, StaticListMember
from people.persons import upsert
from smartlists.evaluation import evaluator
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.lists import editing as list_editing
from smartlists.rules import model as rules
from tests.factories import MARKETO, approved_type, new_activity, record_rows
from tests.factories import make_person as new_person
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


@pytest.fixture
def check():
    return approved_type()


def people(*values):
    return [new_person(**value).pk for value in values]


def deposit(who, at="2026-11-20T10:00:00Z", number="No. 1", type="depositCheck", **attributes):
    (outcome,) = record_rows(new_activity(who, type, at, number, **attributes))
    assert outcome.activity_id, outcome.problems
    return outcome.activity_id


def test_text_is_compared_without_case_and_without_wildcards():
    ann, bob, cas, dan = people({"country": "ESPAÑA"}, {"country": "100%"}, {"country": "100x"}, {})
    assert evaluate_filters(person_field_filter("country", "is", "españa")) == {ann}
    assert evaluate_filters(person_field_filter("country", "is", "espan\u0303a", "100%")) == {ann, bob}
    assert evaluate_filters(person_field_filter("country", "contains", "0%")) == {bob}
    assert evaluate_filters(person_field_filter("country", "ends with", "ÑA", "X")) == {ann, cas}
    assert evaluate_filters(person_field_filter("country", "not starts with", "100")) == {ann, dan}
    assert evaluate_filters(person_field_filter("country", "is not", "españa", empty="exclude")) == {bob, cas}
    assert evaluate_filters(person_field_filter("country", "starts with", "10", empty="include")) == {bob, cas, dan}
    assert evaluate_filters(person_field_filter("country", "is empty")) == {dan}
    assert evaluate_filters(person_field_filter("country", "is not empty")) == {ann, bob, cas}


def test_numbers_of_people():
    small, large, none = people({"number_of_employees": 5}, {"number_of_employees": 500}, {})
    for operator, values, expected in (
        ("is", ["5"], {small}),
        ("is not", ["5"], {large, none}),
        ("between", ["5", "499"], {small}),
        ("greater than", ["5"], {large}),
        ("less than", ["500"], {small}),
        ("at least", ["5"], {small, large}),
        ("at most", ["500"], {small, large}),
    ):
        assert evaluate_filters(person_field_filter("number_of_employees", operator, *values)) == expected, operator


def test_all_constraints_speak_of_one_row(check):
    ann, bob, cas = people({}, {}, {})
    deposit(ann, amount="900", branch="North")
    deposit(bob, amount="900", branch="South")
    deposit(bob, amount="100", branch="North")
    rich_north = activity_filter(
        field_constraint("amount", "at least", "500"), field_constraint("branch", "is", "north")
    )
    assert evaluate_filters(rich_north) == {ann}
    assert evaluate_filters(activity_filter(field_constraint("branch", "is not", "North"))) == {bob}
    assert evaluate_filters({**rich_north, "did": False}) == {bob, cas}
    assert evaluate_filters(activity_filter(field_constraint("check", "contains", "no."))) == {ann, bob}
    assert evaluate_filters(
        activity_filter(field_constraint("pages", "is empty"), field_constraint("amount", "is not", "1"))
    ) == {ann, bob}


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (("at least", "0"), {0, 1, 2, 3}),
        (("at least", "2"), {2, 3}),
        (("at most", "1"), {0, 1}),
        (("at most", "0"), {0}),
        (("exactly", "0"), {0}),
        (("exactly", "2"), {2}),
        (("between", "0", "2"), {0, 1, 2}),
        (("between", "1", "2"), {1, 2}),
    ],
)
def test_counts(check, bounds, expected):
    ids = people({}, {}, {}, {})
    for times, who in enumerate(ids):
        for _ in range(times):
            deposit(who)
        deposit(who, number="other")
    card = activity_filter(field_constraint("check", "is", "No. 1"), count=count_condition(*bounds))
    assert evaluate_filters(card) == {ids[times] for times in expected}
    assert evaluate_filters({**card, "did": False}) == {ids[times] for times in range(4) if times not in expected}


def test_aggregates_ignore_rows_without_the_value(check):
    ann, bob, cas, dan = people({}, {}, {}, {})
    for amount, at in (("1", 1), ("1", 2), ("2", 3)):
        deposit(ann, f"2026-11-0{at}T00:00:00Z", amount=amount, branch=f"B{at}")
    deposit(ann, "2026-11-09T00:00:00Z")
    deposit(bob, "2026-11-05T00:00:00Z", amount="10", deposited_on="2026-11-05")
    deposit(cas)
    for function, operator, value, expected in (
        ("sum", "is", "4", {ann}),
        ("sum", "at least", "4", {ann, bob}),
        ("average", "less than", "1.34", {ann}),
        ("average", "at most", "1.3333333333333333", set()),
        ("minimum", "is", "1", {ann}),
        ("maximum", "greater than", "2", {bob}),
        ("first", "is", "1", {ann}),
        ("last", "is", "2", {ann}),
        ("sum", "is not", "4", {bob, cas}),
    ):
        assert (
            evaluate_filters(activity_filter(aggregate=aggregate_condition(function, "amount", operator, value)))
            == expected
        ), (function, operator)
    assert evaluate_filters(
        activity_filter(aggregate=aggregate_condition("maximum", "deposited_on", "after", "2026-11-04"))
    ) == {bob}
    assert evaluate_filters(activity_filter(aggregate=aggregate_condition("last", "branch", "is", "b3"))) == {ann}
    assert evaluate_filters(
        activity_filter(aggregate=aggregate_condition("first", "@occurred_at", "before", "2026-11-02"))
    ) == {ann}
    # no rows at all: no value, which negative operators accept where the count does
    assert evaluate_filters(
        activity_filter(
            count=count_condition("at most", "9"), aggregate=aggregate_condition("sum", "amount", "is not", "4")
        )
    ) == {bob, cas, dan}
    assert evaluate_filters(
        activity_filter(
            count=count_condition("at most", "9"), aggregate=aggregate_condition("sum", "amount", "is", "4")
        )
    ) == {ann}


def test_first_and_last_go_by_time_then_id(check):
    (ann,) = people({})
    deposit(ann, branch="one")
    deposit(ann, branch="two")
    assert evaluate_filters(activity_filter(aggregate=aggregate_condition("first", "branch", "is", "one"))) == {ann}
    assert evaluate_filters(activity_filter(aggregate=aggregate_condition("last", "branch", "is", "two"))) == {ann}


def test_sequences(check):
    approved_type("Buy Car", "buyCar")
    near, far, same_time, backwards, between = people({}, {}, {}, {}, {})
    deposit(near, "2026-11-01T10:00:00Z")
    deposit(near, "2026-11-08T10:00:00Z", type="buyCar")
    deposit(far, "2026-11-01T10:00:00Z")
    deposit(far, "2026-11-08T10:00:01Z", type="buyCar")
    for type_name in ("depositCheck", "buyCar"):
        deposit(same_time, type=type_name)
    deposit(backwards, "2026-11-02T10:00:00Z")
    deposit(backwards, "2026-11-01T10:00:00Z", type="buyCar")
    for day in ("01", "05"):
        deposit(between, f"2026-11-{day}T10:00:00Z")
    deposit(between, "2026-11-09T10:00:00Z", type="buyCar")
    check_step, car = {"type": "depositCheck"}, {"type": "buyCar"}
    assert evaluate_filters(sequence_filter(check_step, car)) == {near, far, between}
    assert evaluate_filters(sequence_filter(check_step, {**car, "within_days": 7})) == {near, between}
    assert evaluate_filters(sequence_filter(check_step, {**check_step, "within_days": 4})) == {between}
    assert evaluate_filters(sequence_filter(check_step, check_step, {**car, "within_days": 4})) == {between}
    now = datetime(2026, 11, 9, 10, 0, 1, tzinfo=UTC)
    not_car = {**car, "within_days": 7, "not": True}
    assert evaluate_filters(sequence_filter(check_step, not_car), now=now) == {far, backwards, between}
    assert evaluate_filters(sequence_filter(check_step, not_car), now=now - timedelta(days=1, seconds=1)) == set()
    assert evaluate_filters(sequence_filter(check_step, {**not_car, "within_days": 3}), now=now) == {
        near,
        far,
        backwards,
        between,
    }
    assert evaluate_filters(sequence_filter(check_step, check_step, {**not_car, "within_days": 3}), now=now) == {
        between
    }
    assert (
        evaluate_filters(
            sequence_filter({**check_step, "constraints": [field_constraint("check", "is", "other")]}, car)
        )
        == set()
    )


def test_lists_and_logic(check):
    ann, bob, cas = people({"country": "Spain"}, {"country": "Chile"}, {})
    static = StaticList.objects.create(name="Hand-picked")
    StaticListMember.objects.create(static_list=static, person_id=ann, channel=1)
    on_list = {"kind": "static_list", "list": static.pk, "member": True}
    assert evaluate_filters(on_list) == {ann}
    assert evaluate_filters({**on_list, "member": False}) == {bob, cas}
    spain, chile = person_field_filter("country", "is", "Spain"), person_field_filter("country", "is", "Chile")
    assert evaluate_filters(spain, chile, match="any") == {ann, bob}
    assert evaluate_filters(spain, chile) == set()
    assert evaluate_filters(match="any") == set()
    assert evaluate_filters() == {ann, bob, cas}
    assert evaluate_filters(spain, chile, match="advanced", logic="not (1 or 2)") == {cas}
    inner = list_editing.create_smart_list("Spaniards", {"filters": [spain]}, None)
    nested = {"kind": "smart_list", "list": inner.pk, "member": True}
    assert evaluate_filters(nested) == {ann}
    assert evaluate_filters({**nested, "member": False}) == {bob, cas}


def test_only_live_people_and_only_those_asked_for(check):
    ann, bob, cas = people({}, {}, {})
    for who in (ann, bob):
        deposit(who)
    Person.objects.filter(pk=bob).update(state="deleted")
    assert evaluate_filters(activity_filter()) == {ann}
    assert evaluate_filters(activity_filter(did=False)) == {cas}
    assert evaluate_filters() == {ann, cas}
    assert evaluate_filters(activity_filter(), among=[bob, cas]) == set()
    assert evaluate_filters(activity_filter(did=False), among=[bob, cas]) == {cas}
    assert evaluate_filters(among=[ann, -1, 0, 2**40]) == {ann}
    assert evaluate_filters(among=range(ann, ann + 1_000_000)) == {ann, cas}
    assert evaluate_filters(activity_filter(), among=range(ann, ann + 1_000_000)) == {ann}


def test_lists_nested_deeper_than_python_recurses(check):
    (ann,) = people({})
    list_ = list_editing.create_smart_list("Level 0", {"filters": []}, None)
    for level in range(1, 400):
        form = {"version": 1, "match": "all", "filters": [{"kind": "smart_list", "list": list_.pk, "member": True}]}
        list_ = list_.__class__.objects.create(name=f"Level {level}", rules=form)
    assert evaluate_filters({"kind": "smart_list", "list": list_.pk, "member": True}) == {ann}


# --- time ---


@pytest.fixture
def madrid():
    Installation.objects.create(id=1, time_zone="Europe/Madrid")
    installation.clear_installation_cache()


def test_days_are_days_of_the_installation(madrid, check):
    (ann,) = people({})
    deposit(ann, "2026-10-24T22:30:00Z")  # 00:30 on the 25th in Madrid, a day of 25 hours
    assert evaluate_filters(activity_filter(field_constraint("@occurred_at", "is", "2026-10-25"))) == {ann}
    assert evaluate_filters(activity_filter(field_constraint("@occurred_at", "is", "2026-10-24"))) == set()
    assert evaluate_filters(activity_filter(field_constraint("@occurred_at", "before", "2026-10-25"))) == set()
    assert evaluate_filters(activity_filter(field_constraint("@occurred_at", "after", "2026-10-24"))) == {ann}
    assert (
        evaluate_filters(activity_filter(field_constraint("@occurred_at", "between", "2026-10-20", "2026-10-24")))
        == set()
    )
    assert evaluate_filters(activity_filter(field_constraint("@occurred_at", "on or before", "2026-10-25"))) == {ann}
    assert evaluate_filters(activity_filter(field_constraint("@occurred_at", "is", "2026-10-24T22:30:00Z"))) == {ann}
    assert evaluate_filters(activity_filter(field_constraint("@occurred_at", "after", "2026-10-24T22:30:00Z"))) == set()
    many = [f"2026-10-{day:02}" for day in range(1, 28)]
    assert evaluate_filters(activity_filter(field_constraint("@occurred_at", "is", *many))) == {ann}
    assert evaluate_filters(activity_filter(field_constraint("@occurred_at", "is not", *many))) == set()


@pytest.mark.parametrize(
    ("operator", "value", "now", "is_found"),
    [
        # the activity: 2026-10-25 00:30 local (22:30Z on the 24th); clocks go back at 01:00Z on the 25th
        ("in past", "1 day", "2026-10-25T23:30:00Z", True),  # 00:30 on the 26th: 25 hours later, the same wall time
        ("in past", "1 day", "2026-10-25T23:30:00.000001Z", False),
        ("in past", "24 hours", "2026-10-25T22:30:00Z", True),
        ("in past", "24 hours", "2026-10-25T22:30:00.000001Z", False),
        ("in past before", "24 hours", "2026-10-25T22:30:00.000001Z", True),
        ("in past", "1 month", "2026-11-24T23:30:00Z", True),
        ("in past", "1 month", "2026-11-24T23:30:01Z", False),
        ("in future", "2 hours", "2026-10-24T20:30:00Z", True),
        ("in future", "2 hours", "2026-10-24T20:29:59Z", False),
        ("in future after", "2 hours", "2026-10-24T20:29:59Z", True),
        ("in past", "10000 years", "2026-11-01T00:00:00Z", True),
        ("in time frame", "today", "2026-10-25T22:59:59Z", True),
        ("in time frame", "today", "2026-10-25T23:00:00Z", False),
        ("in time frame", "yesterday", "2026-10-25T23:00:00Z", True),
        ("in time frame", "this week", "2026-10-19T12:00:00Z", True),
        ("in time frame", "last week", "2026-10-26T12:00:00Z", True),
        ("in time frame", "this quarter", "2026-12-31T22:59:59Z", True),
        ("in time frame", "last quarter", "2026-12-31T23:00:00Z", True),
        ("in time frame", "next month", "2026-09-01T00:00:00Z", True),
        ("in time frame", "last year", "2027-06-01T00:00:00Z", True),
    ],
)
def test_relative_periods(madrid, check, operator, value, now, is_found):
    (ann,) = people({})
    deposit(ann, "2026-10-24T22:30:00Z")
    moment = datetime.fromisoformat(now)
    assert evaluate_filters(activity_filter(field_constraint("@occurred_at", operator, value)), now=moment) == (
        {ann} if is_found else set()
    )


def test_periods_of_dates_are_whole_days(madrid):
    now = datetime(2026, 3, 31, 21, 59, tzinfo=UTC)  # 23:59 in Madrid
    ids = dict(
        zip(
            ("02-27", "02-28", "03-31", "04-01"),
            people(*({"date_of_birth": f"2026-{day}"} for day in ("02-27", "02-28", "03-31", "04-01"))),
            strict=True,
        )
    )
    assert evaluate_filters(person_field_filter("date_of_birth", "in past", "1 month"), now=now) == {
        ids["02-28"],
        ids["03-31"],
    }
    assert evaluate_filters(person_field_filter("date_of_birth", "in past before", "1 month"), now=now) == {
        ids["02-27"]
    }
    assert evaluate_filters(person_field_filter("date_of_birth", "in future", "1 day"), now=now) == {
        ids["03-31"],
        ids["04-01"],
    }
    assert evaluate_filters(person_field_filter("date_of_birth", "in future after", "1 hour"), now=now) == set()
    assert evaluate_filters(person_field_filter("date_of_birth", "in time frame", "tomorrow"), now=now) == {
        ids["04-01"]
    }


def test_weeks_start_when_the_installation_says():
    Installation.objects.create(id=1, week_starts_on=6)
    installation.clear_installation_cache()
    sunday = people({"date_of_birth": "2026-11-22"})[0]
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert evaluate_filters(person_field_filter("date_of_birth", "in time frame", "this week"), now=now) == {sunday}


# --- the run itself ---


def test_identical_filters_are_asked_once(check):
    (ann,) = people({})
    deposit(ann)
    card = activity_filter(field_constraint("@occurred_at", "in past", "10000 days"))
    outcome = evaluator.evaluate_rules(
        parse_filters(card, card, {**card, "did": False}, match="advanced", logic="1 and 2 and not 3")
    )
    assert set(outcome.members) == {ann} and outcome.count == 1
    assert [part.count for part in outcome.per_filter] == [1, 1, 0]
    # two different filters, deleted people, and all people
    assert outcome.statements == 4


def test_an_evaluation_leaves_a_surrounding_transaction_as_it_was(check):
    people({})
    with connection.cursor() as cursor:
        settings = ("statement_timeout", "work_mem", "application_name", "jit")
        before = [cursor.execute(f"show {name}") or cursor.fetchone() for name in settings]
        evaluator.evaluate_rules(parse_filters(activity_filter()), tag="a-tag", seconds=3)
        assert [cursor.execute(f"show {name}") or cursor.fetchone() for name in settings] == before


def test_too_slow_is_refused_and_the_transaction_goes_on(check, monkeypatch):
    people({})
    slow = rules.Activity("depositCheck")
    monkeypatch.setattr(
        "smartlists.evaluation.postgres.statements.activity_rows_sql", lambda *_: Sql("pg_sleep(5) is null")
    )
    new_person()
    deposit(people({})[0])
    with pytest.raises(RejectedError) as caught:
        evaluator.evaluate_rules(rules.Rules(filters=(slow,)), seconds=0.1)
    assert caught.value.code == "timeout"
    assert Person.objects.exists()


def test_values_of_every_version_of_a_type_can_be_named(check):
    from people.definitions import drafts, lifecycle

    (ann,) = people({})
    deposit(ann, branch="North")
    drafts.remove_draft_fields(check, ["branch"], None)
    lifecycle.approve_draft(check, None)
    assert evaluate_filters(activity_filter(field_constraint("branch", "is", "north"))) == {ann}


def test_changed_people_are_found_at_once():
    (ann,) = people({"country": "Spain"})
    upsert.upsert_people([{"email": Person.objects.get(pk=ann).email, "country": "Chile"}], MARKETO)
    assert evaluate_filters(person_field_filter("country", "is", "chile")) == {ann}


@pytest.mark.parametrize(
    "lost",
    [
        rules.Activity("gone"),
        rules.PersonField("gone", "is empty"),
        rules.SmartList(99),
        rules.Sequence((rules.Step("depositCheck"), rules.Step("gone"))),
        rules.Activity("depositCheck", constraints=(rules.Constraint("gone", "is empty"),)),
        rules.Activity("depositCheck", aggregate=rules.Aggregate("sum", "gone", "at least", ("1",))),
    ],
)
def test_what_is_no_longer_there_is_named_rather_than_guessed(check, lost):
    with pytest.raises(RejectedError, match="no longer exists"):
        evaluator.evaluate_members(rules.Rules(filters=(lost,)))


def test_many_rows_are_taken_in_ranges_of_people(check, monkeypatch):
    ann, bob, _cas = people({}, {}, {})
    for who in (ann, ann, bob):
        deposit(who)
    monkeypatch.setattr("smartlists.evaluation.postgres.snapshot.MANY_ROWS", -2)
    assert evaluate_filters(activity_filter()) == {ann, bob}
    assert evaluate_filters(activity_filter(count=count_condition("exactly", "2"))) == {ann}
    far = new_person().pk + 5_000_000
    Person.objects.create(pk=far)
    deposit(far)
    assert evaluate_filters(activity_filter()) == {ann, bob, far}
