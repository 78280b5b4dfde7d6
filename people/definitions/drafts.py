"""Edits of drafts: names and fields, validated with the same rules as the database.

Changing an approved definition opens a draft; the live version stays unchanged until the draft is approved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from people.core import audit
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import ConflictError, Problem, RejectedError, refuse_if
from people.core.permissions import require_permission
from people.datatypes.naming import name_key
from people.definitions import notices
from people.definitions.checks import field_problems, name_problems, new_api_name_problems, rename_problems
from people.definitions.kinds import D, DefinitionKind, FieldSpec, NameSpec, definition_kind
from people.definitions.models import Definition, Version


@transaction.atomic
def edit_draft_names(definition: Definition, by: Any, expected_revision: int | None = None, **changes: Any) -> Any:
    """Change the draft's names: columns of the kind's names and, before the first approval, `api_name`.

    Returns the draft. Raises `RejectedError` with every problem, `ConflictError` if the draft is no longer at
    `expected_revision` (nothing is overwritten).
    """
    kind = definition_kind(definition)
    require_permission(by, kind.right("change"))
    lock_naming(kind)
    definition, draft = open_draft(definition, by, expected_revision)
    current_names = {column: getattr(draft, column) for column in kind.texts}
    names = kind.names(**{"api_name": definition.api_name} | current_names | changes)
    refuse_if([*rename_problems(kind, definition, names.api_name), *name_problems(kind, names, definition)])
    if names.api_name != definition.api_name:
        definition.api_name = names.api_name
        save_definition(definition, "api_name")
    for column, value in version_texts(kind, names).items():
        setattr(draft, column, value)
    _save(definition, draft, by, *(column for column in changes if column != "api_name"))
    return draft


@transaction.atomic
def set_draft_fields(
    definition: Definition,
    fields: Sequence[FieldSpec],
    by: Any,
    expected_revision: int | None = None,
    *,
    unfinished: bool = False,
) -> Any:
    """Make the draft's fields exactly `fields`, in this order; returns the draft.

    An `unfinished` draft may lack what only the approval needs.

    Raises `RejectedError`: `locked_data_type` (fixed at the first approval), `given_twice`, `bad_name`,
    `unknown_data_type`, `too_many_fields`, and those of the kind's own checks of fields.
    """
    definition, draft = open_draft(definition, by, expected_revision)
    refuse_if(field_problems(definition_kind(definition), fields, definition, unfinished=unfinished))
    draft.fields.all().delete()
    write_draft_fields(draft, fields)
    _save(definition, draft, by, "fields")
    return draft


@transaction.atomic
def rewrite_draft(
    definition: Definition, names: NameSpec, fields: Sequence[FieldSpec], by: Any, expected_revision: int | None = None
) -> Any:
    """Replace names and fields of the draft in one transaction; see `edit_draft_names` and `set_draft_fields`."""
    kind = definition_kind(definition)
    texts = {column: getattr(names, column) for column in kind.texts}
    api_name = {"api_name": names.api_name} if definition.live is None else {}
    draft = edit_draft_names(definition, by, expected_revision, **api_name, **texts)
    return set_draft_fields(definition, fields, by, draft.revision)


def field_specs(version: Version) -> list[Any]:
    """The version's fields as specs of the kind, in their order; changed copies can be passed to `set_draft_fields`."""
    kind = definition_kind(version)
    columns = kind.field_columns
    return [kind.field(**{column: getattr(field, column) for column in columns}) for field in version.fields.all()]


@transaction.atomic
def add_draft_fields(
    definition: Definition,
    fields: Iterable[FieldSpec],
    by: Any,
    expected_revision: int | None = None,
    *,
    unfinished: bool = False,
) -> Any:
    """Add fields after the present ones; see `set_draft_fields`."""
    definition = _lock_for(definition, by)
    fields = [*_current(definition), *fields]
    return set_draft_fields(definition, fields, by, expected_revision, unfinished=unfinished)


