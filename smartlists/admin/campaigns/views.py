"""The pages of a campaign besides its builder: results, trial and run, and the actions of their buttons."""

from datetime import UTC, timedelta
from math import ceil
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from activities.log import intervals
from people.admin.transfers import export_response
from people.core.admin import charts
from people.core.admin.base import parse_number, require_rights, show_page, tabs_of
from people.core.admin.object_actions import MenuAction, action_menu, delete_page, duplicate_page, show_undoable_message
from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem, RejectedError
from people.models import Person
from people.rights import EXPORT_PERSON
from smartlists.admin.campaigns.entry_rows import rows_of_entries
from smartlists.admin.campaigns.flow import flow_of
from smartlists.admin.campaigns.reasons import Reason, link_reasons
from smartlists.admin.campaigns.run_chips import chip_of_run
from smartlists.campaigns import diagnostics as campaign_diagnostics
from smartlists.campaigns import dry_run
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import results as campaign_results
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.entries import counters as campaign_counters
from smartlists.campaigns.running import runs as campaign_runs
from smartlists.campaigns.running import scheduling as campaign_scheduling
from smartlists.catalog import Catalogue
from smartlists.evaluation.near_misses import duration_text
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.models import CampaignEntry, CampaignRun, SmartCampaign, SmartList, Webhook
from smartlists.rights import ADD_SMARTCAMPAIGN, DELETE_SMARTCAMPAIGN

NAME = "admin:smartlists_smartcampaign"
TABS = (
    ("flow", gettext_lazy("Trigger and steps"), "change"),
    ("results", gettext_lazy("Results"), "results"),
    ("try", gettext_lazy("Test and run"), "try"),
)
DELETE = DELETE_SMARTCAMPAIGN
CHART_DAYS = 90
CHARTED = {  # result: label of its line in the chart
    "entered": gettext_lazy("entered"),
    "done": gettext_lazy("finished"),
    "failed": gettext_lazy("finished, a step failed"),
}
State = SmartCampaign.State


def find_campaign(request: HttpRequest, pk: int) -> SmartCampaign:
    require_rights(request, campaign_lifecycle.VIEW)
    return get_object_or_404(SmartCampaign, pk=pk)


def _actions(request: HttpRequest, campaign: SmartCampaign) -> list[MenuAction]:
    def address(name: str, right: str, *more: str) -> str:
        return reverse(f"{NAME}_{name}", args=[campaign.pk, *more]) if request.user.has_perm(right) else ""

    is_archived = campaign.state == State.ARCHIVED
    verb = "unarchive" if is_archived else "archive"
    return action_menu(
        duplicate=address("duplicate", ADD_SMARTCAMPAIGN),
        export=(MenuAction(_("Export results (CSV)"), address("export", EXPORT_PERSON)),),
        archive="" if campaign.state == State.ACTIVE else address("do", campaign_lifecycle.CHANGE, verb),
        is_archived=is_archived,
        delete=address("remove", DELETE) if campaign.state in (State.DRAFT, State.ARCHIVED) else "",
    )


def campaign_page(
    request: HttpRequest, tab: str, campaign: SmartCampaign | None, title: str = "", **context: Any
) -> HttpResponse:
    may_run = request.user.has_perm(campaign_lifecycle.ACTIVATE)
    names = Catalogue()
    failing = campaign_diagnostics.failing_problems(campaign) if campaign else []
    rules = saved_rules_problems(campaign, names) if campaign else []
    latest_run = _latest_run(campaign) if campaign else None
    is_startable = bool(
        campaign and campaign.state in (State.DRAFT, State.PAUSED) and not _is_never_activated(campaign, latest_run)
    )
    may_activate = bool(may_run and is_startable)
    head = {
        "health": list_diagnostics.problem_messages([*failing, *rules]),
        "campaign": campaign,
        "tab": tab,
        "tabs": tabs_of(campaign, TABS),
        "actions": _actions(request, campaign) if campaign else (),
        "original": campaign,
        "may_run": may_run,
        "may_activate": may_activate,
        "latest_run": latest_run,
        "run_chip": chip_of_run(latest_run) if latest_run else "",
        "lacking": _activation_reasons(request, campaign, names) if campaign and may_activate else (),
        "may_try_again": may_run and failing,
        "may_pause": may_run and campaign and campaign.state == State.ACTIVE,
        "zone": timezone.get_current_timezone_name(),
    }
    return show_page(request, SmartCampaign, f"campaign_{tab}", str(campaign or title), **{**head, **context})


