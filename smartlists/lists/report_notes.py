"""Notes on days, shown in charts: written, shared and deleted.

A private note is seen by its owner alone; a shared one by all users who may see reports, and deleted by those who may
share.
"""

from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from people.core import audit
from people.core.codes import Code
from people.core.errors import NotAllowedError, NotFoundError, Problem, RejectedError
from people.core.permissions import owner_of, require_permission
from smartlists.lists import saved_reports
from smartlists.models import ReportNote
from smartlists.models.saved_reports import SHARE

MOST_OWNED = 1_000
LONGEST = 200


def visible_notes(first: date, last: date, by: Any) -> QuerySet[ReportNote]:
    """The notes of these days that `by` may see, the latest first. Raises `NotAllowedError`."""
    saved_reports.require_report_rights(by)
    notes = ReportNote.objects.filter(day__range=(first, last)).order_by("-day", "-pk")
    return notes if by is None else notes.filter(Q(is_shared=True) | Q(owner=owner_of(by)))


def may_delete(note: ReportNote, by: Any) -> bool:
    return by is None or note.owner_id == owner_of(by).pk or (note.is_shared and by.has_perm(SHARE))


@transaction.atomic
def add_note(day: date, text: str, by: Any, *, is_shared: bool = False) -> ReportNote:
    """Write a note on a day.

    Raises `RejectedError` (`missing_value`, `too_long`, `too_many_values`), `NotAllowedError`.
    """
    saved_reports.require_report_rights(by)
    if is_shared:
        require_permission(by, SHARE)
    text = text.strip()
    if not text or "\0" in text:
        raise RejectedError(Problem(Code.MISSING_VALUE, _("Write what happened on this day."), ("text",)))
    if len(text) > LONGEST:
        message = _("A note has %(limit)s characters at most.") % {"limit": LONGEST}
        raise RejectedError(Problem(Code.TOO_LONG, message, ("text",)))
    owner = owner_of(by)
    if ReportNote.objects.filter(owner=owner).count() >= MOST_OWNED:
        message = _("At most %(limit)s can be kept. Delete some first.") % {"limit": MOST_OWNED}
        raise RejectedError(Problem(Code.TOO_MANY_VALUES, message, ("text",)))
    note = ReportNote.objects.create(day=day, text=text, owner=owner, is_shared=is_shared)
    audit.write_audit_entry(by, note, "created")
    return note


@transaction.atomic
def delete_note(pk: int, by: Any) -> None:
    """Delete a note. Raises `NotFoundError` for one that `by` may not see, `NotAllowedError`."""
    note = visible_notes(date.min, date.max, by).select_for_update().filter(pk=pk).first()
    if note is None:
        raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address.")))
    if not may_delete(note, by):
        message = _("It belongs to %(name)s. Who may share reports can change it.") % {"name": note.owner}
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, (), SHARE))
    audit.write_audit_entry(by, note, "deleted")
    note.delete()


def hand_over_note(note: ReportNote, owner: Any, by: Any) -> None:
    """Give a note another owner."""
    note.owner = owner
    note.save(update_fields=["owner"])
    audit.write_audit_entry(by, note, "changed", what="owner")
