"""Handling of stored evaluations and reports, which hold ids, when a person is deleted, merged, erased or exported."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from people import events
from people.core import personal_data
from people.core.personal_data import Erasing, PersonalData
from people.core.source import Source
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists.report_questions import STORED_LISTS_OF_PEOPLE
from smartlists.models import StoredReport


def register_list_data() -> None:
    """Register the tables and subscribe to events of people; called when the app starts."""
    personal_data.register_personal_tables(
        # the event removes merged people; the winner joins with the next evaluation
        PersonalData(
            "smart_list_evaluation",
            ("members", "joined", "left"),
            _("places on smart lists"),
            erase=_erase,
            export=_export,
            count=lambda person_ids: len(stored_evaluations.evaluations_with_people(person_ids)),
        ),
        # aggregated figures, recomputed from activities; deleted people are skipped
        PersonalData("stored_report", ("rows",), _("calculated reports"), erase=_forget_reports, count=_count_reports),
    )
    events.subscribe_to_events(remove_from_lists)


def remove_from_lists(announcement: events.Announcement, _source: Source) -> None:
    """Remove deleted people and the losers of a merge from all current evaluations at once."""
    if isinstance(announcement, events.PeopleDeleted):
        stored_evaluations.remove_from_current_evaluations(person_id for person_id, _name in announcement.names)
    elif isinstance(announcement, events.PeopleMerged):
        stored_evaluations.remove_from_current_evaluations(announcement.loser_ids)


def _forget_reports(_erasing: Erasing) -> None:
    """Delete all reports: a value can identify a person without their id, and every report can be recomputed."""
    StoredReport.objects.all().delete()


def _count_reports(person_ids: Sequence[int]) -> int:
    rows = StoredReport.objects.filter(question__report__in=STORED_LISTS_OF_PEOPLE).values_list("rows", flat=True)
    people = set(person_ids)
    return sum(any(row[0] in people for row in report_rows or ()) for report_rows in rows)


def _erase(erasing: Erasing) -> None:
    stored_evaluations.erase_from_evaluations(erasing.person_ids)


def _export(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    for stored in stored_evaluations.evaluations_with_people(person_ids):
        for person_id in person_ids:
            if person_id in stored.person_ids:
                yield {"person_id": person_id, "smart_list": stored.smart_list.name, "as_of": stored.as_of}
