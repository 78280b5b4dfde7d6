"""People with back-filled activities."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection

from activities.log import reader
from activities.querysets import IS_BACKFILL


def people_with_backfill(person_ids: Collection[int], since: datetime | None) -> set[int]:
    """Those of the people who have an activity that was recorded as back-fill, at `since` or later if it is given."""
    if not person_ids:
        return set()
    with connection.cursor() as cursor:
        first_id = 0
        if since is not None:
            # no row before this id was recorded as late as that: a search by the primary key, as no index has moments
            cursor.execute(
                "select first_activity_id(%s, 'infinity', %s::timestamptz)",
                [reader.high_water_mark(), since - reader.DISORDER],
            )
            (first_id,) = cursor.fetchone()
        cursor.execute(
            f"""select distinct person_id from activity where id >= %s and person_id = any(%s::int[])
            and (%s::timestamptz is null or recorded_at >= %s::timestamptz) and {IS_BACKFILL}""",
            [first_id, list(person_ids), since, since],
        )
        return {person_id for (person_id,) in cursor.fetchall()}
