"""The pages of a campaign besides its builder: results, trial and run, life; and what their buttons do."""

import tempfile
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from people.core.admin.base import number, require, show_page, tabs_of
from people.core.admin.object_actions import Action, delete_page, duplicate_page, menu, say_undoable
from people.core.errors import NotAllowedError, RejectedError
from people.files.exports import jobs as export_jobs
from people.models import Person
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns import diagnostics as campaign_diagnostics
from smartlists.campaigns import dry_run
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import results as campaign_results
from smartlists.campaigns import runs as campaign_runs
from smartlists.campaigns import scheduling as campaign_scheduling
from smartlists.campaigns import sentences as campaign_sentences
from smartlists.campaigns.triggers import definition_of
from smartlists.catalog import Catalogue
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.models import CampaignEntry, SmartCampaign, SmartList, Webhook

NAME = "admin:smartlists_smartcampaign"
TABS = (
    ("flow", gettext_lazy("Trigger and steps"), "change"),
    ("results", gettext_lazy("Results"), "results"),
    ("try", gettext_lazy("Try and run"), "try"),
)
DELETE = "smartlists.delete_smartcampaign"
State = SmartCampaign.State


def find(request: HttpRequest, pk: int) -> SmartCampaign:
    require(request, campaign_lifecycle.VIEW)
    return get_object_or_404(SmartCampaign, pk=pk)


def _actions(request: HttpRequest, campaign: SmartCampaign) -> list[Action]:
    def address(name: str, right: str, *more: str) -> str:
        return reverse(f"{NAME}_{name}", args=[campaign.pk, *more]) if request.user.has_perm(right) else ""

    is_archived = campaign.state == State.ARCHIVED
    verb = "unarchive" if is_archived else "archive"
    return menu(
        duplicate=address("duplicate", "smartlists.add_smartcampaign"),
        export=(Action(_("Export results (CSV)"), address("export", "people.export_person")),),
        archive="" if campaign.state == State.ACTIVE else address("do", campaign_lifecycle.CHANGE, verb),
        is_archived=is_archived,
        delete=address("remove", DELETE) if campaign.state in (State.DRAFT, State.ARCHIVED) else "",
    )


def page(
    request: HttpRequest, tab: str, campaign: SmartCampaign | None, title: str = "", **context: Any
) -> HttpResponse:
    may_run = request.user.has_perm(campaign_lifecycle.ACTIVATE)
    head = {
        "health": health_of(campaign, Catalogue()) if campaign else (),
        "campaign": campaign,
        "tab": tab,
        "tabs": tabs_of(campaign, TABS),
        "actions": _actions(request, campaign) if campaign else (),
        "original": campaign,
        "may_run": may_run,
        "may_activate": may_run and campaign and campaign.state in (State.DRAFT, State.PAUSED),
        "may_pause": may_run and campaign and campaign.state == State.ACTIVE,
        "zone": timezone.get_current_timezone_name(),
    }
    return show_page(request, SmartCampaign, f"campaign_{tab}", str(campaign or title), **{**head, **context})


def health_of(campaign: SmartCampaign, names: Catalogue) -> list[str]:
    """What the head of each page says is wrong."""
    return list_diagnostics.sentences(
        campaign_diagnostics.of_campaign(campaign_definition.load(campaign.definition), names)
    )


