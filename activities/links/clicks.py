"""Clicks on links: read from a request without the database, and kept many in one transaction, each once.

Neither the lock of people nor that of types is taken (as for hits): a click with a person's token is recorded by the
dispatcher (`processing`). A click without one is a hit of its browser's visitor, if that is known.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction

from activities.links.machines import is_recorded
from activities.links.targets import LinkTarget
from activities.models import LinkClick
from activities.recording import notify
from activities.tracking.addresses import Address
from activities.tracking.agents import Agent
from activities.tracking.live_types import LiveTypes
from activities.types.standard_values import clip_values
from activities.visitors.hits import Hit, HitOutcome, HitStatus, append_hits, prepare_partitions
from activities.visitors.partitions import sent_day
from activities.visitors.tokens import token_hash
from people.core import metrics
from people.core.db import prepared

WINDOW = 10  # seconds within which a second click of the same browser is the same click
CLICKS = metrics.register_counter("link_clicks", "Clicks on tracked links, by who made them.", "who")
State = LinkClick.State


@dataclass(slots=True)
class ReceivedClick:
    """One click, read and checked. `who`: identifies its browser among others, never stored.

    `token`: of the visitor, if the browser has one and sends no opt-out (`opts_out`). `person_id`: whose
    token came with it. `is_kept`: set by the commit, false for a repeat.
    """

    target: LinkTarget
    received_at: datetime
    who: str
    agent: Agent
    reason: str = ""
    person_id: int | None = None
    token: str = ""
    opts_out: bool = False
    ip_address: str = ""
    referrer: Address | None = None
    is_kept: bool = False
    is_busy: bool = False
    is_unavailable: bool = False
    hit: Hit | None = None
    items: Sequence[Any] = field(default=())

    @property
    def number_of_hits(self) -> int:
        return 1

    @property
    def is_machine(self) -> bool:
        return bool(self.reason)

    def message_id(self, earlier: int = 0) -> bytes:
        """The id of a click in its window, or in one `earlier`: one browser's clicks of some seconds have the same."""
        window = int(self.received_at.timestamp()) // WINDOW - earlier
        content = f"{self.target.id} {window} {self.reason} {self.who}".encode()
        return blake2b(content, digest_size=16, key=settings.SECRET_KEY.encode()[:64]).digest()

    def values(self) -> dict[str, Any]:
        """The values of its activity, by API name of the fields; none of a browser that opts out of tracking."""
        if self.opts_out:
            return {}
        values: dict[str, Any] = {"client_ip_address": self.ip_address, **self.agent.values()}
        if self.reason:
            values |= {"is_bot": True, "bot_pattern": self.reason.removeprefix("user agent: ")}
        if self.referrer is not None:
            values["referrer_url"] = self.referrer.url
        return {name: value for name, value in values.items() if value not in ("", None)}


def read_hit(click: ReceivedClick, types: LiveTypes) -> Hit | None:
    """The hit of the click's visitor; None without one. A person's own click is no hit, nor is a bare fetch."""
    target, schema = click.target, types.standard.get(click.target.type_id)
    if not click.token or click.person_id is not None or not is_recorded(click.reason):
        return None
    if target.source_id is None or not target.takes_visitors or schema is None:
        return None
    primary, attributes = clip_values(target.type_id, target.primary, [*target.values.items(), *click.values().items()])
    pairs = [pair for pair in attributes if schema.type_of(pair[0])]
    checked = schema.check(primary, pairs)
    bad = {problem.path[1] for problem in checked.problems if problem.path[:1] == ("attributes",)}
    if bad:
        checked = schema.check(primary, [pair for pair in pairs if pair[0] not in bad])
    if checked.problems:
        return None
    today = click.received_at.astimezone(UTC).date()
    return Hit(
        source_id=target.source_id,
        visitor=(target.site_group, token_hash(click.token)),
        message_id=f"link:{target.id}:{click.message_id().hex()}",
        sent_day=sent_day(click.received_at, today),
        digest=click.message_id(),
        occurred_at=click.received_at,
        client_at=click.received_at,
        type_id=target.type_id,
        version=schema.number,
        primary_value=checked.primary_value,
        attributes=checked.attributes,
        is_bot=click.is_machine,
        is_of_known=True,  # a click without a person makes no visitor
    )


def keep_clicks(clicks: Sequence[ReceivedClick]) -> None:
    """Commit the clicks in one transaction. What the same browser did a moment before is a repeat and kept once.

    After an exception nothing is committed, and the same clicks may be given again. A click that is tried again while
    its first try still waits comes twice: it is one.
    """
    clicks = list({id(click): click for click in clicks}.values())
    missing = prepare_partitions([click.hit for click in clicks if click.hit is not None])
    with transaction.atomic():
        for click in clicks:
            click.is_kept = click.is_busy = False
        fresh = _fresh(clicks)
        # hits lock their visitors, by ascending id, before any row of a click is written
        with_hits = [click for click in fresh if click.hit is not None and click.hit.sent_day not in missing]
        outcomes = append_hits([click.hit for click in with_hits if click.hit is not None]) if with_hits else []
        visitors = {id(click): outcome for click, outcome in zip(with_hits, outcomes, strict=True)}
        for click in fresh:
            click.is_busy = id(click) in visitors and visitors[id(click)].status is HitStatus.BUSY
        _insert([click for click in fresh if not click.is_busy], visitors)
        kept = [click for click in clicks if click.is_kept]
        _count(kept)
        transaction.on_commit(lambda: _measure(clicks))


