"""Erasing, exporting and forgetting what waits in the inbox: samples and events are personal data, counts are none."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from activities.inbox.owners import OWNER
from activities.inbox.sightings import samples_of
from activities.models import Association, Sighting, Visitor, WaitingEvent
from activities.visitors.personal_data import MAX_COUNT, burning_visitors
from people.core import personal_data
from people.core.personal_data import Erasing, PersonalData

BATCH = 10_000
EXPORTED_AT_ONCE = 1_000
NAMES_AT_ONCE = 100  # rows locked together
FORGOTTEN_AFTER = timedelta(days=90)  # names without a decision that are not sent any more
Gone = Mapping[int, tuple[int, int]]  # numbers and sizes of events that left the inbox, by sighting

# an event of a shared browser without a person is shown to all owners of the browser
_OWN = f"""from waiting_event w where w.visitor_id = any(%(visitors)s) and (
    {OWNER} is null or exists (select 1 from association s where s.id = {OWNER} and s.person_id = any(%(ids)s)))"""
_ERASED = f"""delete from waiting_event w where w.visitor_id = any(%(visitors)s) and (
    exists (select 1 from association s where s.id = {OWNER} and s.person_id = any(%(ids)s))
    or w.visitor_id = any(%(burning)s) and not exists (select 1 from association s
        where s.id = w.association_id and s.undone_at is null and s.person_id <> all(%(ids)s)))"""


def register_inbox() -> None:
    """Register the tables as personal data, after those of visitors: an erase begins with the last ones, and finds the
    person's rows by visitors."""
    personal_data.register_personal_tables(
        PersonalData(
            "waiting_event",
            ("visitor_id", "association_id"),
            _("events in the inbox"),
            erase=_erase,
            export=_export_events,
            count=_count_own,
            keeps_ids=("visitor_id", "association_id"),  # ids of no person
        ),
        PersonalData("sighting", (), _("samples in the inbox"), erase=personal_data.leave_rows_unchanged),
    )


# --- Erasing --------------------------------------------------------------------------------------------------


def _erase(erasing: Erasing) -> None:
    """Erase the events of these people, and those of others that have their texts; at the end of the erase also
    samples and names.

    Rows of names are locked last: the collector counts in them, and other tables and files take minutes.
    """
    ids = list(erasing.person_ids)
    visitors, burning = _visitors_of(ids), burning_visitors(ids)
    texts = personal_data.stored_text_forms(erasing.texts)
    with connection.cursor() as cursor:
        # events of these visitors wait for the end of the erase, and are dropped then
        cursor.execute("select 1 from visitor where id = any(%s) order by id for update", [burning])
    gone = _delete(_ERASED, {"visitors": visitors, "burning": burning, "ids": ids})
    if texts:
        condition = "exists (select from unnest(%(texts)s::text[]) t where strpos(lower(raw), t) > 0)"
        of_texts = _delete(f"delete from waiting_event where {condition}", {"texts": texts})
        gone = {pk: _sum(gone.get(pk), of_texts.get(pk)) for pk in {*gone, *of_texts}}
    erasing.last_steps.append(partial(_erase_from_names, gone, visitors, texts))


def _visitors_of(person_ids: Sequence[int]) -> list[int]:
    """The visitors that are or were these people's."""
    rows = Association.objects.filter(person_id__in=person_ids, undone_at=None)
    return sorted(set(rows.values_list("visitor_id", flat=True)))


def _delete(statement: str, values: Mapping[str, Any]) -> Gone:
    """Delete events by a statement, and return the deleted ones. The rows of their names are not touched."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with gone as ({statement} returning sighting_id, length(raw) as size)
            select sighting_id, count(*), sum(size) from gone group by sighting_id""",
            values,
        )
        return {pk: (number, size) for pk, number, size in cursor.fetchall()}


def _sum(*parts: tuple[int, int] | None) -> tuple[int, int]:
    known = [part for part in parts if part is not None]
    return sum(number for number, _size in known), sum(size for _number, size in known)


def _erase_from_names(gone: Gone, visitors: Sequence[int], texts: Sequence[str]) -> None:
    """Count erased events no longer as waiting; erase samples of these visitors, and samples and names with a text."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select s.id, exists (select from unnest(%(texts)s::text[]) t where strpos(lower(s.name), t) > 0),
                exists (select from unnest(%(texts)s::text[]) t where strpos(lower(s.samples::text), t) > 0)
            from sighting s where id = any(%(gone)s) or exists (
                select from unnest(%(texts)s::text[]) t
                where strpos(lower(s.name), t) > 0 or strpos(lower(s.samples::text), t) > 0)
            or exists (select from jsonb_array_elements(s.samples) e
                where case when jsonb_typeof(e) = 'array' then (e ->> 0)::bigint = any(%(visitors)s) end)""",
            {"texts": list(texts), "gone": list(gone), "visitors": list(visitors)},
        )
        found = {pk: (is_named, has_text) for pk, is_named, has_text in cursor.fetchall()}
    for pk in _with_cut_texts(texts):
        found[pk] = (found.get(pk, (False, True))[0], True)
    of_people = set(visitors)
    rows = _lock(found)
    for row in rows:
        is_named, has_text = found[row.pk]
        _subtract(row, *gone.get(row.pk, (0, 0)))
        row.samples = [] if has_text else [sample for sample in samples_of(row) if sample[0] not in of_people]
        if is_named:  # no name compares like this one
            row.name, row.name_key = "", f"erased {row.pk}"
    _save(rows)


