"""Erasing, exporting and forgetting what waits in the inbox: samples and events are personal data, counts are none."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from activities.models import Association, Sighting, WaitingEvent
from people.core import personal_data
from people.core.personal_data import Erasing, PersonalData

BATCH = 10_000
FORGOTTEN_AFTER = timedelta(days=90)  # names that nobody decided about and that are not sent any more


def register_inbox() -> None:
    """Register the tables as personal data, after those of visitors: an erase begins with the last ones, and finds the
    person's rows by visitors."""
    personal_data.register_personal_tables(
        PersonalData(
            "waiting_event",
            ("visitor_id", "association_id"),
            _("events in the inbox"),
            erase=_erase_events,
            export=_export_events,
            count=lambda ids: WaitingEvent.objects.filter(visitor_id__in=_visitors_of(ids)).count(),
        ),
        PersonalData("sighting", (), _("samples in the inbox"), erase=_erase_samples),
    )


def _visitors_of(person_ids: Sequence[int]) -> list[int]:
    """The visitors that are or were these people's."""
    rows = Association.objects.filter(person_id__in=person_ids, undone_at=None)
    return list(rows.values_list("visitor_id", flat=True))


def _erase_events(erasing: Erasing) -> None:
    """Erase the events of their visitors, and those of others that have their texts."""
    visitors = _visitors_of(erasing.person_ids)
    with connection.cursor() as cursor:
        # events of these visitors wait for the end of the erase, and are dropped then
        cursor.execute("select 1 from visitor where id = any(%s) order by id for update", [visitors])
    _delete(
        """visitor_id = any(%s) and (association_id is null or exists (
            select 1 from association s where s.id = association_id and s.person_id = any(%s)))""",
        visitors,
        list(erasing.person_ids),
    )
    if erasing.texts:
        texts = personal_data.stored_text_forms(erasing.texts)
        _delete("exists (select from unnest(%s::text[]) t where strpos(lower(raw), t) > 0)", texts)


def _delete(condition: str, *values: Any) -> None:
    """Delete the events that satisfy a condition, and count them no longer as waiting."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with gone as (delete from waiting_event where {condition} returning sighting_id, length(raw) as size)
            update sighting s set kept = s.kept - g.number, kept_bytes = s.kept_bytes - g.size
            from (select sighting_id, count(*) as number, sum(size) as size from gone group by sighting_id) g
            where s.id = g.sighting_id""",
            values,
        )


def _erase_samples(erasing: Erasing) -> None:
    if erasing.texts:
        with connection.cursor() as cursor:
            cursor.execute(
                """update sighting s set samples = '[]' where exists (
                    select from unnest(%s::text[]) t where strpos(lower(s.samples::text), t) > 0)""",
                [personal_data.stored_text_forms(erasing.texts)],
            )


def _export_events(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    rows = (
        WaitingEvent.objects.filter(visitor_id__in=_visitors_of(person_ids)).select_related("sighting").order_by("pk")
    )
    for row in rows:
        yield {
            "visitor_id": row.visitor_id,
            "received_at": row.received_at,
            "occurred_at": row.occurred_at,
            "name": row.sighting.name,
            "event": row.raw,
        }


def forget_old_events() -> int:
    """Delete events that waited for INBOX_DAYS, and names that nobody sends any more; return the number of events."""
    before, number = timezone.now() - timedelta(days=settings.INBOX_DAYS), 0
    while True:
        ids = list(
            WaitingEvent.objects.filter(received_at__lt=before).order_by("pk").values_list("pk", flat=True)[:BATCH]
        )
        if not ids:
            break
        _delete("id = any(%s)", ids)
        number += len(ids)
    last = timezone.now() - max(FORGOTTEN_AFTER, timedelta(days=settings.INBOX_DAYS))
    Sighting.objects.filter(state=Sighting.State.NEW, kept=0, last_at__lt=last).delete()
    return number
