"""Public addresses of the collector, and the IDs of Munchkin accounts in them."""

import re

from django.conf import settings

from activities.models import EventSource, SourceKey

MUNCHKIN_ID = r"[0-9]{3}-[A-Z]{3}-[0-9]{3}"


def parse_munchkin_id(text: str) -> str:
    """The Munchkin ID as event sources store it, in upper case; empty for an invalid one."""
    munchkin_id = text.strip().upper()
    return munchkin_id if re.fullmatch(MUNCHKIN_ID, munchkin_id) else ""


def collect_address() -> str:
    """The address to which the script sends hits."""
    return f"{settings.COLLECTOR_URL}{settings.COLLECTOR_BASE}/e"


def script_address(key: SourceKey) -> str:
    """The script of a web site, by one of its keys."""
    return f"{settings.COLLECTOR_URL}{settings.COLLECTOR_BASE}/s/{key.lookup}.js"


def munchkin_address(website: EventSource) -> str:
    """The script for pages that were made for Munchkin; empty for a web site without a Munchkin id."""
    return f"{settings.COLLECTOR_URL}/munchkin/{website.munchkin_id}.js" if website.munchkin_id else ""


def webhook_address(write_key: str) -> str:
    """The secret address that another product calls."""
    return f"{settings.COLLECTOR_URL}{settings.COLLECTOR_BASE}/w/{write_key}"


def segment_host() -> str:
    """The base address for clients of Segment's API: scheme, host and port, without a path."""
    address: str = settings.COLLECTOR_URL
    return address
