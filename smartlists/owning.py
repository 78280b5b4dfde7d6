"""What deleting, merging, erasing and exporting a person means for stored evaluations, which hold ids of members."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from people import announcing, owned
from people.owned import Erasing, Owned
from people.sources import Source
from smartlists import evaluating


def register() -> None:
    """Make the table known and listen to what happens to people; called when the app starts."""
    owned.register(
        Owned(
            table="smart_list_evaluation",
            columns=("members", "joined", "left"),
            label=_("places on smart lists"),
            merge=owned.nothing,  # losers leave by the announcement, the winner joins with the next evaluation
            undo=owned.nothing,
            erase=_erase,
            export=_export,
            count=lambda person_ids: len(evaluating.naming(person_ids)),
        )
    )
    announcing.subscribe(take_out)


def take_out(announcement: announcing.Announcement, _source: Source) -> None:
    """Whoever was deleted or merged away is on no list from that moment on."""
    if isinstance(announcement, announcing.Deleted):
        evaluating.take_out(person_id for person_id, _name in announcement.names)
    elif isinstance(announcement, announcing.Merged):
        evaluating.take_out(announcement.loser_ids)


def _erase(erasing: Erasing) -> None:
    evaluating.forget(erasing.person_ids)


def _export(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    for stored in evaluating.naming(person_ids):
        for person_id in person_ids:
            if person_id in stored.person_ids:
                yield {"person_id": person_id, "smart_list": stored.smart_list.name, "as_of": stored.as_of}