def _latest_run(campaign: SmartCampaign) -> CampaignRun | None:
    """The latest run of a draft: one that runs on lists by hand. None for others, and before the first run."""
    return campaign.runs.defer("members").order_by("-pk").first() if campaign.state == State.DRAFT else None


def _is_never_activated(campaign: SmartCampaign, latest_run: CampaignRun | None) -> bool:
    """Return True for a draft that was run and has no trigger: nothing lacks for its purpose."""
    return latest_run is not None and not campaign_definition.load_definition(campaign.definition).triggers


def _activation_reasons(request: HttpRequest, campaign: SmartCampaign, names: Catalogue) -> list[Reason]:
    problems = campaign_diagnostics.activation_reasons(campaign, request.user, names)
    return link_reasons(problems, campaign.definition, campaign)


def saved_rules_problems(campaign: SmartCampaign, names: Catalogue) -> list[Problem]:
    """The problems of the saved rules, which the head of each page shows."""
    return campaign_diagnostics.campaign_problems(campaign_definition.load_definition(campaign.definition), names)


def results_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The entries of the campaign, newest first, with the outcome and time of each step."""
    campaign = find_campaign(request, pk)
    state, reason = request.GET.get("state", ""), request.GET.get("reason", "")
    person_text = request.GET.get("person", "").strip()
    state = state if state in CampaignEntry.State.values else ""
    reason = reason if reason in CampaignEntry.Reason.values else ""
    entries = _entries(request, campaign, state, reason, person_text)
    page_entries = entries[: campaign_results.PAGE]
    summary = campaign_results.summarize_campaign(campaign)
    query = request.GET.copy()
    query.pop("before", None)
    names, webhooks = Catalogue(), dict(Webhook.objects.values_list("pk", "name"))
    return campaign_page(
        request,
        "results",
        campaign,
        rows=rows_of_entries(request, page_entries, names, webhooks),
        summary=summary,
        reasons=[(value, label) for value, label in CampaignEntry.Reason.choices],
        states=CampaignEntry.State.choices,
        state=state,
        reason=reason,
        person=person_text,
        before=page_entries[-1].pk if len(entries) > len(page_entries) else None,
        kept=query.urlencode(),
        skipped=_skipped(summary),
        flow=flow_of(campaign, names, webhooks),
        latency=_latency_words(summary.latency),
        **_results_by_day(campaign),
    )


def _latency_words(latency: campaign_results.Latency | None) -> dict[str, str] | None:
    """The latency for the page: the median to the second, and the bound of the slow ones rounded up."""
    if latency is None:
        return None
    median = duration_text(timedelta(seconds=round(latency.p50))) if latency.p50 >= 0.5 else _("under a second")
    return {"median": median, "p95": duration_text(timedelta(seconds=ceil(latency.p95)))}


def _entries(
    request: HttpRequest, campaign: SmartCampaign, state: str, reason: str, person_text: str
) -> list[CampaignEntry]:
    """The entries of a page, and one more where another page follows; none where the text names no person."""
    person_id = _person_id(person_text)
    if person_text and not person_id:
        return []
    entries = campaign_results.latest_entries(
        campaign,
        state=state,
        reason=reason,
        person_id=person_id if person_text else None,
        before=parse_number(request.GET.get("before", "")) or None,
        limit=campaign_results.PAGE + 1,
    )
    return list(entries)


def _results_by_day(campaign: SmartCampaign) -> dict[str, Any]:
    """Template context of the chart: who entered and finished by day; no chart of a single day."""
    today = timezone.now().astimezone(UTC).date()
    first = today - timedelta(days=CHART_DAYS - 1)
    by_day = campaign_counters.daily_results(campaign.pk, list(CHARTED), first, today)
    if len(by_day) < 2:
        return {"by_day": []}
    labels = [date_format(day, "MONTH_DAY_FORMAT") for day, _numbers in by_day]
    series = [
        charts.ChartSeries(str(label), [numbers[place] for _day, numbers in by_day], place)
        for place, label in enumerate(CHARTED.values())
    ]
    partial = intervals.partial_days([day for day, _numbers in by_day], today)
    chart = charts.chart_json(labels, _("Day"), series, partial=partial)
    return {
        "by_day": by_day,
        "chart": chart,
        "charted": CHARTED.values(),
        "chart_days": CHART_DAYS,
        "running": charts.Partial.RUNNING,
    }


def _person_id(text: str) -> int:
    if parse_number(text):
        return parse_number(text)
    person = Person.objects.live().with_email([text.replace("\0", "")]).order_by("pk").first() if text else None
    return person.pk if person else 0


def _skipped(summary: campaign_results.CampaignSummary) -> list[tuple[str, int]]:
    labels = dict(CampaignEntry.Reason.choices)
    return [(str(labels.get(reason, reason)), count) for reason, count in summary.skipped.items()]


def export_results(request: HttpRequest, pk: int) -> Any:
    """The results as a CSV file: a row for each step of each person."""
    campaign = find_campaign(request, pk)
    require_rights(request, EXPORT_PERSON)
    state = request.GET.get("state", "")
    parameters = {"campaign": campaign.pk, "state": state if state in CampaignEntry.State.values else ""}
    name = slugify(campaign.name) or f"campaign-{campaign.pk}"
    try:
        return export_response(request, "campaign_results", parameters, title=campaign.name, name=name)
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect(f"{NAME}_change", campaign.pk)


def try_campaign_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Try the campaign on one person without effects; run it once on a smart list, after a preview."""
    campaign = find_campaign(request, pk)
    context: dict[str, Any] = {
        "lists": SmartList.objects.filter(is_archived=False).order_by("name").values_list("pk", "name"),
        "runs": campaign.runs.select_related("smart_list").order_by("-pk")[:10],
        "tested": request.POST.get("tested", "").strip(),
        "activity": request.POST.get("activity", "").strip(),
        "chosen": parse_number(request.POST.get("smart_list", "")),
    }
    if request.method == "POST":
        try:
            response = _TRY_ACTIONS[request.POST.get("do", "")](request, campaign, context)
        except KeyError:
            raise PermissionDenied from None
        except NotAllowedError as refusal:
            raise PermissionDenied(refusal.problems[0].expected) from None
        except RejectedError as refusal:
            context["problem"] = str(refusal)
        else:
            if response is not None:
                return response
    return campaign_page(request, "try", campaign, **context)


