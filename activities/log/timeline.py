"""Activities for display, with the names and values of their own versions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import get_user_model
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, OuterRef, When
from django.db.models.functions import JSONObject
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from activities.labels import localized_name, purpose_name
from activities.models import CONSENT_TYPES, Activity, ActivityField, ActivityVersion
from activities.types.standard import CHANGES, CHANNEL_NAMES
from people.core.source import Channel
from people.datatypes.display import localized_number
from people.datatypes.registry import BY_NAME
from people.fields.catalog import shown_label
from people.models import PersonField

ON_ROW = 3  # values beside the primary one
# the values shown for a web activity beside the page, form or link: title, origin, then browser
WEB_GLANCE = (
    *("page_title", "utm_source", "utm_campaign", "search_query", "referrer_url", "page_url", "is_bot"),
    *("device", "browser", "platform"),
)
WEB_TYPES = frozenset({1, 2, 3})
CODES = frozenset({"list_id"})  # values for programs: beside the others once the entry is open, never on its row
CHANNELS = {name: channel for channel, name in CHANNEL_NAMES.items() if channel is not Channel.MARKETO}
CHANNEL_FIELDS = frozenset({"source", "source_type"})  # of standard types: the stored name of a channel
LATE = timedelta(hours=1)  # from here on the page shows that an activity was recorded later than it occurred


@dataclass(frozen=True, slots=True)
class EntryValue:
    """One value as text, with the name of its field."""

    name: str
    text: str
    api_name: str
    is_link: bool = False
    is_primary: bool = False


@dataclass(frozen=True, slots=True)
class _ShownField:
    """The parts of a field of an approved version that are shown."""

    name: str
    api_name: str
    data_type: str
    is_primary: bool


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One activity as the timeline shows it; moments are in the active zone."""

    activity: Activity
    name: str
    values: Sequence[EntryValue]  # without empty values
    is_standard: bool = False
    without_value: Sequence[str] = ()  # names of the version's other fields
    type_api_name: str = ""
    icon: str = ""
    colour: int = 0
    is_recordable: bool = False  # the type accepts new activities
    recorder: str = ""  # name of the user or API client that recorded it

    @property
    def primary_text(self) -> str:
        """The primary value as pages show it; empty without one."""
        return next((value.text for value in self.values if value.is_primary), "")

    @property
    def occurred_at(self) -> datetime:
        return timezone.localtime(self.activity.occurred_at)

    @property
    def on_row(self) -> Sequence[EntryValue]:
        """The values shown on the row itself: the first ones besides the primary value."""
        values = [value for value in self.values if not value.is_primary and value.api_name not in CODES]
        if self.activity.activity_type_id in WEB_TYPES:
            values = self._web_values({value.api_name: value for value in values})
        return values[:ON_ROW]

    def _web_values(self, values: Mapping[str, EntryValue]) -> list[EntryValue]:
        """The informative values of a web activity: neither "no bot" nor pages of the same site."""
        own_host = _host(values["url"].text) if "url" in values else ""
        shown = [values[name] for name in WEB_GLANCE if name in values]
        if self.activity.attributes.get("is_bot") is not True:
            shown = [value for value in shown if value.api_name != "is_bot"]
        return [_short(value) for value in shown if not (value.is_link and _host(value.text) == own_host)]

    @property
    def was_recorded_late(self) -> bool:
        return self.activity.recorded_at - self.activity.occurred_at > LATE


def _short(value: EntryValue) -> EntryValue:
    """The value with no more of an address than its host."""
    return replace(value, text=_host(value.text) or value.text) if value.is_link else value


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def timeline_entries(activities: Sequence[Activity], *, plain: bool = False) -> list[TimelineEntry]:
    """The activities with the names of type and fields from their own versions, and of recorders; one statement.

    With `plain`, names and values are in the form for programs, else in the active language and zone.
    """
    versions = {(version.activity_type_id, version.number): version for version in _versions(activities)}
    return [_entry(activity, versions[activity.activity_type_id, activity.version], plain) for activity in activities]


