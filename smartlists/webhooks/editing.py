"""Webhooks: to make and change them, and to write down the calls that campaigns want made.

A secret is shown once, when it is made, and kept sealed. Tokens fill a path, a query, header values and the body,
each escaped for its place; scheme, host and header names are what was typed.
"""

import base64
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people import audit, datatypes, names, used_by
from people.permissions import require
from people.problems import Problem, Refused, bad_value, refuse_if, refuse_if_changed
from smartlists import filling, outbound, sealing, tokens
from smartlists.catalogue import Catalogue
from smartlists.models import Webhook, WebhookDelivery

audit.describe({
    "secret_made": (2, gettext_lazy("Made a new secret")),
    "resent": (2, gettext_lazy("Sent %(count)s deliveries again")),
})  # fmt: skip

LANES = 2
KEEP_TRYING = timedelta(hours=24)
MAX_HEADERS, MAX_BODY, MAX_URL = 20, 65_536, 2_000
MAX_PER_MINUTE, MAX_SECONDS = 60_000, 30
CHANGE = "smartlists.change_webhook"
SECRET_PREFIX = "whsec_"
# what the call itself needs, or what would make one request into two
OWN_HEADERS = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect",
    "proxy-authorization", "proxy-connection", "keep-alive", "content-type", "user-agent",
})  # fmt: skip
OWN_PREFIX = "webhook-"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_ORIGIN = re.compile(r"https?://[^/?#{}\\]+", re.IGNORECASE)
FIELDS = ("method", "url", "headers", "format", "body", "per_minute", "timeout_seconds")
CONTENT_TYPES: Mapping[str, str] = {
    Webhook.Format.CLOUDEVENTS: "application/cloudevents+json; charset=utf-8",
    Webhook.Format.JSON: "application/json; charset=utf-8",
    Webhook.Format.FORM: "application/x-www-form-urlencoded",
    Webhook.Format.TEXT: "text/plain; charset=utf-8",
}
ESCAPES: Mapping[str, Callable[[str], str]] = {
    Webhook.Format.CLOUDEVENTS: tokens.in_json,
    Webhook.Format.JSON: tokens.in_json,
    Webhook.Format.FORM: tokens.in_form,
    Webhook.Format.TEXT: str,
}


@transaction.atomic
def create(name: Any, by: Any, **values: Any) -> tuple[Webhook, str]:
    """Make a webhook; the second is its secret, which is never shown again. Raises `Refused` with every problem."""
    require(by, "smartlists.add_webhook")
    made = Webhook(name=names.name(name), created_by=by)
    _set(made, values)
    secret = _renew(made)
    _save(made)
    audit.note(by, made, "created")
    return made, secret


@transaction.atomic
def change(webhook: Webhook, by: Any, *, expected_revision: int | None = None, name: Any = None, **values: Any) -> Any:
    """Change a webhook; calls that wait go out as they were written down. Raises as `create`, and `Conflict`."""
    require(by, CHANGE)
    changed = _lock(webhook)
    message = _("Somebody else changed the webhook in the meantime. Look at it again before you save.")
    refuse_if_changed(expected_revision, changed.revision, message)
    if name is not None:
        changed.name = names.name(name)
    _set(changed, values)
    changed.revision += 1
    changed.failures, changed.open_until = 0, None
    _save(changed)
    audit.note(by, changed, "changed", what=", ".join(sorted({*values, *(["name"] if name is not None else [])})))
    return changed


@transaction.atomic
def new_secret(webhook: Webhook, by: Any) -> str:
    """Make another secret; the one before is of no use any more."""
    require(by, CHANGE)
    changed = _lock(webhook)
    secret = _renew(changed)
    changed.save(update_fields=["secret", "secret_key_name", "updated_at"])
    audit.note(by, changed, "secret_made")
    return secret


@transaction.atomic
def delete(webhook: Webhook, by: Any) -> None:
    """Remove a webhook with its deliveries. Raises `Refused` (`in_use`, naming the campaigns)."""
    require(by, "smartlists.delete_webhook")
    gone = _lock(webhook)
    used_by.refuse_if_used(gone)
    audit.note(by, gone, "deleted")
    gone.delete()


@transaction.atomic
def resend(webhook: Webhook, by: Any, delivery_ids: Sequence[int] | None = None) -> int:
    """Have deliveries that were given up sent again (None: all of them), under the same ids; return how many."""
    require(by, CHANGE)
    dead = WebhookDelivery.objects.filter(webhook=webhook, state=WebhookDelivery.State.DEAD)
    if delivery_ids is not None:
        dead = dead.filter(pk__in=list(delivery_ids))
    now = timezone.now()
    count = dead.update(
        state=WebhookDelivery.State.WAITING, attempts=0, due_at=now, give_up_at=now + KEEP_TRYING, finished_at=None
    )
    if count:
        Webhook.objects.filter(pk=webhook.pk).update(failures=0, open_until=None)
        audit.note(by, webhook, "resent", count=count)
        _wake(webhook.pk)
    return count


