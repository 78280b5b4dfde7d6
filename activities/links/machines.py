"""Clicks of machines: programs that fetch an address before, or instead of, a human who sees the page.

Security gateways and previews follow every link of a message. They are kept and marked, apart from people's clicks.
"""

import re
from collections.abc import Mapping

from activities.tracking.agents import Agent

MAX_REASON = 100
# sent by browsers that fetch what a user may want to see later (Sec-Purpose is the standard's, the others older)
_PURPOSE_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PURPOSES = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
# destinations of pages; an image or a script at the address is no visit (Fetch Metadata, W3C)
_PAGES = frozenset({"", "document", "iframe", "frame"})
# gateways and proxies of e-mail that crawlerdetect lacks
_SCANNERS = re.compile(
    r"barracuda|mimecast|proofpoint|safelinks|cloudmark|symantec|messagelabs|fireeye|trend ?micro|forcepoint|sophos"
    r"|ironport|zscaler|ms-office|office existence|google-safety|ggpht|linkcheck|urlscan|virustotal",
    re.IGNORECASE,
)
BARE = "Mozilla/5.0"  # the user agent of Apple's Mail Privacy Protection; that of browsers is longer


def machine_reason(method: str, headers: Mapping[str, str], agent: Agent) -> str:
    """By what a click is a machine's, in stable words; empty for a human's. `headers`: names in lower case."""
    if method == "HEAD":
        return "HEAD"
    for name in _PURPOSE_HEADERS:
        if found := _PURPOSES.search(headers.get(name, "")):
            return found[0].lower()
    if headers.get("sec-fetch-dest", "") not in _PAGES:
        return "no page"
    if agent.is_bot:
        return f"user agent: {agent.bot_pattern}"[:MAX_REASON]
    if agent.user_agent == BARE:
        return f"user agent: {BARE}"
    if found := _SCANNERS.search(agent.user_agent):
        return f"user agent: {found[0]}"[:MAX_REASON]
    return ""


def is_recorded(reason: str) -> bool:
    """False for fetches that are no click at all, which are only counted."""
    return not reason or reason.startswith("user agent")
