"""Whose the clicks of a browser are: its visitor's, and from an association on its person's, as for what waits."""

from django.db.models import Q

from activities.models import Association, LinkClick
from activities.visitors import announcements


def follow_owners() -> None:
    """Register clicks as followers of visitors' associations; called when the app starts."""
    announcements.subscribe_to_owners(_give, _take_back)


def _give(association: Association) -> None:
    """The first owner of a browser gets what it clicked before, but for what came with somebody's own link."""
    free = Q(person_id=None, association_id=None, is_signed=False, is_machine=False)
    LinkClick.objects.filter(free, visitor_id=association.visitor_id, received_at__lte=association.created_at).update(
        person_id=association.person_id, association_id=association.pk
    )


def _take_back(association: Association) -> None:
    clicks = LinkClick.objects.filter(visitor_id=association.visitor_id, association_id=association.pk)  # by an index
    clicks.update(person_id=None, association_id=None)