def _try(request: HttpRequest, campaign: SmartCampaign, context: dict[str, Any]) -> None:
    person_id = _person_id(context["tested"])
    context["trial"] = dry_run.dry_run_campaign(
        campaign, person_id, request.user, parse_number(context["activity"]) or None
    )


def _chosen_list(context: dict[str, Any]) -> SmartList:
    """Raises `RejectedError` where none is chosen or it has been deleted in the meantime."""
    smart_list = SmartList.objects.filter(pk=context["chosen"]).first()
    if smart_list is None:
        raise RejectedError(Problem(Code.NOT_FOUND, _("Choose a smart list."), ("smart_list",)))
    return smart_list


def _preview(request: HttpRequest, campaign: SmartCampaign, context: dict[str, Any]) -> None:
    smart_list = _chosen_list(context)
    context["preview"] = campaign_runs.preview_run(campaign, smart_list, request.user)


def _run(request: HttpRequest, campaign: SmartCampaign, context: dict[str, Any]) -> HttpResponse:
    smart_list = _chosen_list(context)
    run = campaign_runs.run_on_list(campaign, smart_list, request.user, cap=parse_number(request.POST.get("cap", "")))
    message = ngettext(
        "%(count)s person enters the campaign now.", "%(count)s people enter the campaign now.", run.count
    )
    messages.success(request, message % {"count": run.count})
    return redirect(f"{NAME}_results", campaign.pk)


