"""Problems of the references of a row to be recorded: its person, its activity type and its external id."""

from dataclasses import replace
from datetime import UTC
from typing import Any

from activities.recording.rows import PersonLookup
from people.core.codes import Code
from people.core.errors import Problem, bad_value
from people.core.messages import sentence as _
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME


def unknown_person_problem(reference: Any) -> Problem:
    """The problem of a row whose person is missing, is no reference at all, or does not exist."""
    if is_blank(reference):
        return Problem(Code.MISSING_VALUE, _("the person is missing"), ("person",))
    if type(reference) is not int and not isinstance(reference, PersonLookup):
        # 1.5 and "abc" can never be ids of people
        return bad_value(Code.WRONG_TYPE, _("the id of a person"), reference, "person", data_type="integer")
    value = reference.value if isinstance(reference, PersonLookup) else reference
    problem = bad_value(Code.UNKNOWN_PERSON, _("an existing person"), value, "person")
    return replace(problem, message=_("there is no person “%(person)s”") % {"person": problem.got})


def single_person(ids: list[int], lookup: PersonLookup) -> int | Problem:
    """The only one of the `ids` that a lookup matched, or the problem that it matched none or several."""
    if len(ids) == 1:
        return ids[0]
    if not ids:
        return unknown_person_problem(lookup)
    message = _("%(count)s people share the value “%(value)s”") % {"count": len(ids), "value": lookup.value}
    return Problem(Code.AMBIGUOUS_PERSON, message, ("person",))


def unknown_type_problem(reference: Any) -> Problem:
    """The problem of a row whose activity type is missing or is not approved."""
    if is_blank(reference):
        return Problem(Code.MISSING_VALUE, _("the activity type is missing"), ("activity_type",))
    problem = bad_value(Code.UNKNOWN_TYPE, _("an approved activity type"), reference, "activity_type")
    return replace(problem, message=_("there is no activity type “%(name)s”") % {"name": problem.got})


def parse_external_id(value: Any, problems: list[Problem]) -> str | None:
    """The external id as text; None if there is none, or if it is invalid: then `problems` has the reason."""
    if is_blank(value):
        return None
    try:
        return BY_NAME["string"].parse(value, UTC)
    except BadValueError as error:
        problems.append(bad_value(error.code, error.expected, value, "external_id"))
        return None
