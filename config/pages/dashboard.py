"""The home page: cards by the user's rights, and the first steps until they are done."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from activities.log import intervals, rollup
from activities.log import reader as log_reader
from activities.log.timeline import timeline_entries
from activities.models import FIRST_CUSTOM_ID, Activity, ActivityType, ActivityVersion
from config.access.clients import failures as client_failures
from config.access.models import ApiClient
from config.marketo.wire import usage
from people.core import installation
from people.core.admin import charts
from people.models import Person, StaticList
from smartlists.models import SmartList

DAYS = 30
LATEST = 8
SHOWN = 8
FAILED_WITHIN = timedelta(days=1)
LATE = timedelta(minutes=5)  # above this age the counts are behind


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK: adds first steps and the cards that the user may see."""
    cards = [
        {"template": f"config/dashboard/{name}.html", **build(request)}
        for name, right, build in CARDS
        if request.user.has_perm(right)
    ]
    return context | {"title": _("Home"), "steps": first_steps(request), "cards": cards}


def first_steps(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the steps of a new installation in order, each done or not; empty if all are done."""
    types = ActivityType.objects.custom().existing()
    draft = types.filter(live=None).values_list("pk", flat=True).first()
    approval = reverse("admin:activities_activitytype_step", args=[draft, "approve"]) if draft else ""
    has_list = SmartList.objects.exists() or StaticList.objects.exists()
    steps = [
        (_("Define an activity type"), types.exists(), "activities.add_activitytype", "activities_activitytype_add"),
        (_("Approve it"), types.approved().exists(), "activities.approve_activitytype", approval),
        (_("Create an API client"), ApiClient.objects.exists(), "access.add_apiclient", "access_apiclient_add"),
        (_("Record a first activity"), _has_activity(), "activities.record_activity", "people_person_changelist"),
        (_("Create a list"), has_list, "smartlists.add_smartlist", "smartlists_smartlist_add"),
    ]
    if all(is_done for _label, is_done, _right, _page in steps):
        return []
    return [
        {"label": label, "is_done": is_done, "url": _address(page) if request.user.has_perm(right) else ""}
        for label, is_done, right, page in steps
    ]


def _address(page: str) -> str:
    return page if page.startswith("/") or not page else reverse(f"admin:{page}")


def _has_activity() -> bool:
    return Activity.objects.filter(activity_type_id__gte=FIRST_CUSTOM_ID).exists()


def _recent(request: HttpRequest) -> dict[str, Any]:
    """Return counts of the team's own types in the past days, and the latest activities."""
    types = {row.pk: row for row in ActivityType.objects.custom().approved().select_related("live")}
    today = timezone.now().astimezone(installation.installation_zone()).date()
    first = today - timedelta(days=DAYS - 1)
    now, before = (
        rollup.type_totals(first, today),
        rollup.type_totals(first - timedelta(days=DAYS), first - timedelta(days=1)),
    )
    rows = sorted(((now.get(pk, 0), before.get(pk, 0), kind) for pk, kind in types.items()), key=lambda row: -row[0])
    daily = dict(rollup.interval_counts(list(types), first, today, "day"))
    latest = (
        timeline_entries(log_reader.latest_of_types(list(types), LATEST))
        if request.user.has_perm("activities.view_activity")
        else []
    )
    people = Person.objects.live().in_bulk({entry.activity.person_id for entry in latest})
    return {
        "days": DAYS,
        "rows": rows[:SHOWN],
        "more": len(rows) > SHOWN,
        "total": sum(daily.values()),
        "chart": _chart(daily),
        "latest": [(entry, people.get(entry.activity.person_id)) for entry in latest],
        "counted_at": rollup.rollup_read_at(),
    }


def _chart(daily: dict[Any, int]) -> str:
    series = charts.ChartSeries(_("Activities"), list(daily.values()))
    labels = [date_format(day, "MONTH_DAY_FORMAT") for day in daily]
    return charts.chart_json(labels, intervals.INTERVALS["day"], [series])


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
    if not request.user.has_perm("access.view_user"):
        clients = clients.filter(api_user__owner=request.user)
    calls = usage.calls_by_day(7)
    names = {client.api_user_id: client for client in clients}
    return {
        "clients": [
            (client, sum(day.get(client.api_user_id, 0) for day in calls.values())) for client in clients[:SHOWN]
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
    ("waiting", "activities.approve_activitytype", _waiting),
    ("returned", "activities.change_activitytype", _returned),
    ("recent", "activities.view_activitytype", _recent),
    ("clients", "access.view_apiclient", _clients),
    ("health", "access.view_user", _health),
)
