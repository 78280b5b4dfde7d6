"""Segment's messages as its clients send them, read and committed as the collector does."""

import itertools
import json
from datetime import timedelta

from django.utils import timezone

from activities.models import EventSource, SourceKey
from activities.segment.messages import read_messages
from activities.segment.wire import parse_envelope
from activities.sources import editing
from activities.sources.authentication import Sender
from activities.tracking.agents import parse_agent
from activities.tracking.committing import commit_submissions
from activities.tracking.live_types import load_live_types
from activities.tracking.reading import Client
from activities.tracking.submissions import Submission
from activities.visitors import partitions

SITE = "https://www.example.com"
LIBRARY = {"name": "analytics-python", "version": "2.4.0"}
_numbers = itertools.count(1)


def make_program(name="Shop back end", **values) -> EventSource:
    partitions.forget_partitions()
    return editing.create_source(name, "server", None, **values).key.source


def make_site(name="Shop", **values) -> EventSource:
    partitions.forget_partitions()
    source = editing.create_source(name, "browser", None, origins=[SITE]).key.source
    EventSource.objects.filter(pk=source.pk).update(**values)
    source.refresh_from_db()
    return source


def message(kind="track", event=None, properties=None, **more):
    """A message as a client makes it; members given as `...` are left out."""
    values = {
        "type": kind,
        "messageId": f"m-{next(_numbers)}",
        "timestamp": timezone.now().isoformat(),
        "context": {"library": LIBRARY},
        **({"event": event} if event else {}),
        **({"properties": properties} if properties is not None else {}),
    }
    return {name: value for name, value in {**values, **more}.items() if value is not ...}


def read(source, *messages, call="batch", received=None, **envelope):
    """The items of one request."""
    received = received or timezone.now()
    envelope.setdefault("sentAt", received.isoformat())
    body = {**envelope, "batch": list(messages)} if call == "batch" else {**envelope, **messages[0]}
    sender = Sender(source, SourceKey(source=source), SITE if source.is_browser else None)
    client = Client(sender, received, parse_agent("Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0"))
    parsed = parse_envelope(call, json.dumps(body).encode())
    return read_messages(parsed, client, load_live_types())


def send(source, *messages, **how):
    """The items of one request, committed."""
    items = read(source, *messages, **how)
    commit_submissions([Submission(source.pk, 0, items)])
    return items


def minutes_ago(number):
    return (timezone.now() - timedelta(minutes=number)).isoformat()
