"""The external ids that activities were recorded with, read from the table of used keys."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from activities.models import Activity, ActivityKey


def external_ids_of(activities: Iterable[Activity]) -> dict[int, str]:
    """External ids by activity id, in one query; activities without one are left out.

    The key of an activity that a merge moved may still belong to the original person, where the winner had used the
    same external id.
    """
    activities = list(activities)
    people = {pk for row in activities for pk in (row.person_id, row.original_person_id) if pk is not None}
    if not people:
        return {}
    keys = ActivityKey.objects.filter(
        person_id__in=people,
        activity_type_id__in={row.activity_type_id for row in activities},
        activity_id__in=[row.pk for row in activities],
    )
    return dict(keys.values_list("activity_id", "external_id"))


def activities_with(external_id: str, people: list[int] | None, types: list[int] | None, limit: int) -> list[int]:
    """Ids of up to `limit` activities that have the external id; `people` and `types` narrow the search."""
    keys: Any = ActivityKey.objects.filter(external_id=external_id)
    if people is not None:
        moved = Activity.objects.filter(person_id__in=people, original_person_id__isnull=False)
        keys = keys.filter(Q(person_id__in=people) | Q(person_id__in=list(_originals(moved))))
    if types is not None:
        keys = keys.filter(activity_type_id__in=types)
    return list(keys.values_list("activity_id", flat=True)[:limit])


def _originals(moved: Any) -> Iterable[int]:
    return moved.values_list("original_person_id", flat=True).distinct()
