"""What the pages of people, lists and fields have in common."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.admin import ModelAdmin

from people.core.errors import NotAllowedError, Problem, RejectedError, located
from people.core.numerals import whole_number
from people.core.source import Channel, Source


class PagesAdmin(ModelAdmin):
    """A model whose pages are ours: verbs do the work, and say what is wrong."""

    show_full_result_count = False
    sortable_by = ()
    actions: Any = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # pages of our own say what deleting does

    def page(self, request: HttpRequest, name: str, title: Any, **context: Any) -> HttpResponse:
        shell = self.admin_site.each_context(request)
        status = context.pop("status", 200)
        whole = {**shell, "title": title, "opts": self.opts, **context}
        return render(request, f"people/{name}.html", whole, status=status)

    def tried(self, request: HttpRequest, verb: Callable[[], Any], done: Any = "") -> Any:
        """What `verb` returns (True for nothing), or None when it refused, which the next page then says."""
        try:
            result = verb()
        except NotAllowedError as refusal:
            raise PermissionDenied(refusal.problems[0].expected) from None
        except RejectedError as refusal:
            for problem in refusal.problems[:SHOWN_PROBLEMS]:
                messages.error(request, said(problem))
            return None
        if done:
            messages.success(request, done)
        return True if result is None else result


SHOWN_PROBLEMS = 10


def said(problem: Problem) -> str:
    """A problem as a page says it: the sentence, after the number of the entry it is about."""
    if problem.path and isinstance(problem.path[0], int):
        return located(problem)
    return problem.message[:1].upper() + problem.message[1:]


def source_of(request: HttpRequest) -> Source:
    return Source(Channel.ADMIN, request.user.pk)


def require(request: HttpRequest, right: str) -> None:
    """Raise PermissionDenied unless the reader has the right."""
    if not request.user.has_perm(right):
        raise PermissionDenied(right)


def number(text: str) -> int:
    """An id of an address or form; what is none is 0, which is nobody's."""
    return whole_number(text, most_digits=10)


def ids_of(texts: list[str]) -> list[int]:
    """Ids of repeated or comma-separated parameters, each once, in order."""
    found = [number(part.strip()) for text in texts for part in text.split(",")]
    return list(dict.fromkeys(pk for pk in found if pk))
