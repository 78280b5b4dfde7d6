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
    """For RudderStack's client, which sends its own errors and figures nowhere."""
    off = {"enabled": False}
    source = {
        "id": str(key.source_id),
        "name": key.source.name,
        "writeKey": key.lookup,
        "enabled": True,
        "workspaceId": "1",
        "config": {"statsCollection": {"errors": off, "metrics": off}},
        "destinations": [],
        "connections": [],
        "updatedAt": key.source.updated_at.isoformat(),
    }
    return {"source": source, "updatedAt": source["updatedAt"]}
