"""Keeps requests of programs as they came: those of many clients in one transaction, which is what is acknowledged."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from activities.recording.notify import Notices
from activities.segment.times import MAX_TIME
from activities.sources.usage import COUNT_SQL, SEEN_SQL, measure_uses, seen_values, use_values, uses_by_source
from people.core.db import prepared

CHANNEL = "intake_kept"
_BYTES_OF_ONE = 4_096
# one statement is one round trip, and its own transaction; the bodies are sent as they are, not as text
_KEEP = f"""with kept as (
    insert into intake_request (key, source_id, received_at, call, sent_at, opts_out, events, size, body)
    select w.key, w.source_id, w.received_at, w.call, w.sent_at, w.opts_out, w.events, length(w.body), w.body
    from unnest(%s::uuid[], %s::bigint[], %s::timestamptz[], %s::text[], %s::text[], %s::bool[], %s::int[], %b::bytea[])
        with ordinality as w (key, source_id, received_at, call, sent_at, opts_out, events, body, place) order by place
    on conflict (key) do nothing),
used as ({COUNT_SQL}),
seen as ({SEEN_SQL})
select """
_notices = Notices()
_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKENS = re.compile(rb"[\[\]{}]|" + _TEXT)
_TEXT_OF_MEMBER = re.compile(rb"\s*:\s*\"((?:[^\"\\]|\\.)*)\"")


@dataclass(slots=True)
class KeptRequest:
    """One request to keep. `size`: the bytes sent; `body`: inflated JSON text, which was checked to be an envelope.

    The other members are the collector's `Committable`.
    """

    source_id: int
    received_at: datetime
    call: str
    sent_at: str
    opts_out: bool
    events: int
    size: int
    body: bytes
    key: UUID = field(default_factory=uuid4)
    items: tuple[Any, ...] = field(default=())
    is_busy: bool = False
    is_unavailable: bool = False

    @property
    def number_of_hits(self) -> int:
        """The weight in the writer's queue: what waits there takes a bounded number of bytes."""
        return 1 + len(self.body) // _BYTES_OF_ONE


def without_key(body: bytes) -> bytes:
    """The body, which is a JSON object, with an empty `writeKey`: what waits, and its backups, hold no secret.

    All else stays byte by byte. Of a repeated member each is emptied.
    """
    if b"writeKey" not in body and b"\\u00" not in body:  # nor with escapes
        return body
    parts, at, depth = [], 0, 0
    for token in _TOKENS.finditer(body):
        first = token[0][:1]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
        elif depth == 1 and _is_write_key(token[0]) and (value := _TEXT_OF_MEMBER.match(body, token.end())):
            parts.append(body[at : value.start(1)])
            at = value.end(1)
    return b"".join([*parts, body[at:]])


def _is_write_key(token: bytes) -> bool:
    # an escape is longer than what it stands for
    return token == b'"writeKey"' or (b"\\" in token and json.loads(token) == "writeKey")


def readable_sent_at(value: Any) -> str:
    """The time of sending of a request's head; empty for what is none."""
    return value if isinstance(value, str) and len(value) <= MAX_TIME and value.isprintable() else ""


def keep_requests(requests: Sequence[KeptRequest]) -> None:
    """Commit the requests together, and count them in the use of their sources.

    After an exception the same requests may be given again: one that was committed is kept once.
    """
    columns = [
        [getattr(request, name) for request in requests]
        for name in ("key", "source_id", "received_at", "call", "sent_at", "opts_out", "events", "body")
    ]
    uses = uses_by_source(requests)  # their events are counted once they are processed
    with prepared.prepared_cursor() as cursor:
        is_due = _notices.is_due()
        notice = f"pg_notify('{CHANNEL}', '')" if is_due else "1"
        cursor.execute(_KEEP + notice, [*columns, *use_values(uses), *seen_values(uses)])
    if is_due:
        _notices.note_sent()
    measure_uses(uses)
