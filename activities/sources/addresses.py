"""Public addresses of the collector: where a source sends events, and the scripts of web sites."""

from django.conf import settings

from activities.models import EventSource
from activities.sources.keys import live_keys


def script_address(website: EventSource, *, munchkin: bool = False) -> str:
    """The address of a web site's script, or of the one for pages made for Munchkin; empty while no key works."""
    base = f"{settings.COLLECTOR_URL}{settings.COLLECTOR_PATH}"
    if munchkin:
        return f"{base}/munchkin/{website.munchkin_id}.js" if website.munchkin_id else ""
    key = live_keys(website).first()
    return f"{base}/s/{key.lookup}.js" if key else ""
