"""The image that reports a page view where scripts do not run."""

from uuid import uuid4

from activities.tracking.addresses import parse_address
from activities.tracking.live_types import LiveTypes
from activities.tracking.reading import Client, EventContext, Reader, ReceivedEvent
from activities.tracking.wire import TOKEN, why_not_kept
from people.core.errors import RejectedError


def read_view(url: str, token: str, client: Client, types: LiveTypes) -> ReceivedEvent:
    """The single item of a request. Requests of images have no id, so each one is a view."""
    now = int(client.received.timestamp() * 1000)
    item = ReceivedEvent(f"img-{uuid4().hex}")
    reader = Reader(client, types, token if TOKEN.fullmatch(token) else None, sent=now)
    page = parse_address(url)
    item.title, item.not_kept = page.url if page else "", why_not_kept(client, "unknown")
    if item.not_kept is None:
        try:
            context = EventContext(item.id, now, {"type": "page", "url": url}, page, None)
            item.hits = [reader.page_hit(context)]
        except RejectedError as refusal:
            item.problems = tuple(refusal.problems)
    return item