@transaction.atomic
def change_draft_fields(
    definition: Definition,
    changes: Mapping[str, Mapping[str, Any]],
    by: Any,
    expected_revision: int | None = None,
    *,
    unfinished: bool = False,
) -> Any:
    """Change attributes of fields, by API name: {"amount": {"name": "Total"}}.

    Raises `RejectedError` (`unknown_field`).
    """
    definition = _lock_for(definition, by)
    current = _current(definition)
    refuse_if(_unknown_fields(changes, current))
    changed = [replace(field, **changes.get(field.api_name, {})) for field in current]
    return set_draft_fields(definition, changed, by, expected_revision, unfinished=unfinished)


@transaction.atomic
def remove_draft_fields(
    definition: Definition,
    api_names: Iterable[str],
    by: Any,
    expected_revision: int | None = None,
    *,
    unfinished: bool = False,
) -> Any:
    """Remove fields from the draft; existing rows keep their values."""
    definition = _lock_for(definition, by)
    current, removed = _current(definition), list(api_names)
    refuse_if(_unknown_fields(removed, current))
    kept = [field for field in current if field.api_name not in removed]
    return set_draft_fields(definition, kept, by, expected_revision, unfinished=unfinished)


@transaction.atomic
def order_draft_fields(
    definition: Definition, api_names: Sequence[str], by: Any, expected_revision: int | None = None
) -> Any:
    """Put the named fields first, in this order, and the others after them."""
    definition = _lock_for(definition, by)
    current = _current(definition)
    refuse_if(_unknown_fields(api_names, current))
    places = {name: place for place, name in enumerate(api_names)}
    ordered = sorted(current, key=lambda field: places.get(field.api_name, len(places)))
    return set_draft_fields(definition, ordered, by, expected_revision)


def lock_definition(definition: D, *, deleted: bool = False) -> D:
    """Lock the row of the definition until the transaction ends, and return its current state.

    Raises `RejectedError` if it is deleted, or with `deleted` (`not_deleted`) if it is not.
    """
    kind: DefinitionKind[D] = definition_kind(definition)
    rows = kind.model._default_manager.filter(pk=definition.pk)
    # a separate statement reads the draft: the one that waits for the lock would read its earlier state
    rows.select_for_update().values_list("pk").first()
    current = rows.filter(deleted_at__isnull=not deleted).select_related("live", "draft").first()
    if current is None and deleted:
        raise RejectedError(Problem(Code.NOT_DELETED, str(kind.sentences.not_deleted)))
    if current is None:
        raise RejectedError(Problem(Code.UNKNOWN_TYPE, str(kind.sentences.gone)))
    return current


def open_draft(definition: D, by: Any, expected_revision: int | None = None) -> tuple[D, Any]:
    """Lock the definition and return it with its draft: the present one, or a new copy of the live version.

    `expected_revision` is the revision of the draft that the editor saw; 0 means that there was none.
    """
    kind = definition_kind(definition)
    require_permission(by, kind.right("change"))
    kind.refuse_change(definition)
    definition = lock_definition(definition)
    require_draft_revision(definition.draft, expected_revision)
    if definition.draft is None:
        live = definition.live  # never None: a definition without a draft was approved
        texts = {column: getattr(live, column) for column in kind.texts}
        definition.draft = definition.versions.create(**texts, created_by=by)
        write_draft_fields(definition.draft, field_specs(live))
        save_definition(definition, "draft")
    return definition, definition.draft


def require_draft_revision(draft: Version | None, expected: int | None) -> None:
    """Raise `ConflictError` unless the draft is at `expected`; None skips the check."""
    if expected is not None and expected != (draft.revision if draft else 0):
        raise ConflictError(draft_conflict())


def draft_conflict() -> Problem:
    return Problem(
        Code.CONFLICT, _("Someone else changed this draft in the meantime. Look at it again; nothing was overwritten.")
    )


