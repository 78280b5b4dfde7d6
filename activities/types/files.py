"""Activity types as JSON files, for the transfer between installations."""

import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from activities.models import ActivityType
from activities.types.definition import ACTIVITY_TYPES, ActivityFieldSpec, TypeNames
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.definitions import checks, drafts, lifecycle

TYPES_AT_ONCE = 100
_NAMES = ("api_name", "name", "filter_name", "trigger_name", "description")
_FIELD = ("api_name", "name", "data_type", "description", "is_primary")


@dataclass(frozen=True, slots=True)
class ImportedType:
    """Result of one type of a file: "created", "changed" or "unchanged"; and whether it was approved."""

    api_name: str
    what: str
    is_approved: bool


def types_as_document(types: Iterable[ActivityType]) -> dict[str, Any]:
    """The types in the form that `import_types` reads: live versions, or drafts before the first approval."""
    return {"activity_types": [_as_dict(activity_type) for activity_type in types]}


def document_pieces(types: QuerySet[ActivityType]) -> Iterator[str]:
    """`types_as_document` as JSON text with an indent of two, a piece for each type; 100 types are in memory."""
    yield '{\n  "activity_types": ['
    separator = "\n"
    for activity_type in types.iterator(chunk_size=TYPES_AT_ONCE):
        text = json.dumps(_as_dict(activity_type), indent=2, ensure_ascii=False)
        yield separator + textwrap.indent(text, "    ")
        separator = ",\n"
    yield ("" if separator == "\n" else "\n  ") + "]\n}\n"


def _as_dict(activity_type: ActivityType) -> dict[str, Any]:
    version = activity_type.live_or_draft
    assert version is not None  # every existing type has a live version or a draft
    names = {"api_name": activity_type.api_name} | {name: getattr(version, name) for name in _NAMES[1:]}
    return names | {"fields": [asdict(field) for field in drafts.field_specs(version)]}


@transaction.atomic
def import_types(content: Any, by: Any, *, approve: bool = False, dry_run: bool = False) -> list[ImportedType]:
    """Create the types of a document, or change drafts to match; all of them or none.

    Importing the same document again changes nothing. Raises `RejectedError`, its paths starting with the type.
    """
    types = content.get("activity_types") if isinstance(content, dict) else None
    if not isinstance(types, list) or not all(isinstance(entry, dict) for entry in types):
        raise RejectedError(Problem(Code.WRONG_TYPE, _("The file must be a JSON object with a list “activity_types”.")))
    results = [_import_one(entry, by, approve) for entry in types]
    if dry_run:
        transaction.set_rollback(True)
    return results


def _import_one(entry: dict[str, Any], by: Any, approve: bool) -> ImportedType:
    names, fields = _parse(entry)
    # only a possible API name is looked up: `create` raises the problem of any other
    candidates = ActivityType.objects.custom().existing() if checks.API_NAME.fullmatch(names.api_name) else None
    activity_type = candidates.filter(api_name=names.api_name).first() if candidates is not None else None
    try:
        if activity_type is None:
            activity_type, change = lifecycle.create_definition(ACTIVITY_TYPES, names, fields, by), "created"
        else:
            change = _bring_up_to_date(activity_type, names, fields, by)
        activity_type = ActivityType.objects.get(pk=activity_type.pk)
        if approve and activity_type.draft_id:
            lifecycle.approve_draft(activity_type, by)
            return ImportedType(names.api_name, change, True)
    except RejectedError as refusal:
        raise RejectedError(*(problem.under(names.api_name or "?") for problem in refusal.problems)) from None
    return ImportedType(names.api_name, change, False)


def _bring_up_to_date(activity_type: ActivityType, names: TypeNames, fields: list[ActivityFieldSpec], by: Any) -> str:
    version = activity_type.draft or activity_type.live
    assert version is not None
    new_values = {name: getattr(names, name) for name in _NAMES[1:]}
    changes = {name: value for name, value in new_values.items() if value != getattr(version, name)}
    if changes:
        drafts.edit_draft_names(activity_type, by, **changes)
    if fields != drafts.field_specs(version):
        drafts.set_draft_fields(activity_type, fields, by)
        return "changed"
    return "changed" if changes else "unchanged"


def _parse(entry: dict[str, Any]) -> tuple[TypeNames, list[ActivityFieldSpec]]:
    fields = entry.get("fields")
    if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields):
        raise RejectedError(
            Problem(Code.MISSING_VALUE, _("A type needs a list “fields”."), (str(entry.get("api_name", "?")),))
        )
    return TypeNames(**_texts(entry, _NAMES)), [
        ActivityFieldSpec(**_texts(field, _FIELD[:4]) | {"is_primary": field.get("is_primary") is True})
        for field in fields
    ]


def _texts(entry: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    wrong = [name for name in names if not isinstance(entry.get(name, ""), str)]
    if wrong:
        raise RejectedError(Problem(Code.WRONG_TYPE, _("“%(name)s” must be text.") % {"name": wrong[0]}))
    return {name: entry.get(name, "string" if name == "data_type" else "") for name in names}
