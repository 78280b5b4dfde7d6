"""The activities of a visitor by day, as its page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from activities.log.timeline import TimelineEntry, timeline_entries
from activities.models import Activity, VisitorActivity
from people.core.codes import Code
from people.core.source import Channel

# the reasons for which rows do not enter the log, in words; the rest is OTHER
REASONS: dict[str, Promise] = {
    "repeated": _("Sent twice: recorded once"),
    "person_deleted": _("The person is deleted"),
    str(Code.AMBIGUOUS_PERSON): _("Several people have this value"),
    str(Code.BLOCKED_IDENTIFIER): _("The identifier names nobody, like “anonymous”"),
    str(Code.ERROR): _("Something failed here; it was logged"),
    str(Code.RETIRED_TYPE): _("The activity type is retired"),
    str(Code.UNKNOWN_PERSON): _("No person with this value"),
}
OTHER = _("Did not match the activity type")


@dataclass(frozen=True, slots=True)
class VisitorEntry:
    """One row of a visitor: an activity, or (without `entry`) a statement of who it is."""

    row: VisitorActivity
    entry: TimelineEntry | None

    @property
    def occurred_at(self) -> datetime:
        """In the active zone."""
        return timezone.localtime(self.row.occurred_at)

    @property
    def reason(self) -> Any:
        """The reason why it was not recorded, or its sender not recognized, in words; empty for neither."""
        code = str((self.row.identity or {}).get("refused") or self.row.refusal or "")
        return REASONS.get(code, OTHER) if code else ""

    @property
    def is_waiting(self) -> bool:
        return bool(self.entry) and not (self.row.activity_id or self.row.refusal or self.row.is_bot)


def days_of_visitor(rows: Sequence[VisitorActivity]) -> list[tuple[date, list[VisitorEntry]]]:
    """The rows by day of the active zone, in their order; the names of types by two statements."""
    activities = {row.id: _as_activity(row) for row in rows if row.activity_type_id is not None}
    shown = dict(zip(activities, timeline_entries(list(activities.values())), strict=True)) if activities else {}
    entries = [VisitorEntry(row, shown.get(row.id)) for row in rows]
    return [(day, list(group)) for day, group in groupby(entries, key=lambda entry: entry.occurred_at.date())]


def _as_activity(row: VisitorActivity) -> Activity:
    """The activity that the row is or becomes; it is not in the log by this."""
    values: dict[str, Any] = {
        "id": row.activity_id,
        "activity_type_id": row.activity_type_id,
        "version": row.version,
        "occurred_at": row.occurred_at,
        "recorded_at": row.received_at,
        "primary_value": row.primary_value,
        "attributes": row.attributes,
        "channel": Channel.EVENTS,
        "origin_id": row.source_id,
    }
    return Activity(**values)
