"""Handling of campaign rows when a person is deleted, merged, erased or exported."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pyroaring import BitMap

from people import events
from people.core import personal_data
from people.core.personal_data import Erasing, Merging, PersonalData, PersonRows
from people.core.source import Source
from smartlists.models import CampaignEntry, CampaignRun, ListWatch, bitmap

State = CampaignEntry.State
# rows that refer to entries are deleted and moved with them
MOVING: Mapping[str, tuple[Any, str]] = {
    "campaign_entry": (_("places in smart campaigns"), "campaign_id, state, reason, entered_at, finished_at"),
    "campaign_step_outcome": (_("steps of smart campaigns"), "path, do, outcome, detail, at"),
    "webhook_delivery": (_("calls of webhooks"), "url, body, state, created_at, finished_at, response"),
    "alert_email": (_("alert emails"), "recipients, subject, body, state, created_at"),
}


def register_campaign_data() -> None:
    """Register the tables and subscribe to events of people; called when the app starts."""
    for table, (label, columns) in MOVING.items():
        personal_data.register_personal_tables(
            PersonRows(
                table,
                ("person_id", "original_person_id"),
                label,
                merge=_merge_rows(table),
                undo=_undo_merge(table),
                export=_export_rows(table, columns),
            )
        )
    for model in (CampaignRun, ListWatch):  # people deleted before their turn are skipped
        label = _("smart lists watched by campaigns") if model is ListWatch else _("people still to enter")
        personal_data.register_personal_tables(
            PersonalData(
                model._meta.db_table, ("members",), label, erase=_erase_members(model), count=_count_rows(model)
            )
        )
    events.subscribe_to_events(leave_campaigns)


def leave_campaigns(announcement: events.Announcement, _source: Source) -> None:
    """End the campaigns of deleted people; restoring a person does not undo this."""
    if isinstance(announcement, events.PeopleDeleted):
        CampaignEntry.objects.filter(
            person_id__in=[pk for pk, _name in announcement.names], state__in=(State.OPEN, State.HELD)
        ).update(state=State.LEFT, reason=CampaignEntry.Reason.GONE, finished_at=timezone.now())


def _merge_rows(table: str) -> Callable[[Merging], None]:
    """Return the merge handler of a table: the losers' rows, waiting steps and calls too, continue under the winner."""

    def merge(merging: Merging) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""update {table} set person_id = %s, original_person_id = coalesce(original_person_id, person_id)
                where person_id = any(%s)""",
                [merging.winner_id, merging.loser_ids],
            )

    return merge


def _undo_merge(table: str) -> Callable[[Merging, Any], None]:
    def undo(merging: Merging, _state: Any) -> None:
        targets = {member: loser_id for loser_id, family in merging.families.items() for member in family}
        with connection.cursor() as cursor:
            cursor.execute(
                f"""update {table} t set person_id = m.target, original_person_id = nullif(m.origin, m.target)
                from unnest(%s::int[], %s::int[]) as m (origin, target)
                where t.person_id = %s and t.original_person_id = m.origin""",
                [list(targets), list(targets.values()), merging.winner_id],
            )

    return undo


def _export_rows(table: str, columns: str) -> Callable[[Sequence[int]], Iterator[Mapping[str, Any]]]:
    names = columns.split(", ")
    quoted = ", ".join(f'"{name}"' for name in names)

    def export(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"select id, person_id, {quoted} from {table} where person_id = any(%s) order by id", [list(person_ids)]
            )
            for row in cursor.fetchall():
                yield dict(zip(("id", "person_id", *names), row, strict=True))

    return export


def _erase_members(model: Any) -> Callable[[Erasing], None]:
    def erase(erasing: Erasing) -> None:
        erased = BitMap(erasing.person_ids)
        for row in model.objects.select_for_update().order_by("pk"):
            members = bitmap(row.members)
            if erased.intersect(members):
                model.objects.filter(pk=row.pk).update(members=BitMap(members - erased).serialize())

    return erase


def _count_rows(model: Any) -> Callable[[Sequence[int]], int]:
    def count(person_ids: Sequence[int]) -> int:
        people = BitMap(person_ids)
        return sum(people.intersect(bitmap(members)) for members in model.objects.values_list("members", flat=True))

    return count
