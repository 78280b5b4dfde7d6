"""Rule logic: expressions over the numbers of filters, like `1 and (2 or not 3)`.

`not` binds tightest; mixing `and` with `or` at one level needs parentheses, so that no precedence between them has
to be known.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, RejectedError, quoted_value

MAX_LENGTH = 2_000
MAX_DEPTH = 30
_TOKEN = re.compile(r"\s*(?:(?P<number>[0-9]{1,9})|(?P<word>[A-Za-z]+)|(?P<mark>[()])|(?P<other>\S))", re.ASCII)
_KEYWORDS = frozenset({"and", "or", "not"})

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class FilterNumber:
    """The filter with this number; the first one is 1."""

    number: int


@dataclass(frozen=True, slots=True)
class Not:
    part: "Expression"


@dataclass(frozen=True, slots=True)
class Group:
    """Two or more parts joined by one word: "and" or "or"."""

    word: str
    parts: tuple["Expression", ...]


Expression = FilterNumber | Not | Group


def parse_logic(text: Any, filters: int) -> Expression:
    """Parse `text`, an expression over the filters 1 to `filters`, each of which must occur.

    Raises `RejectedError` (`bad_logic`) with the column and the expected tokens.
    """
    if not isinstance(text, str):
        raise _bad_logic(_("expected an expression over the numbers of the filters, like “1 and (2 or 3)”"))
    if len(text) > MAX_LENGTH:
        raise _bad_logic(_("the logic may take at most 2,000 characters"))
    parser = _Parser(text, filters)
    expression = parser.whole()
    left_out = sorted(set(range(1, filters + 1)) - set(filter_numbers(expression)))
    if left_out:
        raise _bad_logic(_("filter %(number)s is missing") % {"number": ", ".join(map(str, left_out))})
    return expression


def write_logic(expression: Expression) -> str:
    """The canonical text of an expression; `parse_logic` returns the expression."""
    if isinstance(expression, FilterNumber):
        return str(expression.number)
    if isinstance(expression, Not):
        return f"not {_enclosed(expression.part)}"
    return f" {expression.word} ".join(_enclosed(part) for part in expression.parts)


def filter_numbers(expression: Expression) -> Iterator[int]:
    """Yield the filter numbers in the expression, in order, with repeats."""
    if isinstance(expression, FilterNumber):
        yield expression.number
    elif isinstance(expression, Not):
        yield from filter_numbers(expression.part)
    else:
        for part in expression.parts:
            yield from filter_numbers(part)


def fold_expression(
    expression: Expression,
    leaf: Callable[[int], Value],
    negate: Callable[[Value], Value],
    join: Callable[[str, list[Value]], Value],
) -> Value:
    """Compute a value bottom-up: `leaf` of a filter's number, `negate` of a part, `join` of a group's parts."""
    if isinstance(expression, FilterNumber):
        return leaf(expression.number)
    if isinstance(expression, Not):
        return negate(fold_expression(expression.part, leaf, negate, join))
    return join(expression.word, [fold_expression(part, leaf, negate, join) for part in expression.parts])


def with_filter_moved(expression: Expression, number: int, to: int) -> Expression:
    """The expression with the same meaning after filter `number` was moved to `to` and those between shifted."""

    def renumbered(old: int) -> int:
        if old == number:
            return to
        if number < old <= to:
            return old - 1
        return old + 1 if to <= old < number else old

    return _map(expression, renumbered)


def with_filter_removed(expression: Expression, number: int) -> Expression | None:
    """The expression without the filter `number`, later filters renumbered; None when nothing is left."""
    remaining = _without(expression, number)
    return None if remaining is None else _map(remaining, lambda old: old - 1 if old > number else old)


def with_filter_added(expression: Expression | None, number: int) -> Expression:
    """The expression joined by "and" with one more filter."""
    if expression is None:
        return FilterNumber(number)
    if isinstance(expression, Group) and expression.word == "and":
        return Group("and", (*expression.parts, FilterNumber(number)))
    return Group("and", (expression, FilterNumber(number)))


def join_filters(word: str, filters: int) -> Expression | None:
    """The expression for "all" (word "and") or "any" ("or") of the filters; None without filters."""
    parts = tuple(FilterNumber(number) for number in range(1, filters + 1))
    return Group(word, parts) if len(parts) > 1 else (parts[0] if parts else None)


def _enclosed(part: Expression) -> str:
    return f"({write_logic(part)})" if isinstance(part, Group) else write_logic(part)


def _map(expression: Expression, renumbered: Callable[[int], int]) -> Expression:
    def leaf(number: int) -> Expression:
        return FilterNumber(renumbered(number))

    def join(word: str, parts: list[Expression]) -> Expression:
        return Group(word, tuple(parts))

    return fold_expression(expression, leaf, Not, join)


def _without(expression: Expression, number: int) -> Expression | None:
    def join(word: str, parts: list[Expression | None]) -> Expression | None:
        remaining = tuple(part for part in parts if part is not None)
        return Group(word, remaining) if len(remaining) > 1 else (remaining[0] if remaining else None)

    return fold_expression(
        expression,
        lambda old: None if old == number else FilterNumber(old),
        lambda part: None if part is None else Not(part),
        join,
    )


def _bad_logic(message: str, expected: str = "", got: str = "") -> RejectedError:
    return RejectedError(Problem(Code.BAD_LOGIC, message, ("logic",), expected, got))


class _Parser:
    """A parser with one token of lookahead; keeps the column of each token."""

    def __init__(self, text: str, filters: int) -> None:
        self.filters = filters
        self.end = len(text.rstrip()) + 1
        self.tokens = [
            (match.lastgroup, match[match.lastgroup].lower(), match.start(match.lastgroup) + 1)
            for match in _TOKEN.finditer(text)
            if match.lastgroup is not None
        ]
        self.position = 0

    def whole(self) -> Expression:
        expression = self._group(0)
        if self._ahead() is not None:
            raise self._unexpected(_("“and”, “or” or the end"))
        return expression

    def _group(self, depth: int) -> Expression:
        parts, word = [self._part(depth)], None
        while (ahead := self._ahead()) in ("and", "or"):
            if word is not None and ahead != word:
                raise self._mixed()
            word = ahead
            self.position += 1
            parts.append(self._part(depth))
        return parts[0] if word is None else Group(word, tuple(parts))

    def _part(self, depth: int) -> Expression:
        is_negated = False
        while self._ahead() == "not":
            is_negated = not is_negated
            self.position += 1
        part = self._enclosed(depth) if self._ahead() == "(" else self._number()
        return Not(part) if is_negated else part

    def _enclosed(self, depth: int) -> Expression:
        if depth == MAX_DEPTH:
            raise _bad_logic(
                _("column %(column)s: parentheses may be nested at most 30 deep") % {"column": self._column()}
            )
        self.position += 1
        part = self._group(depth + 1)
        if self._ahead() != ")":
            raise self._unexpected(_("“and”, “or” or “)”"))
        self.position += 1
        return part

    def _number(self) -> Expression:
        if self.position >= len(self.tokens) or self.tokens[self.position][0] != "number":
            raise self._unexpected(_("the number of a filter, “not” or “(”"))
        number = int(self.tokens[self.position][1])
        if not 1 <= number <= self.filters:
            message = _("column %(column)s: there is no filter %(number)s")
            raise _bad_logic(message % {"column": self._column(), "number": number}, "", str(number))
        self.position += 1
        return FilterNumber(number)

    def _ahead(self) -> str | None:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else None

    def _column(self) -> int:
        return self.tokens[self.position][2] if self.position < len(self.tokens) else self.end

    def _mixed(self) -> RejectedError:
        message = _("column %(column)s: “and” and “or” are mixed here; use parentheses to say which belongs together")
        return _bad_logic(message % {"column": self._column()})

    def _unexpected(self, expected: str) -> RejectedError:
        got = self._ahead()
        got_text = quoted_value(got) if got is not None else _("the end")
        message = _("column %(column)s: expected %(expected)s, got “%(got)s”")
        return _bad_logic(
            message % {"column": self._column(), "expected": expected, "got": got_text}, expected, got_text
        )