def _cancel_run(request: HttpRequest, campaign: SmartCampaign, context: dict[str, Any]) -> HttpResponse:
    campaign_scheduling.cancel_run(
        get_object_or_404(campaign.runs, pk=parse_number(request.POST.get("cancelled", ""))), request.user
    )
    messages.success(request, _("The run is cancelled."))
    return redirect(f"{NAME}_try", campaign.pk)


_TRY_ACTIONS = {"try": _try, "preview": _preview, "run": _run, "cancel": _cancel_run}


def duplicate_campaign_page(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find_campaign(request, pk)
    require_rights(request, ADD_SMARTCAMPAIGN)
    return duplicate_page(
        request, campaign, lambda name: campaign_lifecycle.duplicate_campaign(campaign, name, request.user)
    )


def delete_campaign_page(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find_campaign(request, pk)
    require_rights(request, DELETE)
    return delete_page(
        request,
        campaign,
        lambda: campaign_lifecycle.delete_campaign(campaign, request.user),
        consequence=_("The campaign is deleted for good, with its results."),
        button=_("Delete campaign"),
    )


@require_POST
def change_campaign_state(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Activate, pause, archive or unarchive the campaign, or try again what fails."""
    campaign = find_campaign(request, pk)
    if verb not in _VERBS:
        raise PermissionDenied
    try:
        message, undo = _VERBS[verb](request, campaign)
    except NotAllowedError as refusal:
        raise PermissionDenied(refusal.problems[0].expected) from None
    except RejectedError as refusal:
        for problem in refusal.problems:
            messages.error(request, str(problem.message))
        return redirect(f"{NAME}_change", pk)
    show_undoable_message(request, message, reverse(f"{NAME}_do", args=[pk, undo]) if undo else "")
    return redirect(f"{NAME}_change", pk)


def _activate(request: HttpRequest, campaign: SmartCampaign) -> tuple[str, str]:
    campaign_lifecycle.activate_campaign(campaign, request.user)
    return _("Active: everything recorded from now on counts."), ""


def _pause(request: HttpRequest, campaign: SmartCampaign) -> tuple[str, str]:
    campaign_lifecycle.pause_campaign(campaign, request.user)
    return _("Paused: nobody enters, and everyone in progress is on hold."), ""


def _archive(request: HttpRequest, campaign: SmartCampaign) -> tuple[str, str]:
    was_draft = campaign.state == State.DRAFT  # people leave a paused campaign, which cannot be undone
    campaign_lifecycle.archive_campaign(campaign, request.user)
    return _("Archived."), "unarchive" if was_draft else ""


def _unarchive(request: HttpRequest, campaign: SmartCampaign) -> tuple[str, str]:
    campaign_lifecycle.unarchive_campaign(campaign, request.user)
    return _("Unarchived."), "archive"


def _try_again(request: HttpRequest, campaign: SmartCampaign) -> tuple[str, str]:
    campaign_lifecycle.retry_campaign(campaign, request.user)
    return _("What failed is tried again now."), ""


# verb: function that returns the message and the verb that undoes it, if any
_VERBS: dict[str, Any] = {
    "activate": _activate,
    "pause": _pause,
    "archive": _archive,
    "unarchive": _unarchive,
    "try_again": _try_again,
}
