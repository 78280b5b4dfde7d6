"""Keeps requests of programs as they came: those of many clients in one transaction, which is what is acknowledged."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from activities.recording.notify import Notices
from activities.segment.times import MAX_TIME
from activities.sources.usage import Use, note_uses

CHANNEL = "intake_kept"
_BYTES_OF_ONE = 4_096
_COPY = (
    "copy intake_request (source_id, received_at, call, sent_at, opts_out, events, size, body)"
    " from stdin (format binary)"
)
_TYPES = ("int8", "timestamptz", "varchar", "varchar", "bool", "int4", "int4", "bytea")
_notices = Notices()


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
    items: tuple[Any, ...] = field(default=())
    is_busy: bool = False
    is_unavailable: bool = False

    @property
    def number_of_hits(self) -> int:
        """The weight in the writer's queue: what waits there takes a bounded number of bytes."""
        return 1 + len(self.body) // _BYTES_OF_ONE


def without_key(body: bytes, key: str) -> bytes:
    """The body without the write key of its envelope: what waits, and its backups, hold no secret."""
    return body.replace(f'"{key}"'.encode(), b'""') if key else body


def readable_sent_at(value: Any) -> str:
    """The time of sending of a request's head; empty for what is none."""
    return value if isinstance(value, str) and len(value) <= MAX_TIME and value.isprintable() else ""


def keep_requests(requests: Sequence[KeptRequest]) -> None:
    """Commit the requests in one transaction, and count them in the use of their sources.

    After an exception nothing is committed, and the same requests may be given again; given twice, they are processed
    twice, and their message ids show it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        with cursor.copy(_COPY) as copying:
            copying.set_types(_TYPES)
            for request in requests:
                copying.write_row(
                    (
                        request.source_id,
                        request.received_at,
                        request.call,
                        request.sent_at,
                        request.opts_out,
                        request.events,
                        len(request.body),
                        request.body,
                    )
                )
        note_uses(_uses(requests))
        if _notices.is_due():
            cursor.execute(f"select pg_notify('{CHANNEL}', '')")


def _uses(requests: Sequence[KeptRequest]) -> dict[int, Use]:
    """The use that is counted at once; what became of the events follows when they are processed."""
    uses: defaultdict[int, Use] = defaultdict(Use)
    for request in requests:
        use = uses[request.source_id]
        use.requests += 1
        use.size += request.size
    return dict(uses)
