"""Changes of records about the past, of which nothing may come of itself."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from people.models import ObjectChange


def people_with_silent_record_changes(person_ids: Collection[int], since: datetime | None, until: datetime) -> set[int]:
    """Those of the people of whose records one was changed as back-fill in this period, or was taken from them.

    `since`: None for the whole history.
    """
    if not person_ids:
        return set()
    ids = list(person_ids)
    changes = ObjectChange.objects.filter(
        Q(person_id__in=ids) | Q(former_person_id__in=ids), is_backfill=True, changed_at__lte=until
    )
    if since is not None:
        changes = changes.filter(changed_at__gte=since)
    found = {pk for pair in changes.values_list("person_id", "former_person_id") for pk in pair if pk is not None}
    return found.intersection(ids)
