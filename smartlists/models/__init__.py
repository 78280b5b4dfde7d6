"""The tables of smart lists, campaigns, webhooks and reports."""

from smartlists.models.campaign_records import DateWatch, ObjectWatch, ReachedDate, RecordEffect
from smartlists.models.campaigns import (
    CampaignBacklog,
    CampaignEffect,
    CampaignEntry,
    CampaignRun,
    CampaignTally,
    CampaignUse,
    CampaignVersion,
    ListWatch,
    SmartCampaign,
    StepOutcome,
)
from smartlists.models.copies import ListCopy
from smartlists.models.failing_steps import FailingStep
from smartlists.models.lists import SmartList, SmartListUse, StoredEvaluation, bitmap
from smartlists.models.member_views import MemberView
from smartlists.models.reports import StoredReport
from smartlists.models.saved_reports import Dashboard, DashboardTile, ReportNote, SavedReport
from smartlists.models.webhooks import AlertEmail, Webhook, WebhookDelivery

__all__ = [
    "AlertEmail",
    "CampaignBacklog",
    "CampaignEffect",
    "CampaignEntry",
    "CampaignRun",
    "CampaignTally",
    "CampaignUse",
    "CampaignVersion",
    "Dashboard",
    "DashboardTile",
    "DateWatch",
    "FailingStep",
    "ListCopy",
    "ListWatch",
    "MemberView",
    "ObjectWatch",
    "ReachedDate",
    "RecordEffect",
    "ReportNote",
    "SavedReport",
    "SmartCampaign",
    "SmartList",
    "SmartListUse",
    "StepOutcome",
    "StoredEvaluation",
    "StoredReport",
    "Webhook",
    "WebhookDelivery",
    "bitmap",
]
