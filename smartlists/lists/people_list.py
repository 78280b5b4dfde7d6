"""Smart lists in the list of people: a filter by the stored members, and a smart list with the filters as rules."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import ActivityType
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.directory import filters
from people.directory.filters import AppliedFilter, FieldFilter, ReferenceKind
from people.directory.query import PeopleQuery
from smartlists.evaluation import stored as stored_evaluations
from smartlists.models import SmartList
from smartlists.rules import model as rules


def apply_smart_list(smart_list_id: int, _by: Any) -> AppliedFilter:
    """The members as of the list's current evaluation. Raises `RejectedError` (`unknown_list`) without one."""
    smart_list = SmartList.objects.filter(pk=smart_list_id).first()
    if smart_list is None:
        raise RejectedError(Problem(Code.UNKNOWN_LIST, _("This smart list is no longer there."), ("smart",)))
    current = stored_evaluations.current_evaluation(smart_list)
    if current is None:
        message = _("“%(list)s” has not been counted since its rules changed. Open its members once to count them.")
        raise RejectedError(Problem(Code.UNKNOWN_LIST, message % {"list": smart_list.name}, ("smart",)))
    return AppliedFilter(current.person_ids)


def rules_of_query(query: PeopleQuery) -> rules.Rules:
    """The filters as rules that mean exactly the same.

    Raises `RejectedError` (`unknown_filter`, `unknown_type`, `missing_value`) that names the filter without a rule.
    """
    if query.text:
        message = _("The search for “%(words)s” can't be a rule. Use a filter by field instead, such as “starts with”.")
        raise RejectedError(Problem(Code.UNKNOWN_FILTER, message % {"words": query.text}, ("q",)))
    if not query.filters:
        raise RejectedError(
            Problem(Code.MISSING_VALUE, _("Add a filter first. Without one, the list would be everybody."), ())
        )
    return rules.Rules(filters=tuple(_rule(item) for item in query.filters))


def _rule(item: filters.Filter) -> rules.Filter:
    if isinstance(item, FieldFilter):
        values = () if item.operator in filters.EMPTINESS else (item.value,)
        return rules.PersonField(item.field, item.operator, values)
    if item.kind not in _RULES:
        raise RejectedError(Problem(Code.UNKNOWN_FILTER, _("One of the filters can't be a rule."), (item.kind,)))
    return _RULES[item.kind](item.id)


def _activity_rule(type_id: int) -> rules.Activity:
    api_name = ActivityType.objects.filter(pk=type_id).values_list("api_name", flat=True).first()
    if api_name is None:
        raise RejectedError(Problem(Code.UNKNOWN_TYPE, _("This activity type is no longer there."), ("did",)))
    return rules.Activity(api_name)


_RULES: Mapping[str, Callable[[int], rules.Filter]] = {
    "list": rules.StaticList,
    "smart": rules.SmartList,
    "did": _activity_rule,
}


def _choices() -> Iterable[tuple[int, str]]:
    return SmartList.objects.filter(is_archived=False).order_by("name").values_list("pk", "name")


def _name_of(smart_list_id: int) -> str | None:
    """The name, with the moment of the count that the filter uses."""
    row = SmartList.objects.filter(pk=smart_list_id).values_list("name", "current__as_of").first()
    if row is None or row[1] is None:
        return row and row[0]
    moment = date_format(localtime(row[1]), "SHORT_DATETIME_FORMAT")
    return _("%(list)s, as of %(moment)s") % {"list": row[0], "moment": moment}


def register_smart_list_filter() -> None:
    """Register the filter; called when the app starts."""
    filters.register_reference_kind(
        ReferenceKind(
            "smart",
            gettext_lazy("Smart list"),
            gettext_lazy("In the smart list “%(name)s”"),
            stored_evaluations.VIEW,
            _choices,
            _name_of,
            apply_smart_list,
        )
    )
