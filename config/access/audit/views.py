"""The page of audit entries and their export."""

from collections.abc import Callable, Iterator
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access.audit import search as audit_search
from config.access.audit.search import EntryFilter
from config.access.rights import VIEW_LOGENTRY
from config.access.sessions import signed_in_user
from people.admin.days import DayField
from people.core import audit
from people.core.admin.base import require_rights
from people.datatypes.keys import MAX_ID
from people.files.csv_lines import file_reply

RIGHT = VIEW_LOGENTRY
SHOWN = 50
FORMATS: dict[str, tuple[Callable[..., Iterator[str] | Iterator[bytes]], str]] = {
    "csv": (audit_search.entries_as_csv, "text/csv; charset=utf-8"),
    "ndjson": (audit_search.entries_as_ndjson, "application/x-ndjson"),
}

audit.register_actions({"audit_exported": (2, gettext_lazy("Exported audit entries (%(format)s)"))})


class SearchForm(forms.Form):
    """The search form of the page; its labels are in the template."""

    who = forms.CharField(required=False, max_length=150)
    what = forms.ChoiceField(required=False)
    kind = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    thing = forms.CharField(required=False, max_length=200)
    since = DayField(required=False)
    until = DayField(required=False)
    before = forms.IntegerField(required=False, min_value=1, max_value=MAX_ID, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        by_sentence: dict[str, list[str]] = {}
        for action, sentence in audit.action_labels().items():
            by_sentence.setdefault(sentence, []).append(action)
        actions = sorted((sentence, ",".join(names)) for sentence, names in by_sentence.items())
        what, kind_field = self.fields["what"], self.fields["kind"]
        assert isinstance(what, forms.ChoiceField) and isinstance(kind_field, forms.ChoiceField)
        what.choices = [("", _("everything")), *((names, sentence) for sentence, names in actions)]
        kinds = sorted((str(model._meta.verbose_name).capitalize(), kind) for model, kind in _kinds())
        kind_field.choices = [("", _("everything")), *((kind, name) for name, kind in kinds)]

    def entry_filter(self) -> EntryFilter:
        data = self.cleaned_data
        return EntryFilter(**{name: data[name] for name in EntryFilter.__slots__})


def audit_page(request: HttpRequest) -> HttpResponse:
    """Show a page of entries, filtered by the parameters of the address."""
    form = _search_form(request)
    entries: list[LogEntry] = []
    if form.is_valid():
        entries = list(audit_search.find_entries(form.entry_filter(), form.cleaned_data["before"])[: SHOWN + 1])
    older = request.GET.copy()
    if len(entries) > SHOWN:
        older["before"] = str(entries[SHOWN - 1].pk)
    parameters = request.GET.copy()
    parameters.pop("before", None)
    return render(
        request,
        "access/audit.html",
        {
            **admin.site.each_context(request),
            "title": _("Audit"),
            "form": form,
            "entries": [(entry, audit.entry_sentence(entry)) for entry in entries[:SHOWN]],
            "query": parameters.urlencode(),
            "older": older.urlencode() if len(entries) > SHOWN else "",
            "is_narrowed": any(parameters.values()),
            "zone": timezone.get_current_timezone_name(),
        },
    )


def export_audit(request: HttpRequest) -> Any:
    """Stream all matching entries as a file."""
    form, chosen = _search_form(request), request.GET.get("format", "csv")
    if not form.is_valid() or chosen not in FORMATS:
        return HttpResponseBadRequest(_("That cannot be searched for."), content_type="text/plain; charset=utf-8")
    write, content_type = FORMATS[chosen]
    audit.write_audit_entry(request.user, signed_in_user(request), "audit_exported", format=chosen)
    return file_reply(write(audit_search.find_entries(form.entry_filter())), f"audit.{chosen}", content_type)


def _search_form(request: HttpRequest) -> SearchForm:
    require_rights(request, RIGHT)
    return SearchForm(request.GET)


def _kinds() -> list[tuple[Any, int]]:
    """Return the models with pages in the admin, each with the id of its content type."""
    models = [
        model for model in admin.site._registry if model._meta.app_label != "procrastinate"
    ]  # jobs are never changed by users
    return [(model, kind.pk) for model, kind in ContentType.objects.get_for_models(*models).items()]
