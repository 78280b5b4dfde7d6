"""Creates, changes and deletes webhooks, and queues failed calls again.

A secret is shown once, at creation, and stored sealed. Tokens can occur in the path, the query, header values and
the body, each escaped for its context; scheme, host and header names have no tokens.
"""

import base64
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.sources import sealing
from people.core import audit, references
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value, refuse_if, refuse_if_changed
from people.core.permissions import require_permission
from people.datatypes import naming
from people.datatypes.parsing import BadValueError
from people.datatypes.registry import BY_NAME
from smartlists.catalog import Catalogue
from smartlists.models import SmartCampaign, Webhook, WebhookDelivery
from smartlists.rights import ACTIVATE_SMARTCAMPAIGN, ADD_WEBHOOK, CHANGE_WEBHOOK, DELETE_WEBHOOK, SEND_BY_WEBHOOK
from smartlists.webhooks import delivery as webhook_delivery
from smartlists.webhooks import headers as webhook_headers
from smartlists.webhooks import http as webhook_http
from smartlists.webhooks import tokens as webhook_tokens

audit.register_actions(
    {
        "secret_made": (2, gettext_lazy("Created a new secret")),
        "resent": (2, gettext_lazy("Sent %(count)s deliveries again")),
    }
)

KEEP_TRYING = timedelta(hours=24)
MAX_HEADERS, MAX_BODY, MAX_URL = 20, 65_536, 2_000
MAX_PER_MINUTE, MAX_SECONDS = 60_000, 30
CHANGE = CHANGE_WEBHOOK
SECRET_PREFIX = "whsec_"
# headers that the call itself sets, or that could split one request into two
OWN_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "proxy-authorization",
        "proxy-connection",
        "keep-alive",
        "content-type",
        "user-agent",
    }
)
OWN_PREFIX = "webhook-"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_ORIGIN = re.compile(r"https?://[^/?#{}\\]+", re.IGNORECASE)
FIELDS = ("method", "url", "headers", "format", "body", "payload_version", "per_minute", "timeout_seconds")
SENT_FIELDS = ("method", "url", "headers", "format", "body", "payload_version")  # the request and its target
RIGHTS_OF_CAMPAIGNS = (ACTIVATE_SMARTCAMPAIGN, *SEND_BY_WEBHOOK)  # that call it, as in `effect_rights`
CONTENT_TYPES: Mapping[str, str] = {
    Webhook.Format.CLOUDEVENTS: "application/cloudevents+json; charset=utf-8",
    Webhook.Format.JSON: "application/json; charset=utf-8",
    Webhook.Format.FORM: "application/x-www-form-urlencoded",
    Webhook.Format.TEXT: "text/plain; charset=utf-8",
}
ESCAPES: Mapping[str, Callable[[str], str]] = {
    Webhook.Format.CLOUDEVENTS: webhook_tokens.escape_for_json,
    Webhook.Format.JSON: webhook_tokens.escape_for_json,
    Webhook.Format.FORM: webhook_tokens.escape_for_form,
    Webhook.Format.TEXT: str,
}


@transaction.atomic
def create_webhook(name: Any, by: Any, **values: Any) -> tuple[Webhook, str]:
    """Create a webhook; return it with its secret, which is never shown again.

    Raises `RejectedError` with every problem.
    """
    require_permission(by, ADD_WEBHOOK)
    webhook = Webhook(name=naming.parse_name(name), created_by=by)
    _set(webhook, values)
    secret = _renew(webhook)
    _save(webhook)
    audit.write_audit_entry(by, webhook, "created")
    return webhook, secret


@transaction.atomic
def change_webhook(
    webhook: Webhook, by: Any, *, expected_revision: int | None = None, name: Any = None, **values: Any
) -> Any:
    """Change a webhook; waiting calls stay as they were queued. Raises as `create_webhook`, and `ConflictError`.

    What an active campaign sends through it is changed with the rights of activating that campaign. Values of headers
    are given again for another origin, so that no hidden value is sent to a host of a user who cannot read it.
    """
    require_permission(by, CHANGE_WEBHOOK)
    changed = _lock(webhook)
    message = _("Someone else changed the webhook in the meantime. Look at it again before you save.")
    refuse_if_changed(expected_revision, changed.revision, message)
    if any(name in values and values[name] != getattr(changed, name) for name in SENT_FIELDS):
        _require_rights_of_campaigns(changed, by)
    refuse_if(_hidden_headers(changed, values))
    if name is not None:
        changed.name = naming.parse_name(name)
    _set(changed, values)
    changed.revision += 1
    changed.failures, changed.open_until = 0, None
    _save(changed)
    audit.write_audit_entry(
        by, changed, "changed", what=", ".join(sorted({*values, *(["name"] if name is not None else [])}))
    )
    return changed


def needs_confirmation(webhook: Webhook, values: Mapping[str, Any]) -> bool:
    """True if these new values change the target or the data of a webhook: a session must be confirmed for that."""
    headers = values.get("headers")
    if headers is not None and _unmask(webhook, headers) != webhook_headers.headers_of(webhook):
        return True
    return any(name in values and values[name] != getattr(webhook, name) for name in ("url", "body"))


