"""The pages of webhooks: the addresses that campaigns call, and the calls made."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from people.core import references
from people.core.admin.base import parse_ids, parse_number, problem_text, require_rights, show_page, tabs_of
from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem, RejectedError
from people.core.permissions import confirmation_redirect
from people.rights import VIEW_PERSON
from smartlists.models import Webhook, WebhookDelivery
from smartlists.rights import ADD_WEBHOOK, DELETE_WEBHOOK, VIEW_WEBHOOK, VIEW_WEBHOOKDELIVERY
from smartlists.webhooks import editing as webhook_editing
from smartlists.webhooks import headers as webhook_headers

NAME = "admin:smartlists_webhook"
TABS = (("webhook", gettext_lazy("Address"), "change"), ("webhook_deliveries", gettext_lazy("Calls"), "deliveries"))
PAGE = 50
SHOWN_LINES = 40


def find_webhook(request: HttpRequest, pk: int) -> Webhook:
    require_rights(request, VIEW_WEBHOOK)
    return get_object_or_404(Webhook, pk=pk)


def _page(request: HttpRequest, name: str, hook: Webhook | None, **context: Any) -> HttpResponse:
    head = {
        "webhook": hook,
        "may_change": request.user.has_perm(webhook_editing.CHANGE),
        "tab": name,
        "tabs": tabs_of(hook, TABS),
        "zone": timezone.get_current_timezone_name(),
    }
    return show_page(request, Webhook, name, str(hook or _("New webhook")), **{**head, **context})


def edit_webhook_page(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """A webhook's address, headers and body; the secret of a new webhook is shown once."""
    hook = find_webhook(request, pk) if pk is not None else None
    require_rights(request, VIEW_WEBHOOK if hook else ADD_WEBHOOK)
    if hook is None and (confirmation := confirmation_redirect(request)):
        return confirmation
    typed, problems = _typed_of(hook), []
    if request.method == "POST":
        require_rights(request, webhook_editing.CHANGE if hook else ADD_WEBHOOK)
        typed = _typed(request)
        try:
            return _save(request, hook, typed)
        except RejectedError as refusal:
            problems = list(refusal.problems)
    fields = ("name", *webhook_editing.FIELDS)
    errors = {
        field: [problem_text(problem) for problem in problems if problem.path[:1] == (field,)] for field in fields
    }
    return _page(
        request,
        "webhook",
        hook,
        typed=typed,
        errors=errors,
        methods=Webhook.Method.values,
        formats=Webhook.Format.choices,
        payloads=[(str(value), label) for value, label in Webhook.Payload.choices],
        uses=references.uses_of(hook) if hook else (),
        others=[
            problem_text(problem) for problem in problems if problem.path[:1] not in {(field,) for field in errors}
        ],
        may_delete=hook is not None and request.user.has_perm(DELETE_WEBHOOK),
    )


def _typed_of(hook: Webhook | None) -> dict[str, Any]:
    hook = hook or Webhook()
    lines = "\n".join(f"{name}: {value}" for name, value in webhook_headers.masked_headers(hook).items())
    return {
        "name": hook.name,
        "method": hook.method,
        "url": hook.url,
        "headers": lines,
        "format": hook.format,
        "body": hook.body,
        "payload_version": str(hook.payload_version),
        "per_minute": str(hook.per_minute),
        "timeout_seconds": str(hook.timeout_seconds),
        "revision": hook.revision,
    }


def _typed(request: HttpRequest) -> dict[str, Any]:
    names = (
        "name",
        "method",
        "url",
        "headers",
        "format",
        "body",
        "payload_version",
        "per_minute",
        "timeout_seconds",
        "revision",
    )
    return {name: request.POST.get(name, "") for name in names}


def _save(request: HttpRequest, hook: Webhook | None, typed: dict[str, Any]) -> HttpResponse:
    values = {
        "method": typed["method"],
        "url": typed["url"].strip(),
        "headers": _headers(typed["headers"]),
        "format": typed["format"],
        "body": typed["body"].strip(),
        "payload_version": parse_number(typed["payload_version"] or str(Webhook.Payload.ATTRIBUTES)),
        "per_minute": parse_number(typed["per_minute"]),
        "timeout_seconds": parse_number(typed["timeout_seconds"]),
    }
    if hook is not None:
        confirms = webhook_editing.needs_confirmation(hook, values)
        if confirms and (confirmation := confirmation_redirect(request)):
            return confirmation
        revision = parse_number(typed["revision"])
        webhook_editing.change_webhook(hook, request.user, expected_revision=revision, name=typed["name"], **values)
        messages.success(request, _("Saved."))
        return redirect(f"{NAME}_change", hook.pk)
    webhook, secret = webhook_editing.create_webhook(typed["name"], request.user, **values)
    return _page(request, "webhook_secret", webhook, secret=secret)


def _headers(text: str) -> dict[str, str]:
    """Parse headers, one per line as "Name: value". Raises `RejectedError` for an invalid line."""
    headers = {}
    for line in text.splitlines()[:SHOWN_LINES]:
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon:
            message = _("expected one header per line, like X-Token: abc")
            raise RejectedError(Problem(Code.BAD_HEADER, message, ("headers",), "", line[:80]))
        headers[name.strip()] = value.strip()
    return headers


def deliveries_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The latest calls; those given up can be sent again."""
    hook = find_webhook(request, pk)
    # addresses of calls and reasons of failures have values of people
    require_rights(request, VIEW_WEBHOOKDELIVERY, VIEW_PERSON)
    state = request.GET.get("state", "")
    rows = WebhookDelivery.objects.filter(webhook=hook).select_related("entry__campaign").order_by("-pk")
    if state in WebhookDelivery.State.values:
        rows = rows.filter(state=state)
    if before := parse_number(request.GET.get("before", "")):
        rows = rows.filter(pk__lt=before)
    page_rows = list(rows[: PAGE + 1])
    return _page(
        request,
        "webhook_deliveries",
        hook,
        deliveries=page_rows[:PAGE],
        states=WebhookDelivery.State.choices,
        state=state,
        before=page_rows[PAGE - 1].pk if len(page_rows) > PAGE else None,
        is_open=hook.open_until is not None and hook.open_until > timezone.now(),
    )


@require_POST
def run_webhook_action(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Resend calls, create a new secret, or delete the webhook."""
    hook = find_webhook(request, pk)
    try:
        if verb == "resend":
            delivery_ids = parse_ids(request.POST.getlist("delivery"))
            count = webhook_editing.resend_deliveries(hook, request.user, delivery_ids or None)
            messages.success(request, _("%(count)s calls will be sent again.") % {"count": count})
            return redirect(f"{NAME}_deliveries", pk)
        if verb == "new-secret":
            if confirmation := confirmation_redirect(request, reverse(f"{NAME}_change", args=[pk])):
                return confirmation
            return _page(
                request, "webhook_secret", hook, secret=webhook_editing.renew_webhook_secret(hook, request.user)
            )
        if verb == "delete":
            webhook_editing.delete_webhook(hook, request.user)
            messages.success(request, _("Deleted."))
            return redirect(f"{NAME}_changelist")
    except NotAllowedError as refusal:
        raise PermissionDenied(refusal.problems[0].expected) from None
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect(f"{NAME}_change", pk)
    raise PermissionDenied
