"""Smart campaigns over the Marketo API: in the lead database, which also starts them, and as assets (§4)."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone

from config.marketo.resources.assets import WORKSPACE, asset_by_id, common_members, folder_row, page_of_assets, page_url
from config.marketo.wire import paging
from config.marketo.wire.endpoint import Call
from config.marketo.wire.parameters import MAX_BATCH, parse_person_id
from config.marketo.wire.responses import MarketoError, assets_reply, invalid_value, success_reply, utc_timestamp
from people.core.errors import quoted_value
from people.datatypes import keys as datatype_keys
from people.datatypes.parsing import BadValueError, parse_moment
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.running import runs as campaign_runs
from smartlists.campaigns.running import scheduling as campaign_scheduling
from smartlists.models import SmartCampaign

LATEST_RUN = timedelta(days=730)  # [I] §4: runAt is at most two years ahead (1042)
QUALIFICATIONS = {campaign_definition.ONCE: "once", campaign_definition.EVERY: "any"}
UNITS = {"hours": "hour", "days": "day", "weeks": "week", "months": "month"}


def list_campaigns(call: Call) -> HttpResponse:
    """List smart campaigns by id. §4: clients read them when they start, so a user without the right gets none."""
    size = call.parameters.batch_size()
    if not call.user.has_perm(campaign_lifecycle.VIEW):
        return success_reply([])
    campaigns = SmartCampaign.objects.filter(pk__gt=paging.page_start_id(call)).order_by("pk")
    ids, names = call.parameters.numbers("id"), call.parameters.values("name")
    if ids:
        campaigns = campaigns.filter(pk__in=ids)
    if names:
        campaigns = campaigns.filter(name__in=names)
    page = list(campaigns[: size + 1])
    more = str(page[size - 1].pk) if len(page) > size else None
    return success_reply([_row(campaign) for campaign in page[:size]], nextPageToken=more)


def get_campaign(call: Call, campaign_id: int) -> HttpResponse:
    call.require(campaign_lifecycle.VIEW)
    return success_reply([_row(_find(campaign_id))])


def trigger_campaign(call: Call, campaign_id: int) -> HttpResponse:
    """Run up to 300 leads through an active campaign, whatever its triggers ([I] §4); deleted leads are left out."""
    call.require(campaign_lifecycle.ACTIVATE)
    campaign, data = _find(campaign_id), _input(call)
    leads = data.get("leads")
    if not isinstance(leads, list) or not leads:
        raise MarketoError("1003", "Leads not specified")
    if len(leads) > MAX_BATCH:
        raise MarketoError("1003", f"Invalid data: at most {MAX_BATCH} leads in one call, got {len(leads)}")
    ids = [parse_person_id(lead.get("id")) if isinstance(lead, dict) else None for lead in leads]
    campaign_runs.run_for_people(campaign, [pk for pk in ids if pk is not None], call.user)
    return success_reply([{"id": campaign.pk}])


def schedule_campaign(call: Call, campaign_id: int) -> HttpResponse:
    """Run a campaign for its audience, at once or at `runAt`."""
    call.require(campaign_lifecycle.ACTIVATE)
    campaign, data = _find(campaign_id), _input(call)
    if data.get("cloneToProgramName"):
        raise MarketoError("1003", "Invalid data for 'cloneToProgramName': there are no programs")
    campaign_scheduling.schedule_run(campaign, _run_at(data.get("runAt")), call.user)
    return success_reply([{"id": campaign.pk}])


def _input(call: Call) -> dict[str, Any]:
    """Return the object `input` of a JSON body, which may be missing. [I] §4: tokens have no use and are refused."""
    body = call.parameters.json
    data = body.get("input", {}) if isinstance(body, dict) else None
    if not isinstance(data, dict):
        raise MarketoError("1003", "Invalid data: an object 'input' is expected")
    if data.get("tokens"):
        raise MarketoError("1003", "Invalid data for 'tokens': campaigns here take no values with a call")
    return data


def _run_at(value: Any) -> datetime:
    now = timezone.now()
    if value in (None, ""):
        return now
    try:
        at = parse_moment(value)
    except BadValueError:
        raise invalid_value(value, "Datetime") from None
    if at < now:
        raise MarketoError("1003", f"Invalid data for 'runAt': '{quoted_value(value)}' is over")
    if at > now + LATEST_RUN:
        raise MarketoError("1042", "Invalid runAt date: it is more than two years ahead")
    return at


def _find(campaign_id: int) -> SmartCampaign:
    """Return the campaign. Raises 1013."""
    campaign = asset_by_id(SmartCampaign.objects.all(), campaign_id)
    if campaign is None:
        raise MarketoError("1013", f"Object not found: campaign {min(campaign_id, datatype_keys.MAX_ID)}")
    return campaign


def _type(campaign: SmartCampaign) -> str:
    return "trigger" if campaign.definition["triggers"] else "batch"


def _row(campaign: SmartCampaign) -> dict[str, Any]:
    return {
        "id": campaign.pk,
        "name": campaign.name,
        "description": campaign.description,
        "type": _type(campaign),
        "workspaceName": WORKSPACE,
        "createdAt": utc_timestamp(campaign.created_at),
        "updatedAt": utc_timestamp(campaign.updated_at),
        "active": campaign.is_active,
    }


# --- As assets ------------------------------------------------------------------------------------------------


def list_campaign_assets(call: Call) -> HttpResponse:
    call.require(campaign_lifecycle.VIEW)
    campaigns = SmartCampaign.objects.all()
    if call.parameters.text("isActive"):
        active = {"state": SmartCampaign.State.ACTIVE}
        campaigns = campaigns.filter(**active) if call.parameters.flag("isActive") else campaigns.exclude(**active)
    return assets_reply([_asset(call, campaign) for campaign in page_of_assets(call, campaigns)])


def get_campaign_asset(call: Call, campaign_id: int) -> HttpResponse:
    """Return the campaign. [I] §4: an unknown id gives an empty result."""
    call.require(campaign_lifecycle.VIEW)
    campaign = asset_by_id(SmartCampaign.objects.all(), campaign_id)
    return assets_reply([_asset(call, campaign)] if campaign else [])


def campaign_asset_by_name(call: Call) -> HttpResponse:
    call.require(campaign_lifecycle.VIEW)
    campaigns = SmartCampaign.objects.filter(name=call.parameters.not_blank("name"))
    return assets_reply([_asset(call, campaign) for campaign in campaigns])


def _asset(call: Call, campaign: SmartCampaign) -> dict[str, Any]:
    """Return a campaign as an asset. [I] §4: active ones are requestable; list and flow are not separate assets."""
    qualification = campaign.definition["qualification"]
    how = qualification["how"]
    interval = (
        {"qualificationRuleInterval": qualification["number"], "qualificationRuleUnit": UNITS[qualification["unit"]]}
        if how == campaign_definition.WITHIN
        else {}
    )
    return common_members(campaign) | {
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
