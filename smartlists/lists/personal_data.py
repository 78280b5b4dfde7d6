"""What deleting, merging, erasing and exporting a person means for stored evaluations and reports, which hold ids."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from people import events
from people.core import personal_data
from people.core.personal_data import Erasing, PersonalData
from people.core.source import Source
from smartlists.evaluation import stored as stored_evaluations
from smartlists.models import StoredReport


def register() -> None:
    """Make the table known and listen to what happens to people; called when the app starts."""
    personal_data.register(
        # losers leave by the announcement, the winner joins with the next evaluation
        PersonalData(
            "smart_list_evaluation",
            ("members", "joined", "left"),
            _("places on smart lists"),
            erase=_erase,
            export=_export,
            count=lambda person_ids: len(stored_evaluations.naming(person_ids)),
        ),
        # figures of many people, worked out anew from their activities; who is gone is passed over
        PersonalData(
            "stored_report", ("rows",), _("reports that were worked out"), erase=_forget_reports, count=_count_reports
        ),
    )
    events.subscribe(take_out)


def take_out(announcement: events.Announcement, _source: Source) -> None:
    """Whoever was deleted or merged away is on no list from that moment on."""
    if isinstance(announcement, events.Deleted):
        stored_evaluations.take_out(person_id for person_id, _name in announcement.names)
    elif isinstance(announcement, events.Merged):
        stored_evaluations.take_out(announcement.loser_ids)


def _forget_reports(_erasing: Erasing) -> None:
    """All of them: a value can name somebody without their id, and every answer can be worked out anew."""
    StoredReport.objects.all().delete()


def _count_reports(person_ids: Sequence[int]) -> int:
    rows = StoredReport.objects.filter(question__report="people").values_list("rows", flat=True)
    gone = set(person_ids)
    return sum(any(row[0] in gone for row in found or ()) for found in rows)


def _erase(erasing: Erasing) -> None:
    stored_evaluations.forget(erasing.person_ids)


def _export(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    for stored in stored_evaluations.naming(person_ids):
        for person_id in person_ids:
            if person_id in stored.person_ids:
                yield {"person_id": person_id, "smart_list": stored.smart_list.name, "as_of": stored.as_of}
