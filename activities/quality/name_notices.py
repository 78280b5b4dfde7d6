"""Notices of undefined names: one comes much more often than before, or its properties have another share.

A job looks at the day before, once a day. Names are not in a notice, as anything may be in them; of each source at most
one notice of a kind is unread.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from django.db.models import Min, Sum
from django.utils.translation import gettext_lazy, ngettext_lazy

from activities.models import EventSource, Sighting, SightingDay
from people.core import notifications
from people.core.notifications import NoticeKind

AT_ONCE = 1_000  # names of one run, those that came most often
COMPARED_DAYS = 7
MIN_EVENTS = 20  # of the day, and of the days before, without which a share is noise
RISE = 0.2  # of a share against the days before, up or down
JUMP = 3  # times the average of the days before
MIN_JUMP = 100  # events of a day, without which a jump is noise
INBOX = "admin:activities_sighting_changelist"

notifications.register_notice_kinds(
    {
        "name_jumped": NoticeKind(
            gettext_lazy("Events that nobody has defined come much more often"),
            ngettext_lazy(
                "%(count)s undefined event name of %(source)s came at least three times as often as before.",
                "%(count)s undefined event names of %(source)s came at least three times as often as before.",
                "count",
            ),
            ("source",),
            advice=gettext_lazy("Decide in the inbox: create a type, or ignore the name."),
            action=gettext_lazy("Open the inbox"),
            icon="trending_up",
            look="wait",
        ),
        "name_changed": NoticeKind(
            gettext_lazy("Events that nobody has defined bring other properties"),
            ngettext_lazy(
                "The properties of %(count)s undefined event name of %(source)s come in another share.",
                "The properties of %(count)s undefined event names of %(source)s come in another share.",
                "count",
            ),
            ("source",),
            advice=gettext_lazy("Look at the properties before you create a type."),
            action=gettext_lazy("Open the inbox"),
            icon="difference",
            look="wait",
        ),
    }
)


def notify_of_changed_names(deciders: Sequence[int], day: date) -> int:
    """Notify `deciders` of names that came much more often on `day` (UTC), or with other shares of properties, than in
    the week before; return the number of notices. Names that were not there before are news, and not of these.
    """
    names = _names_of(day)
    before = _totals(names, day)
    jumped = [name for name in names.values() if name.pk in before and _has_jumped(name, before[name.pk], day)]
    changed = [name for name in names.values() if name.pk in before and _has_changed(name, before[name.pk])]
    return _notify(deciders, "name_jumped", jumped) + _notify(deciders, "name_changed", changed)


class _Name:
    """One undefined name on the day."""

    def __init__(self, row: SightingDay) -> None:
        self.pk, self.source_id = row.sighting_id, row.sighting.source_id
        self.count, self.properties = row.count, Counter(row.properties)


class _Total:
    """The counts of a name in the days before. `first`: the first of these days with an event."""

    def __init__(self, count: int, first: date) -> None:
        self.count, self.first, self.properties = count, first, Counter[str]()


def _names_of(day: date) -> dict[int, _Name]:
    """The names of the day that are not ignored or blocked, and that were sent often enough."""
    states = (Sighting.State.NEW, Sighting.State.MAPPED)
    rows = SightingDay.objects.filter(day=day, count__gte=MIN_EVENTS, sighting__state__in=states)
    rows = rows.exclude(sighting__name_key="").select_related("sighting").order_by("-count", "pk")
    return {row.sighting_id: _Name(row) for row in rows[:AT_ONCE]}


def _totals(names: Iterable[int], day: date) -> Mapping[int, _Total]:
    period = (day - timedelta(days=COMPARED_DAYS), day - timedelta(days=1))
    rows = SightingDay.objects.filter(sighting__in=list(names), day__range=period)
    sums = rows.order_by().values_list("sighting").annotate(Sum("count"), Min("day"))
    totals = {pk: _Total(count, first) for pk, count, first in sums}
    for pk, properties in rows.values_list("sighting", "properties").iterator():
        totals[pk].properties.update(properties)
    return totals


def _has_jumped(name: _Name, before: _Total, day: date) -> bool:
    days = (day - before.first).days
    return name.count >= MIN_JUMP and name.count * days >= JUMP * before.count


def _has_changed(name: _Name, before: _Total) -> bool:
    if before.count < MIN_EVENTS:
        return False
    # the rarest of many properties are not counted: one that is absent there is not known to have come
    return any(
        abs(name.properties[digest] / name.count - before.properties[digest] / before.count) >= RISE
        for digest in name.properties.keys() | before.properties.keys()
    )


def _notify(deciders: Sequence[int], kind: str, names: Sequence[_Name]) -> int:
    counts = Counter(name.source_id for name in names)
    sources = EventSource.objects.in_bulk(list(counts))
    return sum(
        notifications.notify_users(deciders, kind, INBOX, None, source=sources[pk].name, count=number)
        for pk, number in sorted(counts.items())
        if pk in sources
    )