def show_results(request: HttpRequest, pk: int) -> HttpResponse:
    """What became of everybody, newest first, with the outcome and time of each step."""
    campaign = find(request, pk)
    state, reason = request.GET.get("state", ""), request.GET.get("reason", "")
    wanted = request.GET.get("person", "").strip()
    state = state if state in CampaignEntry.State.values else ""
    reason = reason if reason in CampaignEntry.Reason.values else ""
    person_id = _person_id(wanted)
    found = (
        list(
            campaign_results.entries(
                campaign,
                state=state,
                reason=reason,
                person_id=person_id if wanted else None,
                before=number(request.GET.get("before", "")) or None,
                limit=campaign_results.PAGE + 1,
            )
        )
        if not wanted or person_id
        else []
    )
    shown = found[: campaign_results.PAGE]
    kept = request.GET.copy()
    kept.pop("before", None)
    return page(
        request,
        "results",
        campaign,
        rows=_rows(request, shown),
        summary=campaign_results.summary(campaign),
        reasons=[(value, label) for value, label in CampaignEntry.Reason.choices],
        states=CampaignEntry.State.choices,
        state=state,
        reason=reason,
        person=wanted,
        before=shown[-1].pk if len(found) > len(shown) else None,
        kept=kept.urlencode(),
        skipped=_skipped(campaign),
    )


def _person_id(wanted: str) -> int:
    if number(wanted):
        return number(wanted)
    found = Person.objects.live().with_email([wanted.replace("\0", "")]).order_by("pk").first() if wanted else None
    return found.pk if found else 0


def _skipped(campaign: SmartCampaign) -> list[tuple[str, int]]:
    labels = dict(CampaignEntry.Reason.choices)
    return [
        (str(labels.get(reason, reason)), count) for reason, count in campaign_results.summary(campaign).skipped.items()
    ]


def _rows(request: HttpRequest, entries: list[CampaignEntry]) -> list[dict[str, Any]]:
    may_see = request.user.has_perm("people.view_person")
    people = Person.objects.in_bulk({one.person_id for one in entries}) if may_see else {}
    names, webhooks = Catalogue(), dict(Webhook.objects.values_list("pk", "name"))
    return [
        {
            "entry": one,
            "person": people.get(one.person_id),
            "steps": [_step(one, outcome, names, webhooks) for outcome in sorted(one.outcomes.all(), key=_order)],
        }
        for one in entries
    ]


def _order(outcome: Any) -> list[int]:
    return [int(part) for part in outcome.path.split(".")]


def _step(entry: CampaignEntry, outcome: Any, names: Catalogue, webhooks: Any) -> dict[str, Any]:
    item = campaign_definition.step_at(definition_of(entry.version_id).steps, outcome.path)
    is_choice = isinstance(item, campaign_definition.Choose)  # which way is what matters here, not all there are
    said = (
        str(campaign_sentences.STEP_TITLES["choose"]) if is_choice else (campaign_sentences.step(item, names, webhooks))
    )
    return {"number": campaign_sentences.shown_path(outcome.path), "said": said, "outcome": outcome}


def export(request: HttpRequest, pk: int) -> Any:
    """The results as a CSV file: a row for every step of everybody."""
    campaign = find(request, pk)
    require(request, "people.export_person")
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    state = request.GET.get("state", "")
    wanted = {"campaign": campaign.pk, "state": state if state in CampaignEntry.State.values else ""}
    export_jobs.write(campaign_results.statement(wanted), "csv", file, excel_safe=True)
    file.seek(0)
    name = slugify(campaign.name) or f"campaign-{campaign.pk}"
    return FileResponse(file, as_attachment=True, filename=f"{name}.csv", content_type="text/csv; charset=utf-8")


