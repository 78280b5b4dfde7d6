"""The page of possible duplicates."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from people.admin.merge import merge_address
from people.core.admin.base import PagesAdmin, parse_ids, parse_number, require_rights
from people.models import DuplicateGroup, Person
from people.persons import duplicates
from people.persons import merge as person_merge

PAGE = 25


def duplicate_urls(pages: PagesAdmin) -> list[tuple[str, Any, str]]:
    return [("duplicates/", lambda request: show_duplicates(pages, request), "duplicates")]


def show_duplicates(pages: PagesAdmin, request: HttpRequest) -> HttpResponse:
    """Groups of one kind with their people: of the first kind with groups, unless the address names one.

    POST queues a new search, or marks the given people as distinct. While a search runs the page polls its state
    (`format=state`).
    """
    require_rights(request, person_merge.MERGE)
    if request.method == "POST":
        return _change(pages, request)
    search = duplicates.last_duplicate_search(request.user)
    if request.GET.get("format") == "state":
        return HttpResponse(status=204) if search.asked_at else HttpResponse(headers={"HX-Refresh": "true"})
    counts = duplicates.duplicate_group_counts()
    kind = request.GET.get("kind", "")
    if kind not in duplicates.KINDS:
        kind = next((name for name, count in counts.items() if count), next(iter(duplicates.KINDS)))
    kinds = [(name, duplicate_kind.label, counts[name]) for name, duplicate_kind in duplicates.KINDS.items()]
    start = parse_number(request.GET.get("start", ""))
    page_groups = list(duplicates.duplicate_groups(kind)[start : start + PAGE + 1])
    return pages.page(
        request,
        "duplicates",
        _("Possible duplicates"),
        kind=kind,
        kinds=kinds,
        elsewhere=[(name, label, count) for name, label, count in kinds if count],
        groups=_groups_with_people(page_groups[:PAGE]),
        search=search,
        following=start + PAGE if len(page_groups) > PAGE else None,
    )


def _groups_with_people(page_groups: Sequence[DuplicateGroup]) -> list[tuple[list[Person], int, str, str]]:
    """The groups with two live people or more: these people, how many more there are, the merge's address, the ids."""
    people = Person.objects.live().in_bulk([pk for group in page_groups for pk in group.person_ids])
    groups = []
    for group in page_groups:
        live_people = [people[pk] for pk in group.person_ids if pk in people]
        if len(live_people) > 1:
            ids = [person.pk for person in live_people]
            more = group.people - len(group.person_ids)
            groups.append((live_people, more, merge_address(ids), ",".join(map(str, ids))))
    return groups


def _change(pages: PagesAdmin, request: HttpRequest) -> HttpResponse:
    if "apart" in request.POST:
        ids = parse_ids([request.POST["apart"]])
        pages.try_verb(
            request, lambda: duplicates.mark_as_different(ids, request.user), _("Noted: they are not the same person.")
        )
    else:
        pages.try_verb(request, lambda: duplicates.request_duplicate_search(request.user))
    return redirect(request.get_full_path())
