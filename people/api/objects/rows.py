"""Rows of batches of object records in the native API: JSON to rows for the verbs, checked for structure only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, UnprocessableError, bad_value
from people.datatypes.exact_json import RepeatedKeys
from people.objects.links import parse_guid
from people.objects.matching import parse_record_id
from people.objects.outcomes import RecordOutcome, refused_outcome
from people.rest.viewsets import refuse_unknown_members

KEYS = frozenset({"id", "guid"})


def outcomes_of_bodies(
    bodies: Sequence[Any], write: Callable[[list[dict[str, Any]]], Sequence[RecordOutcome]]
) -> list[RecordOutcome]:
    """The outcome of each row, in order, with paths as in the row; what cannot be read is refused without the others.

    `write` is called with the rows that could be read, and returns one outcome for each.
    """
    rows = [row_or_problems(body) for body in bodies]
    outcomes = iter(write([row for row in rows if isinstance(row, dict)]))
    return [with_value_paths(next(outcomes)) if isinstance(row, dict) else refused_outcome(*row) for row in rows]


def row_from_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one record as a row for the verbs. Raises `UnprocessableError`."""
    row = row_or_problems({"values": values})
    if isinstance(row, list):
        raise UnprocessableError(*row)
    return row


def row_or_problems(body: Any) -> dict[str, Any] | list[Problem]:
    """The values and the id or guid in one mapping, or the problems of the row's structure."""
    try:
        refuse_unknown_members(body, ("id", "guid", "values"))
    except UnprocessableError as refusal:
        return list(refusal.problems)
    values = body.get("values", {})
    problems = [*_id_problems(body), *_problems_of_values(values)]
    return problems or {**values, **{name: body[name] for name in KEYS if name in body}}


def _id_problems(body: Mapping[str, Any]) -> list[Problem]:
    problems = []
    if "id" in body and (type(body["id"]) is not int or parse_record_id(body["id"]) is None):
        problems.append(bad_value(Code.WRONG_TYPE, _("the id of a record"), body["id"], "id"))
    if "guid" in body and (not isinstance(body["guid"], str) or parse_guid(body["guid"]) is None):
        problems.append(bad_value(Code.WRONG_TYPE, _("the id of a record"), body["guid"], "guid"))
    return problems


def _problems_of_values(values: Any) -> list[Problem]:
    if not isinstance(values, dict):
        return [bad_value(Code.WRONG_TYPE, _("an object of fields and their values"), values, "values")]
    if isinstance(values, RepeatedKeys):
        return [Problem(Code.GIVEN_TWICE, _("A name is given twice."), ("values",))]
    if ids := sorted(KEYS & values.keys()):
        return [Problem(Code.UNEXPECTED_ID, _("An id stands beside the values."), ("values", ids[0]))]
    return []


def with_value_paths(outcome: RecordOutcome) -> RecordOutcome:
    """The outcome of a verb with the paths of fields under `values`, as in the body."""
    return replace(outcome, problems=paths_under_values(outcome.problems)) if outcome.problems else outcome


def paths_under_values(problems: Iterable[Problem]) -> list[Problem]:
    return [
        replace(problem, path=("values", *problem.path)) if problem.path and problem.path[0] not in KEYS else problem
        for problem in problems
    ]