def _with_cut_texts(texts: Sequence[str]) -> Iterator[int]:
    """The names with a sample that was shortened in the middle of one of the texts. Reads samples, which are few."""
    if not texts:
        return
    shortened = Sighting.objects.annotate(text=Cast("samples", TextField())).filter(text__contains="…")
    for pk, samples in shortened.values_list("pk", "samples").iterator(NAMES_AT_ONCE):
        values = [str(sample[-1]) for sample in samples if isinstance(sample, list) and sample]
        if any(personal_data.has_cut_text(value, texts) for value in values):
            yield pk


# --- Exporting ------------------------------------------------------------------------------------------------


def _own_events(person_ids: Sequence[int]) -> list[int]:
    """The numbers of the events of these people."""
    with connection.cursor() as cursor:
        values = {"visitors": _visitors_of(person_ids), "ids": list(person_ids)}
        cursor.execute(f"select w.id {_OWN} order by w.id", values)
        return [pk for (pk,) in cursor.fetchall()]


def _count_own(person_ids: Sequence[int]) -> int:
    with connection.cursor() as cursor:
        values = {"visitors": _visitors_of(person_ids), "ids": list(person_ids)}
        cursor.execute(f"select count(*) from (select 1 {_OWN} limit {MAX_COUNT}) w", values)
        return int(cursor.fetchone()[0])


def _export_events(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    ids = _own_events(person_ids)
    for start in range(0, len(ids), EXPORTED_AT_ONCE):
        rows = WaitingEvent.objects.filter(pk__in=ids[start : start + EXPORTED_AT_ONCE])
        for row in rows.select_related("sighting").order_by("pk"):
            yield {
                "visitor_id": row.visitor_id,
                "received_at": row.received_at,
                "occurred_at": row.occurred_at,
                "name": row.sighting.name,
                "event": row.raw,
            }


# --- Forgetting -----------------------------------------------------------------------------------------------


def forget_old_events() -> int:
    """Delete events and samples that waited for INBOX_DAYS, and names that are not sent any more; count again what
    waits. Returns the number of events."""
    before, number = timezone.now() - timedelta(days=settings.INBOX_DAYS), 0
    while gone := _forget_events(before):
        number += sum(events for events, _size in gone.values())
    ids = list(Sighting.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), NAMES_AT_ONCE):
        _count_again(ids[start : start + NAMES_AT_ONCE], before)
    last = timezone.now() - max(FORGOTTEN_AFTER, timedelta(days=settings.INBOX_DAYS))
    Sighting.objects.filter(state=Sighting.State.NEW, kept=0, last_at__lt=last).delete()
    return number


@transaction.atomic
def _forget_events(before: datetime) -> Gone:
    old = WaitingEvent.objects.filter(received_at__lt=before).order_by("received_at")
    ids = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH])
    gone = _delete("delete from waiting_event where id = any(%(ids)s)", {"ids": ids})
    rows = _lock(gone)
    for row in rows:
        _subtract(row, *gone[row.pk])
    _save(rows)
    return gone


@transaction.atomic
def _count_again(ids: Sequence[int], before: datetime) -> None:
    """Count the waiting events of these names, and drop samples that are old or of erased visitors.

    What the collector counts meanwhile is added afterwards (`note_seen`).
    """
    rows = _lock(ids)
    with connection.cursor() as cursor:  # a statement of its own: it sees all that was committed before the locks
        cursor.execute(
            """select sighting_id, count(*), sum(length(raw)) from waiting_event where sighting_id = any(%s)
            group by sighting_id""",
            [list(ids)],
        )
        waiting = {pk: (number, size) for pk, number, size in cursor.fetchall()}
    visitors = {sample[0] for row in rows for sample in samples_of(row)}
    living = set(
        Visitor.objects.filter(pk__in=visitors).exclude(state=Visitor.State.BURNT).values_list("pk", flat=True)
    )
    changed = []
    for row in rows:
        kept, size = waiting.get(row.pk, (0, 0))
        samples = [
            list(sample)
            for sample in samples_of(row)
            if sample[0] in living and datetime.fromisoformat(sample[1]) >= before
        ]
        if (row.kept, row.kept_bytes, row.samples) != (kept, size, samples):
            row.kept, row.kept_bytes, row.samples = kept, size, samples
            changed.append(row)
    _save(changed)


# --- Rows of names ----------------------------------------------------------------------------------------------


def _lock(ids: Iterable[int]) -> list[Sighting]:
    """The rows, locked in the one order that prevents deadlocks."""
    return list(Sighting.objects.select_for_update(no_key=True).filter(pk__in=list(ids)).order_by("pk"))


def _subtract(row: Sighting, number: int, size: int) -> None:
    row.kept, row.kept_bytes = max(row.kept - number, 0), max(row.kept_bytes - size, 0)


def _save(rows: Sequence[Sighting]) -> None:
    Sighting.objects.bulk_update(rows, ["kept", "kept_bytes", "samples", "name", "name_key"], batch_size=NAMES_AT_ONCE)
