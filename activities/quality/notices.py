"""Notices of names and properties that are new, and of values that have changed their type.

A job looks at what has come since its last run. Of each source at most one notice of a kind is unread, however many
names it sends, so nothing that a sender makes up can flood a user. Names themselves are not in a notice: anything may
be in them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext_lazy

from activities.inbox.editing import CHANGE
from activities.labels import localized_name
from activities.models import ActivityType, EventSource, QualityDay, Sighting
from activities.quality.name_notices import notify_of_changed_names
from people.core import notifications
from people.core.notifications import NoticeKind

AT_ONCE = 1_000  # names of one run
COMPARED_DAYS = 7
MIN_EVENTS = 20  # of the day, and of the days before, without which a share is noise
RISE = 0.2  # of a share of events against the days before
CHANGED_SHARES = {"wrong": "values_changed", "unknown": "share_changed"}  # counts of a day: the notice of their rise
INBOX = "admin:activities_sighting_changelist"
TYPE = "admin:activities_activitytype_quality"


def _with_type_name(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of a notice with the name of a type that the product ships in the active language."""
    return {**parameters, "type": localized_name(parameters["type"], parameters.get("is_standard", False))}


def _type_parameters(activity_type: ActivityType) -> dict[str, Any]:
    version = activity_type.live_or_draft
    name = version.name if version else activity_type.api_name
    return {"type": name, "is_standard": activity_type.is_standard}


notifications.register_notice_kinds(
    {
        "event_new": NoticeKind(
            gettext_lazy("An event source sends events that nobody has defined"),
            ngettext_lazy(
                "%(count)s new event name from %(source)s.", "%(count)s new event names from %(source)s.", "count"
            ),
            ("source",),
            advice=gettext_lazy("They wait in the inbox until somebody makes a type of each name, or ignores it."),
            action=gettext_lazy("Open the inbox"),
            icon="inbox",
            look="wait",
        ),
        "property_new": NoticeKind(
            gettext_lazy("Events of one of your types bring new properties"),
            ngettext_lazy(
                "%(count)s new property in events of %(type)s.",
                "%(count)s new properties in events of %(type)s.",
                "count",
            ),
            advice=gettext_lazy("Add a field for those you want to keep."),
            action=gettext_lazy("See the properties"),
            icon="new_label",
            look="wait",
            localize=_with_type_name,
        ),
        "values_changed": NoticeKind(
            gettext_lazy("Values of one of your types have changed"),
            gettext_lazy("%(percent)s %% of the events of %(type)s don't fit any more; before it was %(before)s %%."),
            advice=gettext_lazy("A program may have changed what it sends. Look at the rejected values."),
            action=gettext_lazy("See the data quality"),
            icon="trending_down",
            look="bad",
            localize=_with_type_name,
        ),
        "share_changed": NoticeKind(
            gettext_lazy("Many more events of one of your types bring properties that no field takes"),
            gettext_lazy(
                "%(percent)s %% of the events of %(type)s bring properties that no field takes; "
                "before it was %(before)s %%."
            ),
            advice=gettext_lazy("Add a field for those you want to keep."),
            action=gettext_lazy("See the data quality"),
            icon="trending_up",
            look="wait",
            localize=_with_type_name,
        ),
    }
)


def notify_of_news() -> int:
    """Notify those who decide about the inbox of what is new since the last run; return the number of notices."""
    deciders = _deciders()
    return _notify_of_names(deciders) + _notify_of_properties(deciders)


def notify_of_changed_values(day: date | None = None) -> int:
    """Notify of types whose share of rejected events, or of events with properties that no field takes, is far above
    the one of the week before, and of undefined names that changed; once a day. Returns the number of notices.

    `day`: the day (UTC) to look at; yesterday.
    """
    day = day or timezone.now().astimezone(UTC).date() - timedelta(days=1)
    deciders = _deciders()
    of_types = sum(_notify_of_shares(deciders, count, kind, day) for count, kind in CHANGED_SHARES.items())
    return of_types + notify_of_changed_names(deciders, day)


def _notify_of_shares(deciders: Sequence[int], count: str, kind: str, day: date) -> int:
    before = _shares(count, day - timedelta(days=COMPARED_DAYS), day - timedelta(days=1))
    changed = {
        type_id: (share, before[type_id])
        for type_id, share in _shares(count, day, day).items()
        if type_id in before and share - before[type_id] >= RISE
    }
    sent = 0
    for activity_type in ActivityType.objects.existing().select_related("live", "draft").filter(pk__in=changed):
        share, earlier = (round(100 * value) for value in changed[activity_type.pk])
        values = {**_type_parameters(activity_type), "percent": share, "before": earlier}
        sent += notifications.notify_users(deciders, kind, TYPE, activity_type.pk, **values)
    return sent


def _shares(count: str, first: date, last: date) -> dict[int, float]:
    """The share of the events with this count among all, by type, of types with enough events."""
    sums = (
        QualityDay.objects.filter(day__range=(first, last))
        .values_list("activity_type_id")
        .annotate(all_events=Sum("events"), counted=Sum(count))
    )
    return {type_id: counted / events for type_id, events, counted in sums if events >= MIN_EVENTS}


@transaction.atomic
def _notify_of_names(deciders: Sequence[int]) -> int:
    names: defaultdict[int, list[Sighting]] = defaultdict(list)
    for sighting in _news(Sighting.Kind.EVENT):
        names[sighting.source_id].append(sighting)
    sources = EventSource.objects.in_bulk(list(names))
    return sum(
        notifications.notify_users(deciders, "event_new", INBOX, None, source=sources[pk].name, count=len(group))
        for pk, group in names.items()
    )


@transaction.atomic
def _notify_of_properties(deciders: Sequence[int]) -> int:
    names: defaultdict[int, list[Sighting]] = defaultdict(list)
    for sighting in _news(Sighting.Kind.PROPERTY):
        names[sighting.scope].append(sighting)
    types = ActivityType.objects.existing().select_related("live", "draft").in_bulk(list(names))
    return sum(
        notifications.notify_users(deciders, "property_new", TYPE, pk, **_type_parameters(types[pk]), count=len(group))
        for pk, group in names.items()
        if pk in types
    )


def _news(kind: str) -> Sequence[Sighting]:
    """The names without a notice, marked as notified; those that another transaction has locked come later."""
    rows = Sighting.objects.filter(kind=kind, state=Sighting.State.NEW, is_announced=False).exclude(name_key="")
    news = list(rows.order_by("pk").select_for_update(no_key=True, skip_locked=True)[:AT_ONCE])
    Sighting.objects.filter(pk__in=[sighting.pk for sighting in news]).update(is_announced=True)
    return news


def _deciders() -> Sequence[int]:
    """The active users who may decide about the inbox."""
    app_label, codename = CHANGE.split(".")
    right: dict[str, Any] = {"codename": codename, "content_type__app_label": app_label}
    by_group = Q(**{f"groups__permissions__{name}": value for name, value in right.items()})
    directly = Q(**{f"user_permissions__{name}": value for name, value in right.items()})
    users = get_user_model().objects.filter(Q(is_superuser=True) | by_group | directly, is_active=True)
    return sorted(set(users.values_list("pk", flat=True)))
