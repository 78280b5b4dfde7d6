"""Erasing, exporting and forgetting calls: what came is personal data, the hashes by which repeats are known are none.

A call is a whole: one that became activities of an erased person, or has a text of theirs, is deleted with all of it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from activities.models import InboundCall, InboundKey
from people.core import personal_data
from people.core.personal_data import Erasing, PersonalData

BATCH = 5_000
# of calls whose activities are in the log under these people, also those corrected by hand or moved by a merge
ROW_KEYS = r"""select substring(external_id from '^(row:[0-9a-f]{32}):') from activity_key
    where person_id = any(%s) and external_id like 'row:%%'"""
EXPORTED_AT_ONCE = 500


def register_inbound() -> None:
    """Register the table of calls as personal data; called when the app starts. A merge leaves the ids as they are."""
    personal_data.register_personal_tables(
        PersonalData(
            "inbound_call", ("person_ids",), _("calls of webhooks"), erase=_erase, export=_export, count=_count
        )
    )


def _erase(erasing: Erasing) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""delete from inbound_call c where c.person_ids && %s::int[] or c.row_key in ({ROW_KEYS})
            or exists (select from unnest(%s::text[]) t where strpos(lower(c.body), t) > 0
                or strpos(lower(c.problems::text), t) > 0)""",
            [list(erasing.person_ids), list(erasing.person_ids), personal_data.stored_text_forms(erasing.texts)],
        )


def _count(person_ids: Sequence[int]) -> int:
    rows = InboundCall.objects.filter(Q(person_ids__overlap=list(person_ids)) | Q(row_key__in=[*_row_keys(person_ids)]))
    return rows.count()


def _export(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """Calls that are about these people alone: others have data of several people."""
    own = _row_keys(person_ids)
    rows = InboundCall.objects.filter(person_ids__contained_by=list(person_ids))
    rows = rows.filter(~Q(person_ids=[]) | Q(row_key__in=[*own]))
    for row in rows.select_related("source").order_by("pk").iterator(EXPORTED_AT_ONCE):
        if own[row.row_key] >= len({*row.recorded, *row.failed}):
            yield {"id": row.pk, "received_at": row.received_at, "webhook": row.source.name, "call": row.body}


def _row_keys(person_ids: Sequence[int]) -> Counter[str]:
    """The number of activities of each call in the log under these people, by the call's `row_key`."""
    with connection.cursor() as cursor:
        cursor.execute(ROW_KEYS, [list(person_ids)])
        return Counter(key for (key,) in cursor.fetchall())


def forget_old_calls() -> int:
    """Delete calls that were kept for INBOUND_DAYS, and keys whose window is over; return the number of calls."""
    before, number = timezone.now() - timedelta(days=settings.INBOUND_DAYS), 0
    old = InboundCall.objects.filter(received_at__lt=before).order_by("received_at")
    while ids := list(old.values_list("pk", flat=True)[:BATCH]):
        InboundCall.objects.filter(pk__in=ids).delete()
        number += len(ids)
    expired = InboundKey.objects.filter(expires_at__lt=timezone.now()).order_by("expires_at")
    while keys := list(expired.values_list("pk", flat=True)[:BATCH]):
        InboundKey.objects.filter(pk__in=keys).delete()
    return number
