"""Nested smart lists: the order of evaluation, and the refusal of cycles."""

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from smartlists import models
from smartlists.rules.model import Rules, SmartList, load_rules


def directly_used_lists(rules: Rules) -> list[int]:
    """The ids of the smart lists that rules use directly, each once."""
    return list(dict.fromkeys(item.list for item in rules.filters if isinstance(item, SmartList)))


def nested_lists_first(rules: Rules, list_id: int | None = None) -> Iterator[tuple[int, Rules]]:
    """Yield every smart list that `rules` use, directly or indirectly, each after the lists that it uses itself.

    `list_id` is the list that will have these rules. Raises `RejectedError` (`cycle`, `unknown_list`).
    """
    rules_by_id = _all_below(rules)
    finished_ids: set[int] = set()
    path: list[int] = [] if list_id is None else [list_id]
    waiting = [
        iter(directly_used_lists(rules))
    ]  # one iterator per level, as lists may be nested deeper than Python can recurse
    while waiting:
        following = next(waiting[-1], None)
        if following is None:
            waiting.pop()
            if waiting:
                finished = path.pop()
                finished_ids.add(finished)
                yield finished, rules_by_id[finished]
        elif following in path:
            raise _cycle([*path[path.index(following) :], following])
        elif following not in finished_ids:
            path.append(following)
            waiting.append(iter(directly_used_lists(rules_by_id[following])))


def _all_below(rules: Rules) -> dict[int, Rules]:
    """The rules of all lists used directly or indirectly; one statement per level."""
    rules_by_id: dict[int, Rules] = {}
    missing = set(directly_used_lists(rules))
    while missing:
        rows = models.SmartList.objects.filter(pk__in=missing).values_list("pk", "rules")
        level = {pk: load_rules(stored) for pk, stored in rows}
        if missing - level.keys():
            raise RejectedError(Problem(Code.UNKNOWN_LIST, _("A smart list used in the rules no longer exists.")))
        rules_by_id.update(level)
        missing = {inner for nested in level.values() for inner in directly_used_lists(nested)} - rules_by_id.keys()
    return rules_by_id


def _cycle(ids: Iterable[int]) -> RejectedError:
    ids = list(ids)
    names = dict(models.SmartList.objects.filter(pk__in=ids).values_list("pk", "name"))
    path_text = " → ".join(f"“{names.get(list_id, list_id)}”" for list_id in ids)
    message = _("The lists would form a loop: %(lists)s.") % {"lists": path_text}
    return RejectedError(Problem(Code.CYCLE, message, ("filters",), "", path_text))