def reseal() -> int:
    """Seal every secret that lies under another key under the present one; return how many."""
    done = 0
    for webhook in Webhook.objects.exclude(secret=None).exclude(secret_key_name=sealing.present()):
        secret = sealing.unseal(webhook.secret_key_name, webhook.secret)
        name, sealed = sealing.seal(secret)
        done += Webhook.objects.filter(pk=webhook.pk, secret=webhook.secret).update(secret=sealed, secret_key_name=name)
    return done


def _renew(webhook: Webhook) -> str:
    secret = secrets.token_bytes(32)
    webhook.secret_key_name, webhook.secret = sealing.seal(secret)
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def _lock(webhook: Webhook) -> Webhook:
    found = Webhook.objects.select_for_update().filter(pk=webhook.pk).first()
    if found is None:
        raise Refused(Problem("unknown_webhook", _("The webhook is no longer there.")))
    return found


def _save(webhook: Webhook) -> None:
    message = _("There is a webhook “%(name)s” already.") % {"name": webhook.name}
    with names.kept_apart("webhook_name_is_unique", message):
        webhook.save()


# --- Checks ---------------------------------------------------------------------------------------------------


def _set(webhook: Webhook, values: Mapping[str, Any]) -> None:
    """Take over what was given, checked. Raises `Refused` with every problem."""
    if unknown := values.keys() - set(FIELDS):
        raise TypeError(f"a webhook has no {', '.join(sorted(unknown))} to change")
    for name, value in values.items():
        setattr(webhook, name, value)
    known = _known_tokens()
    refuse_if([
        *_word(webhook.method, Webhook.Method.values, "method"),
        *_word(webhook.format, Webhook.Format.values, "format"),
        *_url(webhook, known), *_headers(webhook, known), *_body(webhook, known),
        *_number(webhook.per_minute, MAX_PER_MINUTE, "per_minute"),
        *_number(webhook.timeout_seconds, MAX_SECONDS, "timeout_seconds"),
    ])  # fmt: skip


def _known_tokens() -> set[str]:
    """Tokens that some campaign can fill; one whose trigger has no such field leaves the place empty."""
    from smartlists.definition_checks import known_tokens
    from smartlists.definitions import Trigger

    catalogue = Catalogue()
    return known_tokens([Trigger(api_name) for api_name in catalogue.types], catalogue)


def _word(value: Any, known: Sequence[str], name: str) -> list[Problem]:
    return [] if value in known else [bad_value("unknown_word", ", ".join(known), value, name)]


def _number(value: Any, most: int, name: str) -> list[Problem]:
    if type(value) is int and 1 <= value <= most:
        return []
    expected = _("a whole number from %(smallest)s to %(largest)s") % {"smallest": 1, "largest": most}
    return [bad_value("wrong_type", expected, value, name)]


def _text(value: Any, most: int, name: str) -> list[Problem]:
    try:
        text = "" if value == "" else datatypes.BY_NAME["text"].parse(value, timezone.get_default_timezone())
    except datatypes.BadValue as error:
        return [bad_value(error.code, error.expected, value, name)]
    if not isinstance(value, str) or len(text) > most:
        return [bad_value("too_long", _("at most %(most)s characters") % {"most": most}, value, name)]
    return []


def _url(webhook: Webhook, known: set[str]) -> list[Problem]:
    if problems := _text(webhook.url, MAX_URL, "url"):
        return problems
    origin = _ORIGIN.match(webhook.url)
    if origin is None:
        message = _("the address must begin with https:// and a host, without tokens")
        return [Problem("bad_url", message, ("url",), "https://example.com/path")]
    if origin.end() < len(webhook.url) and webhook.url[origin.end()] not in "/?":
        return [Problem("bad_url", _("no tokens before the path of the address"), ("url",))]
    if problems := tokens.check(webhook.url, known, ("url",)):
        return problems
    try:
        outbound.check(tokens.render(webhook.url, dict.fromkeys(known, "x")))
    except outbound.Unsafe as unsafe:
        return [Problem("bad_url", str(unsafe), ("url",))]
    return []


