"""Failed calls of API clients: counted in memory by client, route and code, written every few seconds.

Never a row a call: a failing program costs an addition in memory. A killed process loses only the counts that it
had not written yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from config.access.models import ApiClient, FailedCalls
from people.core import installation, notifications
from people.core.counters import CounterBuffer
from people.core.notifications import Notice, NoticeKind
from people.core.source import Channel

KEPT_DAYS = 35
MAX_ROUTE = 150
NOTICE = "client_fails"

notifications.register_notice_kinds(
    {
        NOTICE: NoticeKind(
            gettext_lazy("One of your API clients keeps failing"),
            gettext_lazy("%(name)s failed %(count)s times today, most often with %(code)s at %(route)s."),
            advice=gettext_lazy("Tell the developer: the code says what was wrong with the calls."),
            action=gettext_lazy("See the failed calls"),
            icon="api",
            look="bad",
        )
    }
)


def _add(rows: Sequence[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into failed_calls as f (day, user_id, door, route, code, count, last_at)
            select day, user_id, door, route, code, number, now()
            from unnest(%s::date[], %s::int[], %s::int[], %s::text[], %s::text[], %s::bigint[])
                as v (day, user_id, door, route, code, number)
            on conflict (day, user_id, door, route, code)
            do update set count = f.count + excluded.count, last_at = excluded.last_at""",
            [list(column) for column in zip(*rows, strict=True)],
        )


_counts: CounterBuffer[tuple[date, int, int, str, str]] = CounterBuffer(_add)


@dataclass(frozen=True, slots=True)
class Failures:
    """Number of failed calls of one client by route and code, and the time of the last one."""

    user_id: int
    channel: Channel
    route: str
    code: str
    count: int
    last_at: datetime


def installation_today() -> date:
    return timezone.now().astimezone(installation.installation_zone()).date()


def count_failed_call(user_id: int, channel: Channel, request: HttpRequest, code: str) -> None:
    """Count a failed call of the API-only user; `code` is the response's. Routes contain placeholders, not ids."""
    route = getattr(request.resolver_match, "route", "") or "?"
    key = (installation_today(), user_id, int(channel), f"{request.method} /{route}"[:MAX_ROUTE], code[:32])
    _counts.add({key: 1})


def flush_failed_calls() -> None:
    """Write the counts of this process."""
    _counts.flush()


def frequent_failures(user_ids: Any, days: int, limit: int = 100) -> list[Failures]:
    """Return failed calls of these API-only users (a queryset or ids) in the last `days` days, most frequent first."""
    flush_failed_calls()
    rows = FailedCalls.objects.filter(user_id__in=user_ids, day__gt=installation_today() - timedelta(days=days))
    grouped = rows.values_list("user_id", "channel", "route", "code").annotate(total=Sum("count"), last=Max("last_at"))
    return [
        Failures(user_id, Channel(channel), route, code, total, last)
        for user_id, channel, route, code, total, last in grouped.order_by("-total", "route", "code")[:limit]
    ]


def failed_calls_by_user(user_ids: Any, days: int) -> dict[int, int]:
    """Return the number of failed calls of each of these API-only users in the last `days` days; none is left out."""
    flush_failed_calls()
    rows = FailedCalls.objects.filter(user_id__in=user_ids, day__gt=installation_today() - timedelta(days=days))
    return dict(rows.order_by().values_list("user_id").annotate(total=Sum("count")))


def with_failures_today(api_clients: Any) -> Any:
    """Annotate the clients with `failed_today`."""
    flush_failed_calls()
    rows = (
        FailedCalls.objects.filter(day=installation_today(), user_id=OuterRef("api_user")).order_by().values("user_id")
    )
    summed = rows.annotate(total=Sum("count")).values("total")
    return api_clients.annotate(failed_today=Coalesce(Subquery(summed), 0))


def notify_owners_of_failures() -> int:
    """Notify the owners of clients that failed too often today, once a day and client; return the number notified."""
    most = settings.CLIENT_FAILURES_NOTICE
    if not most:
        return 0
    flush_failed_calls()
    day = installation_today()
    failing = (
        FailedCalls.objects.filter(day=day).values_list("user_id").annotate(total=Sum("count")).filter(total__gte=most)
    )
    totals = dict(failing)
    since = datetime(day.year, day.month, day.day, tzinfo=installation.installation_zone())
    notified = set(Notice.objects.filter(kind=NOTICE, created_at__gte=since).values_list("page_id", flat=True))
    clients = ApiClient.objects.filter(api_user__in=totals, is_revoked=False).exclude(pk__in=notified)
    sent = 0
    for client in clients.order_by("pk"):
        (worst,) = frequent_failures([client.api_user_id], 1, limit=1)
        sent += notifications.notify_users(
            [client.user_id],
            NOTICE,
            "admin:access_apiclient_change",
            client.pk,
            name=client.name,
            count=totals[client.api_user_id],
            code=worst.code,
            route=worst.route,
        )
    return sent


def delete_old_failures() -> int:
    """Delete the counts older than any page shows; return the number of rows."""
    return FailedCalls.objects.filter(day__lt=installation_today() - timedelta(days=KEPT_DAYS)).delete()[0]
