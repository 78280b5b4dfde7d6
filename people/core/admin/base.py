"""What the pages of the admin have in common: frame, addresses, rights, tabs, badges, and what a refusal says."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from people.core.admin.search import WordSearch
from people.core.errors import NotAllowedError, Problem, RejectedError, located
from people.core.numerals import whole_number
from people.core.source import Channel, Source

SHOWN_PROBLEMS = 10

T = TypeVar("T")
# of each page: address, view, and name, which comes after those of app and model
OwnPages = Iterable[tuple[str, Callable[..., Any], str]]


class PagesAdmin(WordSearch, ModelAdmin):
    """A model whose pages are ours: verbs do the work, and say what is wrong."""

    show_full_result_count = False
    actions: Any = None
    # the page of one row, by its id, in the place of Django's form
    row_page: Callable[[HttpRequest, int], HttpResponse] | None = None

    def own_pages(self) -> OwnPages:
        """Pages besides Django's."""
        return ()

    def get_urls(self) -> list[URLPattern]:
        wrap, stem = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        own = [path(address, wrap(view), name=f"{stem}_{name}") for address, view, name in self.own_pages()]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if self.row_page is None:
            response: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
            return response
        return self.row_page(request, number(object_id))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # pages of our own say what deleting does

    def page(self, request: HttpRequest, name: str, title: Any, /, **context: Any) -> HttpResponse:
        return show_page(request, self.model, name, title, **context)

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


def show_page(
    request: HttpRequest, model: type[Model], name: str, title: Any, /, *, status: int = 200, **context: Any
) -> HttpResponse:
    """The template `name` of the model's app inside the admin's frame, the way to it from the model's list above.

    A name that ends with .html is that of a template elsewhere.
    """
    template = name if name.endswith(".html") else f"{model._meta.app_label}/{name}.html"
    shown = context.get(model._meta.model_name or "") or context.get("static_list")  # the end of the way
    frame = {**admin.site.each_context(request), "title": title, "opts": model._meta, "original": shown}
    return render(request, template, {**frame, **context}, status=status)


def tabs_of(row: Model | None, tabs: Iterable[tuple[str, Any, str]]) -> list[tuple[str, Any, str]]:
    """(name, label, address) of each tab of a row's page, from (name, label, name of the address); none of no row."""
    if row is None:
        return []
    stem = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    return [(name, label, reverse(f"{stem}_{page}", args=[row.pk])) for name, label, page in tabs]


def state_badge(label: Any, look: str = "") -> str:
    """A state in a word; `look` is good, bad, wait, info, or a state that the style sheet knows."""
    return format_html('<span class="ca-badge{}">{}</span>', f" ca-badge--{look}" if look else "", label)


def said(problem: Problem) -> str:
    """A problem as a page says it: the sentence, after the number of the entry it is about."""
    if problem.path and isinstance(problem.path[0], int):
        return located(problem)
    return problem.message[:1].upper() + problem.message[1:]


def put_problems(form: Any, refusal: RejectedError, places: Mapping[str, str] | None = None) -> None:
    """Put each problem at the field of `form` that its path names (or `places` says), else above the form."""
    for problem in refusal.problems:
        place = str(problem.path[-1]) if problem.path else ""
        field = (places or {}).get(place, place)
        form.add_error(field if field in form.fields else None, said(problem))


def source_of(request: HttpRequest) -> Source:
    return Source(Channel.ADMIN, request.user.pk)


def require(request: HttpRequest, *rights: str) -> None:
    """Raise PermissionDenied, naming the first that lacks, unless the reader has all of `rights`."""
    for right in rights:
        if not request.user.has_perm(right):
            raise PermissionDenied(right)


def number(text: str | None, otherwise: T | int = 0) -> T | int:
    """The whole number of an address or form, of at most ten digits; `otherwise` for any other text."""
    found = whole_number(text or "", -1, most_digits=10)
    return otherwise if found < 0 else found


def ids_of(texts: list[str]) -> list[int]:
    """Ids of repeated or comma-separated parameters, each once, in order."""
    found = [number(part.strip()) for text in texts for part in text.split(",")]
    return list(dict.fromkeys(pk for pk in found if pk))
