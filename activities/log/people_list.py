"""Activities in the list of people: two columns for the people of a page, and a filter by an activity type done."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pyroaring import BitMap

from activities.models import ActivityType
from activities.rights import VIEW_ACTIVITY
from activities.types import standard as standard_types
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.directory import columns, filters
from people.directory.columns import ColumnSource, ComputedColumn
from people.directory.filters import AppliedFilter, ReferenceKind
from people.files.exports.kinds import moment_sql

COUNT, LAST = "activities.count", "activities.last"
MOST_COUNTED = 1_000  # activities of one person; more are shown as "1,000+"
VIEW = VIEW_ACTIVITY
# the system's own entries do not count: after an import all people would have been seen a minute ago
_OWN = f"activity_type_id not in ({', '.join(map(str, standard_types.OF_THE_SYSTEM))})"
_LAST = f"(select max(a.occurred_at) from activity a where a.person_id = p.id and a.{_OWN})"


def activity_columns(person_ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
    """The number of activities of each person, up to `MOST_COUNTED`, and the latest moment; by one index.

    The system's own entries are not counted, see `standard.OF_THE_SYSTEM`. Only people with more than `MOST_COUNTED`
    rows are read again without them, as many of their latest rows may be the system's.
    """
    if not person_ids:
        return {}
    counted = _count_latest(person_ids, "true")
    long_ids = [person_id for person_id, (_number, _latest, rows) in counted.items() if rows > MOST_COUNTED]
    if long_ids:
        counted |= _count_latest(long_ids, _OWN)
    return {
        person_id: {COUNT: f"{MOST_COUNTED:,}+" if number > MOST_COUNTED else number, LAST: latest}
        for person_id, (number, latest, _rows) in counted.items()
    }


def _count_latest(person_ids: Sequence[int], condition: str) -> dict[int, tuple[int, Any, int]]:
    """Of the latest `MOST_COUNTED` + 1 rows of each person that meet `condition`: number, latest moment, and all rows.

    The first two leave out the system's own entries.
    """
    # a statement a person, as each is on one part of a cluster
    of_person = f"""(select %s::int, count(*) filter (where {_OWN}), max(occurred_at) filter (where {_OWN}),
        count(*) from (select occurred_at, activity_type_id from activity
        where person_id = %s and {condition} order by occurred_at desc limit {MOST_COUNTED + 1}) r)"""
    with connection.cursor() as cursor:
        values = [value for person_id in person_ids for value in (person_id, person_id)]
        cursor.execute(" union all ".join([of_person] * len(person_ids)), values)
        return {person_id: (number, latest, rows) for person_id, number, latest, rows in cursor.fetchall()}


def apply_activity_type(type_id: int, _by: Any) -> AppliedFilter:
    """The people with an activity of the type; from the type's own index where it has few activities."""
    if not ActivityType.objects.approved().filter(pk=type_id).exists():
        raise RejectedError(Problem(Code.UNKNOWN_TYPE, _("This activity type is no longer there."), ("did",)))
    sql = "exists (select 1 from activity a where a.person_id = p.id and a.activity_type_id = %s)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"select person_id from activity where activity_type_id = %s limit {filters.MOST_CANDIDATES + 1}", [type_id]
        )
        ids = [person_id for (person_id,) in cursor.fetchall()]
    if len(ids) > filters.MOST_CANDIDATES:
        return AppliedFilter(None, sql, (type_id,))
    candidates = filters.read_candidates("person p where p.id = any(%s::int[])", (list(BitMap(ids)),))
    return AppliedFilter(candidates, sql, (type_id,))


def _choices() -> Iterable[tuple[int, str]]:
    types = ActivityType.objects.approved().select_related("live", "draft")
    return sorted(((row.pk, str(row)) for row in types), key=lambda choice: choice[1].casefold())


def _name_of(type_id: int) -> str | None:
    row = ActivityType.objects.select_related("live", "draft").filter(pk=type_id).first()
    return None if row is None else str(row)


def register_activity_columns() -> None:
    """Register the columns and the filter; called when the app starts."""
    columns.register_column_source(
        ColumnSource(
            (
                ComputedColumn(
                    COUNT,
                    gettext_lazy("Activities"),
                    f"(select count(*) from activity a where a.person_id = p.id and a.{_OWN})",
                    is_number=True,
                ),
                ComputedColumn(LAST, gettext_lazy("Last seen"), moment_sql(_LAST)),
            ),
            VIEW,
            activity_columns,
        )
    )
    filters.register_reference_kind(
        ReferenceKind(
            "did",
            gettext_lazy("Activity"),
            gettext_lazy("Did “%(name)s”"),
            VIEW,
            _choices,
            _name_of,
            apply_activity_type,
        )
    )
