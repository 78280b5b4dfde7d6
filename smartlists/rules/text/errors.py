"""Syntax errors of rule texts: line and column, the expected tokens, and the probable intention."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from lark.exceptions import UnexpectedInput, UnexpectedToken

from people.core.codes import Code
from people.core.errors import Problem, quoted_value
from smartlists.rules.operators import OPERATORS


class TextPosition(NamedTuple):
    """A position in a text; both numbers count from 1."""

    line: int
    column: int


def with_position(problem: Problem, place: TextPosition) -> Problem:
    """Add the position in the text to the path and the message of `problem`."""
    message = _("line %(line)s, column %(column)s: %(message)s")
    parameters = {"line": place.line, "column": place.column, "message": problem.message}
    return replace(problem, message=message % parameters, path=("line", place.line, "column", place.column))


def syntax_problem(text: str, error: UnexpectedInput, terminals: set[str]) -> Problem:
    """The problem of a text that violates the grammar, which expected one of the terminals `terminals`."""
    is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    start = len(text) if is_end else error.pos_in_stream or 0
    remaining = text[start : start + 200]
    got = _next_word(remaining)
    expected = ", ".join(dict.fromkeys(str(WORDS[name]) for name in WORDS if name in terminals))
    problem = Problem(Code.BAD_TEXT, _message(terminals, remaining, got, expected), (), expected, quoted_value(got))
    return with_position(problem, _place_of(text, start))


def _message(terminals: set[str], remaining: str, got: str, expected: str) -> str:
    if remaining.startswith(('"', "“")) and "\n" in f"{remaining}\n"[:200] and not _QUOTED.match(remaining):
        return _("this quote does not end on its line")
    if got.lower() in ("and", "or"):
        if terminals <= {"AND", "OR", "RPAR", "CARD", "$END"} and terminals & {"AND", "OR"}:
            return _("“and” and “or” are mixed here; use parentheses to say which belongs together")
        if "CARD" in terminals and "AND" not in terminals:
            return _("filters are combined in the line that begins with “match”, not here")
    parameters = {"expected": expected, "got": quoted_value(got), "close": _suggestion(terminals, remaining)}
    if parameters["close"]:
        return _("expected %(expected)s, got “%(got)s”; did you mean “%(close)s”?") % parameters
    if "QUOTED" in terminals and "BOOLEAN" in terminals and re.match(r"[^\W\d]", remaining):
        return _("expected %(expected)s, got “%(got)s”; text goes in quotes") % parameters
    if not got:
        return _("expected %(expected)s, got the end of the text") % parameters
    return _("expected %(expected)s, got “%(got)s”") % parameters


_QUOTED = re.compile(r'"([^"\\\n]|\\[^\n])*"|“([^”\\\n]|\\[^\n])*”')


def _suggestion(terminals: set[str], remaining: str) -> str:
    """The operator or keyword probably intended at the position of the error; empty if unclear."""
    words = [word.lower() for word in re.findall(r"[^\W\d]+|[<>=!]+", remaining.split("\n", 1)[0])[:4]]
    phrases = [" ".join(words[:length]) for length in range(len(words), 0, -1)]
    for name, replacements in MEANT.items():
        if name in terminals:
            for phrase in phrases:
                if phrase in replacements:
                    return replacements[phrase]
    keywords = list(_keywords(terminals))
    for phrase in phrases:
        close = get_close_matches(phrase, keywords, n=1, cutoff=0.7)
        if close:
            return close[0]
    return ""


def _keywords(terminals: set[str]) -> Iterable[str]:
    for name, keywords in KEYWORDS.items():
        if name in terminals:
            yield from keywords


def _next_word(remaining: str) -> str:
    match = re.match(r"\s*(\w+|\S)", remaining)
    return match[1] if match else ""


def _place_of(text: str, position: int) -> TextPosition:
    before = text[:position]
    return TextPosition(before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)


# likely mistakes and their replacements, by terminal
MEANT: Mapping[str, Mapping[str, str]] = {
    "OPERATOR": {
        "begins with": "starts with",
        "begin with": "starts with",
        "does not start with": "not starts with",
        "does not begin with": "not starts with",
        "does not end with": "not ends with",
        "does not contain": "not contains",
        "includes": "contains",
        "has": "contains",
        "equals": "is",
        "equal to": "is",
        "are": "is",
        "in": "is any of",
        "isn t": "is not",
        "over": "greater than",
        "more than": "greater than",
        "above": "greater than",
        "under": "less than",
        "below": "less than",
        "fewer than": "less than",
        "until": "on or before",
        "since": "on or after",
        "from": "on or after",
        "in the past": "in past",
        "in last": "in past",
        "in the last": "in past",
        "in the future": "in future",
        "in next": "in future",
        "in the next": "in future",
        "exists": "is not empty",
        "missing": "is empty",
        "=>": ">=",
        "=<": "<=",
    },
    "COUNT_OPERATOR": {
        "more than": "at least",
        "over": "at least",
        "less than": "at most",
        "fewer than": "at most",
        "up to": "at most",
    },
    "PERIOD_OPERATOR": {
        "in the past": "in past",
        "in last": "in past",
        "in the last": "in past",
        "in next": "in future",
        "in the next": "in future",
        "since": "on or after",
        "until": "on or before",
        "from": "on or after",
    },
    "BOTS": {
        "exclude bots": "without bots",
        "excluding bots": "without bots",
        "no bots": "without bots",
        "not bots": "without bots",
        "only bots": "bots only",
    },
    "BOOLEAN": {"yes": "true", "no": "false"},
}

KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "OPERATOR": tuple(name for name in OPERATORS if not name.startswith("is ")),
    "EMPTY_OPERATOR": ("is empty", "is not empty"),
    "EMPTY_RULE": ("include empty", "exclude empty"),
    "COUNT_OPERATOR": ("at least", "at most", "exactly"),
    "PERIOD_OPERATOR": ("in past", "in past before", "in future", "in future after"),
    "TIME_FRAME_OPERATOR": ("in time frame",),
    "TIME_FRAME": (
        "today",
        "yesterday",
        "tomorrow",
        *(f"{which} {unit}" for which in ("this", "last", "next") for unit in ("week", "month", "quarter", "year")),
    ),
    "UNIT": ("hours", "days", "weeks", "months", "years"),
    "TIMES": ("times", "records"),
    "DAYS": ("days",),
    "WHERE": ("where",),
    "BOTS": ("without bots", "bots only"),
    "WITH": ("with",),
    "WITHIN": ("within",),
    "THEN": ("then",),
    "AND": ("and",),
    "OR": ("or",),
    "NOT": ("not",),
    "MATCH": ("match",),
    "ALL": ("all",),
    "ANY": ("any",),
    "DID": ("did",),
    "DID_NOT": ("did not",),
    "SEQUENCE": ("sequence",),
    "IN_STATIC_LIST": ("in static list", "not in static list"),
    "IN_SMART_LIST": ("in smart list", "not in smart list"),
    "CONSENT_FOR": ("consent for",),
    "HAS_OBJECT": ("has object",),
    "HAS_NO_OBJECT": ("has no object",),
    "CHANGED": ("changed",),
    "FROM": ("from",),
    "TO": ("to",),
    "CONSENT_STATE": ("given", "withdrawn", "unknown"),
    "AS_OF": ("as of",),
    "FUNCTION": ("sum of", "average of", "minimum of", "maximum of", "first of", "last of"),
    "DAY_OPERATOR": ("before", "after", "on or before", "on or after"),
}

# names of the terminals in "expected …", in the order of the message
WORDS: Mapping[str, str | Promise] = {
    "_SMART_LIST": "smart list",
    "MATCH": "match",
    "ALL": "all",
    "ANY": "any",
    "INT": gettext_lazy("a number"),
    "NAME": gettext_lazy("a name"),
    "OPERATOR": gettext_lazy("an operator such as is, contains, greater than or in past"),
    "QUOTED": gettext_lazy("text in quotes"),
    "NUMBER": gettext_lazy("a number"),
    "DATE": gettext_lazy("a date like 2026-11-20"),
    "BOOLEAN": gettext_lazy("true or false"),
    "DID": "did",
    "SEQUENCE": "sequence",
    "IN_STATIC_LIST": "in static list",
    "IN_SMART_LIST": "in smart list",
    "CONSENT_FOR": "consent for",
    "HAS_OBJECT": "has object",
    "CONSENT_STATE": gettext_lazy("given, withdrawn or unknown"),
    "AS_OF": "as of",
    "THEN": "then",
    "WHERE": "where",
    "CHANGED": "changed",
    "FROM": "from",
    "TO": "to",
    "BOTS": gettext_lazy("without bots or bots only"),
    "AND": "and",
    "OR": "or",
    "NOT": "not",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": gettext_lazy("a comma"),
    "EMPTY_RULE": gettext_lazy("include empty or exclude empty"),
    "COUNT_OPERATOR": gettext_lazy("at least, at most or exactly"),
    "TIMES": "times",
    "PERIOD_OPERATOR": gettext_lazy("in past or in future"),
    "TIME_FRAME_OPERATOR": "in time frame",
    "TIME_FRAME": gettext_lazy("a time frame like last quarter"),
    "UNIT": gettext_lazy("hours, days, weeks, months or years"),
    "WITHIN": "within",
    "DAYS": "days",
    "FUNCTION": gettext_lazy("sum of, average of, minimum of, maximum of, first of or last of"),
    "WITH": "with",
    "_DESCRIPTION": "description",
    "CARD": gettext_lazy("the next filter (a number and a colon)"),
    "$END": gettext_lazy("the end"),
}
