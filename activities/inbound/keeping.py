"""Keeps calls as they came: many in one transaction, each once, before anything is done with them."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b

from django.conf import settings
from django.db import connection, transaction

from activities.inbound.reading import ReceivedCall
from activities.models import InboundCall
from activities.recording import notify
from activities.sources.usage import Use, note_uses, uses_by_source
from people.core import metrics
from people.core.db import prepared

BODY_WINDOW = timedelta(days=1)  # a call without an id is the same within a day
CALLS = metrics.register_counter("inbound_calls", "Calls of webhooks that were taken, by what they were.", "kind")
State = InboundCall.State
_Key = tuple[int, bytes]


def keep_calls(calls: Sequence[ReceivedCall]) -> None:
    """Commit the calls in one transaction. What was kept before, or comes twice here, is a repeat and kept once.

    After an exception nothing is committed, and the same calls may be given again.
    """
    with transaction.atomic():
        for call in calls:
            call.is_repeat = False
        first: dict[_Key, ReceivedCall] = {}
        for call in calls:
            first.setdefault((call.source_id, call.digest), call)
        fresh = _claim(first)
        _insert([call for key, call in first.items() if key in fresh])
        for call in calls:
            key = call.source_id, call.digest
            call.is_repeat = key not in fresh or first[key] is not call
        note_uses(_uses(calls))
        transaction.on_commit(lambda: _measure(calls))


def _claim(calls: dict[_Key, ReceivedCall]) -> set[_Key]:
    """Store the keys; return those that were not known, or whose window is over. One order in all transactions."""
    ordered = sorted(calls.items())
    windows = [settings.MESSAGE_ID_DAYS * 86_400 if call.has_id else BODY_WINDOW.total_seconds() for _, call in ordered]
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """insert into inbound_key as k (source_id, digest, expires_at)
            select source_id, digest, now() + seconds * interval '1 second'
            from unnest(%s::bigint[], %s::bytea[], %s::float[]) with ordinality as w (source_id, digest, seconds, place)
            order by place
            on conflict (source_id, digest) do update set expires_at = excluded.expires_at
            where k.expires_at <= now() returning source_id, digest""",
            [[key[0] for key, _ in ordered], [key[1] for key, _ in ordered], windows],
        )
        return {(source_id, bytes(digest)) for source_id, digest in cursor.fetchall()}


def _insert(calls: Sequence[ReceivedCall]) -> None:
    if not calls:
        return
    ids = _new_ids(len(calls))
    InboundCall.objects.bulk_create(
        InboundCall(
            pk=pk,
            source_id=call.source_id,
            content_type=call.content_type,
            body=call.body,
            row_key=_row_key(call, pk),
            state=State.HANDSHAKE if call.is_handshake else State.NEW,
        )
        for pk, call in zip(ids, calls, strict=True)
    )
    if notify.is_notify_due():
        with connection.cursor() as cursor:
            cursor.execute(f"select {notify.NOTIFY_SQL}")


def _new_ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select nextval(pg_get_serial_sequence('inbound_call', 'id')) from generate_series(1, %s)", [count]
        )
        return sorted(pk for (pk,) in cursor.fetchall())


def _row_key(call: ReceivedCall, pk: int) -> str:
    """The first part of the external ids of the call's activities: of its id where it has one, which is for ever."""
    key_text = call.digest.hex() if call.has_id else str(pk)
    return f"row:{blake2b(f'webhook {call.source_id} {key_text}'.encode(), digest_size=16).hexdigest()}"


def _uses(calls: Sequence[ReceivedCall]) -> dict[int, Use]:
    uses = uses_by_source(calls)
    for call in calls:
        uses[call.source_id].accepted += not call.is_repeat
    return uses


def _measure(calls: Sequence[ReceivedCall]) -> None:
    for call in calls:
        CALLS.add("repeated" if call.is_repeat else "check" if call.is_handshake else "kept")
