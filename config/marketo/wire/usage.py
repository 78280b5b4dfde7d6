"""Usage of the Marketo API (§6): counted in memory, written every few seconds.

A call costs an addition in memory; a killed process loses only the counts that it had not written yet.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import QuerySet, Sum
from django.utils import timezone

from config.marketo.models import Usage
from people.core.counters import CounterBuffer

# [I] §A5: quotas start again at midnight in US Central time, so these are the days of all statistics
DAY_ZONE = ZoneInfo("America/Chicago")
KEPT_DAYS = 35
# §A5, §B: calls with these errors count neither against the quota nor the rate
UNCOUNTED = frozenset({"600", "601", "602", "604", "605", "608", "611"})

_purged_on: date | None = None


def usage_day() -> date:
    return timezone.now().astimezone(DAY_ZONE).date()


def _add(rows: Sequence[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into dialect_usage as u (day, process, user_id, error_code, count)
            select day, %s, user_id, code, number
            from unnest(%s::date[], %s::int[], %s::text[], %s::bigint[]) as v (day, user_id, code, number)
            on conflict (day, process, user_id, error_code) do update set count = u.count + excluded.count""",
            [_process(os.getpid()), *(list(column) for column in zip(*rows, strict=True))],
        )
    _purge()


def _purge() -> None:
    """Delete old rows once a day and process: statistics cover a week, so five weeks are enough."""
    global _purged_on
    if _purged_on != usage_day():
        Usage.objects.filter(day__lt=usage_day() - timedelta(days=KEPT_DAYS)).delete()
        _purged_on = usage_day()


@lru_cache(maxsize=1)
def _process(_pid: int) -> UUID:
    return uuid4()


_counts: CounterBuffer[tuple[date, int, str]] = CounterBuffer(_add)


def count_call(user_id: int, error_code: str = "") -> None:
    """Count a call of `user_id` (0: unknown), and its error if it had one."""
    day = usage_day()
    if user_id and error_code not in UNCOUNTED:
        _counts.add({(day, user_id, ""): 1})
    if error_code:
        _counts.add({(day, 0, error_code): 1})


def flush_usage() -> None:
    """Write the counts of this process."""
    _counts.flush()


def calls_by_day(days: int) -> dict[date, dict[int, int]]:
    """Return the calls of each user on each of the last `days` days, today last; also the days without calls."""
    rows = _since(days).filter(error_code="").values_list("day", "user_id").annotate(total=Sum("count"))
    return _by_day(days, rows)


def errors_by_day(days: int) -> dict[date, dict[str, int]]:
    """Return the errors by code on each of the last `days` days, today last."""
    rows = _since(days).exclude(error_code="").values_list("day", "error_code").annotate(total=Sum("count"))
    return _by_day(days, rows)


def _since(days: int) -> QuerySet[Usage]:
    flush_usage()
    return Usage.objects.filter(day__gt=usage_day() - timedelta(days=days))


def _by_day(days: int, rows: Iterable[tuple[date, Any, int]]) -> dict[date, dict[Any, int]]:
    result: dict[date, dict[Any, int]] = {usage_day() - timedelta(days=back): {} for back in reversed(range(days))}
    for day, key, total in rows:
        if day in result:
            result[day][key] = total
    return result
