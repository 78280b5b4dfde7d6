"""Smart lists inside smart lists: their order, and the refusal of circles."""

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from smartlists import models
from smartlists.rules.model import Rules, SmartList, load


def named_in(rules: Rules) -> list[int]:
    """The ids of the smart lists that rules name themselves, each once."""
    return list(dict.fromkeys(item.list for item in rules.filters if isinstance(item, SmartList)))


def inside_out(rules: Rules, of: int | None = None) -> Iterator[tuple[int, Rules]]:
    """Every smart list in which `rules` look, also indirectly, each after those that it looks in itself.

    `of` is the list that will have these rules. Raises `RejectedError` (`cycle`, `unknown_list`).
    """
    known = _all_below(rules)
    done: set[int] = set()
    path: list[int] = [] if of is None else [of]
    waiting = [iter(named_in(rules))]  # one iterator a level: lists may be nested deeper than Python may recurse
    while waiting:
        following = next(waiting[-1], None)
        if following is None:
            waiting.pop()
            if waiting:
                finished = path.pop()
                done.add(finished)
                yield finished, known[finished]
        elif following in path:
            raise _cycle([*path[path.index(following) :], following])
        elif following not in done:
            path.append(following)
            waiting.append(iter(named_in(known[following])))


def _all_below(rules: Rules) -> dict[int, Rules]:
    """The rules of every list that can be reached; one statement a level."""
    known: dict[int, Rules] = {}
    missing = set(named_in(rules))
    while missing:
        rows = models.SmartList.objects.filter(pk__in=missing).values_list("pk", "rules")
        found = {pk: load(stored) for pk, stored in rows}
        if missing - found.keys():
            raise RejectedError(Problem(Code.UNKNOWN_LIST, _("A smart list that the rules name is no longer there.")))
        known.update(found)
        missing = {inner for nested in found.values() for inner in named_in(nested)} - known.keys()
    return known


def _cycle(ids: Iterable[int]) -> RejectedError:
    ids = list(ids)
    names = dict(models.SmartList.objects.filter(pk__in=ids).values_list("pk", "name"))
    shown = " → ".join(f"“{names.get(list_id, list_id)}”" for list_id in ids)
    message = _("The lists would go round in a circle: %(lists)s.") % {"lists": shown}
    return RejectedError(Problem(Code.CYCLE, message, ("filters",), "", shown))