def _versions(activities: Sequence[Activity]) -> Iterable[Any]:
    """The approved versions of the types of the activities, with `shown_fields` and `recorders` as JSON."""
    fields = ActivityField.objects.filter(version=OuterRef("pk")).order_by("-is_primary", "position", "pk")
    form = JSONObject(**{name: name for name in ("name", "api_name", "data_type", "is_primary")})
    versions = ActivityVersion.objects.filter(
        activity_type__in={activity.activity_type_id for activity in activities}, number__isnull=False
    )
    versions = versions.select_related("activity_type").annotate(shown_fields=ArraySubquery(fields.values(json=form)))
    if user_ids := {activity.user_id for activity in activities if activity.user_id is not None}:
        name = Case(When(is_api_only=True, then="first_name"), default="username")
        users = get_user_model().objects.filter(pk__in=user_ids).values(json=JSONObject(id="pk", name=name))
        versions = versions.annotate(recorders=ArraySubquery(users))  # read once for all rows
    if any(activity.activity_type_id in CHANGES for activity in activities):
        labels = PersonField.objects.values(json=JSONObject(api_name="api_name", label="label"))
        versions = versions.annotate(person_fields=ArraySubquery(labels))
    return versions


def _entry(activity: Activity, version: Any, plain: bool) -> TimelineEntry:
    values, without = [], []
    activity_type = version.activity_type
    is_translated = activity_type.is_standard and not plain
    for field in (_ShownField(**form) for form in version.shown_fields):
        is_channel = is_translated and field.api_name in CHANNEL_FIELDS
        name = _("Channel") if is_channel else localized_name(field.name, is_translated)
        value = activity.primary_value if field.is_primary else activity.attributes.get(field.api_name)
        if value is not None:
            text = plain_text(value) if plain else _shown_text(value, field, version)
            is_link = field.data_type == "link" and text.lower().startswith(("https://", "http://"))
            values.append(EntryValue(name, text, field.api_name, is_link, field.is_primary))
        else:
            without.append(name)
    return TimelineEntry(
        activity,
        localized_name(version.name, is_translated),
        values,
        activity_type.is_standard,
        without,
        activity_type.api_name,
        activity_type.shown_icon,
        activity_type.shown_colour,
        activity_type.is_recordable and not activity_type.is_standard,
        next((user["name"] for user in getattr(version, "recorders", ()) if user["id"] == activity.user_id), ""),
    )


def _shown_text(value: Any, field: _ShownField, version: Any) -> str:
    """A value as pages show it: of the product's own types also person fields and channels by their names."""
    if version.activity_type_id in CHANGES and field.is_primary:
        label = next((row["label"] for row in version.person_fields if row["api_name"] == value), "")
        return shown_label(value, label) if label else str(value)
    if version.activity_type_id in CONSENT_TYPES and field.is_primary:
        return purpose_name(str(value))
    if version.activity_type.is_standard and field.api_name in CHANNEL_FIELDS:
        return _channel_text(str(value), version.activity_type_id in CONSENT_TYPES)
    return _local_text(value, field)


def _channel_text(stored: str, has_user: bool) -> str:
    """The channel in the active language; of a consent the user may follow: “Admin: anna”."""
    name, colon, user = stored.partition(": ") if has_user else (stored, "", "")
    return f"{CHANNELS[name].label}{colon}{user}" if name in CHANNELS else stored


def _local_text(value: Any, field: _ShownField) -> str:
    if field.data_type == "boolean":
        return _("Yes") if value in (True, "true") else _("No")
    if field.data_type == "date":
        return date_format(date.fromisoformat(value), "DATE_FORMAT")
    if field.data_type == "datetime":
        return date_format(timezone.localtime(datetime.fromisoformat(value)), "DATETIME_FORMAT")
    if BY_NAME[field.data_type].is_number:
        return _local_number(value, field.api_name)
    return plain_text(value)


def _local_number(value: Any, field_name: str) -> str:
    """A stored number in the active language; primary values are stored as text."""
    try:
        return localized_number(Decimal(str(value)), field_name)
    except InvalidOperation:
        return plain_text(value)


def plain_text(value: Any) -> str:
    """A value in the form for programs."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if hasattr(value, "as_tuple") else str(value)
