"""The pages of event sources: their settings, keys and use."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_POST

from activities.admin.source_tabs import source_tabs
from activities.admin.websites import WebsitePages
from activities.models import EventSource
from activities.models.sources import DEFAULT_PEOPLE_AN_HOUR
from activities.sources import connections, usage, user_ids
from activities.sources import editing as source_editing
from activities.sources.keys import SHOWN_KEYS, IssuedKey, describe_key, shown_keys
from people import lookup as people_lookup
from people.core.admin.base import OwnPages, add_form_errors, parse_number, require_rights, state_badge
from people.core.admin.pagination import UncountedPaginator
from people.core.errors import RejectedError
from people.core.permissions import confirmation_redirect
from people.datatypes.keys import MAX_ID
from people.fields.catalog import field_catalogue
from people.templatetags.moments import moment

PAGE = "admin:activities_eventsource"
MEGABYTE = 1_000_000
# webhooks of other products have pages of their own, which make their settings, too
OFFERED_KINDS = [choice for choice in EventSource.Kind.choices if choice[0] != EventSource.Kind.WEBHOOK]
SWITCHES = {
    "on": (source_editing.turn_on, gettext_lazy("The event source is on.")),
    "off": (source_editing.turn_off, gettext_lazy("The event source is off.")),
}
OVERLAPS = (
    (0, gettext_lazy("at once")),
    (1, gettext_lazy("in an hour")),
    (24, gettext_lazy("in a day")),
    (168, gettext_lazy("in a week")),
)


def _input(**attributes: str) -> forms.TextInput:
    return forms.TextInput({"class": "ca-input", **attributes})


class SourceForm(forms.Form):
    """The settings of a source; the kind is chosen once."""

    name = forms.CharField(label=gettext_lazy("Name"), required=False, widget=_input(maxlength="255"))
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), choices=OFFERED_KINDS, widget=forms.Select({"class": "ca-input"})
    )
    origins = forms.CharField(
        label=gettext_lazy("Origins"),
        required=False,
        widget=forms.Textarea({"class": "ca-input ca-input--code", "rows": "3", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "For web sites: one per line, like https://www.example.com or https://*.example.com. Hosts below co.uk or "
            "github.io belong to anybody: never use https://*.github.io."
        ),
    )
    consent = forms.ChoiceField(
        label=gettext_lazy("Consent"),
        choices=EventSource.Consent.choices,
        widget=forms.Select({"class": "ca-input"}),
        help_text=gettext_lazy("What applies to visitors who haven't chosen yet."),
    )
    user_id_field = forms.ChoiceField(
        label=gettext_lazy("Person field of user IDs"),
        required=False,
        widget=forms.Select({"class": "ca-input"}),
        help_text=gettext_lazy(
            "The field that holds the sender's user IDs. A new program without one gets the field “User ID”."
        ),
    )
    site_group = forms.CharField(
        label=gettext_lazy("Site group"),
        required=False,
        initial="main",
        widget=_input(),
        help_text=gettext_lazy("Sites of one group know the same visitors."),
    )
    munchkin_id = forms.CharField(
        label=gettext_lazy("Munchkin ID"),
        required=False,
        widget=_input(placeholder="123-ABC-456"),
        help_text=gettext_lazy("For web sites that call Munchkin. Leave empty otherwise."),
    )
    megabytes_a_day = forms.IntegerField(
        label=gettext_lazy("Megabytes a day, at most"),
        initial=1_000,
        min_value=1,
        widget=forms.NumberInput({"class": "ca-input ca-input--short", "min": "1"}),
        help_text=gettext_lazy("Beyond this, events are rejected until the day ends (UTC)."),
    )

    creates_people = forms.BooleanField(
        label=gettext_lazy("Pages may create people"),
        required=False,
        help_text=gettext_lazy(
            "A page's script can name anybody. Without this, only forms, signatures and your programs create people."
        ),
    )
    people_an_hour = forms.IntegerField(
        label=gettext_lazy("New people an hour, at most"),
        help_text=gettext_lazy("By forms and pages. People after that aren't created; their visits show why."),
        required=False,
        initial=DEFAULT_PEOPLE_AN_HOUR,
        min_value=0,
        max_value=source_editing.MAX_PEOPLE_AN_HOUR,
        widget=forms.NumberInput({"class": "ca-input ca-input--short", "min": "0"}),
    )

    advanced = ("user_id_field", "site_group", "munchkin_id", "megabytes_a_day", "creates_people", "people_an_hour")

    @property
    def has_advanced_errors(self) -> bool:
        return any(name in self.errors for name in self.advanced)

    def __init__(self, data: Any, source: EventSource | None = None) -> None:
        super().__init__(data, initial=_initial(source) if source else {})
        fields = people_lookup.lookup_fields()
        if source is not None and source.user_id_field and source.user_id_field not in fields:
            fields = [*fields, source.user_id_field]  # shown and refused, not silently replaced by none
        names = [("", pgettext("person field", "none")), *((name, name) for name in fields)]
        self.fields["user_id_field"].choices = names  # type: ignore[attr-defined]
        if source is not None:
            del self.fields["kind"]
            for name in () if source.is_browser else ("origins", "munchkin_id", "creates_people", "people_an_hour"):
                del self.fields[name]

    def values(self, source: EventSource | None) -> dict[str, Any]:
        """The values as the verbs take them; an unchanged quota keeps its bytes."""
        data = dict(self.cleaned_data)
        megabytes = data.pop("megabytes_a_day")
        is_same = source is not None and megabytes == _megabytes(source)
        size = source.bytes_a_day if source is not None and is_same else megabytes * MEGABYTE
        if data.get("people_an_hour") is None:
            data.pop("people_an_hour", None)
        if source is None and not data["user_id_field"]:
            del data["user_id_field"]  # a program gets one of its own
        if "origins" in data:
            data["origins"] = [line.strip() for line in data["origins"].splitlines() if line.strip()]
        return {**data, "bytes_a_day": size}

    def show(self, refusal: RejectedError) -> None:
        places = {"bytes_a_day": "megabytes_a_day"}
        for problem in refusal.problems:
            if problem.path[:1] == ("origins",):
                text = problem.message[:1].upper() + problem.message[1:]
                self.add_error("origins", text)
            else:
                add_form_errors(self, RejectedError(problem), places)


def _initial(source: EventSource) -> dict[str, Any]:
    names = ("name", "consent", "user_id_field", "site_group", "munchkin_id", "creates_people", "people_an_hour")
    values = {name: getattr(source, name) for name in names}
    return {**values, "origins": "\n".join(source.origins), "megabytes_a_day": _megabytes(source)}


def _megabytes(source: EventSource) -> int:
    return max(1, source.bytes_a_day // MEGABYTE)


@admin.register(EventSource)
class EventSourceAdmin(WebsitePages):
    nothing_yet = gettext_lazy(
        "An event source is a web site or program that sends what people do. Each gets a key that can only add."
    )
    list_display = ("name", "kind", "badge", "seen")
    search_fields = ("name",)
    list_filter = ("kind", "is_on")
    ordering = ("name",)
    paginator = UncountedPaginator

    def own_pages(self) -> OwnPages:
        return [
            ("add/", self.new_page, "add"),
            ("<int:pk>/do/<slug:verb>/", require_POST(self.run_action), "do"),
            *super().own_pages(),
        ]

    @admin.display(description=gettext_lazy("State"))
    def badge(self, source: EventSource) -> str:
        return state_badge(_("On"), "good") if source.is_on else state_badge(_("Off"), "bad")

    @admin.display(description=gettext_lazy("Last seen"), ordering="last_seen_at")
    def seen(self, source: EventSource) -> str:
        if source.last_seen_at is None:
            return _("Never")
        return moment(source.last_seen_at)

    def new_page(self, request: HttpRequest) -> HttpResponse:
        """The form of a new source; its key is shown once, in the reply."""
        require_rights(request, source_editing.ADD)
        if confirmation := confirmation_redirect(request):
            return confirmation
        form = SourceForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                values = form.values(None)
                name, kind = values.pop("name"), values.pop("kind")
                return self._show_key(request, source_editing.create_source(name, kind, request.user, **values))
            except RejectedError as refusal:
                form.show(refusal)
        return self.page(request, "source_new", _("New event source"), form=form)

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One source: its settings, keys and use."""
        source = self.find_source(request, pk)
        may_change = request.user.has_perm(source_editing.CHANGE)
        form = SourceForm(request.POST or None, source)
        if request.method == "POST":
            require_rights(request, source_editing.CHANGE)
            if form.is_valid():
                widens = source_editing.needs_confirmation(source, form.values(source))
                if widens and (confirmation := confirmation_redirect(request)):
                    return confirmation
                if self._saved(request, source, form):
                    return redirect(f"{PAGE}_change", source.pk)
        has_data = source_editing.has_data(source)
        return self.page(
            request,
            "source",
            source.name,
            eventsource=source,
            tabs=source_tabs(source),
            tab="settings",
            form=form,
            warning=user_ids.why_unidentified(source, field_catalogue()) if user_ids.lacks_field(source) else "",
            may_change=may_change,
            may_delete=not has_data and request.user.has_perm(source_editing.DELETE),
            keys=shown_keys().filter(source=source)[:SHOWN_KEYS],
            revision=request.POST.get("revision", source.revision),
            overlaps=OVERLAPS,
            days=usage.last_days(source),
            totals=usage.usage_totals([source.pk]).get(source.pk),
        )

    def run_action(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Issue or end a key, turn the source on or off, or delete it."""
        source, by = self.find_source(request, pk), request.user
        if verb == "rotate":
            if confirmation := confirmation_redirect(request, reverse(f"{PAGE}_change", args=[pk])):
                return confirmation
            overlap = timedelta(hours=parse_number(request.POST.get("overlap", ""), 24))
            if issued := self.try_verb(request, lambda: source_editing.rotate_key(source, by, overlap)):
                return self._show_key(request, issued)
        elif verb == "end":
            key_id = min(parse_number(request.POST.get("key", "")), MAX_ID)
            self.try_verb(request, lambda: source_editing.end_key(source, key_id, by), _("The key no longer works."))
        elif verb == "delete":
            if self.try_verb(request, lambda: source_editing.delete_source(source, by), _("Deleted.")):
                return redirect(f"{PAGE}_changelist")
        elif verb == "identify":
            if confirmation := confirmation_redirect(request, reverse(f"{PAGE}_change", args=[pk])):
                return confirmation
            done = _("User IDs of this program identify people from now on.")
            self.try_verb(request, lambda: source_editing.identify_people(source, by), done)
        else:
            self.try_listed_verb(request, SWITCHES, verb, source)
        return redirect(f"{PAGE}_change", pk)

    def _saved(self, request: HttpRequest, source: EventSource, form: SourceForm) -> bool:
        revision = parse_number(request.POST.get("revision", ""), source.revision)
        try:
            source_editing.change_source(source, request.user, expected_revision=revision, **form.values(source))
        except RejectedError as refusal:
            form.show(refusal)
            return False
        messages.success(request, _("Saved. It takes effect at once."))
        return True

    def _show_key(self, request: HttpRequest, issued: IssuedKey) -> HttpResponse:
        source = issued.key.source
        details = {name: value for name, value in describe_key(issued).items() if value and name not in ("id", "kind")}
        lines = () if source.is_browser else connections.connection_examples(issued.write_key)
        title = _("Key of %(name)s") % {"name": source.name}
        response = self.page(request, "source_key", title, eventsource=source, details=details, lines=lines)
        response["Cache-Control"] = "no-store"
        return response
