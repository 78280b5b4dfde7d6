"""Search of the command palette: pages, types, people, lists, campaigns and person fields; a few of each kind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.dataclasses import SearchResult

from activities.models import ActivityType
from activities.rights import ADD_ACTIVITYTYPE, VIEW_ACTIVITY, VIEW_ACTIVITYTYPE
from activities.types import standard as standard_types
from config.pages.navigation import UNFOLD
from people.core import words
from people.models import Person, PersonField, StaticList
from people.rights import ADD_PERSON, ADD_STATICLIST, MERGE_PERSON, VIEW_PERSON, VIEW_PERSONFIELD, VIEW_STATICLIST
from smartlists.lists import saved_reports
from smartlists.lists.reports import RIGHTS
from smartlists.models import Dashboard, SavedReport, SmartCampaign, SmartList
from smartlists.rights import ADD_SMARTCAMPAIGN, ADD_SMARTLIST, VIEW_SMARTCAMPAIGN, VIEW_SMARTLIST

FEW = 8  # of each kind


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing: the right to see it, its label, icon and page, and its search."""

    right: str
    label: Any
    icon: str
    page: str
    find: Callable[[str, Any], Any]  # takes the text and the user
    details: Callable[[Any], str] = lambda _row: ""


def search_palette(request: HttpRequest, term: str) -> list[SearchResult]:
    """Unfold's search callback: returns a few things of each kind that the user may see."""
    term = term.strip()[: words.MAX_LENGTH]
    query = words.SearchTerms.of(term)
    if not query or not query.words or not term.isprintable():
        return []
    results = list(islice(_pages(request, query), FEW))
    for kind in KINDS:
        if request.user.has_perm(kind.right):
            results += [
                SearchResult(str(row), _description(row, kind), reverse(kind.page, args=[row.pk]), kind.icon)
                for row in islice(kind.find(term, request.user)[:FEW], FEW)
            ]
    return results


def _types(term: str, _by: Any) -> Any:
    matches = words.filter_by_words(ActivityType.objects.existing(), term, "live__name", "draft__name", "api_name")
    is_found = Q(pk__in=matches.values("pk")) | Q(pk__in=standard_types.find_standard_types(term))
    return ActivityType.objects.existing().select_related("live", "draft").filter(is_found).order_by("-pk")


def _contact(person: Person) -> str:
    """Return details that distinguish people with the same name."""
    email = person.email if str(person) != person.email else ""
    return " · ".join(part for part in (email, person.company) if part)


def _by_name(model: Any) -> Callable[[str, Any], Any]:
    return lambda term, _by: words.filter_by_words(model.objects.all(), term, "name").order_by("is_archived", "name")


def _visible(model: Any) -> Callable[[str, Any], Any]:
    """Return the search of saved reports or dashboards: the user's own ones, and shared ones."""

    def find(term: str, by: Any) -> Any:
        if not by.has_perms(RIGHTS):
            return model.objects.none()
        return words.filter_by_words(saved_reports.visible_rows(model, by), term, "name")

    return find


KINDS = (
    Kind(
        VIEW_PERSON,
        gettext_lazy("Person"),
        "person",
        "admin:people_person_change",
        lambda term, _by: Person.objects.live().newest_beginning_with(term).order_by("-pk"),
        _contact,
    ),
    Kind(VIEW_ACTIVITYTYPE, gettext_lazy("Activity type"), "category", "admin:activities_activitytype_change", _types),
    Kind(
        VIEW_SMARTLIST,
        gettext_lazy("Smart list"),
        "filter_alt",
        "admin:smartlists_smartlist_change",
        _by_name(SmartList),
    ),
    Kind(
        VIEW_STATICLIST, gettext_lazy("Static list"), "list_alt", "admin:people_staticlist_change", _by_name(StaticList)
    ),
    Kind(
        VIEW_SMARTCAMPAIGN,
        gettext_lazy("Smart campaign"),
        "bolt",
        "admin:smartlists_smartcampaign_change",
        lambda term, _by: words.filter_by_words(SmartCampaign.objects.all(), term, "name").order_by("name"),
    ),
    Kind(VIEW_ACTIVITY, gettext_lazy("Dashboard"), "dashboard", "dashboard", _visible(Dashboard)),
    Kind(VIEW_ACTIVITY, gettext_lazy("Saved report"), "bar_chart", "saved-report", _visible(SavedReport)),
    Kind(
        VIEW_PERSONFIELD,
        gettext_lazy("Person field"),
        "badge",
        "admin:people_personfield_change",
        lambda term, _by: words.filter_by_words(PersonField.objects.all(), term, "label", "api_name").order_by("label"),
        lambda field: field.get_data_type_display(),
    ),
)


def _description(row: Any, kind: Kind) -> str:
    """Return the kind of a thing, whether it is archived or retired, and its distinguishing details."""
    label = str(kind.label)
    if getattr(row, "is_archived", False):
        label = _("%(kind)s, archived") % {"kind": label}
    elif getattr(row, "retired_at", None):
        label = _("%(kind)s, retired") % {"kind": label}
    details = kind.details(row)
    return f"{label} · {details}" if details else label


# pages that are not in the side bar
MORE_PAGES = (
    (gettext_lazy("New activity type"), "add", "admin:activities_activitytype_add", ADD_ACTIVITYTYPE),
    (gettext_lazy("New person"), "person_add", "admin:people_person_add", ADD_PERSON),
    (gettext_lazy("New smart list"), "add", "admin:smartlists_smartlist_add", ADD_SMARTLIST),
    (gettext_lazy("New static list"), "add", "admin:people_staticlist_add", ADD_STATICLIST),
    (gettext_lazy("New smart campaign"), "add", "admin:smartlists_smartcampaign_add", ADD_SMARTCAMPAIGN),
    (gettext_lazy("Saved reports"), "bar_chart", "saved-reports", VIEW_ACTIVITY),
    (gettext_lazy("New dashboard"), "add", "add-dashboard", VIEW_ACTIVITY),
    (gettext_lazy("Possible duplicates"), "group", "admin:people_person_duplicates", MERGE_PERSON),
)


def _pages(request: HttpRequest, query: words.SearchTerms) -> Iterator[SearchResult]:
    """Yield the matching pages of the side bar, the account's menu and `MORE_PAGES`."""
    for group in UNFOLD["SIDEBAR"]["navigation"]:
        for item in group["items"]:
            if query.is_in(str(item["title"])) and item.get("permission", lambda _request: True)(request):
                yield SearchResult(str(item["title"]), _("Page"), str(item["link"]), item["icon"])
    for entry in UNFOLD["ACCOUNT"]["navigation"]:
        if query.is_in(str(entry["title"])):
            yield SearchResult(str(entry["title"]), _("Page"), str(entry["link"]), "account_circle")
    for title, icon, name, right in MORE_PAGES:
        if query.is_in(str(title)) and request.user.has_perm(right):
            yield SearchResult(str(title), _("Page"), reverse(name), icon)
