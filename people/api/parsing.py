"""Bodies of people in the native API: JSON to rows for the verbs, checked for structure only."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, UnprocessableError, bad_value, quoted_value
from people.datatypes.exact_json import RepeatedKeys
from people.fields.catalog import READ_ONLY, STANDARD
from people.rest.viewsets import refuse_unknown_members

WRITABLE = [name for name in STANDARD if name not in READ_ONLY]


def person_row_from_body(body: Any) -> dict[str, Any]:
    """The body as a row for the verbs: standard and custom fields in one mapping. Raises `UnprocessableError`."""
    row = person_row_or_problems(body)
    if isinstance(row, dict) and "id" not in row:
        return row
    problems = row if isinstance(row, list) else [_unknown_member("id")]
    raise UnprocessableError(*problems)


def person_row_or_problems(body: Any) -> dict[str, Any] | list[Problem]:
    """Standard and custom fields in one mapping, or the problems of the body's structure."""
    try:
        refuse_unknown_members(body, ("id", *WRITABLE, "fields"))
    except UnprocessableError as refusal:
        return list(refusal.problems)
    custom = body.get("fields")
    if custom is None:
        custom = {}
    if not isinstance(custom, dict):
        return [bad_value(Code.WRONG_TYPE, _("an object of fields and their values"), custom, "fields")]
    problems = [
        Problem(Code.UNKNOWN_FIELD, _("is not a field added by the team"), ("fields", quoted_value(name)))
        for name in custom
        if name == "id" or name in STANDARD
    ]
    if isinstance(custom, RepeatedKeys):
        problems.append(Problem(Code.GIVEN_TWICE, _("A name is given twice."), ("fields",)))
    return problems or {name: value for name, value in body.items() if name != "fields"} | custom


def _unknown_member(name: str) -> Problem:
    return Problem(Code.UNKNOWN_MEMBER, _("Unknown. Known are %(known)s.") % {"known": ", ".join(WRITABLE)}, (name,))


def with_custom_field_paths(problems: Iterable[Problem]) -> list[Problem]:
    """The problems with the paths of custom fields under `fields`, as in the body."""
    top_level = {*STANDARD, "id", "lookup_field"}
    return [
        replace(problem, path=("fields", *problem.path))
        if problem.path and str(problem.path[0]) not in top_level
        else problem
        for problem in problems
    ]
