"""Limit of calls of a caller in a minute, counted in the database for all web processes: of APIs, and of sign-ins."""

import time
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils.translation import gettext as _

from config import client_address
from people.core.codes import Code
from people.core.errors import Problem, RejectedError

WINDOW_SECONDS = 60


class TooManyRequestsError(RejectedError):
    """The caller has no calls left in this minute."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The calls of a caller in the current minute, and the RateLimit headers for them."""

    limit: int
    used: int
    seconds_left: int

    @property
    def headers(self) -> dict[str, str]:
        left = max(0, self.limit - self.used)
        headers = {
            "RateLimit-Policy": f'"calls";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"calls";r={left};t={self.seconds_left}',
        }
        return headers | ({"Retry-After": str(self.seconds_left)} if self.used > self.limit else {})

    def require(self) -> None:
        """Raise `TooManyRequestsError` over the limit."""
        if self.used > self.limit:
            message = _("More than %(limit)s calls in a minute. Try again in %(seconds)s seconds.") % {
                "limit": self.limit,
                "seconds": self.seconds_left,
            }
            raise TooManyRequestsError(Problem(Code.TOO_MANY_CALLS, message, (), str(self.limit), str(self.used)))


def seconds_until_allowed(caller: str, limit: int) -> int:
    """Seconds until the next minute for a caller with `limit` or more calls in this one, else 0."""
    now = int(time.time())
    with connection.cursor() as cursor:
        cursor.execute(
            'select count from call_count where caller = %s and "window" = %s', [caller[:64], now // WINDOW_SECONDS]
        )
        row = cursor.fetchone()
    return WINDOW_SECONDS - now % WINDOW_SECONDS if row and row[0] >= limit else 0


def count_call(caller: str, limit: int | None = None) -> Allowance:
    """Count one call of `caller`, in one statement."""
    now = int(time.time())
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into call_count as c (caller, "window", count) values (%s, %s, 1)
            on conflict (caller) do update set "window" = excluded."window",
                count = case when c."window" = excluded."window" then c.count + 1 else 1 end
            returning count""",
            [caller[:64], now // WINDOW_SECONDS],
        )
        (used,) = cursor.fetchone()
    return Allowance(limit or settings.API_CALLS_PER_MINUTE, used, WINDOW_SECONDS - now % WINDOW_SECONDS)


def anonymous_caller(request: HttpRequest) -> str:
    """The caller of unauthenticated requests: their IP address."""
    return f"address:{client_address.request_address(request)}"
