"""The page of one activity type, in tabs: overview, fields, versions, uses, and API examples."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities import labels
from activities.admin import api_examples
from activities.admin.base import find_type, show_type_page
from activities.admin.transitions import Transition, next_transitions
from activities.inbox import editing as inbox_editing
from activities.log import intervals, rollup
from activities.log import reader as log_reader
from activities.log.bots import bot_fields
from activities.models import ActivityType, Sighting
from activities.quality import figures
from activities.rights import ADD_ACTIVITYTYPE, ADD_SMARTCAMPAIGN, VIEW_ACTIVITY
from activities.types.definition import DELETE, EDIT
from people.core import installation, references
from people.core.admin import charts
from people.core.admin.base import parse_number, require_rights, tabs_of
from people.core.admin.object_actions import MenuAction, action_menu
from people.definitions import differences
from people.models import Person
from people.rights import VIEW_PERSON

RANGES = (30, 90, 365)
ALL = "all"  # the period from the first activity to the last
LATEST = 10
PEOPLE = (VIEW_ACTIVITY, VIEW_PERSON)
AMONG, PEOPLE_PAGE = 10_000, 50  # latest activities among which people are found, people of a page
WITH_BOTS = "include"  # the value of the parameter `bots` that lets bots count
SAMPLE = 1_000  # activities among which the top values are counted
TABS: tuple[tuple[str, Any, str], ...] = (
    ("overview", gettext_lazy("Overview"), "change"),
    ("fields", gettext_lazy("Fields"), "fields"),
    ("people", gettext_lazy("People"), "people"),
    ("versions", gettext_lazy("Versions"), "versions"),
    ("used_by", gettext_lazy("Used by"), "used_by"),
    ("quality", gettext_lazy("Data quality"), "quality"),
    ("developers", gettext_lazy("Developers"), "developers"),
)


def show_type_tab(request: HttpRequest, activity_type: ActivityType, tab: str, **context: Any) -> HttpResponse:
    """A tab of the type's page, under the head shared by all tabs."""
    steps = next_transitions(request, activity_type)
    return show_type_page(
        request,
        f"type_{tab}",
        str(activity_type),
        activity_type=activity_type,
        version=activity_type.live_or_draft,
        tabs=tabs_of(
            activity_type, [tab_of_type for tab_of_type in TABS if _has_tab(request, activity_type, tab_of_type[0])]
        ),
        tab=tab,
        primary=steps[0] if steps else None,
        actions=_actions(request, activity_type, steps[1:]),
        **context,
    )


def _has_tab(request: HttpRequest, activity_type: ActivityType, tab: str) -> bool:
    """False for people whom the user may not see, and for what only the team's own types have."""
    if tab == "quality":
        return not activity_type.is_standard and request.user.has_perm(inbox_editing.VIEW)
    return tab != "people" or may_see_people(request)


def _actions(
    request: HttpRequest, activity_type: ActivityType, steps: list[tuple[str, Transition]]
) -> list[MenuAction]:
    """The menu of the type: all transitions except the primary one, and the actions of every object."""

    def address(name: str, right: str, *args: int | str) -> str:
        may = request.user.has_perm(right) and not activity_type.is_standard
        return reverse(f"admin:activities_activitytype_{name}", args=args) if may else ""

    def action(name: str, step: Transition) -> MenuAction:
        url = address("edit", step.right, activity_type.pk)
        if name != "edit":
            url = address("step", step.right, activity_type.pk, name)
        return MenuAction(step.label, url, hint=step.hint, is_dangerous=step.is_dangerous)

    copy = address("add", ADD_ACTIVITYTYPE)
    export = reverse("admin:activities_activitytype_export")
    others = [(action(name, step), step) for name, step in steps if name != "delete"]
    may_delete = any(name == "delete" for name, _step in steps)
    return action_menu(
        *(entry for entry, step in others if not step.is_dangerous),
        *(
            (MenuAction(_("Icon and colour"), picture),)
            if (picture := address("picture", EDIT, activity_type.pk))
            else ()
        ),
        *_uses_to_make(request, activity_type),
        duplicate=f"{copy}?like={activity_type.pk}" if copy else "",
        place=address("place", EDIT, activity_type.pk),
        export=(MenuAction(_("Export the schema"), f"{export}?type={activity_type.pk}"),),
        dangerous=tuple(entry for entry, step in others if step.is_dangerous),
        delete=address("step", DELETE, activity_type.pk, "delete") if may_delete else "",
    )


