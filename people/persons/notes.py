"""Notes on a person by users. A merge moves them, an erase deletes them, and the export contains them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import audit
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import NotAllowedError, Problem, RejectedError
from people.core.permissions import require_permission
from people.core.personal_data import Merging
from people.models import Person, PersonNote
from people.rights import CHANGE_PERSON, DELETE_PERSON

CHANGE = CHANGE_PERSON
MAX_CHARACTERS = 5_000
MAX_NOTES = 1_000  # of one person
SHOWN = 20

audit.register_actions(
    {"note_added": (2, gettext_lazy("Added a note")), "note_deleted": (2, gettext_lazy("Deleted a note"))}
)


def latest_notes(person: Person, limit: int = SHOWN) -> list[PersonNote]:
    """The notes on the person, the newest first."""
    return list(PersonNote.objects.filter(person=person).select_related("user").order_by("-pk")[:limit])


@transaction.atomic
def add_note(person: Person, text: Any, by: Any) -> PersonNote:
    """Write a note on the person. Raises `RejectedError` for an empty or long text, or too many notes.

    No merge, deletion or erase of the person, and no undo of the import that created the person, runs meanwhile.
    """
    require_permission(by, CHANGE)
    text = str(text).replace("\0", "").strip()
    if not text or len(text) > MAX_CHARACTERS:
        message = _("A note has 1 to %(most)s characters.") % {"most": MAX_CHARACTERS}
        raise RejectedError(Problem(Code.MISSING_VALUE if not text else Code.OUT_OF_RANGE, message, ("text",)))
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    locked = Person.objects.live().select_for_update(no_key=True).filter(pk=person.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.UNKNOWN_PERSON, _("This person was merged or deleted in the meantime."), ()))
    if PersonNote.objects.filter(person=locked).count() >= MAX_NOTES:
        raise RejectedError(
            Problem(Code.CONFLICT, _("There are too many notes on this person. Delete some first."), ())
        )
    note = PersonNote.objects.create(person=locked, text=text, user=by)
    audit.write_audit_entry(by, locked, "note_added")
    return note


@transaction.atomic
def delete_note(note: PersonNote, by: Any) -> None:
    """Delete a note: by its author, or by a user with the right to delete people."""
    require_permission(by, CHANGE)
    if by is not None and note.user_id != by.pk and not by.has_perm(DELETE_PERSON):
        message = _("Only the author of a note, or someone who may delete people, can delete it.")
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, (), DELETE_PERSON))
    audit.write_audit_entry(by, note.person, "note_deleted")
    note.delete()


def merge_notes(merging: Merging) -> dict[str, Any]:
    """Move the losers' notes to the winner; return their former people for the undo."""
    with connection.cursor() as cursor:
        cursor.execute(
            """with moved as (select id, person_id from person_note where person_id = any(%s) for update)
            update person_note n set person_id = %s from moved where moved.id = n.id
            returning n.id, moved.person_id""",
            [merging.loser_ids, merging.winner_id],
        )
        return {"moved": [list(row) for row in cursor.fetchall()]}


def unmerge_notes(merging: Merging, merge_data: dict[str, Any]) -> None:
    """Move each note of the merge back, if it still exists."""
    with connection.cursor() as cursor:
        cursor.execute(
            """update person_note n set person_id = m.person_id
            from unnest(%s::bigint[], %s::int[]) as m (id, person_id) where m.id = n.id and n.person_id = %s""",
            [
                [note_id for note_id, _person_id in merge_data["moved"]],
                [person_id for _note_id, person_id in merge_data["moved"]],
                merging.winner_id,
            ],
        )


def export_notes(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """The notes on the people, as rows of their export."""
    rows = PersonNote.objects.filter(person_id__in=person_ids).select_related("user").order_by("pk")
    for note in rows.iterator(chunk_size=1_000):
        author = note.user.get_username() if note.user else None
        yield {"person_id": note.person_id, "text": note.text, "author": author, "written_at": note.created_at}
