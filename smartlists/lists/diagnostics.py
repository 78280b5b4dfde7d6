"""What is wrong with rules that were right when they were saved, or that nobody can ever satisfy, in words.

Nothing here stops an evaluation: a retired type, an archived list and a removed field go on being found. It is
shown wherever a list is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, Problem
from people.core.kinds import Facet
from people.datatypes.canonical import text_key
from people.datatypes.registry import BOOLEAN_OPERATORS, MOMENT_OPERATORS, NUMBER_OPERATORS, TEXT_OPERATORS, DataType
from people.models import PersonField, StaticList
from smartlists import models
from smartlists.catalog import Catalogue
from smartlists.evaluation import nesting
from smartlists.evaluation.evidence import label_of
from smartlists.lists import lookback
from smartlists.rules import model as rules
from smartlists.rules import operators
from smartlists.rules.model import FILTERS
from smartlists.rules.names import Naming
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import Type


def of_list(smart_list: "models.SmartList", names: Catalogue | None = None) -> list[Problem]:
    """What is wrong with a saved list, and with the lists that it looks in."""
    return of_rules(smart_list.parsed, names or Catalogue())


def of_rules(found: rules.Rules, names: Catalogue, path: Path = ()) -> list[Problem]:
    """What is wrong with rules, and with the lists that they look in; `path` is where they stand."""
    told = [replace(problem, path=(*path, *problem.path)) for problem in problems(found, names)]
    for list_id, nested in nesting.inside_out(found):
        inner = names.smart_lists.get(list_id, str(list_id))
        for problem in problems(nested, names):
            message = _("In the list “%(list)s”: %(problem)s") % {"list": inner, "problem": problem.message}
            told.append(Problem(problem.code, message, path))
    return told


def sentences(found: Iterable[Problem]) -> list[str]:
    """Each thing that is wrong, said once."""
    return list(dict.fromkeys(str(problem.message) for problem in found))


def problems(found: rules.Rules, names: Catalogue | None = None, clock: Clock | None = None) -> list[Problem]:
    """What is wrong with each filter, with its path."""
    doctor = _Doctor(names or Catalogue(), clock or Clock.current())
    return [
        problem
        for position, item in enumerate(found.filters)
        for problem in doctor.look_at(item, ("filters", position))
    ]


class _Doctor:
    def __init__(self, names: Catalogue, clock: Clock) -> None:
        self.names = names
        self.naming = Naming(names)
        self.clock = clock

    def look_at(self, item: rules.Filter, path: Path) -> Iterator[Problem]:
        yield from FILTER_DIAGNOSTICS.of(item)(self, item, path)

    def person_field(self, item: rules.PersonField, path: Path) -> Iterator[Problem]:
        field = self.names.person_fields.get(item.field)
        if field is None:
            yield _gone(Code.REMOVED_FIELD, _("the person field “%(name)s”"), item.field, path)
        elif PersonField.objects.filter(pk=field.id, is_hidden=True).exists():
            message = _("The person field “%(name)s” is hidden; the filter goes on using it.")
            yield Problem(Code.HIDDEN_FIELD, message % {"name": field.shown_label}, (*path, "field"))
        elif self._contradictions([item], lambda _item: field.data_type):
            yield _never(path, True)

    def activity(self, item: rules.Activity, path: Path) -> Iterator[Problem]:
        of = self.names.types.get(item.type)
        if of is None:
            yield _gone("deleted_type", _("the activity type “%(name)s”"), item.type, path)
            return
        yield from self._fields(of, rules.fields_of(item), path)
        yield from lookback.problems(of, lookback.start_of(item.constraints, self.clock), self.clock, path)
        if self._row_is_impossible(of, item.constraints, path):
            yield _never(path, item.did != _holds_without_rows(item))
        elif _group_is_impossible(item):
            yield _never(path, item.did)

    def sequence(self, item: rules.Sequence, path: Path) -> Iterator[Problem]:
        named = list(rules.fields_of(item))
        starts = lookback.starts_of(item.steps, self.clock)
        for position, (step, start) in enumerate(zip(item.steps, starts, strict=True)):
            of = self.names.types.get(step.type)
            place = (*path, "steps", position)
            if of is None:
                yield _gone("deleted_type", _("the activity type “%(name)s”"), step.type, place)
                continue
            yield from self._fields(of, [one for one in named if one[0] == step.type], place)
            yield from lookback.problems(of, start, self.clock, place)
            if self._row_is_impossible(of, step.constraints, place):
                yield _never(place, not step.is_not)

    def static_list(self, item: rules.StaticList, path: Path) -> Iterator[Problem]:
        found = StaticList.objects.filter(pk=item.list).first()
        yield from _list_problems(found, item.list, path)

    def smart_list(self, item: rules.SmartList, path: Path) -> Iterator[Problem]:
        found = models.SmartList.objects.filter(pk=item.list).first()
        yield from _list_problems(found, item.list, path)

    def _fields(self, of: Type, named: Iterable[tuple[str, str]], path: Path) -> Iterator[Problem]:
        if of.is_retired:
            message = _("“%(name)s” is retired: no new activities are recorded, those that are there count.")
            yield Problem(Code.RETIRED_TYPE, message % {"name": of.shown_name}, (*path, "type"))
        for name in dict.fromkeys(field for _type, field in named):
            field = of.fields.get(name)
            shown = {"name": label_of(self.naming, of.api_name, name), "type": of.shown_name}
            if field is None:
                yield Problem(Code.REMOVED_FIELD, _("“%(type)s” never had the field “%(name)s”.") % shown, path)
            elif not field.is_live:
                message = _("The field “%(name)s” was removed from “%(type)s”: only earlier activities can have it.")
                yield Problem(Code.REMOVED_FIELD, message % shown, path)

    def _row_is_impossible(self, of: Type, constraints: Sequence[rules.Constraint], path: Path) -> bool:
        known = [one for one in constraints if one.field in of.fields]
        by_field: dict[str, list[rules.Constraint]] = {}
        for one in known:
            by_field.setdefault(one.field, []).append(one)
        return any(
            self._contradictions(same, lambda one: of.fields[one.field].data_type, _LATEST.get(name))
            for name, same in by_field.items()
        )

    def _contradictions(
        self, same: Sequence[Any], type_of: Callable[[Any], DataType], latest: Callable[[], timedelta] | None = None
    ) -> bool:
        """Whether no value, and not having one neither, satisfies all these conditions on one field."""
        if all(operators.passes_without_value(one.operator, one.empty) for one in same) and latest is None:
            return False
        if any(one.operator == "is empty" for one in same):
            return True
        data_type = type_of(same[0])
        wanted = [
            one for one in same if one.operator != "is not empty" and not operators.OPERATORS[one.operator].negates
        ]
        refused = [one for one in same if operators.OPERATORS[one.operator].negates]
        return _FAMILIES[data_type.operators](self, data_type, wanted, refused, latest)

    def moments(
        self,
        data_type: DataType,
        wanted: Sequence[Any],
        _refused: Sequence[Any],
        latest: Callable[[], timedelta] | None,
    ) -> bool:
        possible: list[operators.Range] = [(None, None)]
        if latest and any(one.operator in _AHEAD for one in wanted):
            possible = [(None, self.clock.now + latest())]
        for one in wanted:
            stretches = operators.ranges(data_type, one.operator, one.values, self.clock)
            possible = [both for first in possible for second in stretches if _is_open(both := _both(first, second))]
        return not possible

    def numbers(self, _data_type: DataType, wanted: Sequence[Any], refused: Sequence[Any], _latest: Any) -> bool:
        low, high = (Decimal("-Infinity"), False), (Decimal("Infinity"), True)
        chosen: set[Decimal] | None = None
        for one in wanted:
            values = [Decimal(value) for value in one.values]
            if one.operator == "is":
                chosen = set(values) if chosen is None else chosen & set(values)
                continue
            # a bound that is not allowed itself sorts after (below) or before (above) the same number that is
            if one.operator in ("at least", "greater than", "between"):
                low = max(low, (values[0], one.operator == "greater than"))
            if one.operator in ("at most", "less than", "between"):
                high = min(high, (values[-1], one.operator != "less than"))
        never = {Decimal(value) for one in refused for value in one.values}
        if chosen is None:
            return low[0] > high[0] or (low[0] == high[0] and (low[1] or not high[1] or low[0] in never))
        fits = {one for one in chosen if (low[0], low[1]) <= (one, False) and (one, True) <= high}
        return not fits - never

    def texts(self, _data_type: DataType, wanted: Sequence[Any], refused: Sequence[Any], _latest: Any) -> bool:
        fixed = [{text_key(value) for value in one.values} for one in wanted if one.operator == "is"]
        if not fixed:
            return False
        possible = set.intersection(*fixed)
        for one in (*wanted, *refused):
            test = _TESTS[operators.OPERATORS[one.operator].negates or one.operator]
            keys = [text_key(value) for value in one.values]
            is_wanted = not operators.OPERATORS[one.operator].negates
            possible = {text for text in possible if any(test(text, key) for key in keys) == is_wanted}
        return not possible

    def booleans(self, _data_type: DataType, wanted: Sequence[Any], _refused: Sequence[Any], _latest: Any) -> bool:
        return len({value for one in wanted for value in one.values}) > 1


def _group_is_impossible(item: rules.Activity) -> bool:
    """No rows at all, and yet something computed from them."""
    if item.count is None or item.count.bounds[1] != 0 or item.aggregate is None:
        return False
    return not operators.passes_without_value(item.aggregate.operator, None)


def _holds_without_rows(item: rules.Activity) -> bool:
    """As "between 0 and 3 times" does."""
    if item.count is None or item.count.bounds[0] != 0:
        return False
    return item.aggregate is None or operators.passes_without_value(item.aggregate.operator, None)


def _both(first: operators.Range, second: operators.Range) -> operators.Range:
    starts = [one for one in (first[0], second[0]) if one is not None]
    ends = [one for one in (first[1], second[1]) if one is not None]
    return max(starts, default=None), min(ends, default=None)


def _is_open(stretch: operators.Range) -> bool:
    return stretch[0] is None or stretch[1] is None or stretch[0] < stretch[1]


def _never(path: Path, is_wanted: bool) -> Problem:
    if is_wanted:
        return Problem(Code.NEVER_MATCHES, _("This can never hold: its conditions contradict each other."), path)
    message = _("This holds for everybody: its conditions contradict each other, so nobody can have done it.")
    return Problem(Code.ALWAYS_MATCHES, message, path)


def _gone(code: str, what: str, name: str, path: Path) -> Problem:
    message = _("%(what)s is no longer there.") % {"what": what % {"name": name}}
    return Problem(code, message[:1].upper() + message[1:], path)


def _list_problems(found: Any, list_id: int, path: Path) -> Iterator[Problem]:
    if found is None:
        yield _gone("deleted_list", _("the list “%(name)s”"), str(list_id), path)
    elif found.is_archived:
        message = _("The list “%(name)s” is archived; the filter goes on using it.") % {"name": found.name}
        yield Problem(Code.ARCHIVED_LIST, message, (*path, "list"))


_AHEAD = frozenset({"in future", "in future after"})
# how far ahead of now the moments of an activity can lie
_LATEST: Mapping[str, Callable[[], timedelta]] = {
    "@occurred_at": lambda: timedelta(hours=settings.ACTIVITIES_MAX_HOURS_AHEAD),
    "@recorded_at": lambda: timedelta(0),
}
_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "is": str.__eq__,
    "starts with": str.startswith,
    "ends with": str.endswith,
    "contains": str.__contains__,
}
_FAMILIES: Mapping[tuple[str, ...], Callable[..., bool]] = {
    TEXT_OPERATORS: _Doctor.texts,
    NUMBER_OPERATORS: _Doctor.numbers,
    BOOLEAN_OPERATORS: _Doctor.booleans,
    MOMENT_OPERATORS: _Doctor.moments,
}
FILTER_DIAGNOSTICS: Facet[Callable[[_Doctor, Any, Path], Iterable[Problem]]] = FILTERS.facet(
    "what can be wrong with it",
    {
        "person_field": _Doctor.person_field,
        "activity": _Doctor.activity,
        "sequence": _Doctor.sequence,
        "static_list": _Doctor.static_list,
        "smart_list": _Doctor.smart_list,
    },
)
