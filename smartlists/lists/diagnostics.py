"""Diagnostics of rules: references that became invalid after saving, and conditions that no person can satisfy.

They do not prevent an evaluation: a retired type, an archived list and a removed field still work in filters. The
diagnostics are shown wherever a list is shown.
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
from smartlists.evaluation.row_misses import field_label
from smartlists.lists import lookback
from smartlists.rules import model as rules
from smartlists.rules import operators
from smartlists.rules.model import FILTERS
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import FieldOwner, VocabularyType


def smart_list_problems(smart_list: "models.SmartList", names: Catalogue | None = None) -> list[Problem]:
    """The problems of a saved list and of the lists that it uses."""
    return rules_problems(smart_list.parsed, names or Catalogue())


def rules_problems(parsed: rules.Rules, names: Catalogue, path: Path = ()) -> list[Problem]:
    """The problems of rules and of the lists that they use; `path` is the path of the rules."""
    found_problems = [replace(problem, path=(*path, *problem.path)) for problem in filter_problems(parsed, names)]
    for list_id, nested in nesting.nested_lists_first(parsed):
        inner = names.smart_lists.get(list_id, str(list_id))
        for problem in filter_problems(nested, names):
            message = _("In the list “%(list)s”: %(problem)s") % {"list": inner, "problem": problem.message}
            found_problems.append(Problem(problem.code, message, path))
    return found_problems


def problem_messages(found_problems: Iterable[Problem]) -> list[str]:
    """The messages of the problems, without duplicates."""
    return list(dict.fromkeys(str(problem.message) for problem in found_problems))


def filter_problems(parsed: rules.Rules, names: Catalogue | None = None, clock: Clock | None = None) -> list[Problem]:
    """The problems of each filter, with their paths."""
    checker = _FilterChecker(names or Catalogue(), clock or Clock.current())
    return [
        problem
        for position, item in enumerate(parsed.filters)
        for problem in checker.look_at(item, ("filters", position))
    ]


class _FilterChecker:
    def __init__(self, names: Catalogue, clock: Clock) -> None:
        self.names = names
        self.clock = clock

    def look_at(self, item: rules.Filter, path: Path) -> Iterator[Problem]:
        yield from FILTER_DIAGNOSTICS.of(item)(self, item, path)

    def person_field(self, item: rules.PersonField, path: Path) -> Iterator[Problem]:
        field = self.names.person_fields.get(item.field)
        if field is None:
            yield _missing(Code.REMOVED_FIELD, _("the person field “%(name)s”"), item.field, path)
        elif PersonField.objects.filter(pk=field.id, is_hidden=True).exists():
            message = _("The person field “%(name)s” is hidden; the filter keeps using it.")
            yield Problem(Code.HIDDEN_FIELD, message % {"name": field.shown_label}, (*path, "field"))
        elif self._contradictions([item], lambda _item: field.data_type):
            yield _contradiction(path, True)

    def activity(self, item: rules.Activity, path: Path) -> Iterator[Problem]:
        activity_type = self.names.types.get(item.type)
        if activity_type is None:
            yield _missing("deleted_type", _("the activity type “%(name)s”"), item.type, path)
            return
        yield from self._fields(activity_type, rules.activity_fields_of(item), path)
        yield from lookback.lookback_problems(
            activity_type, lookback.earliest_start(item.constraints, self.clock), self.clock, path
        )
        if self._row_is_impossible(activity_type, item.row_constraints, path):
            yield _contradiction(path, item.did != _holds_without_rows(item))
        elif _group_is_impossible(item):
            yield _contradiction(path, item.did)

    def sequence(self, item: rules.Sequence, path: Path) -> Iterator[Problem]:
        type_fields = list(rules.activity_fields_of(item))
        starts = lookback.earliest_starts(item.steps, self.clock)
        for position, (step, start) in enumerate(zip(item.steps, starts, strict=True)):
            activity_type = self.names.types.get(step.type)
            place = (*path, "steps", position)
            if activity_type is None:
                yield _missing("deleted_type", _("the activity type “%(name)s”"), step.type, place)
                continue
            yield from self._fields(
                activity_type, [(type_name, field) for type_name, field in type_fields if type_name == step.type], place
            )
            yield from lookback.lookback_problems(activity_type, start, self.clock, place)
            if self._row_is_impossible(activity_type, step.row_constraints, place):
                yield _contradiction(place, not step.is_not)

    def static_list(self, item: rules.StaticList, path: Path) -> Iterator[Problem]:
        static_list = StaticList.objects.filter(pk=item.list).first()
        yield from _list_problems(static_list, item.list, path)

    def smart_list(self, item: rules.SmartList, path: Path) -> Iterator[Problem]:
        smart_list = models.SmartList.objects.filter(pk=item.list).first()
        yield from _list_problems(smart_list, item.list, path)

    def object(self, item: rules.Object, path: Path) -> Iterator[Problem]:
        object_type = self.names.objects.get(item.type)
        if object_type is None:
            yield _missing("deleted_type", _("the object type “%(name)s”"), item.type, path)
            return
        if object_type.is_retired:
            message = _("“%(name)s” is retired: its records no longer change, but they count.")
            yield Problem(Code.RETIRED_TYPE, message % {"name": object_type.shown_name}, (*path, "type"))
        for name in dict.fromkeys(rules.object_fields_of(item)):
            field = object_type.fields.get(name)
            parameters = {"name": field_label(object_type, name), "type": object_type.shown_name}
            if field is None:
                yield Problem(Code.REMOVED_FIELD, _("“%(type)s” never had the field “%(name)s”.") % parameters, path)
            elif not field.is_live:
                message = _("The field “%(name)s” was removed from “%(type)s”: only earlier values are left.")
                yield Problem(Code.REMOVED_FIELD, message % parameters, path)
        if self._row_is_impossible(object_type, item.constraints, path):
            yield _contradiction(path, item.has != _holds_without_rows(item))
        elif _group_is_impossible(item):
            yield _contradiction(path, item.has)

    def _fields(
        self, activity_type: VocabularyType, type_fields: Iterable[tuple[str, str]], path: Path
    ) -> Iterator[Problem]:
        if activity_type.is_retired:
            message = _("“%(name)s” is retired: no new activities are recorded, but existing ones count.")
            yield Problem(Code.RETIRED_TYPE, message % {"name": activity_type.shown_name}, (*path, "type"))
        for name in dict.fromkeys(field for _type, field in type_fields):
            field = activity_type.fields.get(name)
            parameters = {"name": field_label(activity_type, name), "type": activity_type.shown_name}
            if field is None:
                yield Problem(Code.REMOVED_FIELD, _("“%(type)s” never had the field “%(name)s”.") % parameters, path)
            elif not field.is_live:
                message = _("The field “%(name)s” was removed from “%(type)s”: only earlier activities can have it.")
                yield Problem(Code.REMOVED_FIELD, message % parameters, path)

    def _row_is_impossible(self, owner: FieldOwner, constraints: Sequence[rules.Constraint], path: Path) -> bool:
        by_field: dict[str, list[rules.Constraint]] = {}
        for constraint in constraints:
            if constraint.field in owner.fields:
                by_field.setdefault(constraint.field, []).append(constraint)
        return any(
            self._contradictions(
                same_field, lambda constraint: owner.fields[constraint.field].data_type, _LATEST.get(name)
            )
            for name, same_field in by_field.items()
        )

    def _contradictions(
        self,
        conditions: Sequence[Any],
        type_of: Callable[[Any], DataType],
        latest: Callable[[], timedelta] | None = None,
    ) -> bool:
        """True if neither any value nor a missing value satisfies all these conditions on one field."""
        if all(operators.passes_without_value(item.operator, item.empty) for item in conditions) and latest is None:
            return False
        if any(item.operator == "is empty" for item in conditions):
            return True
        data_type = type_of(conditions[0])
        refused = [item for item in conditions if operators.OPERATORS[item.operator].negates]
        required = [
            item
            for item in conditions
            if item.operator != "is not empty" and not operators.OPERATORS[item.operator].negates
        ]
        return _FAMILIES[data_type.operators](self, data_type, required, refused, latest)

    def moments(
        self,
        data_type: DataType,
        required: Sequence[Any],
        _refused: Sequence[Any],
        latest: Callable[[], timedelta] | None,
    ) -> bool:
        possible: list[operators.Range] = [(None, None)]
        if latest and any(condition.operator in _AHEAD for condition in required):
            possible = [(None, self.clock.now + latest())]
        for condition in required:
            stretches = operators.time_ranges(data_type, condition.operator, condition.values, self.clock)
            possible = [both for first in possible for second in stretches if _is_open(both := _both(first, second))]
        return not possible

    def numbers(self, _data_type: DataType, required: Sequence[Any], refused: Sequence[Any], _latest: Any) -> bool:
        low, high = (Decimal("-Infinity"), False), (Decimal("Infinity"), True)
        allowed: set[Decimal] | None = None
        for condition in required:
            values = [Decimal(value) for value in condition.values]
            if condition.operator == "is":
                allowed = set(values) if allowed is None else allowed & set(values)
                continue
            # an exclusive lower bound sorts after the same inclusive number, an exclusive upper bound before it
            if condition.operator in ("at least", "greater than", "between"):
                low = max(low, (values[0], condition.operator == "greater than"))
            if condition.operator in ("at most", "less than", "between"):
                high = min(high, (values[-1], condition.operator != "less than"))
        excluded = {Decimal(value) for condition in refused for value in condition.values}
        if allowed is None:
            return low[0] > high[0] or (low[0] == high[0] and (low[1] or not high[1] or low[0] in excluded))
        fits = {number for number in allowed if (low[0], low[1]) <= (number, False) and (number, True) <= high}
        return not fits - excluded

    def texts(self, _data_type: DataType, required: Sequence[Any], refused: Sequence[Any], _latest: Any) -> bool:
        fixed = [
            {text_key(value) for value in condition.values} for condition in required if condition.operator == "is"
        ]
        if not fixed:
            return False
        possible = set.intersection(*fixed)
        for condition in (*required, *refused):
            test = _TESTS[operators.OPERATORS[condition.operator].negates or condition.operator]
            keys = [text_key(value) for value in condition.values]
            is_positive = not operators.OPERATORS[condition.operator].negates
            possible = {text for text in possible if any(test(text, key) for key in keys) == is_positive}
        return not possible

    def booleans(self, _data_type: DataType, required: Sequence[Any], _refused: Sequence[Any], _latest: Any) -> bool:
        return len({value for condition in required for value in condition.values}) > 1


def _group_is_impossible(item: rules.Activity | rules.Object) -> bool:
    """True if the filter requires an aggregate over no rows at all."""
    if item.count is None or item.count.bounds[1] != 0 or item.aggregate is None:
        return False
    return not operators.passes_without_value(item.aggregate.operator, None)


def _holds_without_rows(item: rules.Activity | rules.Object) -> bool:
    """True if a person without any row passes, as with "between 0 and 3 times"."""
    if item.count is None or item.count.bounds[0] != 0:
        return False
    return item.aggregate is None or operators.passes_without_value(item.aggregate.operator, None)


def _both(first: operators.Range, second: operators.Range) -> operators.Range:
    starts = [start for start in (first[0], second[0]) if start is not None]
    ends = [end for end in (first[1], second[1]) if end is not None]
    return max(starts, default=None), min(ends, default=None)


def _is_open(stretch: operators.Range) -> bool:
    return stretch[0] is None or stretch[1] is None or stretch[0] < stretch[1]


def _contradiction(path: Path, is_positive: bool) -> Problem:
    if is_positive:
        return Problem(Code.NEVER_MATCHES, _("This can never match: its conditions contradict each other."), path)
    message = _("This matches everyone: its conditions contradict each other, so nobody can have done it.")
    return Problem(Code.ALWAYS_MATCHES, message, path)


def _missing(code: str, what: str, name: str, path: Path) -> Problem:
    message = _("%(what)s no longer exists.") % {"what": what % {"name": name}}
    return Problem(code, message[:1].upper() + message[1:], path)


def _list_problems(used_list: Any, list_id: int, path: Path) -> Iterator[Problem]:
    if used_list is None:
        yield _missing("deleted_list", _("the list “%(name)s”"), str(list_id), path)
    elif used_list.is_archived:
        message = _("The list “%(name)s” is archived; the filter keeps using it.") % {"name": used_list.name}
        yield Problem(Code.ARCHIVED_LIST, message, (*path, "list"))


_AHEAD = frozenset({"in future", "in future after"})
# the latest possible moments of an activity or record, as a distance from now
_LATEST: Mapping[str, Callable[[], timedelta]] = {
    "@occurred_at": lambda: timedelta(hours=settings.ACTIVITIES_MAX_HOURS_AHEAD),
    "@recorded_at": lambda: timedelta(0),
    "@created_at": lambda: timedelta(0),
    "@updated_at": lambda: timedelta(0),
}
_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "is": str.__eq__,
    "starts with": str.startswith,
    "ends with": str.endswith,
    "contains": str.__contains__,
}
_FAMILIES: Mapping[tuple[str, ...], Callable[..., bool]] = {
    TEXT_OPERATORS: _FilterChecker.texts,
    NUMBER_OPERATORS: _FilterChecker.numbers,
    BOOLEAN_OPERATORS: _FilterChecker.booleans,
    MOMENT_OPERATORS: _FilterChecker.moments,
}
FILTER_DIAGNOSTICS: Facet[Callable[[_FilterChecker, Any, Path], Iterable[Problem]]] = FILTERS.facet(
    "diagnostics",
    {
        "person_field": _FilterChecker.person_field,
        "activity": _FilterChecker.activity,
        "sequence": _FilterChecker.sequence,
        "static_list": _FilterChecker.static_list,
        "smart_list": _FilterChecker.smart_list,
        "consent": lambda _checker, _item, _path: (),
        "object": _FilterChecker.object,
    },
)
