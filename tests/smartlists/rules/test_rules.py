"""The JSON form of rules: what is accepted, what is refused and where, and that it round-trips."""

import time

import pytest

from people.core.errors import RejectedError
from smartlists.catalog import Catalogue
from smartlists.models import SmartList
from smartlists.rules import logic
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules
from tests.factories import approved_type

pytestmark = pytest.mark.django_db


def refused(value):
    with pytest.raises(RejectedError) as caught:
        parse_rules(value, Catalogue())
    return {(problem.code, problem.path): problem for problem in caught.value.problems}


def one(**filter_):
    return {"version": 1, "match": "all", "filters": [filter_]}


def person(**more):
    return one(**{"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"], **more})


def activity(**more):
    return one(**{"kind": "activity", "did": True, "type": "depositCheck", **more})


FULL = {
    "version": 1,
    "match": "advanced",
    "logic": "1 and (2 or not 3) and 4",
    "filters": [
        {
            "kind": "person_field",
            "field": "country",
            "operator": "is not",
            "values": ["Spain", "Chile"],
            "empty": "exclude",
        },
        {
            "kind": "activity",
            "did": False,
            "type": "depositCheck",
            "constraints": [
                {"field": "amount", "operator": "between", "values": ["12.5", "500"]},
                {"field": "@occurred_at", "operator": "in past", "values": ["3 weeks"]},
                {"field": "branch", "operator": "is empty"},
            ],
            "count": {"operator": "between", "values": ["1", "3"]},
            "aggregate": {"function": "sum", "field": "amount", "operator": "at least", "values": ["1000"]},
        },
        {
            "kind": "sequence",
            "steps": [
                {"type": "depositCheck", "constraints": [{"field": "check", "operator": "contains", "values": ["%"]}]},
                {"type": "visitWebPage", "within_days": 7, "not": True},
            ],
        },
        {"kind": "person_field", "field": "created_at", "operator": "in time frame", "values": ["last quarter"]},
    ],
}


def _visit_name():
    from smartlists.catalog import Catalogue

    return next(name for name, found in Catalogue().types.items() if found.id == 1)


def test_everything_round_trips():
    approved_type()
    form = {**FULL, "filters": [*FULL["filters"]]}
    form["filters"][2] = {
        "kind": "sequence",
        "steps": [form["filters"][2]["steps"][0], {"type": _visit_name(), "within_days": 7, "not": True}],
    }
    parsed = parse_rules(form, Catalogue())
    assert rules.dump_rules(parsed) == form
    assert rules.load_rules(rules.dump_rules(parsed)) == parsed
    assert hash(parsed.filters[1]) == hash(rules.load_rules(rules.dump_rules(parsed)).filters[1])


def test_values_become_canonical_text():
    approved_type()
    parsed = parse_rules(
        {
            "filters": [
                {"kind": "person_field", "field": "unsubscribed", "operator": "is", "values": [True]},
                {
                    "kind": "person_field",
                    "field": "created_at",
                    "operator": "after",
                    "values": ["2026-11-20 12:00+02:00"],
                },
                {"kind": "person_field", "field": "created_at", "operator": "is", "values": ["2026-11-20"]},
                {"kind": "person_field", "field": "created_at", "operator": "in past", "values": ["1 Days"]},
                {"kind": "person_field", "field": "country", "operator": "is", "values": ["Espan\u0303a"]},
                {
                    "kind": "activity",
                    "type": "depositCheck",
                    "constraints": [{"field": "amount", "operator": "at least", "values": ["12.500"]}],
                    "count": {"operator": "at most", "values": [3]},
                },
            ]
        },
        Catalogue(),
    )
    assert [item.values for item in parsed.filters[:5]] == [
        ("true",),
        ("2026-11-20T10:00:00Z",),
        ("2026-11-20",),
        ("1 day",),
        ("España",),
    ]
    assert parsed.filters[5].constraints[0].values == ("12.5",)
    assert parsed.filters[5].count.values == ("3",)


