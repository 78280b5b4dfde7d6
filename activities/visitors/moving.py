"""Moves what visitors with an owner did into the log: at most 1,000 rows a transaction, in order, each row once.

The id in the log is noted in the transaction that records the row. A row that the log refuses is settled with the
reason; it is never tried again and delays no other.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from activities.consent.state import EMAIL, GIVEN
from activities.models import CONSENT_TYPES, Association, VisitorActivity
from activities.recording import recorder
from activities.recording.rows import Acceptance, NewActivity, RecordOutcome, RecordStatus
from people.core.codes import Code
from people.core.db import locks, prepared
from people.core.db.outages import is_outage
from people.core.errors import Problem
from people.core.source import Channel, Source
from people.datatypes.canonical import ExactDecoder, text_key

# Visit Web Page, Fill Out Form, Click Link, Click Email (by tracked links alone), Consent Given, Consent Withdrawn
TRACKED_TYPES = frozenset({1, 2, 3, 11, *CONSENT_TYPES})
MAX_BATCH = recorder.MAX_BATCH
STEP = 1_000  # rows a transaction: half a second on a busy machine, for which merges and erasures wait
APART = 500  # rows a call after a batch failed
_WEAK_OPT_IN = RecordOutcome(RecordStatus.REFUSED, None, (Problem(Code.WEAKER_EVIDENCE, ""),))
Key = tuple[datetime, int]  # of a row: received_at, id
_DECODER = ExactDecoder()
logger = logging.getLogger(__name__)

# as the index of these rows has it
OWNED = (
    "v.association_id is not null and v.activity_id is null and v.activity_type_id is not null and v.refusal is null"
)
# A row that names a person moves once that is decided, and so do later rows of its visitor, which may become another
# person's by it. The rows of an undone association return to their visitor.
DUE = f"""{OWNED} and v.identity_state is distinct from 0
    and not exists (
        select 1 from visitor_activity u where u.visitor_id = v.visitor_id and u.identity_state = 0 and u.id < v.id)
    and exists (select 1 from association s where s.id = v.association_id and s.undone_at is null)"""


class _Row(NamedTuple):
    received_at: datetime
    id: int
    source_id: int
    message_id: str
    activity_type_id: int
    version: int
    occurred_at: datetime
    primary_value: str | None
    attributes: str
    is_past: bool
    person_id: int
    evidence: int


def move_due_rows() -> int:
    """Move the next rows of visitors with an owner; return how many were moved or settled, 0 when none is due."""
    keys = _due_keys(f"{DUE} order by v.id limit {STEP}")
    if not keys:
        return 0
    try:
        return _move_batch(keys)
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("a batch of visitors' activities; moving them one by one")
        return _move_apart(keys[:APART])


def move_association_rows(association: Association) -> int:
    """Move the next rows of one association, in the caller's transaction, which holds the lock of people."""
    keys = _due_keys(
        f"{DUE} and v.visitor_id = %s and v.association_id = %s order by v.id limit {STEP}",
        association.visitor_id,
        association.pk,
    )
    return _move(keys) if keys else 0


def _due_keys(condition: str, *values: int) -> list[Key]:
    """The keys of rows that satisfy a condition; a later statement locks them, and reads only their partitions."""
    with prepared.prepared_cursor() as cursor:
        cursor.execute(f"select v.received_at, v.id from visitor_activity v where {condition}", values)
        return cursor.fetchall()


def arrival_range(keys: Sequence[Key]) -> tuple[datetime, datetime]:
    """The first and last arrival of the rows: with this range a statement is planned for few partitions."""
    moments = [received_at for received_at, _pk in keys]
    return min(moments), max(moments)


@transaction.atomic
def _move_batch(keys: Sequence[Key]) -> int:
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    return _move(keys)


def _move_apart(keys: Sequence[Key]) -> int:
    """Move each row in its own transaction; a row that fails again is settled, so that it delays no other."""
    for received_at, pk in keys:
        try:
            _move_batch([(received_at, pk)])
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("a visitor's activity, row %s", pk)
            VisitorActivity.objects.filter(received_at=received_at, id=pk).update(refusal=str(Code.ERROR))
    return len(keys)


