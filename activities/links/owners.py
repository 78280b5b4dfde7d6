"""Owners of a browser's clicks: its visitor, and from an association on its person, as for waiting activities."""

from django.db.models import QuerySet

from activities.models import Association, LinkClick
from activities.visitors import announcements


def follow_owners() -> None:
    """Register clicks as followers of visitors' associations; called when the app starts."""
    announcements.subscribe_to_owners(_give, _take_back)


def _give(association: Association) -> bool:
    """The first owner of a browser gets what it clicked before, but for what came with a person's own link."""
    free = LinkClick.objects.filter(
        person_id=None,
        association_id=None,
        is_signed=False,
        is_machine=False,
        visitor_id=association.visitor_id,
        received_at__lte=association.created_at,
    )
    return _change(free, person_id=association.person_id, association_id=association.pk)


def _take_back(association: Association) -> bool:
    clicks = LinkClick.objects.filter(visitor_id=association.visitor_id, association_id=association.pk)  # by an index
    return _change(clicks, person_id=None, association_id=None)


def _change(clicks: QuerySet[LinkClick], **values: int | None) -> bool:
    """Set values of the next clicks; True if there may be more."""
    ids = list(clicks.order_by("pk").values_list("pk", flat=True)[: announcements.STEP])
    clicks.filter(pk__in=ids).update(**values)
    return len(ids) == announcements.STEP