def try_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Try the campaign on one person without effects; run it once on a smart list, after a preview."""
    campaign = find(request, pk)
    context: dict[str, Any] = {
        "lists": SmartList.objects.filter(is_archived=False).order_by("name").values_list("pk", "name"),
        "runs": campaign.runs.select_related("smart_list").order_by("-pk")[:10],
        "tested": request.POST.get("tested", "").strip(),
        "activity": request.POST.get("activity", "").strip(),
        "chosen": number(request.POST.get("smart_list", "")),
    }
    if request.method == "POST":
        try:
            done = _DO[request.POST.get("do", "")](request, campaign, context)
        except KeyError:
            raise PermissionDenied from None
        except NotAllowedError:
            raise PermissionDenied from None
        except RejectedError as refusal:
            context["problem"] = str(refusal)
        else:
            if done is not None:
                return done
    return page(request, "try", campaign, **context)


def _try(request: HttpRequest, campaign: SmartCampaign, context: dict[str, Any]) -> None:
    person_id = _person_id(context["tested"])
    context["trial"] = dry_run.try_out(campaign, person_id, request.user, number(context["activity"]) or None)


def _preview(request: HttpRequest, campaign: SmartCampaign, context: dict[str, Any]) -> None:
    chosen = get_object_or_404(SmartList, pk=context["chosen"])
    context["preview"] = campaign_runs.preview(campaign, chosen, request.user)


def _run(request: HttpRequest, campaign: SmartCampaign, context: dict[str, Any]) -> HttpResponse:
    chosen = get_object_or_404(SmartList, pk=context["chosen"])
    run = campaign_runs.run_once(campaign, chosen, request.user, cap=number(request.POST.get("cap", "")))
    said = ngettext("%(count)s person enters the campaign now.", "%(count)s people enter the campaign now.", run.count)
    messages.success(request, said % {"count": run.count})
    return redirect(f"{NAME}_results", campaign.pk)


def _cancel_run(request: HttpRequest, campaign: SmartCampaign, context: dict[str, Any]) -> HttpResponse:
    campaign_scheduling.cancel(
        get_object_or_404(campaign.runs, pk=number(request.POST.get("cancelled", ""))), request.user
    )
    messages.success(request, _("The run is cancelled."))
    return redirect(f"{NAME}_try", campaign.pk)


_DO = {"try": _try, "preview": _preview, "run": _run, "cancel": _cancel_run}


def duplicate(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(request, pk)
    require(request, "smartlists.add_smartcampaign")
    return duplicate_page(request, campaign, lambda name: campaign_lifecycle.copy(campaign, name, request.user))


def remove(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(request, pk)
    require(request, DELETE)
    return delete_page(
        request,
        campaign,
        lambda: campaign_lifecycle.delete(campaign, request.user),
        consequence=_("The campaign is deleted for good, with its results."),
        button=_("Delete campaign"),
    )


@require_POST
def do(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Activate, pause, archive or unarchive the campaign."""
    campaign = find(request, pk)
    if verb not in _VERBS:
        raise PermissionDenied
    try:
        said, undo = _VERBS[verb](request, campaign)
    except NotAllowedError:
        raise PermissionDenied from None
    except RejectedError as refusal:
        for problem in refusal.problems:
            messages.error(request, str(problem.message))
        return redirect(f"{NAME}_change", pk)
    say_undoable(request, said, reverse(f"{NAME}_do", args=[pk, undo]) if undo else "")
    return redirect(f"{NAME}_change", pk)


def _activate(request: HttpRequest, campaign: SmartCampaign) -> tuple[str, str]:
    campaign_lifecycle.activate(campaign, request.user)
    return _("Active: whatever is recorded from now on counts."), ""


def _pause(request: HttpRequest, campaign: SmartCampaign) -> tuple[str, str]:
    campaign_lifecycle.pause(campaign, request.user)
    return _("Paused: nobody enters, and everybody under way is held."), ""


def _archive(request: HttpRequest, campaign: SmartCampaign) -> tuple[str, str]:
    was_draft = campaign.state == State.DRAFT  # of a paused one people leave, which nothing takes back
    campaign_lifecycle.archive(campaign, request.user)
    return _("Archived."), "unarchive" if was_draft else ""


def _unarchive(request: HttpRequest, campaign: SmartCampaign) -> tuple[str, str]:
    campaign_lifecycle.unarchive(campaign, request.user)
    return _("Taken out of the archive."), "archive"


# what each verb does; returned are what is told and the verb that takes it back, if any
_VERBS: dict[str, Any] = {"activate": _activate, "pause": _pause, "archive": _archive, "unarchive": _unarchive}
