"""The numbers of people who reached, passed and wait at each step of a campaign, of its latest entries."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from people.datatypes.canonical import moment_text
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions.model import Choose, Step
from smartlists.campaigns.triggers import definition_of_version
from smartlists.models import SmartCampaign

STEP_FIGURES = ("waiting", "done", "nothing", "queued", "failed")
MAX_ENTRIES = 10_000  # the latest of a campaign, skipped ones included, that are counted


@dataclass(frozen=True, slots=True)
class StepCounts:
    """The numbers of people at one step: before it, and by its outcome; of a choice, also by branch.

    People whose wait is not over are waiting at the wait, not before the step that follows it.
    """

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
        return self.waiting + self.passed

    @property
    def passed(self) -> int:
        return self.done + self.nothing + self.queued + self.failed


@dataclass(frozen=True, slots=True)
class CampaignSteps:
    """The steps of the version that people entered last; `entered` people of it are counted.

    `runs`: the people among them who entered by a run, by its id. `is_partial`: the campaign has more entries than were
    read.
    """

    definition: campaign_definition.CampaignDefinition
    entered: int
    is_partial: bool
    runs: Mapping[int, int]
    steps: tuple[StepCounts, ...]  # in the order of display, those of branches after their choice


# one row each: what was read in all, who entered, by which run, who waits at or before a step, and who has an outcome
# of a step. The detail of a wait is the moment of its end in UTC, which is compared as text
_COUNTS = """
with latest as (
    select id, person_id, version_id, state, path, run_id from campaign_entry
    where campaign_id = %(campaign)s order by id desc limit %(limit)s
), entered as (
    select * from latest where state <> 'skipped'
        and version_id = (select version_id from latest where state <> 'skipped' order by id desc limit 1)
), outcome as (
    select o.*, e.version_id,
        o."do" = 'wait' and o.outcome = 'done' and e.state in ('open', 'held') and o.detail collate "C" > %(now)s
            and o.id = max(o.id) over (partition by o.entry_id) as is_waiting
    from entered e join campaign_step_outcome o on o.entry_id = e.id and o.person_id = e.person_id
)
select 0, '', 'read', '', count(*) from latest
union all select version_id, '', 'entered', '', count(*) from entered group by version_id
union all select version_id, '', 'run', run_id::text, count(*) from entered where run_id is not null
    group by version_id, run_id
union all select version_id, path, 'waiting', '', count(*) from entered
    where state in ('open', 'held') and id not in (select entry_id from outcome where is_waiting)
    group by version_id, path
union all select version_id, path, case when is_waiting then 'waiting' else outcome end,
        case "do" when 'choose' then detail else '' end, count(*)
    from outcome group by 1, 2, 3, 4
"""


def count_steps(campaign: SmartCampaign) -> CampaignSteps | None:
    """The numbers of each step; None before the campaign's first entry. One query over `MAX_ENTRIES` entries."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"campaign": campaign.pk, "limit": MAX_ENTRIES, "now": moment_text(timezone.now())})
        rows = cursor.fetchall()
    version_id, entered, read = 0, 0, 0
    runs: dict[int, int] = {}
    by_path: dict[str, Counter[str]] = defaultdict(Counter)
    branches: dict[str, Counter[str]] = defaultdict(Counter)
    for version, path, what, branch, count in rows:
        if what == "read":
            read = count
        elif what == "entered":
            version_id, entered = version, count
        elif what == "run":
            runs[int(branch)] = count
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
    return CampaignSteps(definition, entered, read == MAX_ENTRIES, runs, tuple(steps))


def _counts_of(path: str, step: Step, counts: Counter[str], branches: Counter[str]) -> StepCounts:
    """`branches` are the numbers by the branch that the outcome names, from "1"."""
    by_branch: tuple[int, ...] = ()
    if isinstance(step, Choose):
        by_branch = tuple(branches[str(number)] for number in range(1, len(step.choices) + 2))
    figures = {name: counts[name] for name in STEP_FIGURES}  # outcomes are stored under these names
    return StepCounts(path, step, **figures, branches=by_branch)
