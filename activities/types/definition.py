"""Activity types as a kind of definition.

In addition to other definitions they have filter and trigger names, a primary field, and standard types, which never
change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import ActivityType, ApprovedField
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.definitions import kinds


@dataclass(frozen=True, slots=True)
class TypeNames:
    """All names of a type."""

    api_name: str
    name: str
    filter_name: str
    trigger_name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class ActivityFieldSpec(kinds.FieldSpec):
    """One field as an editor defines it."""

    is_primary: bool = False

    @property
    def is_counted(self) -> bool:
        return not self.is_primary


def _primary_problems(fields: Sequence[ActivityFieldSpec], activity_type: ActivityType | None) -> list[Problem]:
    """Check that a type has exactly one primary field, which never changes after the first approval."""
    primaries = sum(field.is_primary for field in fields)
    problems: list[Problem] = []
    if primaries != 1:
        code, message = (
            ("no_primary", _("A type needs a primary field: what the activity is about."))
            if primaries == 0
            else ("two_primaries", _("Only one field can be primary: unset the other one first."))
        )
        problems.append(Problem(code, message, ("fields",)))
    approved: dict[str, ApprovedField] = {}
    if activity_type is not None:
        approved = {field.api_name: field for field in activity_type.approved_fields.all()}
    has_primary = any(field.is_primary for field in approved.values())
    for field in fields:
        fixed = approved.get(field.api_name)
        if (fixed.is_primary != field.is_primary) if fixed else (has_primary and field.is_primary):
            message = _("Which field is primary is fixed since the first approval.")
            problems.append(Problem(Code.LOCKED_PRIMARY, message, ("fields", field.api_name)))
    return problems


def _refuse_standard(activity_type: ActivityType) -> None:
    if activity_type.is_standard:
        raise RejectedError(
            Problem(Code.STANDARD_TYPE, _("Standard activity types belong to the product and never change."))
        )


ACTIVITY_TYPES = kinds.DefinitionKind(
    model=ActivityType,
    names=TypeNames,
    field=ActivityFieldSpec,
    lock=locks.LockSpace.TYPE,
    page="admin:activities_activitytype_change",
    sentences=kinds.DefinitionSentences(
        gone=gettext_lazy("The activity type does not exist any more."),
        not_deleted=gettext_lazy("The activity type is not deleted."),
        name_taken=gettext_lazy("“%(name)s” is too similar to a name of the activity type %(other)s."),
        too_many=gettext_lazy("This installation is limited to %(limit)s activity types."),
        too_many_fields=gettext_lazy("A type can have at most %(limit)s fields besides the primary one."),
        field_removed=gettext_lazy("%(field)s removed: new activities no longer have it"),
    ),
    unique_names=("name", "filter_name", "trigger_name"),
    limit=lambda: settings.ACTIVITY_TYPES_LIMIT,
    field_limit=lambda: settings.ACTIVITY_FIELDS_LIMIT,
    check_fields=_primary_problems,
    refuse_change=_refuse_standard,
)
kinds.register_definition_kind(ACTIVITY_TYPES)

EDIT = ACTIVITY_TYPES.right("change")
APPROVE = ACTIVITY_TYPES.right("approve")
DELETE = ACTIVITY_TYPES.right("delete")
