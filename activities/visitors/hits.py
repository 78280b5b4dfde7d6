"""Hits of visitors, appended in one transaction. Neither the lock of people nor that of types is taken.

The lock order is: visitors by ascending id (FOR SHARE; an association takes them FOR UPDATE), then message ids. A hit
that read its visitor as free commits before the association that looks for waiting rows, or after it and owned.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson
import psycopg
from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from activities.models import Visitor
from activities.recording import notify
from activities.sources import usage
from activities.visitors.partitions import ensure_partitions, forget_partitions
from activities.visitors.tokens import encode_visitors
from people.core.codes import Code
from people.core.db import prepared
from people.core.errors import Problem
from people.core.messages import sentence as _
from people.datatypes.exact_json import dump_exact_json

SEEN_EVERY = timedelta(hours=1)  # the precision of a visitor's `last_at`
VisitorKey = tuple[str, bytes]  # site group, hash of the token
MessageId = tuple[int, str, date]  # source, message id, day


@dataclass(slots=True)
class Waiting:
    """An event without a type, as JSON text, and the row of the inbox under which it waits; None: it is not kept."""

    raw: str
    sighting_id: int | None = None


@dataclass(slots=True)
class Hit:
    """One act of a visitor, checked: `attributes` is JSON text by the type's version.

    Without a type it only identifies the visitor (`identity`). `digest`: of the client's content, never of anything
    derived from the time of its arrival. `sent_day`, `earlier_day`: see the functions of `partitions`.
    """

    source_id: int
    visitor: VisitorKey | None
    message_id: str
    sent_day: date
    digest: bytes
    occurred_at: datetime
    client_at: datetime | None = None
    type_id: int | None = None
    version: int | None = None
    primary_value: str | None = None
    attributes: str = "{}"
    identity: dict[str, Any] | None = None
    is_bot: bool = False
    earlier_day: date | None = None
    is_of_known: bool = False  # dropped where its visitor is not known yet
    is_hint: bool = False  # its identity is only of use while the visitor has no owner
    is_backfill: bool = False
    is_from_server: bool = False  # of a program, whose users are not counted as new visitors
    waiting: Waiting | None = None  # of an event without a type

    @property
    def key(self) -> MessageId:
        return self.source_id, self.message_id, self.sent_day

    @property
    def earlier_key(self) -> MessageId | None:
        return None if self.earlier_day is None else (self.source_id, self.message_id, self.earlier_day)


class HitStatus(StrEnum):
    KEPT = "kept"
    REPEATED = "repeated"  # kept before, with the same content
    DROPPED = "dropped"  # acknowledged, not stored: there is no visitor, or its person was erased
    REFUSED = "refused"
    BUSY = "busy"  # its visitor is being associated: to be tried again


@dataclass(slots=True)
class HitOutcome:
    status: HitStatus
    problems: Sequence[Problem] = field(default=())
    visitor_id: int | None = None


DROPPED, BUSY = HitOutcome(HitStatus.DROPPED), HitOutcome(HitStatus.BUSY)


@dataclass(slots=True)
class _Seen:
    """A visitor as it was when it was locked."""

    id: int
    state: str
    association_id: int | None = None


_Row = tuple[Hit, _Seen, dict[str, Any] | None]  # with its identity


def append_hits(hits: Sequence[Hit], new_visitors: Counter[int] | None = None) -> list[HitOutcome]:
    """Append hits in one transaction; one outcome a hit, in order.

    A message id of a source that was kept before is acknowledged when the content is the same, and refused otherwise.
    `new_visitors`: takes the number of new visitors by source, for a caller that counts them itself
    (`usage.note_uses`) at the end of its own transaction.
    """
    if prepare_partitions(hits):
        raise OperationalError("a partition of message ids is missing")
    counted = Counter[int]() if new_visitors is None else new_visitors
    try:
        with transaction.atomic(savepoint=False):
            outcomes = _append(hits, counted)
            if new_visitors is None:
                usage.note_uses({source_id: usage.Use(new_visitors=number) for source_id, number in counted.items()})
            return outcomes
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.CheckViolation):  # a partition was dropped
            forget_partitions()
        raise


def prepare_partitions(hits: Sequence[Hit]) -> set[date]:
    """Create the partitions that the hits need, before their transaction; return the days without a partition."""
    return ensure_partitions({hit.sent_day for hit in hits}, timezone.now().astimezone(UTC).date())


def _append(hits: Sequence[Hit], new_visitors: Counter[int]) -> list[HitOutcome]:
    visitors = _lock_visitors(hits, new_visitors)
    identities = _identities(hits, visitors)
    outcomes: list[HitOutcome | None] = [None] * len(hits)
    first: dict[MessageId, int] = {}
    for place, hit in enumerate(hits):
        if hit.visitor is None or not _has_content(hit, identities[place]):
            outcomes[place] = DROPPED
        elif (visitor := visitors[hit.visitor]) is None or isinstance(visitor, HitOutcome):
            outcomes[place] = visitor or BUSY
        elif visitor.state == Visitor.State.BURNT:
            outcomes[place] = DROPPED
        else:
            first.setdefault(hit.key, place)
    earlier = _earlier_digests([hits[place] for place in first.values()])
    places = sorted(  # one order in all transactions: no deadlock
        (place for key, place in first.items() if key not in earlier), key=lambda place: hits[place].key
    )
    rows = [(hits[n], visitors[hits[n].visitor], identities[n]) for n in places]  # type: ignore[index]
    new = _insert(rows, places)  # type: ignore[arg-type]
    stored_digests = earlier | _stored_digests([key for key in first if key not in new and key not in earlier])
    stored_digests |= {hits[place].key: hits[place].digest for key, place in first.items() if key in new}
    for place, hit in enumerate(hits):
        if outcomes[place] is None:
            is_new = hit.key in new and first[hit.key] == place
            visitor_id = visitors[hit.visitor].id  # type: ignore[index, union-attr]
            outcomes[place] = (
                HitOutcome(HitStatus.KEPT, visitor_id=visitor_id) if is_new else _repeat(hit, stored_digests[hit.key])
            )
    return outcomes  # type: ignore[return-value]


def _identities(
    hits: Sequence[Hit], visitors: "Mapping[VisitorKey, _Seen | HitOutcome | None]"
) -> list[dict[str, Any] | None]:
    """The identity of each hit that is kept: of hints the first about each visitor without an owner."""
    identified: set[VisitorKey] = set()
    identities = []
    for hit in hits:
        identity = None if hit.is_bot or hit.visitor is None else hit.identity
        if identity is not None and hit.visitor is not None:
            seen = visitors[hit.visitor]
            is_free = isinstance(seen, _Seen) and seen.state == Visitor.State.FREE
            if hit.is_hint and (hit.visitor in identified or not is_free):
                identity = None
            identified.add(hit.visitor)
        identities.append(identity)
    return identities


def _has_content(hit: Hit, identity: dict[str, Any] | None) -> bool:
    """True for a hit of which anything is kept."""
    return hit.type_id is not None or identity is not None or bool(hit.waiting and hit.waiting.sighting_id)


def _repeat(hit: Hit, digest: bytes) -> HitOutcome:
    if hit.digest == digest:
        return HitOutcome(HitStatus.REPEATED)
    message = _("id “%(id)s” was sent before with other content") % {"id": hit.message_id}
    return HitOutcome(HitStatus.REFUSED, (Problem(Code.EXTERNAL_ID_REUSED, message, ("id",)),))


# --- Visitors ------------------------------------------------------------------------------------------------


def _lock_visitors(hits: Sequence[Hit], new_visitors: Counter[int]) -> dict[VisitorKey, "_Seen | HitOutcome | None"]:
    """The visitors of the hits, new ones included; None for one that is locked, a refusal for one above the quota."""
    keys = sorted({hit.visitor for hit in hits if hit.visitor is not None})
    if not keys:
        return {}
    result: dict[VisitorKey, _Seen | HitOutcome | None] = dict.fromkeys(keys)
    existing = _existing(keys)
    missing = [key for key in keys if key not in existing]
    addable = {hit.visitor for hit in hits if not hit.is_of_known}
    result.update((key, DROPPED) for key in missing if key not in addable)
    if missing := [key for key in missing if key in addable]:
        source_ids = {hit.visitor: hit.source_id for hit in reversed(hits)}
        unlimited = {hit.visitor for hit in hits if hit.is_from_server}
        result |= _add_visitors([(key, source_ids[key]) for key in missing], unlimited, new_visitors)
        existing |= _existing([key for key in missing if result[key] is None])
    seen = _lock(existing)
    result.update(seen)
    owned = {visitor.id: visitor for visitor in seen.values() if visitor.state == Visitor.State.OWNED}
    if owned:
        with prepared.prepared_cursor() as cursor:
            # a separate statement: its snapshot has the associations committed before the visitors were locked
            cursor.execute(
                """select visitor_id, id from association
                where visitor_id = any(%s::bigint[]) and to_at is null and undone_at is null""",
                [list(owned)],
            )
            for visitor_id, association_id in cursor.fetchall():
                owned[visitor_id].association_id = association_id
    return result


def _existing(keys: Sequence[VisitorKey]) -> dict[VisitorKey, int]:
    if not keys:
        return {}
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """select w.place, v.id from json_to_recordset(%s::text::json) as w (place int, site_group text, token text)
            join visitor v on v.site_group = w.site_group and v.token_hash = decode(w.token, 'hex')""",
            [encode_visitors(keys)],
        )
        return {keys[place]: pk for place, pk in cursor.fetchall()}


def _lock(ids: dict[VisitorKey, int]) -> dict[VisitorKey, _Seen]:
    """Lock the visitors that no other transaction has locked, and note that they were seen."""
    if not ids:
        return {}
    keys = {pk: key for key, pk in ids.items()}
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """select id, state, last_at < now() - %s::interval from visitor where id = any(%s::bigint[])
            order by id for share skip locked""",
            [SEEN_EVERY, sorted(keys)],
        )
        rows = cursor.fetchall()
        if stale := [pk for pk, _state, is_stale in rows if is_stale]:
            cursor.execute(
                """update visitor set last_at = now() where id in (
                    select id from visitor where id = any(%s::bigint[]) order by id for no key update skip locked)""",
                [stale],
            )
    return {keys[pk]: _Seen(pk, state) for pk, state, _is_stale in rows}


def _add_visitors(
    visitors: Sequence[tuple[VisitorKey, int]], unlimited: Collection[VisitorKey | None], new_visitors: Counter[int]
) -> "dict[VisitorKey, HitOutcome | None]":
    """Add visitors, as long as their source has room for more today; refusals by visitor, None for those added.

    `unlimited`: those that there is always room for.
    """
    results: dict[VisitorKey, HitOutcome | None] = {}
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """select source_id, new_visitors from source_day
            where day = (now() at time zone 'utc')::date and source_id = any(%s::bigint[])""",
            [sorted({source_id for _key, source_id in visitors})],
        )
        used = Counter(dict(cursor.fetchall()))
        added = []
        for key, source_id in visitors:
            has_room = key in unlimited or used[source_id] < settings.TRACKING_NEW_VISITORS_A_DAY
            results[key] = None if has_room else _no_room()
            if has_room:
                used[source_id] += key not in unlimited
                added.append((key, source_id))
        if added:
            groups, tokens = ([key[part] for key, _source_id in added] for part in (0, 1))
            states, sources = [Visitor.State.FREE.value] * len(added), [source_id for _key, source_id in added]
            cursor.execute(
                """insert into visitor (site_group, token_hash, state, first_source_id)
                select * from unnest(%s::text[], %s::bytea[], %s::text[], %s::bigint[])
                on conflict (site_group, token_hash) do nothing returning first_source_id""",
                [groups, tokens, states, sources],
            )
            counted = {source_id for key, source_id in added if key not in unlimited}
            new_visitors.update(source_id for (source_id,) in cursor.fetchall() if source_id in counted)
    return results


def _no_room() -> HitOutcome:
    message = _("this event source has brought as many new visitors as it may today (UTC)")
    return HitOutcome(HitStatus.REFUSED, (Problem(Code.QUOTA_REACHED, message),))


# --- Rows ----------------------------------------------------------------------------------------------------


def _insert(rows: "Sequence[_Row]", places: Sequence[int]) -> set[MessageId]:
    """Claim the message ids and write the rows whose id is new, in the order of their places; return these ids."""
    if not rows:
        return set()
    urgent = any(seen.association_id is not None or identity is not None for _hit, seen, identity in rows)
    notice = f", {notify.NOTIFY_SQL}" if urgent and notify.is_notify_due() else ""
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            f"""with hit as materialized (
                select w.*, decode(digest_hex, 'hex') as digest from json_to_recordset(%s::text::json)
                as w (source_id bigint, message_id text, sent_day date, digest_hex text, visitor_id bigint,
                    type_id int, version smallint, occurred_at timestamptz, client_at timestamptz,
                    primary_value text, attributes text, identity text, is_bot boolean, is_backfill boolean,
                    association_id bigint, sighting_id bigint, raw text, claim int, place int)),
            claimed as (
                insert into message_key (source_id, message_id, sent_day, digest)
                select source_id, message_id, sent_day, digest from hit order by claim
                on conflict do nothing returning source_id, message_id, sent_day),
            written as (
                insert into visitor_activity (source_id, visitor_id, message_id, activity_type_id, version, occurred_at,
                    client_at, primary_value, attributes, identity, identity_state, is_bot, is_backfill,
                    association_id)
                select source_id, visitor_id, message_id, type_id, version, occurred_at, client_at, primary_value,
                    attributes::jsonb, identity::jsonb, case when identity is not null then 0 end, is_bot,
                    is_backfill, association_id
                from hit join claimed using (source_id, message_id, sent_day)
                where type_id is not null or identity is not null order by place),
            waiting as (
                insert into waiting_event (sighting_id, visitor_id, association_id, message_id, occurred_at, client_at,
                    raw, is_bot)
                select sighting_id, visitor_id, association_id, message_id, occurred_at, client_at, raw, is_bot
                from hit join claimed using (source_id, message_id, sent_day)
                where sighting_id is not null order by place)
            select count(*), case when count(*) < %s then json_agg(claimed)::text end{notice} from claimed""",
            [_encode_rows(rows, places), len(rows)],
        )
        number, keys = cursor.fetchone()[:2]
    if number == len(rows):  # nearly always: then they are not read
        return {hit.key for hit, _seen, _identity in rows}
    return {(r["source_id"], r["message_id"], date.fromisoformat(r["sent_day"])) for r in orjson.loads(keys or "[]")}


def _encode_rows(rows: "Sequence[_Row]", places: Sequence[int]) -> str:
    """The rows as JSON, which is written and read much more quickly than arrays of parameters."""
    values = [
        {
            "source_id": hit.source_id,
            "message_id": hit.message_id,
            "sent_day": hit.sent_day,
            "digest_hex": hit.digest.hex(),
            "visitor_id": seen.id,
            "type_id": hit.type_id,
            "version": hit.version,
            "occurred_at": hit.occurred_at,
            "client_at": hit.client_at,
            "primary_value": hit.primary_value,
            "attributes": hit.attributes,
            "identity": None if identity is None else dump_exact_json(identity, str).decode(),
            "is_bot": hit.is_bot,
            "is_backfill": hit.is_backfill,
            "association_id": seen.association_id,
            "sighting_id": hit.waiting.sighting_id if hit.waiting else None,
            "raw": hit.waiting.raw if hit.waiting else None,
            "claim": claim,
            "place": place,
        }
        for claim, (place, (hit, seen, identity)) in enumerate(zip(places, rows, strict=True))
    ]
    return orjson.dumps(values).decode()


def _earlier_digests(hits: Sequence[Hit]) -> dict[MessageId, bytes]:
    """The digests of the messages that are stored under their earlier day, by their current key."""
    keys = {hit.key: hit.earlier_key for hit in hits if hit.earlier_key is not None}
    stored = _stored_digests(list(keys.values()))
    return {key: stored[earlier] for key, earlier in keys.items() if earlier in stored}


def _stored_digests(keys: Sequence[MessageId]) -> dict[MessageId, bytes]:
    if not keys:
        return {}
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """select k.source_id, k.message_id, k.sent_day, k.digest
            from json_to_recordset(%s::text::json) as w (source_id bigint, message_id text, sent_day date)
            join message_key k using (source_id, message_id, sent_day)""",
            [orjson.dumps([{"source_id": key[0], "message_id": key[1], "sent_day": key[2]} for key in keys]).decode()],
        )
        return {(source, message, day): bytes(digest) for source, message, day, digest in cursor.fetchall()}
