"""To add, change, move and remove single filters of rules; what the others mean stays as it was."""

from collections.abc import Callable
from dataclasses import replace

from smartlists import logic
from smartlists.logic import Expression
from smartlists.rules import ADVANCED, ALL, Filter, Rules


def add(found: Rules, item: Filter) -> Rules:
    """With one more filter at the end; under an expression it has to hold, too."""
    more = (*found.filters, item)
    if found.match != ADVANCED:
        return replace(found, filters=more)
    return replace(found, filters=more, logic=logic.write(logic.added(found.expression, len(more))))


def change(found: Rules, number: int, item: Filter) -> Rules:
    """With another filter in the place of filter `number`, counted from 1."""
    return replace(found, filters=(*found.filters[: number - 1], item, *found.filters[number:]))


def move(found: Rules, number: int, to: int) -> Rules:
    """With filter `number` as filter `to`; an expression goes on speaking of the same filters."""
    items = list(found.filters)
    items.insert(to - 1, items.pop(number - 1))
    return _with(found, items, lambda expression: logic.moved(expression, number, to))


def remove(found: Rules, number: int) -> Rules:
    """Without filter `number`; the others combine as they did."""
    items = [item for position, item in enumerate(found.filters, 1) if position != number]
    return _with(found, items, lambda expression: logic.removed(expression, number))


def combine(found: Rules, match: str) -> Rules:
    """With another match; "advanced" begins with the expression that says what held before."""
    if match != ADVANCED or not found.filters:
        return replace(found, match=ALL if match == ADVANCED else match, logic="")
    expression = found.expression
    assert expression is not None
    return replace(found, match=match, logic=logic.write(expression))


def _with(found: Rules, items: list[Filter], changed: Callable[[Expression], Expression | None]) -> Rules:
    if found.match != ADVANCED or found.expression is None:
        return replace(found, filters=tuple(items))
    expression = changed(found.expression)
    if expression is None:
        return Rules(ALL, tuple(items))
    return replace(found, filters=tuple(items), logic=logic.write(expression))
