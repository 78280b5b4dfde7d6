"""Records the clicks that came with a person's token, through the one recorder, each once.

A click waits two seconds: a gateway that follows several links of one message at once is a machine, whatever it calls
itself. A browser without an owner by stronger evidence becomes the person's (evidence: link in an email); a
machine's click is no evidence of whose browser it is.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, timedelta
from typing import Any

from django.db import connection, transaction

from activities.links.targets import CLICK_EMAIL, CLICK_LINK, LinkTarget, target_of
from activities.models import Activity, Association, LinkClick, LinkDay, TrackedLink
from activities.recording import recorder
from activities.recording.rows import NewActivity, RecordOutcome, RecordStatus
from activities.types.standard_values import clip_values
from activities.visitors import moving, ownership
from people.core.codes import Code
from people.core.db.outages import work_together_or_apart
from people.core.errors import RejectedError
from people.core.source import Channel, Source

BATCH = 200
SETTLES = timedelta(seconds=2)  # after which the other clicks of a gateway are known
TOO_FAST = "too fast"
RECORDED_TYPES = frozenset({CLICK_LINK, CLICK_EMAIL})
MISSING = frozenset({str(Code.UNKNOWN_PERSON), str(Code.PERSON_DELETED)})
State = LinkClick.State
logger = logging.getLogger(__name__)


def process_clicks() -> int:
    """Record the next clicks that have settled; return their number, 0 when none has."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select id from link_click where state = 'new'
                and received_at <= now() - interval '{SETTLES.total_seconds()} seconds'
            order by id limit {BATCH}"""
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    if not ids:
        return 0
    work_together_or_apart(ids, _process, _mark_broken, logger, "clicks on links")
    return len(ids)


def _mark_broken(pk: int) -> None:
    """Settle a click whose recording raised an error, so that it delays no other."""
    LinkClick.objects.filter(pk=pk, state=State.NEW).update(state=State.REFUSED, problem=str(Code.ERROR))


@transaction.atomic
def _process(ids: Sequence[int]) -> None:
    # the locks of people, then of visitors by id, are taken before that of any row
    ownership.share_lock_of_people()
    visitor_ids = LinkClick.objects.filter(pk__in=ids).values_list("visitor_id", flat=True)
    for visitor_id in sorted({pk for pk in visitor_ids if pk is not None}):
        _lock_visitor(visitor_id)
    rows = LinkClick.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk__in=ids, state=State.NEW)
    clicks = _within_bound(list(rows.order_by("received_at", "pk")))
    fast = _mark_gateways(clicks)
    links = {link.pk: link for link in TrackedLink.objects.select_related("website").filter(clicks__in=clicks)}
    by_link: dict[int, list[LinkClick]] = defaultdict(list)
    for click in clicks:
        by_link[click.link_id].append(click)
    for link_id, part in sorted(by_link.items()):
        _record(links[link_id], part)
    fields = ["state", "problem", "person_id", "activity_id", "association_id", "is_machine", "reason", "values"]
    LinkClick.objects.bulk_update(clicks, fields)
    _count_as_machines(fast)  # last, and in the collector's order: neither waits for the other in a circle


def _within_bound(clicks: Sequence[LinkClick]) -> list[LinkClick]:
    """The first of the clicks, whose visitors have at most 10,000 waiting rows; the others are for the next round."""
    waiting = _waiting_rows({click.visitor_id for click in clicks if click.visitor_id is not None})
    chosen: list[LinkClick] = []
    number = 0
    for click in clicks:
        number += waiting.pop(click.visitor_id or 0, 0)
        if chosen and number > moving.MAX_BATCH:
            break
        chosen.append(click)
    return chosen


def _waiting_rows(visitor_ids: Iterable[int]) -> dict[int, int]:
    """The rows of visitors that an association may give to a person, by visitor; each counted up to 10,000."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select v.id, (select count(*) from (
                select from visitor_activity a where a.visitor_id = v.id and a.activity_id is null
                    and a.activity_type_id is not null and a.refusal is null limit {moving.MAX_BATCH}) w)
            from unnest(%s::bigint[]) as v (id)""",
            [sorted(visitor_ids)],
        )
        return dict(cursor.fetchall())


def _lock_visitor(visitor_id: int) -> None:
    with suppress(RejectedError):  # deleted or erased: the click has no person
        ownership.lock_visitor(visitor_id)


def _record(link: TrackedLink, clicks: Sequence[LinkClick]) -> None:
    target = target_of(link)
    source = Source(
        Channel.LINK, origin_id=link.pk, event_source_id=target.source_id if target.source_id is not None else None
    )
    rows = [_activity(target, click) for click in clicks]
    outcomes = recorder.record_activities(rows, source, may_record=RECORDED_TYPES, keep_refused=False)
    people = _people_of(outcomes)
    for click, outcome in zip(clicks, outcomes, strict=True):
        _settle(click, outcome, people)
        if click.state == State.RECORDED and target.is_identifying and not click.is_machine:
            _associate(click, source)


def _activity(target: LinkTarget, click: LinkClick) -> NewActivity:
    values = {**click.values, "is_bot": click.is_machine, **target.values}
    if click.is_machine:
        values["bot_pattern"] = click.reason.removeprefix("user agent: ")
    primary, attributes = clip_values(target.type_id, target.primary, values.items())
    return NewActivity(
        click.person_id, target.type_id, click.received_at, primary, attributes, f"link:{target.id}:{click.pk}"
    )


def _people_of(outcomes: Sequence[RecordOutcome]) -> dict[int, int]:
    """The person of each activity by its id: the winner after a merge."""
    ids = [outcome.activity_id for outcome in outcomes if outcome.activity_id is not None]
    return dict(Activity.objects.filter(pk__in=ids).values_list("pk", "person_id"))


def _settle(click: LinkClick, outcome: RecordOutcome, people: dict[int, int]) -> None:
    if outcome.status is RecordStatus.REFUSED:
        click.state, click.problem = State.REFUSED, str(outcome.problems[0].code)[:40]
        if click.problem in MISSING:  # an old link of an erased person leads on, and the click keeps nothing of them
            click.person_id, click.values = None, {}
        return
    click.state, click.activity_id = State.RECORDED, outcome.activity_id
    click.person_id = people.get(outcome.activity_id or 0, click.person_id)


def _associate(click: LinkClick, source: Source) -> None:
    """Associate the browser with the person, unless it is another person's by stronger evidence."""
    if click.visitor_id is None or click.person_id is None:
        return
    evidence = Association.Evidence.EMAIL_TOKEN
    with suppress(RejectedError), transaction.atomic():
        ownership.associate_visitor(click.visitor_id, click.person_id, evidence, source, click.received_at)


