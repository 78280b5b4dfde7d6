"""The right to state that people consent to email: it subscribes them, and lifts their earlier objections."""

from typing import Any

from activities.consent.state import EMAIL
from people.core.codes import Code
from people.core.errors import Problem
from people.core.messages import sentence as _
from people.core.source import Source
from people.datatypes.canonical import text_key
from people.rights import CHANGE_PERSON


def opt_in_problem(purpose: Any, source: Source) -> Problem | None:
    """The reason why the source may not record that consent was given for the purpose; None if it may.

    Other purposes change nothing of a person, and history subscribes no person. Opting out is open to every channel.
    """
    if source.may_opt_in or source.is_backfill or text_key(str(purpose or "").strip()) != EMAIL:
        return None
    message = _("A consent to email subscribes the person: the permission to change people is missing.")
    return Problem(Code.NOT_ALLOWED, message, ("primary_value",), CHANGE_PERSON)
