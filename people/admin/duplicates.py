"""The page of people who may be the same."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from people.admin.merge import address
from people.core.admin.base import PagesAdmin, number, require
from people.models import Person
from people.persons import duplicates
from people.persons import merge as person_merge

PAGE = 25


def urls(pages: PagesAdmin) -> list[tuple[str, Any, str]]:
    return [("duplicates/", lambda request: show(pages, request), "duplicates")]


def show(pages: PagesAdmin, request: HttpRequest) -> HttpResponse:
    """Groups of one kind with their people; POST has a job search anew."""
    require(request, person_merge.MERGE)
    if request.method == "POST":
        done = _("The search is under way. Look again in a minute.")
        pages.tried(request, lambda: duplicates.request_search(request.user), done)
        return redirect(request.get_full_path())
    kind = request.GET.get("kind", "")
    kind = kind if kind in duplicates.KINDS else "email"
    start = number(request.GET.get("start", ""))
    found = list(duplicates.groups(kind)[start : start + PAGE + 1])
    people = Person.objects.live().in_bulk([pk for group in found for pk in group.person_ids])
    groups = []
    for group in found[:PAGE]:
        there = [people[pk] for pk in group.person_ids if pk in people]
        if len(there) > 1:
            groups.append((there, group.people - len(group.person_ids), address([person.pk for person in there])))
    return pages.page(
        request,
        "duplicates",
        _("Possible duplicates"),
        kind=kind,
        kinds=duplicates.KINDS,
        groups=groups,
        found_at=found[0].found_at if found else None,
        following=start + PAGE if len(found) > PAGE else None,
    )