# --- Gateways -------------------------------------------------------------------------------------------------


def _mark_gateways(clicks: Sequence[LinkClick]) -> list[LinkClick]:
    """Mark and return the clicks of a person who followed another link within two seconds: a machine's."""
    own = [click for click in clicks if not click.is_machine]
    people = sorted({click.person_id for click in own if click.person_id is not None})
    if not people:
        return []
    first, last = min(click.received_at for click in own), max(click.received_at for click in own)
    near = LinkClick.objects.filter(
        person_id__in=people, is_signed=True, received_at__range=(first - SETTLES, last + SETTLES)
    )
    others: dict[Any, list[tuple[int, Any]]] = defaultdict(list)
    for person_id, link_id, at in near.values_list("person_id", "link_id", "received_at"):
        others[person_id].append((link_id, at))
    fast = [
        click
        for click in own
        if any(
            link_id != click.link_id and abs(at - click.received_at) <= SETTLES
            for link_id, at in others[click.person_id]
        )
    ]
    for click in fast:
        click.is_machine, click.reason = True, TOO_FAST
    return fast


def _count_as_machines(clicks: Sequence[LinkClick]) -> None:
    """Move clicks from the counts of people to those of machines: rows are locked by link and day, as by a commit."""
    counts = Counter((click.link_id, click.received_at.astimezone(UTC).date()) for click in clicks)
    if not counts:
        return
    keys = sorted(counts)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with moved as (
                select d.link_id, d.day, w.number from {LinkDay._meta.db_table} d
                join unnest(%s::bigint[], %s::date[], %s::int[]) as w (link_id, day, number) using (link_id, day)
                order by d.link_id, d.day for update of d)
            update {LinkDay._meta.db_table} d
            set clicks = greatest(d.clicks - moved.number, 0), machines = d.machines + moved.number
            from moved where (d.link_id, d.day) = (moved.link_id, moved.day)""",
            [[link_id for link_id, _day in keys], [day for _link, day in keys], [counts[key] for key in keys]],
        )
