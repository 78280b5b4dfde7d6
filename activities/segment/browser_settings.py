"""The settings that browser clients load before they send anything."""

from typing import Any
from urllib.parse import SplitResult

from activities.models import SourceKey


def segment_settings(key: SourceKey, address: SplitResult) -> dict[str, Any]:
    """For analytics.js: send everything to us, and nothing to other destinations."""
    own = {"apiKey": key.lookup, "apiHost": f"{address.netloc}/v1", "protocol": address.scheme}
    plan = {"track": {"__default": {"enabled": True, "integrations": {}}}}
    return {"integrations": {"Segment.io": own}, "plan": plan}


def rudderstack_source(key: SourceKey, _address: SplitResult) -> dict[str, Any]:
    """For RudderStack's client, which sends its own errors and figures nowhere.

    Any visitor reads it: nothing in it is the installation's own, but the public key.
    """
    off = {"enabled": False}
    source = {
        "id": "source",
        "name": "source",
        "writeKey": key.lookup,
        "enabled": True,
        "workspaceId": "1",
        "config": {"statsCollection": {"errors": off, "metrics": off}},
        "destinations": [],
        "connections": [],
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
    return {"source": source, "updatedAt": source["updatedAt"]}
