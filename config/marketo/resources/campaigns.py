"""Smart campaigns over the Marketo API: as the lead database sees and starts them, and as assets (§4)."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone

from config.marketo.resources.assets import WORKSPACE, by_id, common, folder_row, page_url, search
from config.marketo.wire import paging
from config.marketo.wire.endpoint import Call
from config.marketo.wire.parameters import MAX_BATCH, person_id
from config.marketo.wire.responses import MarketoError, assets, invalid, success, timestamp
from people.core.errors import show
from people.datatypes import keys as datatype_keys
from people.datatypes.parsing import BadValueError, parse_moment
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import runs as campaign_runs
from smartlists.campaigns import scheduling as campaign_scheduling
from smartlists.models import SmartCampaign

LATEST_RUN = timedelta(days=730)  # [I] §4: runAt is at most two years ahead (1042)
QUALIFICATIONS = {campaign_definition.ONCE: "once", campaign_definition.EVERY: "any"}
UNITS = {"hours": "hour", "days": "day", "weeks": "week", "months": "month"}


def listed(call: Call) -> HttpResponse:
    """Smart campaigns by id. §4: clients ask for them before they start, so who may not see them gets none."""
    size = call.parameters.batch_size()
    if not call.user.has_perm(campaign_lifecycle.VIEW):
        return success([])
    found = SmartCampaign.objects.filter(pk__gt=paging.after(call)).order_by("pk")
    ids, names = call.parameters.numbers("id"), call.parameters.values("name")
    if ids:
        found = found.filter(pk__in=ids)
    if names:
        found = found.filter(name__in=names)
    page = list(found[: size + 1])
    more = str(page[size - 1].pk) if len(page) > size else None
    return success([_row(one) for one in page[:size]], nextPageToken=more)


def one(call: Call, campaign_id: int) -> HttpResponse:
    call.require(campaign_lifecycle.VIEW)
    return success([_row(_find(campaign_id))])


def trigger(call: Call, campaign_id: int) -> HttpResponse:
    """Have up to 300 leads enter an active campaign, whatever its triggers ([I] §4); who is gone does not."""
    call.require(campaign_lifecycle.ACTIVATE)
    campaign, given = _find(campaign_id), _input(call)
    leads = given.get("leads")
    if not isinstance(leads, list) or not leads:
        raise MarketoError("1003", "Leads not specified")
    if len(leads) > MAX_BATCH:
        raise MarketoError("1003", f"Invalid data: at most {MAX_BATCH} leads in one call, got {len(leads)}")
    ids = [person_id(lead.get("id")) if isinstance(lead, dict) else None for lead in leads]
    campaign_runs.run_for(campaign, [pk for pk in ids if pk is not None], call.user)
    return success([{"id": campaign.pk}])


def schedule(call: Call, campaign_id: int) -> HttpResponse:
    """Run a campaign for its audience, at once or at `runAt`."""
    call.require(campaign_lifecycle.ACTIVATE)
    campaign, given = _find(campaign_id), _input(call)
    if given.get("cloneToProgramName"):
        raise MarketoError("1003", "Invalid data for 'cloneToProgramName': there are no programs")
    campaign_scheduling.schedule(campaign, _run_at(given.get("runAt")), call.user)
    return success([{"id": campaign.pk}])


def _input(call: Call) -> dict[str, Any]:
    """The object `input` of a JSON body, which may be missing. [I] §4: tokens are refused, as nothing takes them."""
    body = call.parameters.json
    given = body.get("input", {}) if isinstance(body, dict) else None
    if not isinstance(given, dict):
        raise MarketoError("1003", "Invalid data: an object 'input' is expected")
    if given.get("tokens"):
        raise MarketoError("1003", "Invalid data for 'tokens': campaigns here take no values with a call")
    return given


def _run_at(given: Any) -> datetime:
    now = timezone.now()
    if given in (None, ""):
        return now
    try:
        at = parse_moment(given)
    except BadValueError:
        raise invalid(given, "Datetime") from None
    if at < now:
        raise MarketoError("1003", f"Invalid data for 'runAt': '{show(given)}' is over")
    if at > now + LATEST_RUN:
        raise MarketoError("1042", "Invalid runAt date: it is more than two years ahead")
    return at


def _find(campaign_id: int) -> SmartCampaign:
    """Raises 1013."""
    found = by_id(SmartCampaign.objects.all(), campaign_id)
    if found is None:
        raise MarketoError("1013", f"Object not found: campaign {min(campaign_id, datatype_keys.MAX_ID)}")
    return found


def _type(campaign: SmartCampaign) -> str:
    return "trigger" if campaign.definition["triggers"] else "batch"


def _row(campaign: SmartCampaign) -> dict[str, Any]:
    return {
        "id": campaign.pk,
        "name": campaign.name,
        "description": campaign.description,
        "type": _type(campaign),
        "workspaceName": WORKSPACE,
        "createdAt": timestamp(campaign.created_at),
        "updatedAt": timestamp(campaign.updated_at),
        "active": campaign.is_active,
    }


# --- As assets ------------------------------------------------------------------------------------------------


def all_assets(call: Call) -> HttpResponse:
    call.require(campaign_lifecycle.VIEW)
    found = SmartCampaign.objects.all()
    if call.parameters.text("isActive"):
        active = {"state": SmartCampaign.State.ACTIVE}
        found = found.filter(**active) if call.parameters.flag("isActive") else found.exclude(**active)
    return assets([_asset(call, campaign) for campaign in search(call, found)])


def one_asset(call: Call, campaign_id: int) -> HttpResponse:
    """[I] §4: an unknown id is a search that finds nothing."""
    call.require(campaign_lifecycle.VIEW)
    found = by_id(SmartCampaign.objects.all(), campaign_id)
    return assets([_asset(call, found)] if found else [])


def asset_by_name(call: Call) -> HttpResponse:
    call.require(campaign_lifecycle.VIEW)
    found = SmartCampaign.objects.filter(name=call.parameters.not_blank("name"))
    return assets([_asset(call, campaign) for campaign in found])


def _asset(call: Call, campaign: SmartCampaign) -> dict[str, Any]:
    """[I] §4: a campaign is requestable when it is active, and has neither a list nor a flow of its own to name."""
    qualification = campaign.definition["qualification"]
    how = qualification["how"]
    interval = (
        {"qualificationRuleInterval": qualification["number"], "qualificationRuleUnit": UNITS[qualification["unit"]]}
        if how == campaign_definition.WITHIN
        else {}
    )
    return common(campaign) | {
        "folder": folder_row(campaign.folder_id),
        "status": "Active" if campaign.is_active else "Inactive" if campaign.periods else "Never Run",
        "type": _type(campaign).capitalize(),
        "isSystem": False,
        "isActive": campaign.is_active,
        "isRequestable": campaign.is_active,
        "isCommunicationLimitEnabled": False,
        "qualificationRuleType": QUALIFICATIONS.get(how, "interval"),
        **interval,
        "workspace": WORKSPACE,
        "computedUrl": page_url(call, f"SC{campaign.pk}A1"),
    }
