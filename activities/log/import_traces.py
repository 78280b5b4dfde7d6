"""Traces of an import in the log: activities, created people, changed values.

Channel and origin are in no index: the first and last id of an import bound the rows that are read.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from activities.log import retention
from activities.log.reader import NEWEST
from activities.models import CONSENT_TYPES, FIRST_CUSTOM_ID, ActivityRemoval, RefusedActivity
from activities.types.marketo_history import HISTORY_TYPES
from activities.types.standard import CHANGE_DATA_VALUE, CHANGE_SCORE, NEW_PERSON
from people.core.source import Channel
from people.files.imports import traces
from people.files.imports.traces import Created, TracedChange
from people.files.models import Import

# a merge moves activities to the winner, and keeps the original person
_PERSON = "coalesce(a.original_person_id, a.person_id)"
_OF_IMPORT = "{0}.id between %s and %s and {0}.door = %s and {0}.origin_id = %s"
_OF_JOB = _OF_IMPORT.format("a")
_CONSENTS = ", ".join(map(str, CONSENT_TYPES))
_HISTORY = ", ".join(map(str, sorted(HISTORY_TYPES)))
_RECORDED = f"{_OF_JOB} and (a.activity_type_id >= {FIRST_CUSTOM_ID} or a.activity_type_id in ({_HISTORY}))"
# consents of an import of people follow from the field, which keeps its value
_WITH_CONSENTS = (
    f"{_OF_JOB} and (a.activity_type_id >= {FIRST_CUSTOM_ID} or a.activity_type_id in ({_HISTORY}, {_CONSENTS}))"
)
_CHANGED = f"""from activity a where {_OF_JOB} and a.activity_type_id in ({CHANGE_DATA_VALUE}, {CHANGE_SCORE})
    and not exists (select 1 from activity n where n.person_id = a.person_id and n.activity_type_id = {NEW_PERSON}
        and {_OF_IMPORT.format("n")})"""


class _Log:
    """`traces.ImportTraces` of the activity log."""

    def mark(self) -> int:
        return int(_rows(NEWEST)[0][0])

    def created(self, job: Import, after: int = 0, limit: int = 1_000, *, is_live: bool = False) -> list[Created]:
        only_live = f"exists (select from person p where p.id = {_PERSON} and p.state = 'live')" if is_live else "true"
        statement = f"""select a.id, {_PERSON} from activity a where {_OF_JOB} and a.id > %s
            and a.activity_type_id = {NEW_PERSON} and {only_live} order by a.id limit %s"""
        return [Created(*row) for row in _rows(statement, *_values(job), after, limit)]

    def recorded(self, job: Import) -> int:
        return int(_rows(f"select count(*) from activity a where {_recorded(job)}", *_values(job))[0][0])

    def remove(self, job: Import, by: Any, track: Callable[[int], None]) -> int:
        # standard activities of created and changed people stay: they remain true of the people who stay
        reason = ActivityRemoval.Reason.UNDO
        removed = retention.remove_activities(_recorded(job), _values(job), reason, by, track, frees_keys=True)
        RefusedActivity.objects.filter(
            channel=Channel.IMPORT, origin_id=job.pk, state=RefusedActivity.State.WAITING
        ).delete()
        return removed

    def changes(self, job: Import, limit: int) -> tuple[int, Sequence[TracedChange]]:
        values = [*_values(job), *_values(job)]
        ((number,),) = _rows(f"select count(*) {_CHANGED}", *values)
        rows = _rows(
            f"""select a.person_id, a.primary_value, coalesce(a.attributes ->> 'old_value', ''),
                coalesce(a.attributes ->> 'new_value', '') {_CHANGED} order by a.id limit %s""",
            *values,
            limit,
        )
        return int(number), [TracedChange(*row) for row in rows]


def _recorded(job: Import) -> str:
    """The condition on the activities that the import recorded, and not the product itself."""
    return _WITH_CONSENTS if job.kind == "activities" else _RECORDED


def _values(job: Import) -> list[Any]:
    """The parameters of `_OF_IMPORT`."""
    return [job.first_id or 0, job.last_id or 0, int(Channel.IMPORT), job.pk]


def _rows(statement: str, *values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def register_log_traces() -> None:
    """Register the log as a source of traces of imports; called when the app starts."""
    traces.register_traces(_Log())
