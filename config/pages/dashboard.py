"""The home page: cards by the user's rights, and the first steps until they are done."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

from django.db import connection
from django.db.models import OuterRef, Q, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from activities.log import bots, intervals, rollup
from activities.log.timeline import timeline_entries
from activities.models import FIRST_CUSTOM_ID, Activity, ActivityType, ActivityVersion
from activities.rights import (
    ADD_ACTIVITYTYPE,
    APPROVE_ACTIVITYTYPE,
    CHANGE_ACTIVITYTYPE,
    RECORD_ACTIVITY,
    VIEW_ACTIVITY,
    VIEW_ACTIVITYTYPE,
)
from activities.sources import editing as source_editing
from activities.types.standard import NEW_PERSON
from config.access.clients import failures as client_failures
from config.access.models import ApiClient
from config.access.rights import VIEW_APICLIENT, VIEW_USER
from config.demo import manifest as demo_manifest
from config.marketo.wire import usage
from people.core import installation
from people.core.admin import charts
from people.models import Person, StaticList
from people.rights import ADD_PERSON
from smartlists.models import SmartList, StoredEvaluation
from smartlists.rights import ADD_SMARTLIST, VIEW_SMARTLIST

DAYS = 30
LATEST = 8
SHOWN = 8
SHOWN_LISTS = 5
FAILED_WITHIN = timedelta(days=1)
LATE = timedelta(minutes=5)  # above this age the counts are behind


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK: adds first steps and the cards that the user may see."""
    cards = [
        {"template": f"config/dashboard/{name}.html", **build(request)}
        for name, right, build in CARDS
        if request.user.has_perm(right)
    ]
    steps = first_steps(request)
    may_open = request.user.has_perms([source_editing.VIEW, source_editing.ADD])
    offers_site = may_open and (bool(steps) or demo_manifest.current_manifest() is not None)
    return context | {"title": _("Home"), "steps": steps, "cards": cards, "offers_demo_site": offers_site}


@dataclass(frozen=True, slots=True)
class FirstStep:
    """A step of a new installation: what to do and why, and its page, if the user may open it."""

    label: str
    reason: str
    is_done: bool
    url: str
    is_next: bool = False


def first_steps(request: HttpRequest) -> list[FirstStep]:
    """Return the steps from nothing to the first list in order, the next one marked; empty if all are done."""
    steps = list(_steps(request))
    following = next((step for step in steps if not step.is_done), None)
    return [replace(step, is_next=step is following) for step in steps] if following else []


def _steps(request: HttpRequest) -> Iterator[FirstStep]:
    types = ActivityType.objects.custom().existing()
    step = partial(_step, request)
    yield step(
        _("Bring in people"),
        _("Import a file of people, or add a first person by hand."),
        Person.objects.live().exists(),
        ADD_PERSON,
        lambda: reverse("admin:people_import_add"),
    )
    yield step(
        _("Say what can happen"),
        _("Start from a template like “Attend webinar” or “Make purchase”, and change what you like."),
        types.exists(),
        ADD_ACTIVITYTYPE,
        lambda: reverse("admin:activities_activitytype_add"),
    )
    yield step(
        _("Approve it"),
        _("From then on activities of this type can be recorded and used."),
        types.approved().exists(),
        APPROVE_ACTIVITYTYPE,
        lambda: _draft_address(types),
    )
    yield step(
        _("Record a first activity, and see it"),
        _("By hand, for one person: it appears in their timeline at once."),
        _has_activity(),
        RECORD_ACTIVITY,
        lambda: _record_address(types),
    )
    yield step(
        _("Make a list of who did it"),
        _("A smart list keeps itself up to date. Reports and campaigns can use it."),
        SmartList.objects.exists() or StaticList.objects.exists(),
        ADD_SMARTLIST,
        lambda: reverse("admin:smartlists_smartlist_add"),
    )


def _step(
    request: HttpRequest, label: str, reason: str, is_done: bool, right: str, address: Callable[[], str]
) -> FirstStep:
    return FirstStep(label, reason, is_done, address() if not is_done and request.user.has_perm(right) else "")


def _draft_address(types: Any) -> str:
    """Return the page that approves the first draft; empty before there is one."""
    draft = types.filter(live=None).values_list("pk", flat=True).first()
    return reverse("admin:activities_activitytype_step", args=[draft, "approve"]) if draft else ""


def _record_address(types: Any) -> str:
    """Return the form that records an activity of the first approved type for the newest person; empty before both."""
    person_id = Person.objects.live().order_by("-pk").values_list("pk", flat=True).first()
    type_id = types.approved().order_by("pk").values_list("pk", flat=True).first()
    return f"{reverse('admin:activities_record', args=[person_id])}?type={type_id}" if person_id and type_id else ""


def _has_activity() -> bool:
    return Activity.objects.filter(activity_type_id__gte=FIRST_CUSTOM_ID).exists()


def _recent(request: HttpRequest) -> dict[str, Any]:
    """Return counts of the team's own types in the past days, without bots, and the latest activities."""
    types = {row.pk: row for row in ActivityType.objects.custom().approved().select_related("live")}
    today = timezone.now().astimezone(installation.installation_zone()).date()
    first = today - timedelta(days=DAYS - 1)
    counts = rollup.daily_counts_by_type(first - timedelta(days=DAYS), today, without_bots=True)
    figures = {pk: _figure(days) for pk, days in counts.items()}
    rows = sorted(
        ((figures.get(pk, charts.Figure(0, 0)), kind) for pk, kind in types.items()), key=lambda row: -row[0].now
    )
    own = _figure([sum(days) for days in zip(*(counts[pk] for pk in types if pk in counts), strict=True)])
    latest = (
        timeline_entries(bots.latest_without_bots(list(types), LATEST)) if request.user.has_perm(VIEW_ACTIVITY) else []
    )
    people = Person.objects.live().in_bulk({entry.activity.person_id for entry in latest})
    return {
        "days": DAYS,
        "rows": rows[:SHOWN],
        "more": len(rows) > SHOWN,
        "total": own.now,
        "totals": [(_("activities"), own), (_("new people"), figures.get(NEW_PERSON, charts.Figure(0, 0)))],
        "chart": _chart({first + timedelta(days=number): count for number, count in enumerate(own.days)}, today),
        "latest": [(entry, people.get(entry.activity.person_id)) for entry in latest],
        "counted_at": rollup.rollup_read_at(),
    }