@transaction.atomic
def renew_webhook_secret(webhook: Webhook, by: Any) -> str:
    """Create a new secret; the old one becomes invalid."""
    require_permission(by, CHANGE_WEBHOOK)
    changed = _lock(webhook)
    secret = _renew(changed)
    changed.save(update_fields=["secret", "secret_key_name", "updated_at"])
    audit.write_audit_entry(by, changed, "secret_made")
    return secret


@transaction.atomic
def delete_webhook(webhook: Webhook, by: Any) -> None:
    """Delete a webhook with its deliveries. Raises `RejectedError` (`in_use`, naming the campaigns)."""
    require_permission(by, DELETE_WEBHOOK)
    locked = _lock(webhook)
    references.refuse_if_used(locked)
    audit.write_audit_entry(by, locked, "deleted")
    locked.delete()


@transaction.atomic
def resend_deliveries(webhook: Webhook, by: Any, delivery_ids: Sequence[int] | None = None) -> int:
    """Queue failed deliveries again (None: all of them), under the same ids; return how many."""
    require_permission(by, CHANGE_WEBHOOK)
    dead = WebhookDelivery.objects.filter(webhook=webhook, state=WebhookDelivery.State.DEAD)
    if delivery_ids is not None:
        dead = dead.filter(pk__in=list(delivery_ids))
    now = timezone.now()
    count = dead.update(
        state=WebhookDelivery.State.WAITING, attempts=0, due_at=now, give_up_at=now + KEEP_TRYING, finished_at=None
    )
    if count:
        Webhook.objects.filter(pk=webhook.pk).update(failures=0, open_until=None)
        audit.write_audit_entry(by, webhook, "resent", count=count)
        webhook_delivery.queue_delivery(webhook.pk)
    return count


def reseal_secrets() -> int:
    """Seal all secrets and headers under other keys again under the current key; return how many."""
    count = webhook_headers.reseal_headers()
    for webhook in Webhook.objects.exclude(secret=None).exclude(secret_key_name=sealing.current_key_name()):
        assert webhook.secret is not None
        secret = sealing.unseal_secret(webhook.secret_key_name, webhook.secret)
        name, sealed = sealing.seal_secret(secret)
        count += Webhook.objects.filter(pk=webhook.pk, secret=webhook.secret).update(
            secret=sealed, secret_key_name=name
        )
    return count


def _renew(webhook: Webhook) -> str:
    secret = secrets.token_bytes(32)
    webhook.secret_key_name, webhook.secret = sealing.seal_secret(secret)
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def _lock(webhook: Webhook) -> Webhook:
    locked = Webhook.objects.select_for_update().filter(pk=webhook.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.UNKNOWN_WEBHOOK, _("The webhook no longer exists.")))
    return locked


def _save(webhook: Webhook) -> None:
    message = _("There is already a webhook “%(name)s”.") % {"name": webhook.name}
    with naming.refuse_taken_name("webhook_name_is_unique", message):
        webhook.save()


# --- Checks ---------------------------------------------------------------------------------------------------


def _set(webhook: Webhook, values: Mapping[str, Any]) -> None:
    """Set checked values. Raises `RejectedError` with every problem."""
    if unknown := values.keys() - set(FIELDS):
        raise TypeError(f"a webhook has no {', '.join(sorted(unknown))} to change")
    for name, value in values.items():
        if name != "headers":
            setattr(webhook, name, value)
    headers = _unmask(webhook, values["headers"]) if "headers" in values else {}
    tokens = _all_tokens()
    refuse_if(
        [
            *_word(webhook.method, Webhook.Method.values, "method"),
            *_word(webhook.format, Webhook.Format.values, "format"),
            *_payload(webhook.payload_version),
            *_url(webhook, tokens),
            *_headers(headers, tokens),
            *_body(webhook, tokens),
            *_number(webhook.per_minute, MAX_PER_MINUTE, "per_minute"),
            *_number(webhook.timeout_seconds, MAX_SECONDS, "timeout_seconds"),
        ]
    )
    if "headers" in values:
        webhook_headers.set_headers(webhook, headers, webhook_headers.is_sealing_headers())


def _unmask(webhook: Webhook, headers: Any) -> Any:
    """The given headers, with masks replaced by the webhook's present values of the same names."""
    if not isinstance(headers, dict) or webhook_headers.HIDDEN not in headers.values():
        return headers
    present = {name.lower(): value for name, value in webhook_headers.headers_of(webhook).items()}
    return {
        name: present.get(name.lower(), value) if isinstance(name, str) and value == webhook_headers.HIDDEN else value
        for name, value in headers.items()
    }


def _require_rights_of_campaigns(webhook: Webhook, by: Any) -> None:
    """Raise `NotAllowedError` where an active campaign calls the webhook and `by` may not activate such a campaign."""
    if webhook.campaign_uses.filter(campaign__state=SmartCampaign.State.ACTIVE).exists():
        for right in RIGHTS_OF_CAMPAIGNS:
            require_permission(by, right)


