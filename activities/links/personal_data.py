"""Merging, erasing, exporting and forgetting clicks. Counts by day name no person, and stay."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from activities.models import LinkClick
from people.core import personal_data
from people.core.personal_data import Erasing, PersonRows, moved_rows

BATCH = 5_000


def register_clicks() -> None:
    """Register the table as personal data, before that of associations: an erase finds the browsers' people there."""
    personal_data.register_personal_tables(
        PersonRows(
            "link_click",
            ("person_id", "visitor_id", "association_id"),
            _("clicks on tracked links"),
            erase=_erase,
            export=_export,
            keeps_ids=("visitor_id", "association_id"),  # ids of no person
            **moved_rows(LinkClick),
        )
    )


def _erase(erasing: Erasing) -> None:
    """Delete their clicks, and those of their browsers without an owner."""
    with connection.cursor() as cursor:
        cursor.execute("delete from link_click where person_id = any(%s)", [list(erasing.person_ids)])
        cursor.execute(
            """delete from link_click where person_id is null and visitor_id in (
                select visitor_id from association where person_id = any(%s))""",
            [list(erasing.person_ids)],
        )


def _export(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    rows = LinkClick.objects.filter(person_id__in=person_ids).select_related("link").order_by("pk")
    for row in rows.iterator(chunk_size=1_000):
        yield {
            "id": row.pk,
            "person_id": row.person_id,
            "link": row.link.name,
            "received_at": row.received_at,
            "is_own_link": row.is_signed,
            "is_machine": row.is_machine,
            "reason": row.reason,
            "state": row.state,
            "visitor_id": row.visitor_id,
            **row.values,
        }


def forget_old_clicks() -> int:
    """Delete clicks older than LINK_CLICK_DAYS; return their number. Counts by day and activities stay."""
    before, number = timezone.now() - timedelta(days=settings.LINK_CLICK_DAYS), 0
    old = LinkClick.objects.filter(received_at__lt=before).exclude(state=LinkClick.State.NEW).order_by("received_at")
    while ids := list(old.values_list("pk", flat=True)[:BATCH]):
        LinkClick.objects.filter(pk__in=ids).delete()
        number += len(ids)
    return number
