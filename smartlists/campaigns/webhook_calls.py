"""Queues the calls of a campaign's webhook steps."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.datatypes.canonical import dump_json, moment_text
from smartlists.campaigns import token_values
from smartlists.models import Webhook, WebhookDelivery
from smartlists.webhooks import delivery as webhook_delivery
from smartlists.webhooks import headers as webhook_headers
from smartlists.webhooks import tokens as webhook_tokens
from smartlists.webhooks.editing import CONTENT_TYPES, ESCAPES, KEEP_TRYING


def queue_webhook_calls(webhook_id: int, entries: Sequence[Any], situation: Any) -> dict[int, str]:
    """Store one call per entry; jobs make the calls once this is committed. Returns problems by entry id."""
    webhook = Webhook.objects.filter(pk=webhook_id).first()
    if webhook is None:
        raise RejectedError(Problem(Code.UNKNOWN_WEBHOOK, _("The webhook no longer exists.")))
    values = token_values.values_by_entry(entries, situation)
    activities = _activities(webhook, entries)
    templates, seals = webhook_headers.headers_of(webhook), webhook_headers.is_sealing_headers()
    deliveries, problems = [], {}
    for entry in entries:
        delivery = _delivery(webhook, entry, situation, values[entry.id], activities.get(entry.id))
        if isinstance(delivery, str):
            problems[entry.id] = delivery
            continue
        content_type = {"Content-Type": CONTENT_TYPES[webhook.format]} if delivery.body else {}
        webhook_headers.set_headers(delivery, {**_rendered(templates, values[entry.id]), **content_type}, seals)
        deliveries.append(delivery)
    WebhookDelivery.objects.bulk_create(deliveries)
    if deliveries:
        webhook_delivery.queue_delivery(webhook.pk)
    return problems


def _activities(webhook: Webhook, entries: Sequence[Any]) -> Mapping[int, dict[str, Any]]:
    """The activities with JSON types, by entry, if the data of the call contain them."""
    has_event_data = webhook.format == Webhook.Format.CLOUDEVENTS and not webhook.body
    if not has_event_data or webhook.payload_version == Webhook.Payload.TEXTS:
        return {}
    return token_values.activities_by_entry(entries)


def _delivery(
    webhook: Webhook, entry: Any, situation: Any, values: token_values.Values, activity: dict[str, Any] | None
) -> WebhookDelivery | str:
    """The call for one entry, or the text of its problem."""
    delivery = WebhookDelivery(
        webhook=webhook,
        entry_id=entry.id,
        path=situation.path,
        person_id=entry.person_id,
        lane=entry.person_id % webhook_delivery.LANES,
        method=webhook.method,
        url=webhook_tokens.render_template(webhook.url, values, webhook_tokens.escape_for_url),
        give_up_at=situation.now + KEEP_TRYING,
    )
    text = webhook_tokens.render_template(webhook.body, values, ESCAPES[webhook.format])
    if webhook.format in (Webhook.Format.JSON, Webhook.Format.CLOUDEVENTS) and text:
        try:
            json.loads(text)
        except ValueError:
            return _("with this person's values the body is not valid JSON")
    if webhook.format == Webhook.Format.CLOUDEVENTS:
        data = json.loads(text) if text else _data(webhook, entry, situation, values, activity)
        delivery.body = _event(delivery, data, entry, situation, values)
    else:
        delivery.body = text
    if webhook.method in (Webhook.Method.GET, Webhook.Method.DELETE):
        delivery.body = ""
    return delivery


def _rendered(templates: Mapping[str, str], values: token_values.Values) -> dict[str, str]:
    return {
        name: webhook_tokens.render_template(value, values, webhook_tokens.to_one_line)
        for name, value in templates.items()
    }


def _event(delivery: WebhookDelivery, data: Any, entry: Any, situation: Any, values: token_values.Values) -> str:
    """A CloudEvents 1.0 event in its JSON form."""
    occurred_at = values.get("trigger.occurred_at") or moment_text(situation.now)
    event = {
        "specversion": "1.0",
        "id": str(delivery.key),
        "source": f"{settings.SITE_URL}/campaigns/{situation.campaign.pk}",
        "type": "custom-activities.campaign.step",
        "subject": f"person/{entry.person_id}",
        "time": occurred_at,
        "datacontenttype": "application/json",
        "data": data,
    }
    return dump_json(event)


def _data(
    webhook: Webhook, entry: Any, situation: Any, values: token_values.Values, activity: dict[str, Any] | None
) -> dict[str, Any]:
    """The event data: person, activity and campaign, in the payload version of the webhook.

    In version 1 the activity's own members hide fields of the same name, and every value is text.
    """
    person = {name: values.get(f"person.{name}") for name in ("email", "first_name", "last_name")}
    activity_texts = {
        key.removeprefix("trigger."): value
        for key, value in values.items()
        if key.startswith("trigger.") and value is not None
    }
    return {
        "campaign": {"id": situation.campaign.pk, "name": situation.campaign.name},
        "person": {"id": entry.person_id, **{name: value for name, value in person.items() if value}},
        "activity": (activity_texts or None) if webhook.payload_version == Webhook.Payload.TEXTS else activity,
    }
