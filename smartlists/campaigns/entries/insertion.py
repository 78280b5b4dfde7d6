"""Entries of people into campaigns: the candidates, and the statement that stores them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils import timezone

from smartlists.campaigns.definitions.model import CampaignDefinition
from smartlists.models import CampaignEntry, SmartCampaign

State = CampaignEntry.State


@dataclass(frozen=True, slots=True)
class Listener:
    """A campaign that listens to the log, with its definition."""

    campaign: SmartCampaign
    definition: CampaignDefinition


@dataclass(slots=True)
class Candidate:
    """A person about to enter a campaign, and the reason to skip them, if any."""

    listener: Listener
    person_id: int
    entered_at: datetime
    trigger: int = 0
    activity_id: int | None = None
    run_id: int | None = None
    evaluation_id: int | None = None
    object_change_id: int | None = None
    record_id: int | None = None
    depth: int = 0
    reason: str = ""

    @property
    def state(self) -> str:
        if self.reason:
            return State.SKIPPED
        return State.OPEN if self.listener.campaign.is_active or self.run_id else State.HELD


_COLUMNS = {
    "campaign_id": "bigint",
    "version_id": "bigint",
    "person_id": "int",
    "activity_id": "bigint",
    "run_id": "bigint",
    "evaluation_id": "bigint",
    "object_change_id": "bigint",
    "record_id": "bigint",
    "trigger": "smallint",
    "state": "text",
    "reason": "text",
    "depth": "smallint",
    "entered_at": "timestamptz",
}


def insert_entries(candidates: Sequence[Candidate]) -> int:
    """Store the entries; return how many of them are not skipped."""
    now = timezone.now()
    rows = [
        (
            candidate.listener.campaign.pk,
            candidate.listener.campaign.version_id,
            candidate.person_id,
            candidate.activity_id,
            candidate.run_id,
            candidate.evaluation_id,
            candidate.object_change_id,
            candidate.record_id,
            candidate.trigger,
            str(candidate.state),
            str(candidate.reason),
            min(candidate.depth, 32_000),
            candidate.entered_at,
        )
        for candidate in candidates
    ]
    if not rows:
        return 0
    arrays = ", ".join(f"%s::{kind}[]" for kind in _COLUMNS.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into campaign_entry ({", ".join(_COLUMNS)}, path, due_at, has_failed, dispatched_at, finished_at)
            select {", ".join(f"w.{name}" for name in _COLUMNS)}, '0', %s, false, clock_timestamp(),
                case when w.state = 'skipped' then clock_timestamp() end
            from unnest({arrays}) with ordinality as w ({", ".join(_COLUMNS)}, place) order by w.place
            on conflict do nothing""",
            [now, *([row[at] for row in rows] for at in range(len(_COLUMNS)))],
        )
    return sum(not candidate.reason for candidate in candidates)
