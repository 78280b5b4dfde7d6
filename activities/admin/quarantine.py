"""Refused activities in the admin."""

import json
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from activities.inbound.processing import call_of_row
from activities.models import ActivityType, RefusedActivity
from activities.recording import replay as recording_replay
from activities.recording.quarantine import storing
from activities.templatetags.activity_tags import picture
from people.core.admin.base import OwnPages, PagesAdmin, require_rights, state_badge
from people.core.admin.pagination import UncountedPaginator
from people.core.errors import located_message, quoted_value, restore_problem
from people.core.numerals import whole_number
from people.models import Person
from people.rights import VIEW_PERSON
from people.templatetags.moments import moment

State = RefusedActivity.State
BADGES = {State.WAITING: "wait", State.REPLAYED: "good", State.DISMISSED: ""}
PART_LABELS = {
    "person": gettext_lazy("Person"),
    "activity_type": gettext_lazy("Activity type"),
    "occurred_at": gettext_lazy("Occurred at"),
    "primary_value": gettext_lazy("Primary field"),
    "external_id": gettext_lazy("External id"),
}
SELECTED = "_selected_action"
AS_NEW = "@as_new"  # no field can be called so


def _labels(row: RefusedActivity) -> dict[str, Any]:
    live = row.activity_type.live if row.activity_type else None
    return PART_LABELS | ({field.api_name: field.name for field in live.fields.all()} if live else {})


def _sentences(row: RefusedActivity) -> list[str]:
    labels = _labels(row)
    return [located_message(restore_problem(problem), labels=labels) for problem in row.problems]


def _faults(row: RefusedActivity) -> dict[str, list[str]]:
    """The sentences of what is wrong, by the name of the value that it is wrong with."""
    faults = defaultdict[str, list[str]](list)
    for raw in row.problems:
        problem = restore_problem(raw)
        if problem.path and isinstance(problem.path[-1], str):
            faults[problem.path[-1]].append(problem.message[:1].upper() + problem.message[1:])
    return dict(faults)


class RefusedRowStateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [*State.choices, ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        for value, label in self.lookup_choices:
            selected = (self.value() or State.WAITING) == value
            query = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": selected, "query_string": query, "display": label}

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        state = self.value() or State.WAITING
        return queryset if state == "all" else queryset.filter(state=state)


@admin.register(RefusedActivity)
class RefusedActivityAdmin(PagesAdmin):
    nothing_yet = gettext_lazy(
        "Rows that an import or a program sends and that are not valid wait here to be corrected."
    )
    about = format_lazy(
        gettext_lazy(
            "Up to {size} MB of rejected rows are kept per sender and day. Any more are only counted; the sender's "
            "reply says so."
        ),
        size=settings.QUARANTINE_BYTES_A_DAY // 1024**2,
    )
    list_display = ("what", "problem", "badge", "sender", "times", "last_time")
    list_filter = (RefusedRowStateFilter, "code", "channel", ("activity_type", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("user", "activity_type__live")
    paginator = UncountedPaginator
    actions = ("replay_selected", "replay_as_new_selected", "correct_selected", "dismiss_selected")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = request.user.has_perm(recording_replay.RIGHT) and request.user.has_perm(VIEW_PERSON)
        return is_allowed and (
            obj is None or recording_replay.visible_refused_rows(request.user).filter(pk=obj.pk).exists()
        )

    has_module_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        # their labels are in the sentences of every row
        return recording_replay.visible_refused_rows(request.user).prefetch_related("activity_type__live__fields")

    @admin.display(description=gettext_lazy("Activity"))
    def what(self, row: RefusedActivity) -> str:
        if row.activity_type is None:
            return str(row)
        return format_html(
            '<span class="ca-name">{}<span>{}</span></span>', picture(row.activity_type), row.activity_type
        )

    @admin.display(description=gettext_lazy("Problem"))
    def problem(self, row: RefusedActivity) -> str:
        return format_html('<span class="ca-problem">{}</span>', "; ".join(_sentences(row))[:300])

    @admin.display(description=gettext_lazy("Sent by"))
    def sender(self, row: RefusedActivity) -> str:
        """The user whose program or file it was, and the channel."""
        channel = row.get_channel_display()
        return f"{row.user} · {channel}" if row.user else channel

    @admin.display(description=gettext_lazy("Received"), ordering="last_at")
    def last_time(self, row: RefusedActivity) -> str:
        return moment(row.last_at)

    @admin.display(description=gettext_lazy("State"))
    def badge(self, row: RefusedActivity) -> str:
        return state_badge(row.get_state_display(), BADGES[State(row.state)])

    @admin.action(description=gettext_lazy("Retry as history: no campaign starts"))
    def replay_selected(self, request: HttpRequest, queryset: Any) -> None:
        self._replay(request, list(queryset.values_list("pk", flat=True)), backfill=True)

    @admin.action(description=gettext_lazy("Retry as if just received: campaigns start"))
    def replay_as_new_selected(self, request: HttpRequest, queryset: Any) -> None:
        self._replay(request, list(queryset.values_list("pk", flat=True)), backfill=False)

    @admin.action(description=gettext_lazy("Dismiss"))
    def dismiss_selected(self, request: HttpRequest, queryset: Any) -> None:
        count = recording_replay.dismiss_rows(list(queryset.values_list("pk", flat=True)), request.user)
        text = ngettext("%(count)s row dismissed.", "%(count)s rows dismissed.", count)
        messages.success(request, text % {"count": count})

    @admin.action(description=gettext_lazy("Correct a value or rename a field…"))
    def correct_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        rows = list(queryset.filter(state=State.WAITING).exclude(raw="").order_by("pk")[: recording_replay.MAX_ROWS])
        form = CorrectionForm(request.POST if "apply" in request.POST else None, rows=rows)
        if "apply" in request.POST and form.is_valid():
            changed = form.apply(request.user)
            text = ngettext("%(count)s row changed.", "%(count)s rows changed.", changed)
            messages.success(request, text % {"count": changed})
            if form.cleaned_data["replay"]:
                self._replay(request, [row.pk for row in rows], backfill=not form.cleaned_data["as_new"])
            return redirect("admin:activities_refusedactivity_changelist")
        return self.page(
            request,
            "refused_correct",
            _("Correct rejected activities"),
            form=form,
            rows=rows,
            selected=SELECTED,
            action="correct_selected",
            problems=sorted({text for row in rows for text in _sentences(row)})[:20],
        )

    def _replay(self, request: HttpRequest, ids: list[int], backfill: bool) -> None:
        result = recording_replay.replay_rows(ids, request.user, backfill=backfill)
        if result.recorded:
            text = ngettext("%(count)s activity recorded.", "%(count)s activities recorded.", result.recorded)
            messages.success(request, text % {"count": result.recorded})
        if result.refused:
            text = ngettext("%(count)s row is still rejected.", "%(count)s rows are still rejected.", result.refused)
            messages.warning(request, text % {"count": result.refused})

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        require_rights(request, recording_replay.RIGHT, VIEW_PERSON)
        return super().changelist_view(request, extra_context)

    def own_pages(self) -> OwnPages:
        return [("<int:pk>/", self.row_view, "row")]

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        return redirect("admin:activities_refusedactivity_row", pk)

    def row_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One row: the received values, the problems, and a field to correct each value."""
        require_rights(request, recording_replay.RIGHT, VIEW_PERSON)
        row = get_object_or_404(RefusedActivity.objects.select_related("activity_type__live", "user"), pk=pk)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        received = storing.load_row(row.raw)
        is_open = row.state == State.WAITING and received is not None
        form = RefusedRowForm(request.POST or None, row=row) if is_open else None
        if form is not None and request.method == "POST" and form.is_valid():
            form.apply(request.user)
            self._replay(request, [pk], backfill=not form.cleaned_data[AS_NEW])
            return redirect("admin:activities_refusedactivity_row", pk)
        return self.page(
            request,
            "refused_row",
            str(row),
            row=row,
            call=call_of_row(received["external_id"]) if received else None,
            form=form,
            problems=_sentences(row),
            badge=self.badge(row),
            raw=json.dumps(received, indent=2) if received else "",
        )


def _attribute_names(rows: list[RefusedActivity]) -> list[str]:
    received_rows = [storing.load_row(row.raw) for row in rows]
    return sorted({str(name) for values in received_rows if values for name, _value in values["attributes"]})


class CorrectionForm(forms.Form):
    """One change for many rows: a value, or the name of a field."""

    def __init__(self, *args: Any, rows: list[RefusedActivity], **options: Any) -> None:
        super().__init__(*args, **options)
        self.ids = [row.pk for row in rows]
        attrs = {"class": "ca-input"}
        field_names = {field for row in rows if row.activity_type for field in _field_names(row.activity_type)}
        names = sorted({*_attribute_names(rows), *field_names})
        parts = [*PART_LABELS.items(), *((name, quoted_value(name)) for name in names)]
        sent_names = [(name, quoted_value(name)) for name in _attribute_names(rows)]
        target_names = [("primary_value", _("Primary field")), *((name, name) for name in sorted(field_names))]
        choice = forms.Select(attrs=attrs)
        self.fields["part"] = forms.ChoiceField(
            label=_("Set"), choices=[("", "—"), *parts], required=False, widget=choice
        )
        self.fields["value"] = forms.CharField(label=_("to"), required=False, widget=forms.TextInput(attrs=attrs))
        self.fields["old"] = forms.ChoiceField(
            label=_("Rename field"), choices=[("", "—"), *sent_names], required=False, widget=choice
        )
        self.fields["new"] = forms.ChoiceField(
            label=_("for"), choices=[("", "—"), *target_names], required=False, widget=choice
        )
        self.fields["replay"] = forms.BooleanField(label=_("Retry now"), required=False, initial=True)
        self.fields["as_new"] = _as_new_field()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("part") and not (cleaned.get("old") and cleaned.get("new")):
            raise forms.ValidationError(_("Say what to change."))
        return cleaned

    def apply(self, by: Any) -> int:
        values, changed = self.cleaned_data, 0
        if values["old"] and values["new"]:
            changed = recording_replay.remap_field(self.ids, values["old"], values["new"], by)
        if values["part"]:
            changed = max(changed, recording_replay.correct_rows(self.ids, values["part"], values["value"], by))
        return changed


def _as_new_field() -> forms.BooleanField:
    return forms.BooleanField(
        label=_("As if just received: campaigns start"),
        required=False,
        help_text=_("Otherwise it is recorded as history, and no campaign starts."),
    )


def _field_names(activity_type: ActivityType) -> list[str]:
    live = activity_type.live
    return [field.api_name for field in live.fields.all() if not field.is_primary] if live else []


def _meanings(row: RefusedActivity, values: Mapping[str, str]) -> dict[str, str]:
    """The names behind the ids among the values, and the moment in the active locale; without those not known."""
    meanings = {"activity_type": str(row.activity_type)} if row.activity_type else {}
    person = Person.objects.live().filter(pk=whole_number(values["person"], -1, most_digits=9)).first()
    if person is not None:
        meanings["person"] = str(person)
    with suppress(ValueError):
        moment_of_row = datetime.fromisoformat(values["occurred_at"])
        if moment_of_row.tzinfo is not None:
            zone = timezone.get_current_timezone_name()
            meanings["occurred_at"] = f"{date_format(timezone.localtime(moment_of_row), 'DATETIME_FORMAT')} ({zone})"
    return meanings


class RefusedRowForm(forms.Form):
    """Every value of one row."""

    def __init__(self, *args: Any, row: RefusedActivity, **options: Any) -> None:
        super().__init__(*args, **options)
        self.row = row
        self.before = self._values(storing.load_row(row.raw) or {})
        labels, meanings = _labels(row), _meanings(row, self.before)
        self.faults = _faults(row)
        for name, value in sorted(self.before.items(), key=lambda item: item[0] not in self.faults):  # wrong ones first
            attrs = {"class": "ca-input"} | ({"aria-invalid": "true"} if name in self.faults else {})
            self.fields[name] = forms.CharField(
                label=labels.get(name, quoted_value(name)),
                initial=value,
                required=False,
                help_text="; ".join(self.faults.get(name, ())) or meanings.get(name, ""),
                widget=forms.TextInput(attrs=attrs),
            )
        self.fields[AS_NEW] = _as_new_field()

    def _values(self, row: dict[str, Any]) -> dict[str, str]:
        person = row["person"]
        parts = {part: row[part] for part in PART_LABELS} | {
            "person": person.get("value") if isinstance(person, dict) else person
        }
        field_names = _field_names(self.row.activity_type) if self.row.activity_type else []
        fields = dict.fromkeys(field_names, "") | {str(name): value for name, value in row["attributes"]}
        return {name: "" if value is None else quoted_value(value, 1000) for name, value in (parts | fields).items()}

    def apply(self, by: Any) -> None:
        for name, value in self.cleaned_data.items():
            if name != AS_NEW and value != self.before[name]:
                recording_replay.correct_rows([self.row.pk], name, _typed(name, value), by)


def _typed(name: str, value: str) -> Any:
    """Ids as numbers; everything else as text, which every channel accepts."""
    is_id = name in ("person", "activity_type") and value.isascii() and value.isdigit() and len(value) < 11
    return int(value) if is_id else value