@pytest.mark.parametrize(
    ("value", "code", "path"),
    [
        (None, "wrong_type", ()),
        ([], "wrong_type", ()),
        ({"version": 2, "filters": []}, "unknown_version", ("version",)),
        ({"match": "al", "filters": []}, "unknown_word", ("match",)),
        ({"filters": {}}, "wrong_type", ("filters",)),
        ({"filtres": []}, "unknown_key", ("filtres",)),
        ({"filters": [3]}, "wrong_type", ("filters", 0)),
        ({"logic": "1", "filters": []}, "bad_logic", ("logic",)),
        (one(kind="activty"), "unknown_kind", ("filters", 0, "kind")),
        (person(field="contry"), "unknown_field", ("filters", 0, "field")),
        (person(operator="greater than"), "unknown_operator", ("filters", 0, "operator")),
        (person(values=[]), "missing_value", ("filters", 0, "values")),
        (person(values="Spain"), "wrong_type", ("filters", 0, "values")),
        (person(values=["Spain", " "]), "missing_value", ("filters", 0, "values", 1)),
        (person(values=["a\0"]), "wrong_type", ("filters", 0, "values", 0)),
        (person(values=["\ud800"]), "wrong_type", ("filters", 0, "values", 0)),
        (person(values=["x"] * 10_000), "too_many_values", ("filters", 0, "values")),
        (person(operator="is empty"), "too_many_values", ("filters", 0, "values")),
        (person(empty="yes"), "unknown_word", ("filters", 0, "empty")),
        (person(operator="is empty", values=[], empty="include"), "unexpected_value", ("filters", 0, "empty")),
        (person(field="number_of_employees", values=["many"]), "wrong_type", ("filters", 0, "values", 0)),
        (person(field="number_of_employees", values=[1e400]), "wrong_type", ("filters", 0, "values", 0)),
        (person(field="number_of_employees", values=[10**9999]), "out_of_range", ("filters", 0, "values", 0)),
        (person(field="number_of_employees", operator="between", values=[3, 2]), "reversed", ("filters", 0, "values")),
        (
            person(field="created_at", operator="between", values=["2026-11-21", "2026-11-20T23:59:59Z"]),
            "reversed",
            ("filters", 0, "values"),
        ),
        (person(field="created_at", operator="in past", values=["0 days"]), "wrong_type", ("filters", 0, "values", 0)),
        (
            person(field="created_at", operator="in past", values=["10001 days"]),
            "wrong_type",
            ("filters", 0, "values", 0),
        ),
        (
            person(field="created_at", operator="in time frame", values=["last decade"]),
            "wrong_type",
            ("filters", 0, "values", 0),
        ),
        (person(field="date_of_birth", values=["2026-02-30"]), "wrong_type", ("filters", 0, "values", 0)),
        (person(field="date_of_birth", values=["0001-01-01"]), "out_of_range", ("filters", 0, "values", 0)),
        (one(kind="activity", type="depositChek"), "unknown_type", ("filters", 0, "type")),
        (one(kind="activity"), "missing_value", ("filters", 0, "type")),
        (activity(did="yes"), "wrong_type", ("filters", 0, "did")),
        (
            activity(constraints=[{"field": "amout", "operator": "is", "values": ["1"]}]),
            "unknown_field",
            ("filters", 0, "constraints", 0, "field"),
        ),
        (
            activity(constraints=[{"field": "amount", "operator": "is", "values": ["x"]}]),
            "wrong_type",
            ("filters", 0, "constraints", 0, "values", 0),
        ),
        (activity(count={"operator": "between", "values": ["3", "2"]}), "reversed", ("filters", 0, "count", "values")),
        (
            activity(count={"operator": "at least", "values": ["-1"]}),
            "wrong_type",
            ("filters", 0, "count", "values", 0),
        ),
        (
            activity(aggregate={"function": "sum", "field": "branch", "operator": "is", "values": ["1"]}),
            "wrong_type",
            ("filters", 0, "aggregate", "function"),
        ),
        (
            activity(aggregate={"function": "median", "field": "amount", "operator": "is", "values": ["1"]}),
            "unknown_function",
            ("filters", 0, "aggregate", "function"),
        ),
        (one(kind="sequence", steps=[{"type": "depositCheck"}]), "missing_value", ("filters", 0, "steps")),
        (
            one(kind="sequence", steps=[{"type": "depositCheck", "within_days": 3}, {"type": "depositCheck"}]),
            "unexpected_value",
            ("filters", 0, "steps", 0, "within_days"),
        ),
        (
            one(kind="sequence", steps=[{"type": "depositCheck"}, {"type": "depositCheck", "not": True}]),
            "missing_value",
            ("filters", 0, "steps", 1, "within_days"),
        ),
        (one(kind="static_list", list=99), "unknown_list", ("filters", 0, "list")),
        (one(kind="smart_list", list=True), "unknown_list", ("filters", 0, "list")),
        ({"filters": [{"kind": "activity"}] * 500}, "too_many_filters", ("filters",)),
    ],
)
def test_what_is_wrong_is_refused_with_its_path(value, code, path):
    approved_type()
    assert (code, path) in refused(value)


