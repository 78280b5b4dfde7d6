"""Validation of a draft's names and fields, with the same rules as the database."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, Problem, bad_value
from people.datatypes.naming import MAX_NAME, name_key
from people.datatypes.parsing import BadValueError
from people.datatypes.registry import BY_NAME
from people.definitions.kinds import MAX_FIELDS, DefinitionKind, FieldSpec, NameSpec
from people.definitions.models import Definition

API_NAME = re.compile(r"[A-Za-z0-9_]*[A-Za-z][A-Za-z0-9_]*")


def api_name_problems(api_name: str, path: Path) -> list[Problem]:
    if not api_name:
        return [Problem(Code.MISSING_VALUE, _("Enter an API name."), path)]
    if len(api_name) > MAX_NAME or not API_NAME.fullmatch(api_name):
        message = _(
            "An API name can have letters, digits and underscores, at least one letter and at most 255 characters."
        )
        return [Problem(Code.BAD_NAME, message, path)]
    return []


def new_api_name_problems(
    kind: DefinitionKind[Any], api_name: str, definition: Definition | None = None
) -> list[Problem]:
    """Problems of an API name for `definition` (None: a new one); two that differ only in case are the same."""
    problems = api_name_problems(api_name, ("api_name",))
    if api_name.lower() in kind.reserved:
        message = _("The API name %(name)s is reserved.") % {"name": api_name}
        return [Problem(Code.API_NAME_TAKEN, message, ("api_name",))]
    others = kind.model._default_manager.filter(api_name__iexact=api_name)
    if not problems and others.exclude(pk=definition and definition.pk).exists():
        problems.append(_taken(api_name))
    return problems


def rename_problems(kind: DefinitionKind[Any], definition: Definition, api_name: str) -> list[Problem]:
    if api_name == definition.api_name:
        return []
    if definition.live_id is not None:
        return [
            Problem(Code.LOCKED_API_NAME, _("The API name can't be changed since the first approval."), ("api_name",))
        ]
    return new_api_name_problems(kind, api_name, definition)


def name_problems(kind: DefinitionKind[Any], names: NameSpec, definition: Definition | None) -> list[Problem]:
    """Problems of `names` for `definition` (None: a new one), except those of the API name."""
    faults = {column: _name_faults(column, getattr(names, column)) for column in kind.unique_names}
    sound = {column: getattr(names, column) for column in kind.unique_names if not faults[column]}
    owners = _owners_of_names(kind, sound, definition)
    problems = _description_problems(names.description, ("description",))
    for column in kind.unique_names:
        problems += faults[column]
        if column in owners:
            message = str(kind.sentences.name_taken) % {"name": sound[column], "other": owners[column]}
            problems.append(Problem(Code.NAME_TAKEN, message, (column,)))
    return problems


def _name_faults(column: str, name: str) -> list[Problem]:
    """The faults of a name by itself."""
    faults = _text_problems(name, (column,))
    if not faults and column == "name" and not _is_plain(name):
        message = _("A name can have letters, digits, spaces and underscores, and needs at least one letter.")
        return [Problem(Code.BAD_NAME, message, (column,))]
    return faults


def field_problems(
    kind: DefinitionKind[Any], fields: Sequence[FieldSpec], definition: Definition | None, *, unfinished: bool = False
) -> list[Problem]:
    """Problems of `fields` for the draft of `definition` (None: a new one).

    `unfinished`: without what they still lack for an approval.
    """
    problems: list[Problem] = [] if unfinished else [*kind.check_complete(fields)]
    limit = kind.field_limit() or MAX_FIELDS
    if sum(field.is_counted for field in fields) > limit:
        message = str(kind.sentences.too_many_fields) % {"limit": limit}
        problems.append(Problem(Code.TOO_MANY_FIELDS, message, ("fields",)))
    problems += kind.check_fields(fields, definition)
    data_types = kind.data_types
    approved = set(definition.approved_fields.values_list("api_name", flat=True)) if definition else set()
    for field in fields:
        path = ("fields", field.api_name)
        problems += api_name_problems(field.api_name, path) + _text_problems(field.name, path)
        problems += _description_problems(field.description, path)
        if field.data_type not in data_types:
            problems.append(_unknown_data_type(field, ", ".join(data_types)))
    problems += _clashes(fields, approved)
    return problems + (_locked_problems(fields, definition) if definition else [])


def _clashes(fields: Sequence[FieldSpec], approved: Collection[str]) -> Iterator[Problem]:
    """A problem for each field with the name or the API name of one before it; `approved` are API names."""
    by_name: dict[str, FieldSpec] = {}
    by_api_name: dict[str, FieldSpec] = {}
    for field in fields:
        path = ("fields", field.api_name)
        if name_key(field.name) in by_name:
            message = _("Two fields share the name “%(name)s”.") % {"name": field.name}
            yield Problem(Code.GIVEN_TWICE, message, path)
        # an approved field keeps its API name, also where it differs from another one only in case
        api_key = field.api_name if field.api_name in approved else field.api_name.lower()
        if (other := by_api_name.get(api_key)) is not None and name_key(other.name) != name_key(field.name):
            yield _same_api_name(field, other, path)
        by_name.setdefault(name_key(field.name), field)
        by_api_name.setdefault(api_key, field)


def _same_api_name(field: FieldSpec, other: FieldSpec, path: Path) -> Problem:
    if field.api_name == other.api_name:
        message = _("The fields “%(other)s” and “%(name)s” have the same API name: %(api_name)s.")
    else:
        message = _("The API names of “%(other)s” and “%(name)s” differ only in case: %(other_api)s, %(api_name)s.")
    values = {"other": other.name, "name": field.name, "other_api": other.api_name, "api_name": field.api_name}
    return Problem(Code.GIVEN_TWICE, message % values, path)


def _taken(api_name: str) -> Problem:
    message = _("The API name %(name)s is taken, and stays taken if its type was ever approved.") % {"name": api_name}
    return Problem(Code.API_NAME_TAKEN, message, ("api_name",))


def _text_problems(text: str, path: Path) -> list[Problem]:
    if not text.strip():
        return [Problem(Code.MISSING_VALUE, _("Enter a name."), path)]
    if len(text) > MAX_NAME:
        return [Problem(Code.TOO_LONG, _("A name can have at most 255 characters."), path)]
    if not text.isprintable():
        return [Problem(Code.BAD_NAME, _("A name can't have line breaks or control characters."), path)]
    return []


def _description_problems(text: str, path: Path) -> list[Problem]:
    """Problems of a description: any text that can be stored is valid, line breaks included."""
    try:
        BY_NAME["text"].parse(text, UTC)
    except BadValueError as error:
        return [bad_value(error.code, error.expected, text, *path)]
    return []


def _is_plain(name: str) -> bool:
    return any(letter.isalpha() for letter in name) and all(letter.isalnum() or letter in " _" for letter in name)


def _owners_of_names(
    kind: DefinitionKind[Any], names: Mapping[str, str], definition: Definition | None
) -> dict[str, str]:
    """The API names of the other definitions that have reserved one of `names`, by the column of the name."""
    if not names:
        return {}
    same = [Q(names__kind=column, names__key=name_key(name)) for column, name in names.items()]
    others = kind.model._default_manager.filter(reduce(or_, same))
    if definition is not None:
        others = others.exclude(pk=definition.pk)
    return dict(others.order_by().values_list("names__kind", "api_name"))


def _unknown_data_type(field: FieldSpec, data_types: str) -> Problem:
    message = _("“%(type)s” is not a data type. Use one of %(known)s.") % {"type": field.data_type, "known": data_types}
    return Problem(Code.UNKNOWN_DATA_TYPE, message, ("fields", field.api_name), data_types, field.data_type)


def _locked_problems(fields: Sequence[FieldSpec], definition: Definition) -> list[Problem]:
    """Changes of data types that the first approval fixed for ever, also after the removal of the field."""
    fixed = dict(definition.approved_fields.values_list("api_name", "data_type"))
    lower_names = {name.lower() for name in fixed}
    problems = []
    for field in fields:
        if field.api_name not in fixed and field.api_name.lower() in lower_names:
            message = _("The API name %(name)s belongs to another field since its approval, also if that was removed.")
            path = ("fields", field.api_name)
            problems.append(Problem(Code.API_NAME_TAKEN, message % {"name": field.api_name}, path))
        data_type = fixed.get(field.api_name, field.data_type)
        if data_type != field.data_type:
            message = _("The data type of %(name)s can't be changed since its first approval: %(type)s.") % {
                "name": field.api_name,
                "type": BY_NAME[data_type].label,
            }
            path = ("fields", field.api_name)
            problems.append(Problem(Code.LOCKED_DATA_TYPE, message, path, data_type, field.data_type))
    return problems