def _figure(days: Sequence[int]) -> charts.Figure:
    """The figure of the counts of twice as many days."""
    return charts.Figure(sum(days[DAYS:]), sum(days[:DAYS]), days[DAYS:])


def _lists(request: HttpRequest) -> dict[str, Any]:
    """Return the smart lists that were worked on last, the user's own before others, and their change within a week."""
    done = StoredEvaluation.objects.filter(smart_list=OuterRef("pk"), state=StoredEvaluation.State.DONE)
    week_ago = done.filter(as_of__lte=timezone.now() - timedelta(days=7)).order_by("-pk").values("count")[:1]
    lists = (
        SmartList.objects.filter(is_archived=False, current__isnull=False)
        .annotate(before=Subquery(week_ago), is_own=Q(owner=request.user.pk))
        .order_by("-is_own", "-updated_at")
        .values_list("pk", "name", "current__count", "before")
    )
    return {
        "lists": [
            (pk, name, count, count - before if before is not None else None)
            for pk, name, count, before in lists[:SHOWN_LISTS]
            if count is not None
        ]
    }


def _chart(daily: dict[date, int], today: date) -> str:
    series = charts.ChartSeries(_("Activities"), list(daily.values()))
    labels = [date_format(day, "MONTH_DAY_FORMAT") for day in daily]
    return charts.chart_json(
        labels, intervals.INTERVALS["day"], [series], partial=intervals.partial_days(list(daily), today)
    )


def _waiting(request: HttpRequest) -> dict[str, Any]:
    """Return drafts that wait for an approver."""
    drafts = (
        ActivityVersion.objects.filter(draft_of__isnull=False, number=None, return_reason="")
        .select_related("activity_type")
        .prefetch_related("editors")
        .order_by("updated_at")
    )
    return {"drafts": drafts[: SHOWN * 2]}


def _returned(request: HttpRequest) -> dict[str, Any]:
    """Return drafts that an approver returned to their editors, the user among them."""
    returned = ActivityVersion.objects.filter(draft_of__deleted_at=None, number=None, editors=request.user.pk)
    return {
        "drafts": returned.exclude(return_reason="").select_related("activity_type").order_by("-updated_at")[:SHOWN]
    }


def _clients(request: HttpRequest) -> dict[str, Any]:
    """Return the user's API clients (all for a user who may see all users), their calls and failures in a week."""
    clients = ApiClient.objects.filter(is_revoked=False).select_related("api_user").order_by("-last_used_at")
    if not request.user.has_perm(VIEW_USER):
        clients = clients.filter(api_user__owner=request.user)
    calls = usage.calls_by_day(7)
    names = {client.api_user_id: client for client in clients}
    failed = client_failures.failed_calls_by_user(list(names), 7)
    return {
        "clients": [
            (client, sum(day.get(client.api_user_id, 0) for day in calls.values()), failed.get(client.api_user_id, 0))
            for client in clients[:SHOWN]
        ],
        "failed": [(names[row.user_id], row) for row in client_failures.frequent_failures(list(names), 7, SHOWN)],
    }


def _health(_request: HttpRequest) -> dict[str, Any]:
    """Return the state of the queue and of the counts for charts, and the size of the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select count(*) filter (where status = 'todo' and coalesce(scheduled_at, now()) <= now()),
                   count(*) filter (where status = 'doing')
            from procrastinate_jobs where status in ('todo', 'doing')"""
        )
        waiting, running = cursor.fetchone()
        cursor.execute(
            """select count(distinct e.job_id) from procrastinate_events e
            join procrastinate_jobs j on j.id = e.job_id and j.status = 'failed'
            where e.type = 'failed' and e.at > now() - make_interval(secs => %s)""",
            [FAILED_WITHIN.total_seconds()],
        )
        (failed,) = cursor.fetchone()
        cursor.execute("select pg_database_size(current_database()), current_setting('server_version')")
        size, version = cursor.fetchone()
        cursor.execute("select count(*), current_setting('max_connections')::int from pg_stat_activity")
        connections, most = cursor.fetchone()
    read_at = rollup.rollup_read_at()
    return {
        "waiting": waiting,
        "running": running,
        "failed": failed,
        "size": size,
        "version": version.split()[0],
        "connections": connections,
        "most": most,
        "read_at": read_at,
        "is_behind": read_at is None or timezone.now() - read_at > LATE,
    }


# (template, required right, function that returns its context); in the order of the page
CARDS: tuple[tuple[str, str, Callable[[HttpRequest], dict[str, Any]]], ...] = (
    ("waiting", APPROVE_ACTIVITYTYPE, _waiting),
    ("returned", CHANGE_ACTIVITYTYPE, _returned),
    ("recent", VIEW_ACTIVITYTYPE, _recent),
    ("lists", VIEW_SMARTLIST, _lists),
    ("clients", VIEW_APICLIENT, _clients),
    ("health", VIEW_USER, _health),
)
