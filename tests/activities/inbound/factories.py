"""Makers of webhooks, of calls as the collector keeps them, and of mappings."""

import json

from activities.inbound import editing, keeping, processing, replaying
from activities.inbound.reading import make_call, parse_body
from activities.models import InboundMapping, InboundReplay, InboundWebhook

DEFINITION = {
    "when": {"path": ["event"], "values": ["deposit"]},
    "person": {"field": "email", "path": ["who", "email"], "create": True},
    "occurred_at": {"path": ["at"]},
    "primary": {"path": ["number"]},
    "attributes": {"amount": {"path": ["cents"], "hundredths": True}, "branch": {"constant": "Main Street"}},
}


def make_webhook(name: str = "Bank", recipe: str = "other", **values: object) -> InboundWebhook:
    issued = editing.create_webhook(name, recipe, None, **values)
    return InboundWebhook.objects.select_related("source").get(source=issued.key.source_id)


def deposit(**values: object) -> dict:
    call = {"event": "deposit", "who": {"email": "ann@example.com"}, "at": 1_795_000_000, "number": "No. 1"}
    return {**call, "cents": 12_050, **values}


def receive(webhook: InboundWebhook, *contents: object, content_type: str = "application/json", **headers: str) -> list:
    """Keep calls in one commit; return each as the collector has it."""
    calls = []
    for content in contents:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        read, text = parse_body(body, content_type)
        sent = {"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        calls.append(make_call(webhook, sent, read, text, len(body)))
    keeping.keep_calls(calls)
    return calls


def make_mapping(webhook: InboundWebhook, activity_type: object, definition: object = None) -> InboundMapping:
    mapping = editing.add_mapping(webhook.source, "Deposits", None, definition or DEFINITION, activity_type)
    return editing.turn_on_mapping(mapping, None)


def process() -> None:
    while processing.process_calls():
        pass


def replay_waiting(webhook: InboundWebhook, **options: object) -> InboundReplay:
    """The replay of all that waits, once its job has ended."""
    replay = replaying.start_replay(webhook.source, None, **options)
    replaying.run_replay(replay.pk)
    replay.refresh_from_db()
    return replay