def test_every_problem_is_found_and_the_closest_name_told():
    approved_type()
    found = refused({"filters": [person(field="Contry")["filters"][0], {"kind": "activity", "type": "Deposited Chek"}]})
    assert "country" in found["unknown_field", ("filters", 0, "field")].message
    assert "depositCheck" in found["unknown_type", ("filters", 1, "type")].message


def test_bad_input_is_refused_quickly():
    approved_type()
    started = time.monotonic()
    bad = [{"kind": "person_field", "field": "x" * 50_000, "operator": "is", "values": ["y"]}] * 200
    assert len(refused({"filters": bad})) == 100
    big = {"kind": "person_field", "field": "country", "operator": "is", "values": ["x" * 20_000] * 1_000}
    assert ("too_large", ()) in refused({"filters": [big]})
    deep = "(" * 50 + "1" + ")" * 50
    assert ("bad_logic", ("logic",)) in refused({"match": "advanced", "logic": deep, "filters": person()["filters"]})
    assert time.monotonic() - started < 5


def test_lists_are_known_by_id():
    kept = SmartList.objects.create(name="Kept", rules=rules.dump_rules(rules.Rules()))
    assert parse_rules(one(kind="smart_list", list=kept.pk), Catalogue()).filters == (rules.SmartList(kept.pk),)
    assert "Kept" not in refused(one(kind="smart_list", list=0))["unknown_list", ("filters", 0, "list")].message
    found = refused(one(kind="smart_list", list="kepts"))["unknown_list", ("filters", 0, "list")]
    assert found.expected == "Kept"


# --- logic ---


@pytest.mark.parametrize(
    ("text", "filters", "written"),
    [
        ("1", 1, "1"),
        ("1 AND 2", 2, "1 and 2"),
        ("not not (1)", 1, "1"),
        ("not not not 1", 1, "not 1"),
        ("1 and(2 or not 3)", 3, "1 and (2 or not 3)"),
        ("not (1 and 2) or 3", 3, "not (1 and 2) or 3"),
        ("(1 and 2) and 1", 2, "(1 and 2) and 1"),
    ],
)
def test_logic_round_trips(text, filters, written):
    parsed = logic.parse_logic(text, filters)
    assert logic.write_logic(parsed) == written
    assert logic.parse_logic(written, filters) == parsed


@pytest.mark.parametrize(
    ("text", "filters", "column", "said"),
    [
        ("1 and 2 or 3", 3, 9, "parentheses"),
        ("1 and (2 or 3", 3, 14, "“and”, “or” or “)”"),
        ("1 2", 2, 3, "“and”, “or” or the end"),
        ("1 and", 1, 6, "the number of a filter"),
        ("1 and 4", 2, 7, "there is no filter 4"),
        ("1 & 2", 2, 3, "“&”"),
        ("1 xor 2", 2, 3, "“xor”"),
        ("", 0, 1, "the number of a filter"),
    ],
)
def test_bad_logic_is_refused_at_its_column(text, filters, column, said):
    with pytest.raises(RejectedError) as caught:
        logic.parse_logic(text, filters)
    assert f"column {column}:" in str(caught.value) and said in str(caught.value)


def test_logic_must_use_every_filter_and_stay_short():
    for text, said in (("1 or 3", "filter 2"), ("1 " * 2_000, "2,000"), (None, "expected an expression")):
        with pytest.raises(RejectedError, match=said):
            logic.parse_logic(text, 3)


def test_moving_and_removing_a_card_keeps_the_meaning():
    parsed = logic.parse_logic("1 and (2 or not 3)", 3)
    assert logic.write_logic(logic.with_filter_moved(parsed, 1, 3)) == "3 and (1 or not 2)"
    assert logic.write_logic(logic.with_filter_moved(parsed, 3, 1)) == "2 and (3 or not 1)"
    assert logic.write_logic(logic.with_filter_removed(parsed, 2)) == "1 and not 2"
    assert logic.write_logic(logic.with_filter_removed(parsed, 1)) == "1 or not 2"
    assert logic.with_filter_removed(logic.parse_logic("not 1", 1), 1) is None
    assert logic.write_logic(logic.with_filter_added(parsed, 4)) == "1 and (2 or not 3) and 4"
    assert logic.write_logic(logic.with_filter_added(logic.parse_logic("1 or 2", 2), 3)) == "(1 or 2) and 3"
