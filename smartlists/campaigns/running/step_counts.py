"""The numbers of people who reached, passed and wait at each step of a campaign, of its latest entries."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db import connection

from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions.model import Choose, Step
from smartlists.campaigns.triggers import definition_of_version
from smartlists.models import SmartCampaign

STEP_FIGURES = ("waiting", "done", "nothing", "queued", "failed")
MAX_ENTRIES = 10_000  # the latest of a campaign, skipped ones included, that are counted


@dataclass(frozen=True, slots=True)
class StepCounts:
    """The numbers of people at one step: before it, and by its outcome; of a choice, also by branch."""

    path: str
    step: Step
    waiting: int = 0
    done: int = 0
    nothing: int = 0
    queued: int = 0
    failed: int = 0
    branches: tuple[int, ...] = ()

    @property
    def reached(self) -> int:
        return self.waiting + self.done + self.nothing + self.queued + self.failed


@dataclass(frozen=True, slots=True)
class CampaignSteps:
    """The steps of the version that people entered last; `entered` people of it are counted.

    `is_partial`: the campaign has more entries than were read.
    """

    definition: campaign_definition.CampaignDefinition
    entered: int
    is_partial: bool
    steps: tuple[StepCounts, ...]  # in the order of display, those of branches after their choice


# one row each: what was read in all, who entered, who waits before a step, and who has an outcome of a step
_COUNTS = """
with latest as (
    select id, person_id, version_id, state, path from campaign_entry
    where campaign_id = %s order by id desc limit %s
), entered as (
    select * from latest where state <> 'skipped'
        and version_id = (select version_id from latest where state <> 'skipped' order by id desc limit 1)
)
select 0, '', 'read', '', count(*) from latest
union all select version_id, '', 'entered', '', count(*) from entered group by version_id
union all select version_id, path, 'waiting', '', count(*) from entered where state in ('open', 'held')
    group by version_id, path
union all select e.version_id, o.path, o.outcome, case o."do" when 'choose' then o.detail else '' end, count(*)
    from entered e join campaign_step_outcome o on o.entry_id = e.id and o.person_id = e.person_id
    group by e.version_id, o.path, o.outcome, case o."do" when 'choose' then o.detail else '' end
"""


def count_steps(campaign: SmartCampaign) -> CampaignSteps | None:
    """The numbers of each step; None before the campaign's first entry. One query over `MAX_ENTRIES` entries."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [campaign.pk, MAX_ENTRIES])
        rows = cursor.fetchall()
    version_id, entered, read = 0, 0, 0
    by_path: dict[str, Counter[str]] = defaultdict(Counter)
    branches: dict[str, Counter[str]] = defaultdict(Counter)
    for version, path, what, branch, count in rows:
        if what == "read":
            read = count
        elif what == "entered":
            version_id, entered = version, count
        else:
            by_path[path][what] += count
            branches[path][branch] += count
    if not version_id:
        return None
    definition = definition_of_version(version_id)
    steps = (
        _counts_of(path, step, by_path[path], branches[path])
        for path, step in campaign_definition.walk_steps(definition.steps)
    )
    return CampaignSteps(definition, entered, read == MAX_ENTRIES, tuple(steps))


def _counts_of(path: str, step: Step, counts: Counter[str], branches: Counter[str]) -> StepCounts:
    """`branches` are the numbers by the branch that the outcome names, from "1"."""
    by_branch: tuple[int, ...] = ()
    if isinstance(step, Choose):
        by_branch = tuple(branches[str(number)] for number in range(1, len(step.choices) + 2))
    figures = {name: counts[name] for name in STEP_FIGURES}  # outcomes are stored under these names
    return StepCounts(path, step, **figures, branches=by_branch)
