"""What a draft says: its names and its fields, checked as the database would.

Changing an approved type opens a draft; the live version stays as it is until the draft is approved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from activities.models import ActivityField, ActivityType, ActivityTypeName, ActivityVersion
from activities.types import notifications as type_notifications
from activities.types.validation import (
    NAME_KINDS,
    FieldSpec,
    Names,
    api_name_problems,
    field_problems,
    name_key,
    name_problems,
    rename_problems,
    taken,
)
from people.core import audit
from people.core.errors import ConflictError, Problem, RejectedError, refuse_if
from people.core.permissions import require

CHANGE = "activities.change_activitytype"


@transaction.atomic
def edit(activity_type: ActivityType, by: Any, expected_revision: int | None = None, **changes: str) -> ActivityVersion:
    """Change name, description, filter_name, trigger_name (or, before the first approval, api_name).

    Returns the draft. Raises `RejectedError` with every problem, `ConflictError` when the draft is not at
    `expected_revision` any more (nothing is overwritten).
    """
    activity_type, draft = open_draft(activity_type, by, expected_revision)
    api_name = changes.pop("api_name", activity_type.api_name)
    unknown = set(changes) - {*NAME_KINDS, "description"}
    if unknown:
        raise TypeError(f"a draft has no {', '.join(sorted(unknown))}")
    problems = [] if api_name == activity_type.api_name else rename_problems(activity_type, api_name)
    wanted = Names(
        api_name, **{kind: getattr(draft, kind) for kind in NAME_KINDS} | {"description": draft.description} | changes
    )
    refuse_if([*problems, *name_problems(wanted, activity_type)])
    if api_name != activity_type.api_name:
        activity_type.api_name = api_name
        activity_type.save(update_fields=["api_name", "updated_at"])
    for attribute, value in changes.items():
        setattr(draft, attribute, value.strip())
    _save(activity_type, draft, by, *changes)
    return draft


@transaction.atomic
def set_fields(
    activity_type: ActivityType, fields: Sequence[FieldSpec], by: Any, expected_revision: int | None = None
) -> ActivityVersion:
    """Make the draft's fields exactly `fields`, in this order; returns the draft.

    Raises `RejectedError`: `locked_data_type`, `locked_primary` (fixed at the first approval), `given_twice`,
    `bad_name`, `unknown_data_type`, `too_many_fields`, `no_primary`, `two_primaries`.
    """
    activity_type, draft = open_draft(activity_type, by, expected_revision)
    refuse_if(field_problems(fields, activity_type))
    draft.fields.all().delete()
    write_fields(draft, fields)
    _save(activity_type, draft, by, "fields")
    return draft


@transaction.atomic
def rewrite(
    activity_type: ActivityType,
    names: Names,
    fields: Sequence[FieldSpec],
    by: Any,
    expected_revision: int | None = None,
) -> ActivityVersion:
    """Make names and fields of the draft those of one form: both or neither; see `edit` and `set_fields`."""
    wanted = {name: value for name, value in asdict(names).items() if name != "api_name" or activity_type.live is None}
    draft = edit(activity_type, by, expected_revision, **wanted)
    return set_fields(activity_type, fields, by, draft.revision)


def fields_of(version: ActivityVersion) -> list[FieldSpec]:
    """The version's fields as specs, primary first, to be changed and given to `set_fields`."""
    return [
        FieldSpec(field.api_name, field.name, field.data_type, field.description, field.is_primary)
        for field in version.fields.all()
    ]


def add_fields(
    activity_type: ActivityType, fields: Iterable[FieldSpec], by: Any, expected_revision: int | None = None
) -> ActivityVersion:
    """Add fields after the present ones; see `set_fields`."""
    with transaction.atomic():
        activity_type = _lock_for(activity_type, by)
        return set_fields(activity_type, [*_current(activity_type), *fields], by, expected_revision)


def change_fields(
    activity_type: ActivityType, changes: Mapping[str, Mapping[str, Any]], by: Any, expected_revision: int | None = None
) -> ActivityVersion:
    """Change attributes of fields, by API name: {"amount": {"name": "Total"}}.

    Raises `RejectedError` (`unknown_field`).
    """
    with transaction.atomic():
        activity_type = _lock_for(activity_type, by)
        current = _current(activity_type)
        refuse_if(_unknown_fields(changes, current))
        changed = [FieldSpec(**{**asdict(field), **changes.get(field.api_name, {})}) for field in current]
        return set_fields(activity_type, changed, by, expected_revision)


def remove_fields(
    activity_type: ActivityType, api_names: Iterable[str], by: Any, expected_revision: int | None = None
) -> ActivityVersion:
    """Take secondary fields out of the draft; activities recorded before keep their values."""
    with transaction.atomic():
        activity_type = _lock_for(activity_type, by)
        current, gone = _current(activity_type), list(api_names)
        refuse_if(_unknown_fields(gone, current))
        kept = [field for field in current if field.api_name not in gone]
        return set_fields(activity_type, kept, by, expected_revision)


def order_fields(
    activity_type: ActivityType, api_names: Sequence[str], by: Any, expected_revision: int | None = None
) -> ActivityVersion:
    """Put the named fields first, in this order, and the others after them; the primary one stays in front."""
    with transaction.atomic():
        activity_type = _lock_for(activity_type, by)
        current = _current(activity_type)
        refuse_if(_unknown_fields(api_names, current))
        places = {name: place for place, name in enumerate(api_names)}
        ordered = sorted(current, key=lambda field: (not field.is_primary, places.get(field.api_name, len(places))))
        return set_fields(activity_type, ordered, by, expected_revision)


def _lock_for(activity_type: ActivityType, by: Any) -> ActivityType:
    """The type, locked; raises `NotAllowedError` before anything is told of it to who may not change it."""
    require(by, CHANGE)
    return lock(activity_type)


