"""The arguments and results of actions of steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from people.core.source import Source
from smartlists.campaigns.definitions.model import CampaignDefinition
from smartlists.models import SmartCampaign


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One person in a campaign: the values that a step needs."""

    id: int
    campaign_id: int
    version_id: int
    person_id: int
    activity_id: int | None
    trigger: int
    path: str
    due_at: datetime
    depth: int
    has_failed: bool
    record_id: int | None = None  # the object record that triggered

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "id",
        "campaign_id",
        "version_id",
        "person_id",
        "activity_id",
        "trigger",
        "path",
        "due_at",
        "depth",
        "has_failed",
        "record_id",
    )


@dataclass(frozen=True, slots=True)
class ActionContext:
    """The campaign, the step, the source and the moment of an action."""

    campaign: SmartCampaign
    definition: CampaignDefinition
    path: str
    source: Source
    now: datetime


@dataclass(frozen=True, slots=True)
class StepResult:
    """The result of a step for one entry; `until` delays it, `branch` is the way that a choice takes."""

    outcome: str
    detail: str = ""
    until: datetime | None = None
    branch: int | None = None


Dones = Mapping[int, StepResult]
