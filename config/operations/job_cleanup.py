"""Background jobs that have ended are kept a while for who looks into them, then thrown away."""

from datetime import timedelta

from django.db import connection

# by how they ended; a failed one is looked for longer
KEPT = {
    ("succeeded", "cancelled", "aborted"): timedelta(days=7),
    ("failed",): timedelta(days=30),
}
BATCH = 10_000


def remove_old() -> int:
    """Remove jobs that ended longer ago than is kept, with their events, batch by batch; return how many."""
    return sum(_remove(list(states), kept) for states, kept in KEPT.items())


def _remove(states: list[str], kept: timedelta) -> int:
    total = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""delete from procrastinate_jobs where id in (
                    select j.id from procrastinate_jobs j
                    where j.status = any(%s::procrastinate_job_status[]) and not exists (
                        select from procrastinate_events e where e.job_id = j.id and e.at >= now() - %s)
                    limit {BATCH})""",
                [states, kept],
            )
            removed = cursor.rowcount
        total += removed
        if removed < BATCH:
            return total
