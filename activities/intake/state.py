"""The requests that wait in the intake: for its bound, the doctor, the status page and metrics."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.utils import timezone

from activities.models import IntakeRequest

MAX_REQUESTS = 100_000  # that wait, however small they are: so counting them is quick
STUCK_SHARE = 10  # stuck requests up to this part of the bound are beside it
LATE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class IntakeState:
    """`requests`, `size`: those that are stuck included. `oldest`: of those that are not."""

    requests: int
    size: int
    stuck: int
    oldest: datetime | None

    @property
    def is_full(self) -> bool:
        return self.requests >= MAX_REQUESTS or self.size >= settings.INTAKE_BYTES

    @property
    def oldest_seconds(self) -> float:
        return 0.0 if self.oldest is None else max(0.0, (timezone.now() - self.oldest).total_seconds())

    @property
    def is_late(self) -> bool:
        return self.oldest_seconds > LATE_SECONDS


def intake_state() -> IntakeState:
    """One statement; it reads at most `MAX_REQUESTS` rows, without their bodies."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select count(*), coalesce(sum(size), 0), count(*) filter (where is_stuck),
                min(received_at) filter (where not is_stuck)
            from (select size, is_stuck, received_at from intake_request order by id limit %s) as r""",
            [MAX_REQUESTS],
        )
        return IntakeState(*cursor.fetchone())


def intake_shares() -> dict[int, tuple[int, int]]:
    """The requests and bytes that each source has in the intake, as far as they count against its bound.

    Stuck ones do where they are more than `STUCK_SHARE` of it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """with r as (select source_id, size, is_stuck from intake_request order by id limit %s),
            stuck as (select count(*) > %s or coalesce(sum(size), 0) > %s as are_many from r where is_stuck)
            select source_id, count(*), sum(size) from r, stuck where not is_stuck or are_many group by source_id""",
            [2 * MAX_REQUESTS, MAX_REQUESTS // STUCK_SHARE, settings.INTAKE_BYTES // STUCK_SHARE],
        )
        return {source_id: (requests, int(size)) for source_id, requests, size in cursor.fetchall()}


def has_share(mine: tuple[int, int], of_all: tuple[int, int], size: int) -> bool:
    """True where a source that has `mine` of what `of_all` sources have may keep one more request of this size.

    It may take half of what the others leave: so one that sends a backlog leaves room for each other.
    """
    bounds, more = (MAX_REQUESTS, settings.INTAKE_BYTES), (1, size)
    return all(
        own + new <= (bound - (total - own)) // 2
        for own, total, bound, new in zip(mine, of_all, bounds, more, strict=True)
    )


def retry_stuck_requests() -> int:
    """Put all stuck requests back among those that are due; return their number."""
    return IntakeRequest.objects.filter(is_stuck=True).update(is_stuck=False, tries=0, try_at=None)
