"""People as the native API takes them in: from JSON to rows for the verbs, checked for structure only."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, UnprocessableError, bad_value, show
from people.fields.catalog import READ_ONLY, STANDARD
from people.rest.viewsets import refuse_unknown_members

WRITABLE = [name for name in STANDARD if name not in READ_ONLY]


def flat(body: Any) -> dict[str, Any]:
    """The body as the verbs take it: standard and added fields side by side. Raises `UnprocessableError`."""
    row = row_of(body)
    if isinstance(row, dict) and "id" not in row:
        return row
    problems = row if isinstance(row, list) else [_unknown_member("id")]
    raise UnprocessableError(*problems)


def row_of(given: Any) -> dict[str, Any] | list[Problem]:
    try:
        refuse_unknown_members(given, ("id", *WRITABLE, "fields"))
    except UnprocessableError as refusal:
        return list(refusal.problems)
    added = given.get("fields")
    if added is None:
        added = {}
    if not isinstance(added, dict):
        return [bad_value(Code.WRONG_TYPE, _("an object of fields and their values"), added, "fields")]
    problems = [
        Problem(Code.UNKNOWN_FIELD, _("is no field that the team added"), ("fields", show(name)))
        for name in added
        if name == "id" or name in STANDARD
    ]
    return problems or {name: value for name, value in given.items() if name != "fields"} | added


def _unknown_member(name: str) -> Problem:
    return Problem(Code.UNKNOWN_MEMBER, _("Unknown; there are %(known)s.") % {"known": ", ".join(WRITABLE)}, (name,))


def placed(problems: Iterable[Problem]) -> list[Problem]:
    """With the paths of added fields under `fields`, where they came."""
    known = {*STANDARD, "id", "lookup_field"}
    return [
        replace(one, path=("fields", *one.path)) if one.path and str(one.path[0]) not in known else one
        for one in problems
    ]
