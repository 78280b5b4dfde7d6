"""Numbers of any size and exponent: judged before anything is calculated, the same way everywhere."""

import json
from datetime import UTC
from decimal import Decimal

import pytest

from people.datatypes import exact_json, fast, fast_columns
from people.datatypes.canonical import canonical_text, dump_json, plain_decimal
from people.datatypes.parsing import MAX_TEXT_BYTES, BadValueError
from people.datatypes.registry import BY_NAME
from smartlists.rules import operators

LONGEST = 1_400  # characters of anything that is made of a number
NUMBERS = [
    "1e-999999999",
    "-1e-999999999",
    "1e999999999",
    "-1e999999999",
    "0e-999999999",
    "0e999999999",
    "0.0e-999999998",
    "1e99999999999999999999",
    "1e-99999999999999999999",
    "9" * 100_000,
    "-" + "9" * 100_000,
    "0." + "0" * 100_000 + "1",
    "1." + "3" * 100_000,
    "1" + "0" * 3_000 + ".5",
    "1e401",
    "1e-401",
]


@pytest.mark.parametrize("text", NUMBERS, ids=lambda text: text[:24])
@pytest.mark.parametrize("name", BY_NAME)
def test_a_number_without_bounds_is_refused_or_short(name, text):
    number = exact_json.load_exact_json(text.encode())
    for value in (number, text):
        try:
            parsed = BY_NAME[name].parse(value, UTC)
        except BadValueError:
            expected = None
        else:
            expected = BY_NAME[name].to_json(parsed)
            assert len(expected) < (LONGEST if name != "text" else MAX_TEXT_BYTES + 2) or value is text
        # the quick ways agree, or leave it to the slow one
        if quick := fast.QUICK.get(name):
            assert quick(value) in (None, expected)
            assert list(fast_columns.json_texts(BY_NAME[name], [value, value], UTC)) == [expected] * 2


@pytest.mark.parametrize("text", NUMBERS, ids=lambda text: text[:24])
def test_a_rule_compares_with_no_such_number(text):
    for value in (exact_json.load_exact_json(text.encode()), text):
        with pytest.raises(BadValueError):
            operators.NUMBER.parse(value, UTC)


@pytest.mark.parametrize("text", NUMBERS, ids=lambda text: text[:24])
def test_a_number_is_never_written_out_longer_than_it_came(text):
    number = exact_json.load_exact_json(text.encode())
    if isinstance(number, Decimal):
        assert len(plain_decimal(number)) <= max(len(text), LONGEST) + 10
        assert len(canonical_text(number)) <= max(len(text), LONGEST) + 10
        assert len(dump_json({"a": number})) <= max(len(text), LONGEST) + 20


def test_amounts_are_refused_where_a_place_beyond_the_fourth_says_something_and_never_rounded():
    currency = BY_NAME["currency"]
    assert currency.parse("123456789012345.0001" + "0" * 26, UTC) == Decimal("123456789012345.0001")
    for text in ("123456789012345.0001" + "0" * 25 + "1", "0.00000000000000000000000000001"):
        for value in (text, Decimal(text)):
            with pytest.raises(BadValueError) as refusal:
                currency.parse(value, UTC)
            assert "4" in str(refusal.value.expected)


@pytest.mark.parametrize(
    "value", [2**64, -(2**70), 10**3_999, {"a": [10**30]}, "\ud800", {"\ud800": 1}, {"a": Decimal("1e-999999999")}]
)
def test_an_answer_carries_whatever_was_kept(value):
    text = exact_json.dump_exact_json({"kept": value, "other": 1}, canonical_text)
    read = exact_json.load_exact_json(text)
    assert read["other"] == 1 and len(text) < 5_000
    if isinstance(value, int):
        assert read["kept"] == value


def test_what_is_nested_too_deeply_is_cut_in_an_answer_and_found_without_recursion():
    nest: object = 1
    for _level in range(50_000):
        nest = [nest]
    assert exact_json.is_deep({"a": nest}) and not exact_json.is_deep({"a": [[1], {"b": []}]})
    assert json.loads(exact_json.dump_exact_json({"kept": nest, "other": 1}, str))["other"] == 1
    assert (
        exact_json.load_stored_json("[" * 50_000 + "]" * 50_000) is None
        and exact_json.load_stored_json("no JSON") is None
    )


def test_json_of_scalars_is_that_of_the_standard_library():
    values = ["", 'é "quoted" \\ \n\t\0 \u2028 🚗', 0, -(10**20), True, False, None, 1.5, 1e300]
    assert [dump_json(value) for value in values] == [json.dumps(value, ensure_ascii=False) for value in values]
    assert dump_json({"a": values}) == json.dumps({"a": values}, ensure_ascii=False)
