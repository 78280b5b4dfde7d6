"""The list of people: rows, columns, filters in force, and the actions on what is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from people.admin.people_request import PeopleRequest
from people.core.admin.base import PagesAdmin, problem_text
from people.core.errors import RejectedError
from people.datatypes.display import localized_value
from people.datatypes.keys import MAX_ID
from people.datatypes.registry import BOOLEAN_OPERATORS, TEXT_OPERATORS
from people.directory import columns as directory_columns
from people.directory import filters, pages
from people.directory import views as people_views
from people.directory.filters import EMPTINESS, KINDS, LABELS, FieldFilter, ReferenceFilter
from people.directory.orders import ORDERS
from people.directory.pages import PeoplePage, PeoplePlan
from people.fields import catalog
from people.fields.catalog import FieldInfo
from people.models import Person
from people.persons import size as person_size
from people.persons import suggestions
from people.rights import VIEW_ACTIVITY

PAGE = 50
CHOICES = 500  # of a filter by a list or a type
SUGGESTED = 50


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force: its sentence, and the address of the list without it."""

    sentence: str
    url: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A column heading: the address that sorts by it (empty: no index serves that), and the value of aria-sort."""

    label: Any
    url: str = ""
    sorted: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class PeopleListCell:
    """One value of a row, as text, or as a moment that is shown relative to now."""

    text: Any = ""
    moment: datetime | None = None
    is_number: bool = False
    label: str = ""  # the label of a value that is unclear without its heading, which telephones do not show


@dataclass(frozen=True, slots=True)
class NewFilter:
    """The form of a filter to be added: a field with its operators and suggestions, or the rows of a kind."""

    name: str
    label: Any
    operators: Sequence[tuple[str, Any]] = ()
    operator: str = ""
    input: str = "text"
    choices: Sequence[tuple[Any, Any]] = ()
    suggestions: Sequence[str] = ()
    value: str = ""
    problem: str = ""


def show_people(pages_admin: PagesAdmin, request: HttpRequest) -> HttpResponse:
    """One page of the people who match, or what is wrong with a filter; a complete new filter is added first."""
    fields = catalog.field_catalogue()
    people_request = PeopleRequest.of(request.GET, request.user, fields)
    new = _new_filter(request, fields)
    if new is not None and not new.problem and ("op" in request.GET or "value" in request.GET):
        return redirect(request.path + people_request.address(_with_filter(people_request, new, fields)))
    page, plan, problem = PeoplePage([]), None, ""
    try:
        plan = pages.plan_people(people_request.query, request.user)
        page = _page_at(plan, people_request)
    except RejectedError as refusal:
        problem = problem_text(refusal.problems[0])
    return pages_admin.page(
        request,
        "people",
        _("People"),
        people_request=people_request,
        rows=_rows(request, page.ids, people_request, fields),
        headings=[_heading(name, people_request, fields, request.user) for name in people_request.columns],
        name_heading=_name_heading(people_request),
        people_page=page,
        count=_count(people_request, plan, page),
        problem=problem,
        chips=_chips(people_request, fields),
        new=new,
        offered_kinds=[kind for kind in KINDS.values() if request.user.has_perm(kind.right)],
        offered_fields=[info for info in fields.values() if not info.is_hidden],
        offered_columns=_offered_columns(people_request, fields, request.user),
        orders=[(name, order.label, name == people_request.query.order) for name, order in ORDERS.items()],
        following=people_request.address(after=page.following) if page.following else "",
        preceding=people_request.address(before=page.preceding) if page.preceding else "",
        may_change_view=people_request.view is not None
        and people_views.may_change_view(people_request.view, request.user),
        is_default=people_request.view is not None
        and people_request.view.pk == people_request.settings.default_view_id,
        within=people_request.query.address() or "all=1",
        here=people_request.address(),
        read=pages.MOST_READ,
    )


def _page_at(plan: PeoplePlan, people_request: PeopleRequest) -> PeoplePage:
    page = pages.read_page(plan, people_request.place, PAGE, is_back=people_request.is_back)
    if people_request.is_back and not page.preceding and len(page.ids) < PAGE:  # before the start: show the first page
        return pages.read_page(plan, pages.Position(), PAGE)
    return page


def _count(people_request: PeopleRequest, plan: PeoplePlan | None, page: PeoplePage) -> int | None:
    if people_request.query.is_unfiltered:
        return person_size.people_count()
    return None if plan is None else pages.known_count(plan, page)


# --- Rows and columns -----------------------------------------------------------------------------------------


def _rows(
    request: HttpRequest, ids: Sequence[int], people_request: PeopleRequest, fields: Mapping[str, FieldInfo]
) -> list[tuple[Person, str, list[PeopleListCell]]]:
    """Person, address of the profile, and cells of each row; one statement for people, one a source of columns."""
    people = Person.objects.live().in_bulk(ids)
    computed = directory_columns.computed_values(people_request.columns, ids)
    page = "activities_timeline" if request.user.has_perm(VIEW_ACTIVITY) else "people_person_change"
    labels = {name: str(column.label) for name, column in directory_columns.computed_columns(request.user).items()}
    stem, end = reverse(f"admin:{page}", args=[MAX_ID]).split(str(MAX_ID))
    within = urlencode({"people": people_request.query.address() or "all=1"})
    return [
        (
            people[pk],
            f"{stem}{pk}{end}?{within}",
            [_cell(people[pk], name, fields, computed[pk], labels) for name in people_request.columns],
        )
        for pk in ids
        if pk in people
    ]


def _cell(
    person: Person, name: str, fields: Mapping[str, FieldInfo], computed: Mapping[str, Any], labels: Mapping[str, str]
) -> PeopleListCell:
    if name not in fields:
        value, label = computed.get(name), labels.get(name, "")
        is_moment = isinstance(value, datetime)
        return (
            PeopleListCell(moment=value, label=label)
            if is_moment
            else PeopleListCell(value, None, value is not None, label)
        )
    value = catalog.person_value(person, fields[name])
    if isinstance(value, datetime):
        return PeopleListCell(moment=value, label=fields[name].shown_label)
    is_telling = fields[name].data_type.operators is TEXT_OPERATORS
    label = "" if is_telling else fields[name].shown_label
    return PeopleListCell(localized_value(value, name), None, fields[name].data_type.is_number, label)


def _heading(name: str, people_request: PeopleRequest, fields: Mapping[str, FieldInfo], by: Any) -> Heading:
    if name not in fields:
        column = directory_columns.computed_columns(by)[name]
        return Heading(column.label, is_number=column.is_number)
    label, is_number = fields[name].shown_label, fields[name].data_type.is_number
    if name not in ORDERS:
        return Heading(label, is_number=is_number)
    return _sorting_heading(label, name, people_request)


def _sorting_heading(label: Any, name: str, people_request: PeopleRequest) -> Heading:
    shown = people_request.query.order
    sorted_now = {name: "ascending", f"-{name}": "descending"}.get(shown, "")
    return Heading(label, people_request.sorted_by(f"-{name}" if shown == name else name), sorted_now)


def _name_heading(people_request: PeopleRequest) -> Heading:
    """Names are sorted by the last name, which has the index."""
    return _sorting_heading(_("Name"), "last_name", people_request)


def _offered_columns(
    people_request: PeopleRequest, fields: Mapping[str, FieldInfo], by: Any
) -> list[tuple[str, Any, bool]]:
    computed = directory_columns.computed_columns(by)
    labels = {name: column.label for name, column in computed.items()}
    labels |= {
        name: info.shown_label for name, info in fields.items() if not info.is_hidden or name in people_request.columns
    }
    return [(name, label, name in people_request.columns) for name, label in labels.items()]


# --- Filters --------------------------------------------------------------------------------------------------


def _chips(people_request: PeopleRequest, fields: Mapping[str, FieldInfo]) -> list[Chip]:
    chips = [
        Chip(_filter_sentence(item, fields), people_request.address(people_request.query.without(item)))
        for item in people_request.query.filters
    ]
    if people_request.query.text:
        text = _("Words: %(words)s") % {"words": people_request.query.text}
        chips.insert(0, Chip(text, people_request.address(replace(people_request.query, text=""))))
    return chips


def _filter_sentence(item: filters.Filter, fields: Mapping[str, FieldInfo]) -> str:
    if isinstance(item, ReferenceFilter):
        kind = KINDS.get(item.kind)
        name = kind.name_of(item.id) if kind else None
        return str(kind.sentence if kind else "%(name)s") % {"name": name or f"#{item.id}"}
    info = fields.get(item.field)
    label = info.shown_label if info else item.field
    operator = str(LABELS.get(item.operator, item.operator))
    if item.operator in EMPTINESS:
        return f"{label} {operator}"
    return f"{label} {operator} {_shown_value(item, info)}"


def _shown_value(item: FieldFilter, info: FieldInfo | None) -> str:
    if info is None:
        return item.value
    try:
        checked = filters.parse_field_filter(item.field, item.operator, item.value, {item.field: info})
        day = info.data_type.is_moment and info.data_type.name == "datetime"
        value = datetime.fromisoformat(checked.value).date() if day else info.data_type.from_json(checked.value)
        return localized_value(value) or item.value
    except (RejectedError, ValueError, TypeError):
        return item.value


def _new_filter(request: HttpRequest, fields: Mapping[str, FieldInfo]) -> NewFilter | None:
    """The filter that the address begins or completes; with the problem of its value."""
    name = request.GET.get("new", "")
    operator, value = request.GET.get("op", ""), request.GET.get("value", "")[:255]
    kind = KINDS.get(name)
    if kind is not None and request.user.has_perm(kind.right):
        choices = list(islice(kind.choices(), CHOICES))
        is_wrong = "value" in request.GET and not (value.isascii() and value.isdigit() and 0 < len(value) < 11)
        problem = _("Choose one from the list.") if is_wrong else ""
        return NewFilter(name, kind.label, choices=choices, value=value, problem=problem)
    info = fields.get(name)
    if info is None:
        return None
    problem = ""
    if "op" in request.GET:
        try:
            filters.parse_field_filter(name, operator, value, fields)
        except RejectedError as refusal:
            problem = problem_text(refusal.problems[0])
    operators = [(operator, LABELS[operator]) for operator in filters.operators_of(info)]
    is_boolean = info.data_type.operators is BOOLEAN_OPERATORS
    return NewFilter(
        name,
        info.shown_label,
        operators,
        operator,
        "date" if info.data_type.is_moment else "text",
        [("true", _("Yes")), ("false", _("No"))] if is_boolean else (),
        suggestions.suggest_values(info, limit=SUGGESTED) if not value else (),
        value,
        problem,
    )


def _with_filter(people_request: PeopleRequest, new: NewFilter, fields: Mapping[str, FieldInfo]) -> Any:
    item: filters.Filter = (
        ReferenceFilter(new.name, int(new.value))
        if new.name in KINDS
        else filters.parse_field_filter(new.name, new.operator, new.value, fields)
    )
    other_filters = [other for other in people_request.query.filters if other != item][: filters.MAX_FILTERS - 1]
    return replace(people_request.query, filters=(*other_filters, item))
