"""To take activities out of the log that never should have been in it: an operator's correction."""

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext_lazy

from people import audit, installation, locks
from people.permissions import require
from people.sources import Source

CORRECT = "activities.correct_activity"  # a right of superusers only: no role has it
CHUNK = 10_000

audit.describe({
    "activities_corrected": (3, gettext_lazy("Took %(count)s activities out of the log")),
})  # fmt: skip


@transaction.atomic
def remove(activity_ids: Sequence[int], by: Any, source: Source) -> int:
    """Take the activities out; returns how many there were. Those that are not there cost nothing.

    Each leaves a removal entry with its digest, so that `verify_activities` can account for it. Their external ids
    stay used. Raises `NotAllowed`.
    """
    require(by, CORRECT)
    locks.share([locks.key(locks.Space.PEOPLE)])  # no merge moves them meanwhile
    count = sum(_remove(activity_ids[start : start + CHUNK], source) for start in range(0, len(activity_ids), CHUNK))
    if count:
        audit.note(by, installation.current(), "activities_corrected", count=count)
    return count


def _remove(activity_ids: Sequence[int], source: Source) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into activity_removal
                (activity_id, person_id, activity_type_id, recorded_at, reason, digest, user_id)
            select a.id, a.person_id, a.activity_type_id, a.recorded_at, 'correction', activity_digest(a), %s
            from activity a where a.id = any(%s) for update""",
            [source.user_id, list(activity_ids)],
        )
        cursor.execute("delete from activity where id = any(%s)", [list(activity_ids)])
        return cursor.rowcount