def _uses_to_make(request: HttpRequest, activity_type: ActivityType) -> list[MenuAction]:
    """Actions that use the type elsewhere: a campaign that begins with it, and its report."""
    if activity_type.live is None:
        return []
    uses = (
        (_("Make a campaign"), "admin:smartlists_smartcampaign_add", "type", ADD_SMARTCAMPAIGN),
        (_("Report"), "reports", "report=trend&type", VIEW_ACTIVITY),
    )
    return [
        MenuAction(label, f"{reverse(name)}?{parameter}={activity_type.pk}")
        for label, name, parameter, right in uses
        if request.user.has_perm(right)
    ]


def may_see_people(request: HttpRequest) -> bool:
    """True if the user may see who did something."""
    return bool(request.user.has_perms(PEOPLE))


def show_people(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the people of a period, the latest activity first, among the latest AMONG activities."""
    activity_type = find_type(request, pk)
    require_rights(request, *PEOPLE)
    zone = installation.installation_zone()
    today = timezone.now().astimezone(zone).date()
    requested = request.GET.get("days", "")
    days = int(requested) if requested in {str(length) for length in RANGES} else ALL
    since = None if days == ALL else datetime.combine(today - timedelta(days=int(days) - 1), time(), zone)
    until = datetime.combine(today + timedelta(days=2), time(), zone)  # activities may lie up to a day ahead
    counts, has_more = log_reader.people_of_type(activity_type.pk, since, until, AMONG)
    live = set(Person.objects.live().filter(pk__in=[row.person_id for row in counts]).values_list("pk", flat=True))
    page = Paginator([row for row in counts if row.person_id in live], PEOPLE_PAGE).get_page(request.GET.get("p"))
    people = Person.objects.in_bulk([row.person_id for row in page])
    return show_type_tab(
        request,
        activity_type,
        "people",
        days=days,
        ranges=RANGES,
        all_time=ALL,
        page=page,
        rows=[(people[row.person_id], row) for row in page],
        total=page.paginator.count,
        has_more=has_more,
        among=AMONG,
        zone=timezone.get_current_timezone_name(),
    )


def show_overview(request: HttpRequest, pk: int) -> HttpResponse:
    activity_type = find_type(request, pk)
    marks_bots = bool(bot_fields([pk]))
    counted = {"without_bots": marks_bots and request.GET.get("bots") != WITH_BOTS}
    span = rollup.activity_span([activity_type.pk], **counted)
    today = timezone.now().astimezone(installation.installation_zone()).date()
    days, first, last = _period(request.GET.get("days", ""), today, span)
    total, before = rollup.count_with_before([activity_type.pk], first, last, **counted)
    if not total and span.total and "days" not in request.GET:  # an empty short period must not look like an empty log
        days, first, last = _period(ALL, today, span)
        total = span.total
    interval = intervals.fitting_interval(first, last) if days == ALL else "week" if days > 90 else "day"
    points = rollup.interval_counts([activity_type.pk], first, last, interval, **counted)
    partial = _partial(points, interval, *((date.min, date.max) if days == ALL else (first, last)), today)
    latest = log_reader.latest_of_type(activity_type.pk, LATEST)
    return show_type_tab(
        request,
        activity_type,
        "overview",
        days=days,
        ranges=RANGES,
        points=points,
        all_time=ALL,
        span=span,
        marks_bots=marks_bots,
        **counted,
        with_bots=WITH_BOTS,
        interval=intervals.INTERVALS[interval],
        **_drawn(points, interval, str(activity_type), partial),
        total=total,
        figure=charts.Figure(total, before) if days != ALL else None,
        counted_at=rollup.rollup_read_at(),
        last_seen=latest[0].occurred_at if latest else None,
        top=_repeated(log_reader.top_primary_values(activity_type.pk, SAMPLE)),
        sample=SAMPLE,
        changes=differences.version_differences(activity_type.live, activity_type.draft) if activity_type.draft else [],
        in_inbox=_in_inbox(request, activity_type),
        latest=_with_people(latest) if request.user.has_perm(VIEW_ACTIVITY) else None,
        zone=timezone.get_current_timezone_name(),
    )


def _in_inbox(request: HttpRequest, activity_type: ActivityType) -> Sighting | None:
    """The name in the inbox whose events wait to be recorded as the approved type: the one with the most."""
    if activity_type.live is None or activity_type.is_standard or not request.user.has_perm(inbox_editing.VIEW):
        return None
    names = Sighting.objects.filter(activity_type=activity_type, kind=Sighting.Kind.EVENT, kept__gt=0)
    return names.filter(state=Sighting.State.MAPPED).order_by("-kept").first()


def show_versions(request: HttpRequest, pk: int) -> HttpResponse:
    """The versions, the newest first, with their changes in words; and the draft on top."""
    activity_type = find_type(request, pk)
    draft = activity_type.draft
    return show_type_tab(
        request,
        activity_type,
        "versions",
        history=differences.version_history(activity_type, parse_number(request.GET.get("before", ""))),
        changes=differences.version_differences(activity_type.live, draft) if draft else [],
        editors=list(draft.editors.all()) if draft else [],
    )


def show_uses(request: HttpRequest, pk: int) -> HttpResponse:
    activity_type = find_type(request, pk)
    live = activity_type.live
    fields = live.fields.all() if live else ()
    names = {field.api_name: labels.localized_name(field.name, activity_type.is_standard) for field in fields}
    of_fields = [
        (names.get(field.api_name, field.api_name), users)
        for field in activity_type.approved_fields.all()
        if (users := references.uses_of(field))
    ]
    return show_type_tab(
        request, activity_type, "used_by", of_type=references.uses_of(activity_type), of_fields=of_fields
    )


def show_quality(request: HttpRequest, pk: int) -> HttpResponse:
    """Events by source and library that brought unknown properties or wrong values, and the properties themselves."""
    activity_type = find_type(request, pk)
    require_rights(request, inbox_editing.VIEW)
    quality = figures.quality_of_type(activity_type)
    return show_type_tab(request, activity_type, "quality", quality=quality, days=figures.DAYS)


def show_api_examples(request: HttpRequest, pk: int) -> HttpResponse:
    """Requests that are ready to run, and a box that checks a payload as recording would."""
    activity_type = find_type(request, pk)
    version = activity_type.live or activity_type.draft
    assert version is not None  # every existing type has one
    person_id = Person.objects.live().order_by("pk").values_list("pk", flat=True).first() or 1
    examples = api_examples.request_examples(version, person_id, request.build_absolute_uri("/").rstrip("/"))
    payload = request.POST.get("payload", examples.payload)
    return show_type_tab(
        request,
        activity_type,
        "developers",
        shown=examples,
        payload=payload,
        described=version,
        verdict=api_examples.payload_verdict(version, payload, request.user) if request.method == "POST" else None,
    )


def _period(requested: str, today: date, span: rollup.ActivitySpan) -> tuple[Any, date, date]:
    """Name, first and last day of the requested period; the whole span for `ALL`."""
    if requested == ALL and span.first and span.last:
        return ALL, span.first, span.last
    days = int(requested) if requested in {str(length) for length in RANGES} else RANGES[0]
    return days, today - timedelta(days=days - 1), today


def _partial(
    points: Sequence[tuple[date, int]], interval: str, first: date, last: date, today: date
) -> Mapping[int, charts.Partial]:
    return intervals.partial_intervals([start for start, _count in points], interval, first, last, today)


def _drawn(
    points: list[tuple[date, int]], interval: str, label: str, partial: Mapping[int, charts.Partial]
) -> dict[str, Any]:
    """Template context: the chart, and the rows of its table with the label of each interval and its count."""
    rows = [
        (intervals.labelled(intervals.interval_label(start, interval), partial.get(place)), count)
        for place, (start, count) in enumerate(points)
    ]
    return {"rows": rows, "chart": _chart(points, interval, label, partial)}


def _chart(points: list[tuple[date, int]], interval: str, label: str, partial: Mapping[int, charts.Partial]) -> str:
    """The data for the script of charts; labels of days and weeks within a short period have no year."""
    is_short = interval in ("day", "week") and len({start.year for start, _count in points}) < 3
    labels = [
        date_format(start, "MONTH_DAY_FORMAT") if is_short else intervals.interval_label(start, interval)
        for start, _count in points
    ]
    series = charts.ChartSeries(label, [count for _start, count in points])
    return charts.chart_json(labels, intervals.INTERVALS[interval], [series], partial=partial)


def _repeated(values: list[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """Each value with its count and its bar's length, in percent of the greatest; empty where no value repeats."""
    most = max((count for _value, count in values), default=0)
    return [(value, count, round(100 * count / most)) for value, count in values] if most > 1 else []


def _with_people(activities: list[Any]) -> list[tuple[Any, str, bool]]:
    """Each activity with its person's name, and True where that person has a page."""
    people = Person.objects.live().in_bulk([activity.person_id for activity in activities])
    return [
        (
            activity,
            str(people.get(activity.person_id) or _("Person %(id)s") % {"id": activity.person_id}),
            activity.person_id in people,
        )
        for activity in activities
    ]
