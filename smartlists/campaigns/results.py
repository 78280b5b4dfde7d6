"""The results of campaigns: pages of entries, a file of step outcomes, and summary numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.log import withdrawal
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.files.exports import kinds as export_kinds
from people.rights import EXPORT_PERSON
from smartlists.campaigns.entries import counters as campaign_counters
from smartlists.models import AlertEmail, CampaignEntry, SmartCampaign, WebhookDelivery
from smartlists.rights import VIEW_SMARTCAMPAIGN

PAGE = 50
SAMPLE = 1_000  # entries used for the latency
State = CampaignEntry.State


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from recording an activity to the end of the first step it caused, for the latest entries."""

    p50: float
    p95: float
    of: int


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """The numbers of a campaign: people who entered, finished and failed, people skipped by reason, latency."""

    entered: int
    finished: int
    failed: int
    skipped: Mapping[str, int]  # by reason
    latency: Latency | None


def summarize_campaign(campaign: SmartCampaign) -> CampaignSummary:
    """The numbers of a campaign, from its counters; no rows are counted."""
    totals = campaign_counters.campaign_totals(campaign.pk)
    skipped = {what.partition(":")[2]: count for what, count in sorted(totals.items()) if what.startswith("skipped:")}
    return CampaignSummary(
        totals.get("entered", 0), totals.get("done", 0), totals.get("failed", 0), skipped, first_step_latency(campaign)
    )


def first_step_latency(campaign: SmartCampaign) -> Latency | None:
    """The recent latency of the first step; None while there are no entries."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select percentile_cont(0.5) within group (order by seconds),
                percentile_cont(0.95) within group (order by seconds), count(*)
            from (select extract(epoch from first_step_at - entered_at)::float8 as seconds from campaign_entry
                where campaign_id = %s and first_step_at is not null and activity_id is not null
                order by id desc limit %s) latest""",
            [campaign.pk, SAMPLE],
        )
        p50, p95, count = cursor.fetchone()
    return Latency(p50, p95, count) if count else None


def latest_entries(
    campaign: SmartCampaign,
    *,
    state: str = "",
    reason: str = "",
    person_id: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> QuerySet[CampaignEntry]:
    """The latest entries, newest first, with the outcomes of their steps; `before` is the last id seen."""
    queryset = campaign.entries.order_by("-pk").prefetch_related("outcomes")
    filters: dict[str, Any] = {"state": state, "reason": reason, "person_id": person_id, "pk__lt": before}
    return queryset.filter(**{name: value for name, value in filters.items() if value})[:limit]


def campaigns_entered_by(person_id: int, activity_id: int) -> list[str]:
    """The names of the campaigns that the person entered because of the activity."""
    entries = CampaignEntry.objects.filter(person_id=person_id, activity_id=activity_id).exclude(state=State.SKIPPED)
    return sorted(entries.values_list("campaign__name", flat=True).distinct())


def delete_old_results() -> int:
    """Delete skipped entries, and calls and e-mails that are over, older than the setting allows; return how many."""
    limit = timezone.now() - timedelta(days=settings.CAMPAIGN_RESULTS_DAYS)
    skipped = CampaignEntry.objects.filter(state=State.SKIPPED, dispatched_at__lt=limit)
    calls, emails = WebhookDelivery.State, AlertEmail.State
    over = (
        skipped,
        WebhookDelivery.objects.filter(state__in=(calls.DELIVERED, calls.DEAD), finished_at__lt=limit),
        AlertEmail.objects.filter(state__in=(emails.SENT, emails.FAILED), finished_at__lt=limit),
    )
    return sum(rows.delete()[0] for rows in over)


def results_statement(parameters: Mapping[str, Any]) -> export_kinds.ExportStatement:
    """The export statement: one row for each step of each entry. `campaign`: the id; `state`: a filter on entries."""
    campaign = SmartCampaign.objects.filter(pk=parameters.get("campaign", 0)).first()
    if campaign is None:
        message = _("There is no smart campaign %(id)s.") % {"id": parameters.get("campaign")}
        raise RejectedError(Problem(Code.UNKNOWN_CAMPAIGN, message, ("campaign",)))
    where, values = "e.campaign_id = %(campaign)s", {"campaign": campaign.pk}
    if state := parameters.get("state"):
        where, values = where + " and e.state = %(state)s", values | {"state": state}
    return export_kinds.ExportStatement(_COLUMNS, f"{_SOURCE} where {where} order by e.id, o.id", values)


_SOURCE = "campaign_entry e left join campaign_step_outcome o on o.entry_id = e.id"
_COLUMNS: Sequence[export_kinds.ExportColumn] = (
    export_kinds.ExportColumn("entry", "e.id"),
    export_kinds.ExportColumn("person", "e.person_id"),
    export_kinds.ExportColumn("activity", "e.activity_id"),
    export_kinds.ExportColumn("state", "e.state"),
    export_kinds.ExportColumn("reason", "e.reason"),
    export_kinds.ExportColumn("entered_at", export_kinds.moment_sql("e.entered_at")),
    export_kinds.ExportColumn("finished_at", export_kinds.moment_sql("e.finished_at")),
    export_kinds.ExportColumn("step", "o.path"),
    export_kinds.ExportColumn("do", 'o."do"'),
    export_kinds.ExportColumn("outcome", "o.outcome"),
    export_kinds.ExportColumn("detail", "o.detail", is_text=True),
    export_kinds.ExportColumn("at", export_kinds.moment_sql("o.at")),
    export_kinds.ExportColumn("record", "e.record_id"),  # last, as programs read the others by position
)
withdrawal.register_reactions(campaigns_entered_by)
export_kinds.register_export_kind(
    export_kinds.ExportKind(
        "campaign_results",
        gettext_lazy("Results of a smart campaign"),
        (EXPORT_PERSON, VIEW_SMARTCAMPAIGN),
        results_statement,
    )
)