def _hidden_headers(webhook: Webhook, values: Mapping[str, Any]) -> list[Problem]:
    """A problem if another origin would be sent values of headers that were not given with it."""
    url, headers = values.get("url"), values.get("headers", webhook_headers.masked_headers(webhook))
    if not isinstance(url, str) or not isinstance(headers, dict) or _origin(url) == _origin(webhook.url):
        return []
    if webhook_headers.HIDDEN not in headers.values():
        return []
    message = _("The address leads to another host. Enter the values of the headers again, or remove them.")
    return [Problem(Code.MISSING_VALUE, message, ("headers",))]


def _origin(url: str) -> str:
    origin = _ORIGIN.match(url)
    return origin[0].lower() if origin else url


def _all_tokens() -> set[str]:
    """All tokens that any campaign can fill; a trigger without such a field gives an empty value."""
    catalogue = Catalogue()
    return webhook_tokens.available_tokens(catalogue.types, catalogue, catalogue.objects)


def _word(value: Any, options: Sequence[str], name: str) -> list[Problem]:
    return [] if value in options else [bad_value(Code.UNKNOWN_WORD, ", ".join(options), value, name)]


def _payload(value: Any) -> list[Problem]:
    if isinstance(value, int) and not isinstance(value, bool) and value in Webhook.Payload.values:
        return []
    return [bad_value(Code.UNKNOWN_WORD, ", ".join(map(str, Webhook.Payload.values)), value, "payload_version")]


def _number(value: Any, most: int, name: str) -> list[Problem]:
    if type(value) is int and 1 <= value <= most:
        return []
    expected = _("a whole number from %(smallest)s to %(largest)s") % {"smallest": 1, "largest": most}
    return [bad_value(Code.WRONG_TYPE, expected, value, name)]


def _text(value: Any, most: int, name: str) -> list[Problem]:
    try:
        text = "" if value == "" else BY_NAME["text"].parse(value, timezone.get_default_timezone())
    except BadValueError as error:
        return [bad_value(error.code, error.expected, value, name)]
    if not isinstance(value, str) or len(text) > most:
        return [bad_value(Code.TOO_LONG, _("at most %(most)s characters") % {"most": most}, value, name)]
    return []


def _url(webhook: Webhook, tokens: set[str]) -> list[Problem]:
    if problems := _text(webhook.url, MAX_URL, "url"):
        return problems
    origin = _ORIGIN.match(webhook.url)
    if origin is None:
        message = _("the address must begin with https:// and a host, without tokens")
        return [Problem(Code.BAD_URL, message, ("url",), "https://example.com/path")]
    if origin.end() < len(webhook.url) and webhook.url[origin.end()] not in "/?":
        return [Problem(Code.BAD_URL, _("no tokens before the path of the address"), ("url",))]
    if problems := webhook_tokens.check_tokens(webhook.url, tokens, ("url",)):
        return problems
    try:
        webhook_http.check_url(webhook_tokens.render_template(webhook.url, dict.fromkeys(tokens, "x")))
    except webhook_http.UnsafeAddressError as unsafe:
        return [Problem(Code.BAD_URL, str(unsafe), ("url",))]
    return []


def _headers(headers: Any, tokens: set[str]) -> list[Problem]:
    if not isinstance(headers, dict) or len(headers) > MAX_HEADERS:
        return [bad_value(Code.WRONG_TYPE, _("at most 20 headers, each a name and a value"), headers, "headers")]
    problems = []
    for name, value in headers.items():
        path = ("headers", str(name)[:100])
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            problems.append(bad_value(Code.BAD_HEADER, _("a name of letters, digits and -"), name, *path))
        elif name.lower() in OWN_HEADERS or name.lower().startswith(OWN_PREFIX):
            problems.append(Problem(Code.BAD_HEADER, _("the product sets this header itself"), path))
        elif value == webhook_headers.HIDDEN:
            problems.append(bad_value(Code.BAD_HEADER, _("a value: this header has none yet"), value, *path))
        elif not isinstance(value, str) or not value.isprintable() or len(value) > 2_000:
            problems.append(bad_value(Code.BAD_HEADER, _("text on one line"), value, *path))
        else:
            problems += webhook_tokens.check_tokens(value, tokens, path)
    return problems


def _body(webhook: Webhook, tokens: set[str]) -> list[Problem]:
    if problems := _text(webhook.body, MAX_BODY, "body") or webhook_tokens.check_tokens(
        webhook.body, tokens, ("body",)
    ):
        return problems
    if webhook.format in (Webhook.Format.JSON, Webhook.Format.CLOUDEVENTS) and webhook.body:
        try:  # a digit is valid JSON both as a number and inside quotes
            json.loads(webhook_tokens.render_template(webhook.body, dict.fromkeys(tokens, "0")))
        except ValueError as error:
            return [Problem(Code.BAD_JSON, _("not valid JSON: %(why)s") % {"why": str(error)[:100]}, ("body",))]
    return []
