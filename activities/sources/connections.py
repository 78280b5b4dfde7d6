"""Code that connects a program with the collector: lines that are ready to run."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from activities.sources.addresses import segment_host

KEY_PLACEHOLDER = "YOUR_KEY"
_PYTHON = """import segment.analytics as analytics  # pip install segment-analytics-python

analytics.write_key = "{key}"
analytics.host = "{host}"
analytics.track("user-1", "Order Completed", {{"total": 25}})
analytics.flush()"""
_NODE = """import {{ Analytics }} from "@segment/analytics-node"

const analytics = new Analytics({{ writeKey: "{key}", host: "{host}" }})
analytics.track({{ userId: "user-1", event: "Order Completed", properties: {{ total: 25 }} }})"""
_CURL = """curl -u {key}: {host}/v1/track \\
  -d '{{"userId": "user-1", "event": "Order Completed", "properties": {{"total": 25}}}}'"""
_CLOUDEVENT = """curl -u {key}: {host}/v1/cloudevents -H 'Content-Type: application/cloudevents+json' \\
  -d '{{"specversion": "1.0", "id": "1", "source": "/shop", "type": "Order Completed",
       "subject": "user-1", "data": {{"total": 25}}}}'"""
_LINES: tuple[tuple[Any, str], ...] = (
    (gettext_lazy("From a command line"), _CURL),
    ("Python", _PYTHON),
    ("Node.js", _NODE),
    ("CloudEvents", _CLOUDEVENT),
)


@dataclass(frozen=True, slots=True)
class Connection:
    title: Any
    code: str


def connection_examples(key: str = KEY_PLACEHOLDER) -> list[Connection]:
    """One example for each kind of client, each of which sends one event."""
    return [Connection(title, code.format(key=key, host=segment_host())) for title, code in _LINES]
