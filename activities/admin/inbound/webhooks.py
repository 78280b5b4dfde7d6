"""The pages of inbound webhooks: their list, a new one, one with its mappings and calls, and one call."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from activities.admin.inbound.mappings import MappingPages
from activities.inbound import editing, replaying
from activities.inbound.recipes import OTHER, RECIPES
from activities.models import InboundCall, InboundReplay, InboundWebhook
from activities.models.inbound import DEFAULT_CALLS_A_MINUTE, MAX_CALLS_A_MINUTE
from activities.sources import editing as source_editing
from activities.sources import recent
from activities.sources.keys import describe_key, live_keys
from people.core.admin.base import OwnPages, add_form_errors, parse_number, problem_text, require_rights, state_badge
from people.core.admin.pagination import UncountedPaginator
from people.core.errors import RejectedError, quoted_value, restore_problem
from people.core.permissions import confirmation_redirect
from people.datatypes.keys import MAX_BIG_ID, MAX_ID
from people.rights import VIEW_PERSON
from people.templatetags.moments import moment

PAGE = "admin:activities_inboundwebhook"
SHOWN_CALLS, SHOWN_REFUSED = 50, 5
MAX_SHOWN = 20_000  # characters of one call
State = InboundCall.State
BADGES = {State.NEW: "wait", State.DONE: "good", State.FAILED: "bad", State.UNMAPPED: "wait", State.HANDSHAKE: ""}


def _input(**attributes: str) -> forms.TextInput:
    return forms.TextInput({"class": "ca-input", **attributes})


class NewWebhookForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), required=False, widget=_input(maxlength="255"))
    recipe = forms.ChoiceField(
        label=gettext_lazy("Product"),
        choices=[(name, recipe.label) for name, recipe in RECIPES.items()],
        initial=OTHER,
        widget=forms.Select({"class": "ca-input"}),
        help_text=gettext_lazy(
            "Signature and mappings of these products are known. All others are mapped by clicking."
        ),
    )


class SettingsForm(forms.Form):
    """The settings by which calls are verified, and repeats recognised."""

    signature = forms.ChoiceField(
        label=gettext_lazy("Signature"),
        choices=InboundWebhook.Signature.choices,
        widget=forms.Select({"class": "ca-input"}),
    )
    secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        widget=forms.PasswordInput({"class": "ca-input", "autocomplete": "off", "maxlength": "500"}),
        help_text=gettext_lazy("What the product signs its calls with. Leave empty to keep the one that is set."),
    )
    signature_header = forms.CharField(
        label=gettext_lazy("Header of the signature"),
        required=False,
        widget=_input(placeholder="X-Hub-Signature-256", maxlength="100"),
        help_text=gettext_lazy("For HMAC-SHA256 only."),
    )
    id_header = forms.CharField(
        label=gettext_lazy("Header with the ID of a call"),
        required=False,
        widget=_input(placeholder="webhook-id", maxlength="100"),
        help_text=gettext_lazy("The same ID is the same call. Without one, the same content within a day is."),
    )
    calls_a_minute = forms.IntegerField(
        label=gettext_lazy("Calls per minute, at most"),
        initial=DEFAULT_CALLS_A_MINUTE,
        min_value=1,
        max_value=MAX_CALLS_A_MINUTE,
        widget=forms.NumberInput({"class": "ca-input ca-input--short", "min": "1"}),
    )


@admin.register(InboundWebhook)
class InboundWebhookAdmin(MappingPages):
    nothing_yet = gettext_lazy(
        "An inbound webhook is an address that another product calls: a webinar, a booking, a payment. Map its calls "
        "to activities by clicking."
    )
    list_display = ("__str__", "product", "badge", "seen")
    list_select_related = ("source",)
    search_fields = ("source__name",)
    ordering = ("source__name",)
    paginator = UncountedPaginator

    def own_pages(self) -> OwnPages:
        return [
            ("add/", self.new_page, "add"),
            ("<int:pk>/do/<slug:verb>/", require_POST(self.run_action), "do"),
            ("<int:pk>/replay/", require_safe(self.replay_page), "replay"),
            ("<int:pk>/calls/<int:call>/", require_safe(self.call_page), "call"),
            *super().own_pages(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(source_editing.ADD))

    @admin.display(description=gettext_lazy("Product"), ordering="recipe")
    def product(self, webhook: InboundWebhook) -> Any:
        return RECIPES[webhook.recipe].label if webhook.recipe in RECIPES else webhook.recipe

    @admin.display(description=gettext_lazy("State"))
    def badge(self, webhook: InboundWebhook) -> str:
        return state_badge(_("On"), "good") if webhook.source.is_on else state_badge(_("Off"), "bad")

    @admin.display(description=gettext_lazy("Last seen"), ordering="source__last_seen_at")
    def seen(self, webhook: InboundWebhook) -> str:
        at = webhook.source.last_seen_at
        return _("Never") if at is None else moment(at)

    def new_page(self, request: HttpRequest) -> HttpResponse:
        """The form of a new webhook; its address is shown once, in the reply."""
        require_rights(request, source_editing.ADD)
        if confirmation := confirmation_redirect(request):
            return confirmation
        form = NewWebhookForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            values = form.cleaned_data
            try:
                issued = editing.create_webhook(values["name"], values["recipe"], request.user)
            except RejectedError as refusal:
                add_form_errors(form, refusal)
            else:
                webhook = InboundWebhook.objects.select_related("source").get(source=issued.key.source_id)
                address = describe_key(issued)["webhook_url"]
                response = self.page(
                    request, "inbound_address", str(webhook), inboundwebhook=webhook, details={"webhook_url": address}
                )
                response["Cache-Control"] = "no-store"
                return response
        return self.page(request, "inbound_new", _("New inbound webhook"), form=form)

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One webhook: its mappings, the calls that came, and how they are checked."""
        webhook = find_webhook(request, pk)
        form = SettingsForm(request.POST or None, initial=_initial(webhook))
        if request.method == "POST":
            require_rights(request, source_editing.CHANGE)
            values = form.cleaned_data if form.is_valid() else {}
            confirms = editing.needs_confirmation(webhook, values)
            if confirms and (confirmation := confirmation_redirect(request)):
                return confirmation
            if form.is_valid() and _save(request, webhook, form):
                return redirect(f"{PAGE}_change", webhook.pk)
        user, calls = request.user, webhook.source.inbound_calls
        replay = replaying.last_replay(webhook.source)
        return self.page(
            request,
            "inbound",
            str(webhook),
            inboundwebhook=webhook,
            product=self.product(webhook),
            badge=self.badge(webhook),
            form=form,
            revision=request.POST.get("revision", webhook.revision),
            mappings=webhook.source.inbound_mappings.select_related("activity_type__live", "activity_type__draft"),
            calls=[(call, state_badge(call.get_state_display(), BADGES[State(call.state)])) for call in _newest(calls)],
            waiting=calls.filter(state__in=replaying.WAITING).count(),
            replay=replay,
            reason=_reason(replay, user),
            keys=live_keys(webhook.source)[:3],
            lacks_secret=editing.lacks_secret(webhook),
            refused=_refused_calls(webhook),
            may_change=user.has_perm(editing.CHANGE),
            may_set=user.has_perm(source_editing.CHANGE),
            may_replay=user.has_perms([editing.CHANGE, editing.RECORD]),
        )

    def run_action(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Add a mapping, or start the replay of the calls that wait."""
        webhook = find_webhook(request, pk)
        if verb == "add-mapping":
            name = request.POST.get("name", "")
            mapping = self.try_verb(request, lambda: editing.add_mapping(webhook.source, name, request.user))
            if mapping is not None:
                return redirect(f"{PAGE}_mapping", webhook.pk, mapping.pk)
        elif verb == "replay":
            self._start_replay(request, webhook)
        else:
            raise Http404
        return redirect(f"{PAGE}_change", webhook.pk)

    def _start_replay(self, request: HttpRequest, webhook: InboundWebhook) -> None:
        before = replaying.last_replay(webhook.source)
        replay = self.try_verb(request, lambda: replaying.start_replay(webhook.source, request.user))
        if replay is None:
            return
        if before is not None and replay.pk == before.pk:
            messages.info(request, _("The waiting calls are being recorded already."))
        else:
            done = _("Waiting calls are being recorded, at their original times. No campaign starts.")
            messages.success(request, done)

    def replay_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The fragment with the progress of the latest replay; once that has ended, the page is loaded again."""
        webhook = find_webhook(request, pk)
        replay = replaying.last_replay(webhook.source)
        reason = _reason(replay, request.user)
        values = {"inboundwebhook": webhook, "replay": replay, "reason": reason}
        response = self.page(request, "_inbound_replay", str(webhook), **values)
        if replay is None or not replay.is_running:
            response["HX-Refresh"] = "true"
        return response

    def call_page(self, request: HttpRequest, pk: int, call: int) -> HttpResponse:
        """One call as it came, and its result."""
        webhook = find_webhook(request, pk)
        require_rights(request, VIEW_PERSON)
        rows = webhook.source.inbound_calls.select_related("mapping")
        row = get_object_or_404(rows, pk=min(call, MAX_BIG_ID))
        return self.page(
            request,
            "inbound_call",
            _("Call %(id)s") % {"id": row.pk},
            inboundwebhook=webhook,
            call=row,
            badge=state_badge(row.get_state_display(), BADGES[State(row.state)]),
            body=quoted_lines(row.body),
            problems=[problem_text(restore_problem(problem)) for problem in row.problems or ()],
        )


def find_webhook(request: HttpRequest, pk: int) -> InboundWebhook:
    require_rights(request, editing.VIEW)
    webhook: InboundWebhook = get_object_or_404(InboundWebhook.objects.select_related("source"), pk=min(pk, MAX_ID))
    return webhook


def quoted_lines(body: str) -> str:
    """The content as it is shown: at most `MAX_SHOWN` characters, without those that no page shows."""
    return "\n".join(quoted_value(line, MAX_SHOWN) for line in body[:MAX_SHOWN].splitlines())


def _newest(calls: Any) -> list[InboundCall]:
    return list(calls.select_related("mapping").defer("body").order_by("-pk")[:SHOWN_CALLS])


def _reason(replay: InboundReplay | None, user: Any) -> str:
    """The problem of a call that an ended replay rejected again; empty for a user who may not see people's values."""
    if replay is None or replay.is_running or not replay.refused or not user.has_perm(VIEW_PERSON):
        return ""
    problem = replaying.first_problem(replay.source)
    return problem_text(problem) if problem else ""


def _refused_calls(webhook: InboundWebhook) -> list[tuple[Any, str]]:
    """The (time, reason) of the last calls that were refused as a whole."""
    events = [(event.received_at, event.problem) for event in recent.recent_events(webhook.source_id)]
    refused = [(at, problem_text(restore_problem(problem))) for at, problem in events if problem]
    return refused[:SHOWN_REFUSED]


def _initial(webhook: InboundWebhook) -> dict[str, Any]:
    return {name: getattr(webhook, name) for name in ("signature", "signature_header", "id_header", "calls_a_minute")}


def _save(request: HttpRequest, webhook: InboundWebhook, form: SettingsForm) -> bool:
    values = dict(form.cleaned_data)
    secret = values.pop("secret") or None
    revision = parse_number(request.POST.get("revision", ""), webhook.revision)
    try:
        editing.change_webhook(webhook, request.user, expected_revision=revision, secret=secret, **values)
    except RejectedError as refusal:
        add_form_errors(form, refusal)
        return False
    messages.success(request, _("Saved. It takes effect at once."))
    return True
