"""Notes on a person: what colleagues should know. They move with a merge, go with erasing, and stand in the export."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import audit
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import NotAllowedError, Problem, RejectedError
from people.core.permissions import require
from people.core.personal_data import Merging
from people.models import Person, PersonNote

CHANGE = "people.change_person"
MAX_CHARACTERS = 5_000
MAX_NOTES = 1_000  # of one person
SHOWN = 20

audit.describe({"note_added": (2, gettext_lazy("Added a note")), "note_deleted": (2, gettext_lazy("Deleted a note"))})


def latest(person: Person, limit: int = SHOWN) -> list[PersonNote]:
    """The notes on the person, the newest first."""
    return list(PersonNote.objects.filter(person=person).select_related("user").order_by("-pk")[:limit])


@transaction.atomic
def add(person: Person, text: Any, by: Any) -> PersonNote:
    """Write a note on the person. Raises `RejectedError` for an empty or long text, or too many notes.

    No merge, deletion or erasing is under way meanwhile, nor an import taken back that created the person.
    """
    require(by, CHANGE)
    text = str(text).replace("\0", "").strip()
    if not text or len(text) > MAX_CHARACTERS:
        message = _("A note has 1 to %(most)s characters.") % {"most": MAX_CHARACTERS}
        raise RejectedError(Problem(Code.MISSING_VALUE if not text else Code.OUT_OF_RANGE, message, ("text",)))
    locks.share([locks.key(locks.Space.PEOPLE)])
    held = Person.objects.live().select_for_update(no_key=True).filter(pk=person.pk).first()
    if held is None:
        raise RejectedError(Problem(Code.UNKNOWN_PERSON, _("This person was merged or deleted meanwhile."), ()))
    if PersonNote.objects.filter(person=held).count() >= MAX_NOTES:
        raise RejectedError(
            Problem(Code.CONFLICT, _("There are too many notes on this person. Delete some first."), ())
        )
    note = PersonNote.objects.create(person=held, text=text, user=by)
    audit.note(by, held, "note_added")
    return note


@transaction.atomic
def delete(note: PersonNote, by: Any) -> None:
    """Delete a note: one's own, or anybody's with the right to delete people."""
    require(by, CHANGE)
    if by is not None and note.user_id != by.pk and not by.has_perm("people.delete_person"):
        message = _("Only who wrote a note, or who may delete people, deletes it.")
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, (), "people.delete_person"))
    audit.note(by, note.person, "note_deleted")
    note.delete()


def merge(merging: Merging) -> dict[str, Any]:
    """The winner has the losers' notes; whose each was is kept for the undo."""
    with connection.cursor() as cursor:
        cursor.execute(
            """with moved as (select id, person_id from person_note where person_id = any(%s) for update)
            update person_note n set person_id = %s from moved where moved.id = n.id
            returning n.id, moved.person_id""",
            [merging.loser_ids, merging.winner_id],
        )
        return {"moved": [list(row) for row in cursor.fetchall()]}


def unmerge(merging: Merging, kept: dict[str, Any]) -> None:
    """Each note that the merge moved goes back, if it is still there."""
    with connection.cursor() as cursor:
        cursor.execute(
            """update person_note n set person_id = m.person_id
            from unnest(%s::bigint[], %s::int[]) as m (id, person_id) where m.id = n.id and n.person_id = %s""",
            [[one for one, _person in kept["moved"]], [person for _one, person in kept["moved"]], merging.winner_id],
        )


def export(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """The notes on the people, as their export holds them."""
    rows = PersonNote.objects.filter(person_id__in=person_ids).select_related("user").order_by("pk")
    for note in rows.iterator(chunk_size=1_000):
        author = note.user.get_username() if note.user else None
        yield {"person_id": note.person_id, "text": note.text, "author": author, "written_at": note.created_at}