def _fresh(clicks: Sequence[ReceivedClick]) -> list[ReceivedClick]:
    """The first click of each browser, without those that are kept already: in this window or the one before."""
    first: dict[bytes, ReceivedClick] = {}
    for click in sorted(clicks, key=lambda click: click.received_at):
        before = first.get(click.message_id(1))
        if before is None or (click.received_at - before.received_at).total_seconds() > WINDOW:
            first.setdefault(click.message_id(), click)
    ids = {message_id for click in first.values() for message_id in (click.message_id(), click.message_id(1))}
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            "select link_id, message_id, received_at from link_click where link_id = any(%s) and message_id = any(%s)",
            [sorted({click.target.id for click in first.values()}), sorted(ids)],
        )
        stored_at = {(link_id, bytes(message)): at for link_id, message, at in cursor.fetchall()}
    return [click for click in first.values() if not _is_repeat(click, stored_at)]


def _is_repeat(click: ReceivedClick, stored_at: Mapping[tuple[int, bytes], datetime]) -> bool:
    if (click.target.id, click.message_id()) in stored_at:
        return True
    before = stored_at.get((click.target.id, click.message_id(1)))
    return before is not None and (click.received_at - before).total_seconds() <= WINDOW


def _insert(clicks: Sequence[ReceivedClick], visitors: Mapping[int, HitOutcome]) -> None:
    """Write the clicks, with the visitor and the owner whom the visitor has: its row is locked by the hit."""
    rows = [_row(click, visitors.get(id(click))) for click in sorted(clicks, key=lambda click: click.message_id())]
    if not rows:
        return
    is_urgent = any(row["state"] == State.NEW for row in rows) and notify.is_notify_due()
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """insert into link_click (link_id, message_id, received_at, is_machine, reason, is_signed, state, problem,
                person_id, visitor_id, association_id, activity_id, values)
            select w.link_id, decode(w.message, 'hex'), w.received_at, w.is_machine, w.reason, w.is_signed, w.state, '',
                coalesce(w.person_id, s.person_id), v.id, s.id, null, w.values
            from json_to_recordset(%s::text::json) as w (link_id bigint, message text, received_at timestamptz,
                is_machine boolean, reason text, is_signed boolean, state text, person_id int, site_group text,
                token text, values jsonb)
            join tracked_link k on k.id = w.link_id
            left join visitor v on v.site_group = w.site_group and v.token_hash = decode(w.token, 'hex')
                and v.state <> 'burnt'
            left join association s on s.visitor_id = v.id and s.to_at is null and s.undone_at is null
                and w.person_id is null and not w.is_machine
            on conflict (link_id, message_id) do nothing returning link_id, message_id""",
            [orjson.dumps(rows).decode()],
        )
        added = {(link_id, bytes(message)) for link_id, message in cursor.fetchall()}
        if is_urgent:
            cursor.execute(f"select {notify.NOTIFY_SQL}")
    for click in clicks:
        click.is_kept = (click.target.id, click.message_id()) in added


def _row(click: ReceivedClick, outcome: HitOutcome | None) -> dict[str, Any]:
    target = click.target
    is_new = click.person_id is not None and is_recorded(click.reason) and not click.opts_out
    # a fetch by a program is no evidence of whose browser it is
    has_visitor = bool(click.token) and target.takes_visitors and not click.is_machine
    was_visit = outcome is not None and outcome.status in (HitStatus.KEPT, HitStatus.REPEATED)
    return {
        "link_id": target.id,
        "message": click.message_id().hex(),
        "received_at": click.received_at.isoformat(),
        "is_machine": click.is_machine,
        "reason": click.reason,
        "is_signed": click.person_id is not None,
        "state": str(State.NEW if is_new else State.COUNTED),
        "person_id": click.person_id if is_new else None,
        "site_group": target.site_group if has_visitor and (is_new or was_visit) else None,
        "token": token_hash(click.token).hex() if click.token else None,
        "values": {name: _storable(value) for name, value in click.values().items()},
    }


def _storable(value: Any) -> Any:
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _count(clicks: Sequence[ReceivedClick]) -> None:
    """Count the clicks of each link and day, in one order in all transactions: none deadlocks."""
    counts: dict[tuple[int, str], Counter[str]] = {}
    for click in clicks:
        day = click.received_at.astimezone(UTC).date().isoformat()
        counts.setdefault((click.target.id, day), Counter())["machines" if click.is_machine else "clicks"] += 1
    if not counts:
        return
    keys = sorted(counts)
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """insert into link_day as d (link_id, day, clicks, machines)
            select * from unnest(%s::bigint[], %s::date[], %s::int[], %s::int[]) as w (link_id, day, clicks, machines)
            order by link_id, day
            on conflict (link_id, day) do update set clicks = d.clicks + excluded.clicks,
                machines = d.machines + excluded.machines""",
            [
                [link_id for link_id, _day in keys],
                [day for _link_id, day in keys],
                *([counts[key][name] for key in keys] for name in ("clicks", "machines")),
            ],
        )


def _measure(clicks: Sequence[ReceivedClick]) -> None:
    who = Counter("repeated" if not click.is_kept else "machine" if click.is_machine else "human" for click in clicks)
    for name, number in who.items():
        CLICKS.add(name, number=number)
