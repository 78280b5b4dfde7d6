"""Stored messages are shown in the language of each reader."""

from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from people.core.errors import Problem, bad_value, restore_problem, serialize_problem, stored_problem_json
from people.datatypes.parsing import BadValueError
from people.datatypes.registry import BY_NAME


def refusal(value):
    try:
        BY_NAME["integer"].parse(value, None)
    except BadValueError as error:
        return bad_value(error.code, error.expected, value, "attributes", "pages")
    raise AssertionError(value)


@given(st.text().filter(lambda text: not text.strip().lstrip("-").isdigit()))
def test_a_stored_problem_reads_as_if_it_had_been_made_in_the_readers_language(value):
    said = {}
    for language in ("en", "es"):
        with translation.override(language):
            said[language] = refusal(value)
    for writer in said:
        kept = serialize_problem(said[writer], lambda text: text)
        for reader in said:
            with translation.override(reader):
                assert restore_problem(kept) == said[reader]


def test_what_was_stored_as_text_alone_stays_as_it_was():
    old = {"code": "wrong_type", "message": "100 % wrong", "path": ["amount"], "expected": "a number", "got": "x"}
    assert restore_problem(old) == Problem("wrong_type", "100 % wrong", ("amount",), "a number", "x")
    assert stored_problem_json(old)["path"] == "/amount"
    assert restore_problem(serialize_problem(Problem("bad_file", "100 % wrong"), str)).message == "100 % wrong"