def new_name_problems(kind: DefinitionKind[Any], names: NameSpec) -> list[Problem]:
    """Problems of `names` for a new definition."""
    return [*new_api_name_problems(kind, names.api_name), *name_problems(kind, names, None)]


def version_name_problems(definition: Definition, version: Version) -> list[Problem]:
    """Problems of the version's names: a missing one, or one that another definition has taken."""
    kind = definition_kind(definition)
    texts = {column: getattr(version, column) for column in kind.texts}
    return name_problems(kind, kind.names(api_name=definition.api_name, **texts), definition)


def require_complete_draft(definition: Definition) -> None:
    """Raise `RejectedError` if the draft cannot be approved in its current state."""
    draft, kind = definition.draft, definition_kind(definition)
    refuse_if([*version_name_problems(definition, draft), *field_problems(kind, field_specs(draft), definition)])


def version_texts(kind: DefinitionKind[Any], names: NameSpec) -> dict[str, Any]:
    """The columns of a version with these names."""
    values = ((column, getattr(names, column)) for column in kind.texts)
    return {column: value.strip() if isinstance(value, str) else value for column, value in values}


def write_draft_fields(draft: Version, fields: Sequence[FieldSpec]) -> None:
    rows = draft.fields
    rows.bulk_create(
        rows.model(version=draft, position=position, **asdict(replace(field, name=field.name.strip())))
        for position, field in enumerate(fields)
    )


def add_draft_editor(draft: Version, by: Any) -> None:
    """Add `by`, and the owner if `by` is an API client, to the editors of the draft."""
    if by is not None:
        draft.editors.add(by.pk, *([by.owner_id] if getattr(by, "owner_id", None) else []))


def lock_naming(kind: DefinitionKind[Any], *ids: int) -> None:
    """Lock the naming of definitions, and the writing of rows of those with `ids`, until the transaction ends."""
    locks.acquire_exclusive(locks.lock_key(kind.lock, number) for number in (0, *ids))


def reserve_names(definition: Definition) -> None:
    """Reserve the names of the live version and the draft for this definition, and release its former ones."""
    kind = definition_kind(definition)
    if not kind.unique_names:
        return
    names = {
        (column, name_key(getattr(version, column)))
        for version in (definition.live, definition.draft)
        if version is not None
        for column in kind.unique_names
    }
    rows = definition.names
    rows_by_name = {(row.kind, row.key): row for row in rows.all()}
    rows.filter(pk__in=[row.pk for name, row in rows_by_name.items() if name not in names]).delete()
    new = sorted(names - set(rows_by_name))
    rows.bulk_create(rows.model(**{rows.field.name: definition}, kind=column, key=key) for column, key in new)


def save_definition(definition: Definition, *columns: str) -> None:
    definition.save(update_fields=[*columns, "updated_at"])


def _lock_for(definition: D, by: Any) -> D:
    """Lock the definition; raises `NotAllowedError` before revealing anything to a user without the right."""
    require_permission(by, definition_kind(definition).right("change"))
    return lock_definition(definition)


def _save(definition: Definition, draft: Version, by: Any, *columns: str) -> None:
    draft.revision += 1
    draft.return_reason = ""
    draft.save()
    add_draft_editor(draft, by)
    reserve_names(definition)
    audit.write_audit_entry(by, definition, "changed", what=", ".join(columns))
    notices.notify_approvers(definition, draft, by)


def _current(definition: Definition) -> list[Any]:
    version = definition.draft or definition.live
    return field_specs(version) if version else []


def _unknown_fields(names: Iterable[str], fields: Sequence[FieldSpec]) -> list[Problem]:
    api_names = {field.api_name for field in fields}
    return [
        Problem(Code.UNKNOWN_FIELD, _("There is no field “%(name)s”.") % {"name": name}, ("fields", name))
        for name in names
        if name not in api_names
    ]
