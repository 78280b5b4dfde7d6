"""What may stand in a draft: its names and its fields, checked as the database would."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from django.conf import settings
from django.utils.translation import gettext as _

from activities.models import ActivityType, ActivityTypeName, ApprovedField
from people.core.errors import Problem, bad_value
from people.datatypes.canonical import text_key
from people.datatypes.parsing import BadValueError
from people.datatypes.registry import BY_NAME

MAX_NAME = 255
MAX_FIELDS = 500  # a guard against runaway programs; Marketo stops at 20 (setting ACTIVITY_FIELDS_LIMIT)
API_NAME = re.compile(r"[A-Za-z0-9_]*[A-Za-z][A-Za-z0-9_]*")
NAME_KINDS = ("name", "filter_name", "trigger_name")


@dataclass(frozen=True, slots=True)
class Names:
    """What a type is called, everywhere."""

    api_name: str
    name: str
    filter_name: str
    trigger_name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field as an editor wants it."""

    api_name: str
    name: str
    data_type: str = "string"
    description: str = ""
    is_primary: bool = False


def name_key(name: str) -> str:
    """How names are compared: without case, blanks and underscores alike.

    Clients turn type names into table names that way, so names differing only so would collide there.
    """
    return re.sub(r"[\s_]+", "_", text_key(name.strip()))[:MAX_NAME]


def api_name_problems(api_name: str, path: tuple[str | int, ...]) -> list[Problem]:
    if not api_name:
        return [Problem("missing_value", _("An API name is needed."), path)]
    if len(api_name) > MAX_NAME or not API_NAME.fullmatch(api_name):
        message = _("An API name has letters, digits and underscores, at least one letter and at most 255 characters.")
        return [Problem("bad_name", message, path)]
    return []


def taken(api_name: str) -> Problem:
    message = _("The API name %(name)s is taken, for ever if its type was approved once.") % {"name": api_name}
    return Problem("api_name_taken", message, ("api_name",))


def rename_problems(activity_type: ActivityType, api_name: str) -> list[Problem]:
    if activity_type.live_id is not None:
        return [Problem("locked_api_name", _("The API name is fixed since the first approval."), ("api_name",))]
    if ActivityType.objects.filter(api_name=api_name).exclude(pk=activity_type.pk).exists():
        return [taken(api_name)]
    return api_name_problems(api_name, ("api_name",))


def _text_problems(text: str, path: tuple[str | int, ...]) -> list[Problem]:
    if not text.strip():
        return [Problem("missing_value", _("A name is needed."), path)]
    if len(text) > MAX_NAME:
        return [Problem("too_long", _("A name has at most 255 characters."), path)]
    if not text.isprintable():
        return [Problem("bad_name", _("A name has no line breaks or control characters."), path)]
    return []


def _description_problems(text: str, path: tuple[str | int, ...]) -> list[Problem]:
    """Any text that can be stored, line breaks included."""
    try:
        BY_NAME["text"].parse(text, UTC)
    except BadValueError as error:
        return [bad_value(error.code, error.expected, text, *path)]
    return []


def name_problems(names: Names, activity_type: ActivityType | None) -> list[Problem]:
    problems = _description_problems(names.description, ("description",))
    for kind in NAME_KINDS:
        name = getattr(names, kind)
        faults = _text_problems(name, (kind,))
        if not faults and kind == "name" and not _is_type_name(name):
            message = _("A name has letters, digits, blanks and underscores, and at least one letter.")
            faults = [Problem("bad_name", message, (kind,))]
        problems += faults or _clash(kind, name, activity_type)
    return problems


def _is_type_name(name: str) -> bool:
    return any(letter.isalpha() for letter in name) and all(letter.isalnum() or letter in " _" for letter in name)


def _clash(kind: str, name: str, activity_type: ActivityType | None) -> list[Problem]:
    others = ActivityTypeName.objects.filter(kind=kind, key=name_key(name)).select_related("activity_type")
    if activity_type is not None:
        others = others.exclude(activity_type=activity_type)
    other = others.first()
    if other is None:
        return []
    message = _("“%(name)s” is too like a name of the activity type %(other)s.") % {
        "name": name,
        "other": other.activity_type.api_name,
    }
    return [Problem("name_taken", message, (kind,))]


def field_problems(fields: Sequence[FieldSpec], activity_type: ActivityType | None) -> list[Problem]:
    problems: list[Problem] = []
    limit = settings.ACTIVITY_FIELDS_LIMIT or MAX_FIELDS
    if sum(not field.is_primary for field in fields) > limit:
        message = _("A type has at most %(limit)s fields besides the primary one.") % {"limit": limit}
        problems.append(Problem("too_many_fields", message, ("fields",)))
    primaries = sum(field.is_primary for field in fields)
    if primaries != 1:
        code, message = (
            ("no_primary", _("A type needs a primary field: what the activity is about."))
            if primaries == 0
            else ("two_primaries", _("Only one field can be primary: take it from the other one first."))
        )
        problems.append(Problem(code, message, ("fields",)))
    seen: set[str] = set()
    for field in fields:
        path = ("fields", field.api_name)
        problems += api_name_problems(field.api_name, path) + _text_problems(field.name, path)
        problems += _description_problems(field.description, path)
        if field.data_type not in BY_NAME or not BY_NAME[field.data_type].for_activities:
            problems.append(_unknown_data_type(field, path))
        for key in {field.api_name, f"name:{name_key(field.name)}"}:
            if key in seen:
                problems.append(
                    Problem("given_twice", _("Two fields share the name '%(name)s'.") % {"name": field.name}, path)
                )
            seen.add(key)
    return problems + (_locked_problems(fields, activity_type) if activity_type else [])


def _unknown_data_type(field: FieldSpec, path: tuple[str | int, ...]) -> Problem:
    known = ", ".join(name for name, data_type in BY_NAME.items() if data_type.for_activities)
    message = _("'%(type)s' is not a data type; there are %(known)s.") % {"type": field.data_type, "known": known}
    return Problem("unknown_data_type", message, path, known, field.data_type)


def _locked_problems(fields: Sequence[FieldSpec], activity_type: ActivityType) -> list[Problem]:
    """What the first approval of each field fixed for ever."""
    approved: dict[str, ApprovedField] = {field.api_name: field for field in activity_type.approved_fields.all()}
    problems = []
    for field in fields:
        fixed = approved.get(field.api_name)
        if fixed is None and field.is_primary and any(other.is_primary for other in approved.values()):
            problems.append(_locked_primary(field))
        elif fixed is not None and fixed.data_type != field.data_type:
            message = _("The data type of %(name)s is fixed since its first approval: %(type)s.") % {
                "name": field.api_name,
                "type": BY_NAME[fixed.data_type].label,
            }
            problems.append(
                Problem("locked_data_type", message, ("fields", field.api_name), fixed.data_type, field.data_type)
            )
        elif fixed is not None and fixed.is_primary != field.is_primary:
            problems.append(_locked_primary(field))
    return problems


def _locked_primary(field: FieldSpec) -> Problem:
    message = _("Which field is primary is fixed since the first approval.")
    return Problem("locked_primary", message, ("fields", field.api_name))
