"""Decisions about the names of event sources, for the programs that take events in."""

from collections.abc import Mapping

from django.db.models import Q

from activities.inbox.mapping import NO_DECISION, Decision
from activities.models import Sighting

MAX_KEPT = 10_000  # events of one name that wait: the newest; others are counted
MAX_KEPT_BYTES = 20_000_000
Decisions = Mapping[tuple[int, str], Decision]  # by source and name key


def load_decisions() -> Decisions:
    """The decisions about names of events; one statement. Names without a decision are there once they are full."""
    rows = Sighting.objects.filter(kind=Sighting.Kind.EVENT).filter(
        ~Q(state=Sighting.State.NEW) | Q(kept__gte=MAX_KEPT) | Q(kept_bytes__gte=MAX_KEPT_BYTES)
    )
    return {(row.source_id, row.name_key): Decision(row.state, row.activity_type_id, row.fields) for row in rows}


def is_full(sighting: Sighting) -> bool:
    """True where a new event of this name can only take the place of an old one."""
    return sighting.kept >= MAX_KEPT or sighting.kept_bytes >= MAX_KEPT_BYTES


def decision_of(decisions: Decisions, source_id: int, key: str) -> Decision:
    return decisions.get((source_id, key), NO_DECISION)
