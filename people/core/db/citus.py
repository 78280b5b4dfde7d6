"""Detection of a Citus cluster.

The application talks to the coordinator alone. `docs/scaling.md` lists what differs there.
"""

from functools import cache

from django.db import connection


@cache
def is_distributed() -> bool:
    """Return True if activities are distributed. Queried once per process, so `distribute` needs a restart."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('pg_catalog.pg_dist_partition') is not null")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute("select exists (select from pg_dist_partition where logicalrelid = to_regclass('activity'))")
        return bool(cursor.fetchone()[0])