def _move(keys: Sequence[Key]) -> int:
    """Lock the rows that are still due and not locked by another transaction, and record them."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select v.received_at, v.id, v.source_id, v.message_id, v.activity_type_id, v.version, v.occurred_at,
                v.primary_value, v.attributes::text, v.is_past or v.is_backfill,
                (select person_id from association where id = v.association_id),
                (select evidence from association where id = v.association_id)
            from visitor_activity v
            where v.received_at between %s and %s and v.id = any(%s) and {DUE} for update of v skip locked""",
            [*arrival_range(keys), [pk for _received, pk in keys]],
        )
        rows = sorted(map(_Row._make, cursor.fetchall()), key=lambda row: (row.occurred_at, row.id))
    opt_ins = [row for row in rows if _is_refused_opt_in(row)]
    if opt_ins:
        _settle(opt_ins, [_WEAK_OPT_IN] * len(opt_ins))
    for source, part in _by_source([row for row in rows if not _is_refused_opt_in(row)]):
        activities = [_activity(row) for row in part]
        _settle(part, recorder.record_activities(activities, source, may_record=TRACKED_TYPES, keep_refused=False))
    return len(rows)


def _is_refused_opt_in(row: _Row) -> bool:
    """Return True for a consent to email by a visitor whose person is not proven: it would lift an objection.

    The write key is public, and any visitor can claim an address. Withdrawals need no proof.
    """
    is_opt_in = row.activity_type_id == GIVEN and text_key((row.primary_value or "").strip()) == EMAIL
    return is_opt_in and row.evidence != Association.Evidence.SERVER


def event_source(source_id: int, *, is_backfill: bool = False) -> Source:
    """The source of what an event source sent."""
    return Source(Channel.EVENTS, origin_id=source_id, event_source_id=source_id, is_backfill=is_backfill)


def _by_source(rows: Sequence[_Row]) -> Iterable[tuple[Source, Sequence[_Row]]]:
    """The rows by source, those about the past first: one call of the recorder each."""
    parts: dict[tuple[bool, int], list[_Row]] = {}
    for row in rows:
        parts.setdefault((not row.is_past, row.source_id), []).append(row)
    for is_live, source_id in sorted(parts):
        yield event_source(source_id, is_backfill=not is_live), parts[is_live, source_id]


def _activity(row: _Row) -> NewActivity:
    attributes = _DECODER.decode(row.attributes)
    return NewActivity(
        row.person_id,
        row.activity_type_id,
        row.occurred_at,
        row.primary_value,
        list(attributes.items()),
        f"e{row.source_id}:{row.message_id}",  # pages choose message ids: apart from the external ids of programs
        acceptance=Acceptance(row.version, row.received_at),
    )


def _settle(rows: Sequence[_Row], outcomes: Sequence[RecordOutcome]) -> None:
    """Note the ids in the log, and the reasons of the rows that it refused.

    A repeated row added nothing to the log: an undo of its association must not remove what another row added.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """update visitor_activity v set activity_id = g.activity_id, refusal = g.refusal
            from unnest(%s::timestamptz[], %s::bigint[], %s::bigint[], %s::text[])
                as g (received_at, id, activity_id, refusal)
            where v.received_at = g.received_at and v.id = g.id and v.received_at between %s and %s""",
            [
                [row.received_at for row in rows],
                [row.id for row in rows],
                [outcome.activity_id if outcome.status is RecordStatus.ADDED else None for outcome in outcomes],
                [_refusal(outcome) for outcome in outcomes],
                *arrival_range([(row.received_at, row.id) for row in rows]),
            ],
        )


def _refusal(outcome: RecordOutcome) -> str | None:
    if outcome.status is not RecordStatus.REFUSED:
        return None if outcome.status is RecordStatus.ADDED else str(outcome.status)
    code = outcome.problems[0].code
    # an association has no live person only while that person is deleted
    return str(Code.PERSON_DELETED if code == Code.UNKNOWN_PERSON else code)
