"""Usage and errors of today and of the last seven days (§6). No parameters, no special permission."""

from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpResponse

from config.access.clients import editing as client_editing
from config.marketo.wire import usage
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import success_reply

WEEK = 7


def usage_today(_call: Call) -> HttpResponse:
    return success_reply(_usage(1))


def usage_of_week(_call: Call) -> HttpResponse:
    return success_reply(_usage(WEEK))


def errors_today(_call: Call) -> HttpResponse:
    return success_reply(_errors(1))


def errors_of_week(_call: Call) -> HttpResponse:
    return success_reply(_errors(WEEK))


def _usage(days: int) -> list[dict[str, Any]]:
    """One row a day, also for days without calls: clients index the first row before their first call."""
    by_day = usage.calls_by_day(days)
    ids = {user_id for users in by_day.values() for user_id in users}
    names = {
        user.pk: client_editing.client_scope(user.username.removeprefix("api:"))
        for user in get_user_model().objects.filter(pk__in=ids)
    }
    return [
        {
            "date": day.isoformat(),
            "total": sum(users.values()),
            "users": [{"userId": names.get(user, str(user)), "count": count} for user, count in sorted(users.items())],
        }
        for day, users in by_day.items()
    ]


def _errors(days: int) -> list[dict[str, Any]]:
    return [
        {
            "date": day.isoformat(),
            "total": sum(codes.values()),
            "errors": [{"errorCode": code, "count": count} for code, count in sorted(codes.items())],
        }
        for day, codes in usage.errors_by_day(days).items()
    ]
