"""The tables of activity types, of the log and of data derived from it."""

from activities.models.columns import ActivityChange, ColumnGeneration
from activities.models.forms import Form, FormConsent, FormField, FormSubmission, SiteForm
from activities.models.inbound import InboundCall, InboundKey, InboundMapping, InboundReplay, InboundWebhook
from activities.models.inbox import Sighting, SightingDay, WaitingEvent
from activities.models.intake import IntakePass, IntakeRequest
from activities.models.links import LinkClick, LinkCode, LinkDay, LinkDestination, TrackedLink
from activities.models.log import Activity, ActivityDay, ActivityFlag, ActivityKey, ActivityRemoval, LogPosition
from activities.models.quality import QualityDay
from activities.models.quarantine import RefusedActivity
from activities.models.recent import RecentEvent
from activities.models.replays import InboxReplay
from activities.models.retention import Retention
from activities.models.rollup import DailyCount, DayToRecount, SeenValue
from activities.models.sources import EventSource, SourceDay, SourceKey
from activities.models.types import (
    FIRST_CUSTOM_ID,
    ActivityField,
    ActivityType,
    ActivityTypeName,
    ActivityVersion,
    ApprovedField,
)
from activities.models.visitors import Association, MessageKey, Visitor, VisitorActivity
from activities.querysets import CONSENT_TYPES

__all__ = [
    "CONSENT_TYPES",
    "FIRST_CUSTOM_ID",
    "Activity",
    "ActivityChange",
    "ActivityDay",
    "ActivityField",
    "ActivityFlag",
    "ActivityKey",
    "ActivityRemoval",
    "ActivityType",
    "ActivityTypeName",
    "ActivityVersion",
    "ApprovedField",
    "Association",
    "ColumnGeneration",
    "DailyCount",
    "DayToRecount",
    "EventSource",
    "Form",
    "FormConsent",
    "FormField",
    "FormSubmission",
    "InboundCall",
    "InboundKey",
    "InboundMapping",
    "InboundReplay",
    "InboundWebhook",
    "InboxReplay",
    "IntakePass",
    "IntakeRequest",
    "LinkClick",
    "LinkCode",
    "LinkDay",
    "LinkDestination",
    "LogPosition",
    "MessageKey",
    "QualityDay",
    "RecentEvent",
    "RefusedActivity",
    "Retention",
    "SeenValue",
    "Sighting",
    "SightingDay",
    "SiteForm",
    "SourceDay",
    "SourceKey",
    "TrackedLink",
    "Visitor",
    "VisitorActivity",
    "WaitingEvent",
]