def _headers(webhook: Webhook, known: set[str]) -> list[Problem]:
    if not isinstance(webhook.headers, dict) or len(webhook.headers) > MAX_HEADERS:
        return [bad_value("wrong_type", _("at most 20 headers, each a name and a value"), webhook.headers, "headers")]
    problems = []
    for name, value in webhook.headers.items():
        path = ("headers", str(name)[:100])
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            problems.append(bad_value("bad_header", _("a name of letters, digits and -"), name, *path))
        elif name.lower() in OWN_HEADERS or name.lower().startswith(OWN_PREFIX):
            problems.append(Problem("bad_header", _("the product sets this header itself"), path))
        elif not isinstance(value, str) or not value.isprintable() or len(value) > 2_000:
            problems.append(bad_value("bad_header", _("text on one line"), value, *path))
        else:
            problems += tokens.check(value, known, path)
    return problems


def _body(webhook: Webhook, known: set[str]) -> list[Problem]:
    if problems := _text(webhook.body, MAX_BODY, "body") or tokens.check(webhook.body, known, ("body",)):
        return problems
    if webhook.format in (Webhook.Format.JSON, Webhook.Format.CLOUDEVENTS) and webhook.body:
        try:  # a number stands for itself, and inside quotes for a text
            json.loads(tokens.render(webhook.body, dict.fromkeys(known, "0")))
        except ValueError as error:
            return [Problem("bad_json", _("not valid JSON: %(why)s") % {"why": str(error)[:100]}, ("body",))]
    return []


# --- Calls ----------------------------------------------------------------------------------------------------


def queue(webhook_id: int, entries: Sequence[Any], situation: Any) -> dict[int, str]:
    """Write down one call an entry; jobs make them once this is committed. What is wrong, by entry, else."""
    webhook = Webhook.objects.filter(pk=webhook_id).first()
    if webhook is None:
        raise Refused(Problem("unknown_webhook", _("The webhook is no longer there.")))
    values = filling.values_of(entries, situation)
    deliveries, problems = [], {}
    for entry in entries:
        made = _delivery(webhook, entry, situation, values[entry.id])
        if isinstance(made, str):
            problems[entry.id] = made
        else:
            deliveries.append(made)
    WebhookDelivery.objects.bulk_create(deliveries)
    if deliveries:
        _wake(webhook.pk)
    return problems


def _wake(webhook_id: int) -> None:
    from smartlists.campaign_tasks import deliver, later  # tasks call this module

    for lane in range(LANES):
        later(deliver, f"webhook {webhook_id} {lane}", webhook_id=webhook_id, lane=lane)


def _delivery(webhook: Webhook, entry: Any, situation: Any, values: filling.Values) -> WebhookDelivery | str:
    """The call for one entry, or what is wrong with it."""
    delivery = WebhookDelivery(
        webhook=webhook, entry_id=entry.id, path=situation.path, person_id=entry.person_id,
        lane=entry.person_id % LANES, method=webhook.method,
        url=tokens.render(webhook.url, values, tokens.in_url),
        headers={name: tokens.render(value, values, tokens.one_line) for name, value in webhook.headers.items()},
        give_up_at=situation.now + KEEP_TRYING,
    )  # fmt: skip
    text = tokens.render(webhook.body, values, ESCAPES[webhook.format])
    if webhook.format in (Webhook.Format.JSON, Webhook.Format.CLOUDEVENTS) and text:
        try:
            json.loads(text)
        except ValueError:
            return _("with this person's values the body is no valid JSON")
    delivery.body = _event(delivery, text, entry, situation, values) if webhook.format == "cloudevents" else text
    if webhook.method in (Webhook.Method.GET, Webhook.Method.DELETE):
        delivery.body = ""
    delivery.headers |= {"Content-Type": CONTENT_TYPES[webhook.format]} if delivery.body else {}
    return delivery


def _event(delivery: WebhookDelivery, text: str, entry: Any, situation: Any, values: filling.Values) -> str:
    """A CloudEvents 1.0 event in its JSON form; its data is the template's, else person, activity and campaign."""
    occurred_at = values.get("trigger.occurred_at") or datatypes.moment_text(situation.now)
    event = {
        "specversion": "1.0",
        "id": str(delivery.key),
        "source": f"{settings.SITE_URL}/campaigns/{situation.campaign.pk}",
        "type": "custom-activities.campaign.step",
        "subject": f"person/{entry.person_id}",
        "time": occurred_at,
        "datacontenttype": "application/json",
        "data": json.loads(text) if text else _data(entry, situation, values),
    }
    return json.dumps(event, ensure_ascii=False)


def _data(entry: Any, situation: Any, values: filling.Values) -> dict[str, Any]:
    person = {name: values.get(f"person.{name}") for name in ("email", "first_name", "last_name")}
    about = {
        key.removeprefix("trigger."): value for key, value in values.items()
        if key.startswith("trigger.") and value is not None
    }  # fmt: skip
    return {
        "campaign": {"id": situation.campaign.pk, "name": situation.campaign.name},
        "person": {"id": entry.person_id, **{name: value for name, value in person.items() if value}},
        "activity": about or None,
    }