def lock(activity_type: ActivityType, *, deleted: bool = False) -> ActivityType:
    """The type as it is now, its row locked until the transaction ends; one that is there, or a deleted one.

    Raises `RejectedError` when it is gone, or (`not_deleted`) not gone.
    """
    found = (
        ActivityType.objects.select_for_update(of=("self",))
        .select_related("live", "draft")
        .filter(pk=activity_type.pk, deleted_at__isnull=not deleted)
        .first()
    )
    if found is None and deleted:
        raise RejectedError(Problem("not_deleted", _("The activity type is not deleted.")))
    if found is None:
        raise RejectedError(Problem("unknown_type", _("The activity type does not exist any more.")))
    return found


def open_draft(
    activity_type: ActivityType, by: Any, expected_revision: int | None = None
) -> tuple[ActivityType, ActivityVersion]:
    """The type, locked, and its draft: the one there is, or a copy of the live version.

    `expected_revision` is that of the draft the editor saw; 0 says that there was none.
    """
    require(by, CHANGE)
    refuse_standard(activity_type)
    activity_type = lock(activity_type)
    check_revision(activity_type.draft, expected_revision)
    if activity_type.draft is None:
        activity_type.draft = _copy_live(activity_type, by)
        activity_type.save(update_fields=["draft", "updated_at"])
    return activity_type, activity_type.draft


def refuse_standard(activity_type: ActivityType) -> None:
    if activity_type.is_standard:
        raise RejectedError(
            Problem("standard_type", _("Standard activity types belong to the product and never change."))
        )


def check_revision(draft: ActivityVersion | None, expected: int | None) -> None:
    """Raise `ConflictError` unless the draft is at `expected`; None asks for nothing."""
    if expected is not None and expected != (draft.revision if draft else 0):
        raise ConflictError(changed_meanwhile())


def changed_meanwhile() -> Problem:
    return Problem(
        "conflict", _("Somebody else changed this draft in the meantime. Look at it again; nothing was overwritten.")
    )


def check_new(names: Names, fields: Sequence[FieldSpec]) -> None:
    """Raise `RejectedError` with everything that keeps a new type from being created."""
    refuse_if([*faults_of_names(names), *field_problems(fields, None)])


def faults_of_names(names: Names) -> list[Problem]:
    """What keeps a new type from being called so."""
    problems = api_name_problems(names.api_name, ("api_name",))
    if not problems and ActivityType.objects.filter(api_name=names.api_name).exists():
        problems.append(taken(names.api_name))
    return [*problems, *name_problems(names, None)]


def check_complete(draft: ActivityVersion) -> None:
    """Raise `RejectedError` when the draft cannot be approved as it stands."""
    refuse_if([*faults_of_version(draft), *field_problems(fields_of(draft), draft.activity_type)])


def faults_of_version(version: ActivityVersion) -> list[Problem]:
    """What keeps the version from being called as it is: no name, or one that another type has taken."""
    names = Names(version.activity_type.api_name, version.name, version.filter_name, version.trigger_name)
    return name_problems(names, version.activity_type)


def write_fields(draft: ActivityVersion, fields: Sequence[FieldSpec]) -> None:
    ActivityField.objects.bulk_create(
        ActivityField(
            version=draft,
            api_name=field.api_name,
            name=field.name.strip(),
            data_type=field.data_type,
            description=field.description,
            is_primary=field.is_primary,
            position=position,
        )
        for position, field in enumerate(fields)
    )


def sign(draft: ActivityVersion, by: Any) -> None:
    """Remember who had a hand in the draft: also the owner of the API client that acted."""
    if by is not None:
        draft.editors.add(by.pk, *([by.owner_id] if getattr(by, "owner_id", None) else []))


def reserve_names(activity_type: ActivityType) -> None:
    """Make the names of the live version and the draft this type's, and free those it gave up."""
    wanted = {
        (kind, name_key(getattr(version, kind)))
        for version in (activity_type.live, activity_type.draft)
        if version is not None
        for kind in NAME_KINDS
    }
    held = {(row.kind, row.key): row for row in activity_type.names.all()}
    ActivityTypeName.objects.filter(pk__in=[row.pk for key, row in held.items() if key not in wanted]).delete()
    ActivityTypeName.objects.bulk_create(
        ActivityTypeName(activity_type=activity_type, kind=kind, key=key) for kind, key in sorted(wanted - set(held))
    )


def _save(activity_type: ActivityType, draft: ActivityVersion, by: Any, *what: str) -> None:
    draft.revision += 1
    draft.return_reason = ""
    draft.save()
    sign(draft, by)
    reserve_names(activity_type)
    audit.note(by, activity_type, "changed", what=", ".join(what))
    type_notifications.draft_waits(activity_type, draft, by)


def _copy_live(activity_type: ActivityType, by: Any) -> ActivityVersion:
    live = activity_type.live
    assert live is not None  # a type without a draft was approved
    draft = ActivityVersion.objects.create(
        activity_type=activity_type,
        name=live.name,
        description=live.description,
        filter_name=live.filter_name,
        trigger_name=live.trigger_name,
        created_by=by,
    )
    write_fields(draft, fields_of(live))
    return draft


def _current(activity_type: ActivityType) -> list[FieldSpec]:
    version = activity_type.draft or activity_type.live
    return fields_of(version) if version else []


def _unknown_fields(names: Iterable[str], fields: Sequence[FieldSpec]) -> list[Problem]:
    known = {field.api_name for field in fields}
    return [
        Problem("unknown_field", _("There is no field '%(name)s'.") % {"name": name}, ("fields", name))
        for name in names
        if name not in known
    ]
