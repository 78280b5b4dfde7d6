"""People whose log changed without a new event: by back-fill, an undo or a withdrawal."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection

from activities.models import ActivityRemoval
from activities.querysets import IS_BACKFILL

_REASONS = ", ".join(f"'{reason}'" for reason in (ActivityRemoval.Reason.UNDO, ActivityRemoval.Reason.WITHDRAWN))
# each part reads a partial index: `activity_backfill`, `activity_removal_undone`
SILENT_CHANGES = f"""
    select person_id from activity where person_id = any(%(people)s::int[]) and {IS_BACKFILL}
        and recorded_at between %(since)s::timestamptz and %(until)s
    union
    select person_id from activity_removal where person_id = any(%(people)s::int[]) and reason in ({_REASONS})
        and removed_at between %(since)s::timestamptz and %(until)s
"""


def people_with_silent_changes(person_ids: Collection[int], since: datetime | None, until: datetime) -> set[int]:
    """Those of the people who got a back-filled activity, or lost one by an undo or a withdrawal, in this period.

    `since`: None for the whole log.
    """
    if not person_ids:
        return set()
    parameters = {"people": list(person_ids), "since": since or "-infinity", "until": until}
    with connection.cursor() as cursor:
        cursor.execute(SILENT_CHANGES, parameters)
        return {person_id for (person_id,) in cursor.fetchall()}
