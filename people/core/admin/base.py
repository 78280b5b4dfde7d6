"""Shared parts of the admin's pages: frame, addresses, rights, tabs, badges and messages of rejected changes."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from people.core.admin.search import WordSearch
from people.core.errors import NotAllowedError, Problem, RejectedError, located_message
from people.core.numerals import whole_number
from people.core.permissions import user_source
from people.core.source import Channel, Source

SHOWN_PROBLEMS = 10

T = TypeVar("T")
# of each page: address, view, and name (prefixed with app and model in the URL name)
OwnPages = Iterable[tuple[str, Callable[..., Any], str]]


class PagesAdmin(WordSearch, ModelAdmin):
    """Admin of a model with custom pages. Verbs do the work and raise the errors that the pages show."""

    show_full_result_count = False
    empty_value_display = '<span class="ca-blank">—</span>'  # left out where rows are cards
    actions: Any = None
    about: Any = ""  # a sentence below the heading of the list
    # the page of one row, by its id, instead of Django's form
    row_page: Callable[[HttpRequest, int], HttpResponse] | None = None

    def own_pages(self) -> OwnPages:
        """Pages besides Django's."""
        return ()

    def list_actions(self, request: HttpRequest) -> Sequence[Any]:
        """The `MenuAction`s of the list page besides adding."""
        return ()

    def alternative_add_action(self, request: HttpRequest) -> Any:
        """Another way to add than the empty page, as a `MenuAction`: beside the button, and where the list is empty."""
        return None

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        own = {
            "list_actions": self.list_actions(request),
            "alternative_add_action": self.alternative_add_action(request),
        }
        context = {**own, **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, context)
        return response

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
        return self.row_page(request, parse_number(object_id))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # custom pages explain what deleting does

    def page(self, request: HttpRequest, name: str, title: Any, /, **context: Any) -> HttpResponse:
        return show_page(request, self.model, name, title, **context)

    def try_verb(self, request: HttpRequest, verb: Callable[[], Any], success_message: Any = "") -> Any:
        """Run `verb` and return its result (True for None); None if it was rejected, after adding error messages."""
        try:
            result = verb()
        except NotAllowedError as refusal:
            raise PermissionDenied(refusal.problems[0].expected) from None
        except RejectedError as refusal:
            for problem in refusal.problems[:SHOWN_PROBLEMS]:
                messages.error(request, problem_text(problem))
            return None
        if success_message:
            messages.success(request, success_message)
        return True if result is None else result

    def try_listed_verb(
        self, request: HttpRequest, verbs: Mapping[str, tuple[Callable[[Any, Any], Any], Any]], name: str, row: Any
    ) -> None:
        """Run the verb called `name` with `row` and the user. Raises `Http404` for a name that is not in the table.

        `verbs`: the verb and the message of its success, by its name in the address.
        """
        if name not in verbs:
            raise Http404
        verb, success_message = verbs[name]
        self.try_verb(request, lambda: verb(row, request.user), success_message)


def show_page(
    request: HttpRequest, model: type[Model], name: str, title: Any, /, *, status: int = 200, **context: Any
) -> HttpResponse:
    """Render the template `name` of the model's app in the admin's frame, with breadcrumbs from the model's list.

    A name that ends with .html is a full template path.
    """
    template = name if name.endswith(".html") else f"{model._meta.app_label}/{name}.html"
    original = context.get(model._meta.model_name or "") or context.get("static_list")  # the last breadcrumb
    frame = {**admin.site.each_context(request), "title": title, "opts": model._meta, "original": original}
    return render(request, template, {**frame, **context}, status=status)


def tabs_of(row: Model | None, tabs: Iterable[tuple[str, Any, str]]) -> list[tuple[str, Any, str]]:
    """(name, label, address) of each tab of a row's page, from (name, label, URL name); empty without a row."""
    if row is None:
        return []
    stem = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    return [(name, label, reverse(f"{stem}_{page}", args=[row.pk])) for name, label, page in tabs]


def state_badge(label: Any, look: str = "") -> str:
    """A badge with the label of a state; `look` is good, bad, wait, info, or a state that the style sheet defines."""
    return format_html('<span class="ca-badge{}">{}</span>', f" ca-badge--{look}" if look else "", label)


def problem_text(problem: Problem) -> str:
    """The text of a problem on a page: its sentence, prefixed with the number of its entry."""
    if problem.path and isinstance(problem.path[0], int):
        return located_message(problem)
    return problem.message[:1].upper() + problem.message[1:]


def json_fault(error: Exception) -> str:
    """The message for a pasted or uploaded text that is no JSON, with line and column."""
    if isinstance(error, json.JSONDecodeError):
        place = {"line": error.lineno, "column": error.colno}
        return _("This is not JSON: something is wrong at line %(line)s, column %(column)s.") % place
    return _("This is not JSON.")


def add_form_errors(form: Any, refusal: RejectedError, places: Mapping[str, str] | None = None) -> None:
    """Add each problem to the field of `form` that its path (or `places`) names, else to the form as a whole."""
    for problem in refusal.problems:
        place = str(problem.path[-1]) if problem.path else ""
        field = (places or {}).get(place, place)
        form.add_error(field if field in form.fields else None, problem_text(problem))


def request_source(request: HttpRequest) -> Source:
    return user_source(Channel.ADMIN, request.user)


def require_rights(request: HttpRequest, *rights: str) -> None:
    """Raise PermissionDenied, naming the first missing right, unless the user has all of `rights`."""
    for right in rights:
        if not request.user.has_perm(right):
            raise PermissionDenied(right)


def parse_number(text: str | None, otherwise: T | int = 0) -> T | int:
    """Parse a whole number from an address or form, of at most ten digits; `otherwise` for any other text."""
    parsed = whole_number(text or "", -1, most_digits=10)
    return otherwise if parsed < 0 else parsed


def parse_ids(texts: list[str]) -> list[int]:
    """Parse ids from repeated or comma-separated parameters, each once, in order."""
    ids = [parse_number(part.strip()) for text in texts for part in text.split(",")]
    return list(dict.fromkeys(pk for pk in ids if pk))
