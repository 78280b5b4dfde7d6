"""Acts of committed requests, for the live page of their source."""

from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from activities.sources.recent import KEPT, MAX_KIND, MAX_NONCE, MAX_TITLE, Outcome, SeenEvent
from activities.tracking.addresses import Address, masked_contact, parse_address
from activities.tracking.reading import ReceivedEvent
from activities.tracking.submissions import Submission
from activities.visitors.hits import HitOutcome, HitStatus
from people.core.codes import Code
from people.core.errors import Problem
from people.core.messages import sentence as _

OUTCOMES = {
    HitStatus.KEPT: Outcome.KEPT,
    HitStatus.REPEATED: Outcome.REPEATED,
    HitStatus.DROPPED: Outcome.DROPPED,
    HitStatus.REFUSED: Outcome.REFUSED,
}
_TITLES = {"link": "href", "form": "form", "track": "type"}


def describe_event(raw: Any) -> tuple[str, str, str]:
    """The kind, the title and the check number of an event as sent, valid or not; without secrets."""
    if not isinstance(raw, dict):
        return "", "", ""
    raw_data, kind = raw.get("data"), str(raw.get("type"))
    data: dict[str, Any] = raw_data if isinstance(raw_data, dict) else {}
    title = data.get(_TITLES[kind]) if kind in _TITLES else raw.get("url")
    if kind not in ("form", "track"):  # names, no addresses
        address = parse_address(title)
        title = _shown_address(address) if address else ""
    texts = (value if isinstance(value, str) else "" for value in (kind, title, data.get("check")))
    return tuple(text[:limit] for text, limit in zip(texts, (MAX_KIND, MAX_TITLE, MAX_NONCE), strict=True))  # type: ignore[return-value]


def _shown_address(address: Address) -> str:
    """The address; of mailto: and tel: whom it reaches is masked."""
    return address.url if address.host else f"{address.scheme}:{masked_contact(address.url.partition(':')[2])}"


def seen_events(submissions: Iterable[Submission]) -> list[SeenEvent]:
    """The events of the committed submissions with their outcomes; of each source those that are kept for its page."""
    last: defaultdict[int, deque[tuple[ReceivedEvent, list[HitOutcome], datetime | None]]] = defaultdict(
        lambda: deque(maxlen=KEPT)
    )
    for submission in submissions:
        outcomes = iter(submission.outcomes)
        for item in submission.items:
            results = [outcome for _hit in item.hits if (outcome := next(outcomes, None)) is not None]
            last[submission.source_id].append((item, results, submission.received_at))
    return [_event(source_id, *event) for source_id, events in last.items() for event in events]


def _event(source_id: int, item: ReceivedEvent, results: list[HitOutcome], received_at: datetime | None) -> SeenEvent:
    result = results[0] if results else None
    problem = item.problems[0] if item.problems else item.not_kept
    outcome = OUTCOMES.get(result.status, Outcome.DROPPED) if result else Outcome.DROPPED
    if outcome == Outcome.KEPT and _waits(item):
        outcome = Outcome.WAITING
    if item.problems:
        outcome = Outcome.REFUSED
    elif outcome == Outcome.DROPPED and (problem is None or _waits(item)):
        problem = Problem(Code.NOT_ALLOWED, _("Without a visitor that may be kept, nothing is."))
    return SeenEvent(
        source_id,
        item.kind,
        item.title if item.check or outcome != Outcome.DROPPED or _is_without_visitor(item) else "",
        outcome,
        problem,
        item.check,
        result.visitor_id if result else None,
        bool(item.hits) and item.hits[0].is_bot,
        received_at,
    )


def _is_without_visitor(item: ReceivedEvent) -> bool:
    """True for an event without a visitor that could have been stored if its browser had sent a token."""
    return bool(item.hits) and item.hits[0].visitor is None


def _waits(item: ReceivedEvent) -> bool:
    """True for an event that is kept in the inbox until a type takes it."""
    return any(hit.waiting is not None and hit.waiting.sighting_id is not None for hit in item.hits)
