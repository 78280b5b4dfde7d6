"""Public addresses of the collector: where a source sends events, and the scripts of web sites."""

from django.conf import settings

from activities.models import EventSource, SourceKey


def collect_address() -> str:
    """Where the script sends what visitors do."""
    return f"{settings.COLLECTOR_URL}{settings.COLLECTOR_BASE}/e"


def script_address(key: SourceKey) -> str:
    """The script of a web site, by one of its keys."""
    return f"{settings.COLLECTOR_URL}{settings.COLLECTOR_BASE}/s/{key.lookup}.js"


def munchkin_address(website: EventSource) -> str:
    """The script for pages that were made for Munchkin; empty for a web site without a Munchkin id."""
    return f"{settings.COLLECTOR_URL}/munchkin/{website.munchkin_id}.js" if website.munchkin_id else ""
