"""What a draft says: its names and its fields, checked as the database would.

Changing an approved definition opens a draft; the live version stays as it is until the draft is approved.
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
from people.core.permissions import require
from people.datatypes.naming import name_key
from people.definitions import notices
from people.definitions.checks import field_problems, name_problems, new_api_name_problems, rename_problems
from people.definitions.kinds import D, DefinitionKind, FieldSpec, NameSpec, kind_of
from people.definitions.models import Definition, Version


@transaction.atomic
def edit(definition: Definition, by: Any, expected_revision: int | None = None, **changes: Any) -> Any:
    """Change what the draft is called: columns of the kind's names and, before the first approval, `api_name`.

    Returns the draft. Raises `RejectedError` with every problem, `ConflictError` when the draft is not at
    `expected_revision` any more (nothing is overwritten).
    """
    kind = kind_of(definition)
    require(by, kind.right("change"))
    take_naming(kind)
    definition, draft = open_draft(definition, by, expected_revision)
    present = {column: getattr(draft, column) for column in kind.texts}
    wanted = kind.names(**{"api_name": definition.api_name} | present | changes)
    refuse_if([*rename_problems(kind, definition, wanted.api_name), *name_problems(kind, wanted, definition)])
    if wanted.api_name != definition.api_name:
        definition.api_name = wanted.api_name
        save(definition, "api_name")
    for column, value in version_texts(kind, wanted).items():
        setattr(draft, column, value)
    _save(definition, draft, by, *(column for column in changes if column != "api_name"))
    return draft


@transaction.atomic
def set_fields(
    definition: Definition, fields: Sequence[FieldSpec], by: Any, expected_revision: int | None = None
) -> Any:
    """Make the draft's fields exactly `fields`, in this order; returns the draft.

    Raises `RejectedError`: `locked_data_type` (fixed at the first approval), `given_twice`, `bad_name`,
    `unknown_data_type`, `too_many_fields`, and what else the kind asks of fields.
    """
    definition, draft = open_draft(definition, by, expected_revision)
    refuse_if(field_problems(kind_of(definition), fields, definition))
    draft.fields.all().delete()
    write_fields(draft, fields)
    _save(definition, draft, by, "fields")
    return draft


@transaction.atomic
def rewrite(
    definition: Definition, names: NameSpec, fields: Sequence[FieldSpec], by: Any, expected_revision: int | None = None
) -> Any:
    """Make names and fields of the draft those of one form: both or neither; see `edit` and `set_fields`."""
    kind = kind_of(definition)
    wanted = {column: getattr(names, column) for column in kind.texts}
    api_name = {"api_name": names.api_name} if definition.live is None else {}
    draft = edit(definition, by, expected_revision, **api_name, **wanted)
    return set_fields(definition, fields, by, draft.revision)


def fields_of(version: Version) -> list[Any]:
    """The version's fields as specs of the kind, in their order, to be changed and given to `set_fields`."""
    kind = kind_of(version)
    columns = kind.field_columns
    return [kind.field(**{column: getattr(field, column) for column in columns}) for field in version.fields.all()]


@transaction.atomic
def add_fields(
    definition: Definition, fields: Iterable[FieldSpec], by: Any, expected_revision: int | None = None
) -> Any:
    """Add fields after the present ones; see `set_fields`."""
    definition = _lock_for(definition, by)
    return set_fields(definition, [*_current(definition), *fields], by, expected_revision)


@transaction.atomic
def change_fields(
    definition: Definition, changes: Mapping[str, Mapping[str, Any]], by: Any, expected_revision: int | None = None
) -> Any:
    """Change attributes of fields, by API name: {"amount": {"name": "Total"}}.

    Raises `RejectedError` (`unknown_field`).
    """
    definition = _lock_for(definition, by)
    current = _current(definition)
    refuse_if(_unknown_fields(changes, current))
    changed = [replace(field, **changes.get(field.api_name, {})) for field in current]
    return set_fields(definition, changed, by, expected_revision)


@transaction.atomic
def remove_fields(
    definition: Definition, api_names: Iterable[str], by: Any, expected_revision: int | None = None
) -> Any:
    """Take fields out of the draft; what was written before keeps their values."""
    definition = _lock_for(definition, by)
    current, gone = _current(definition), list(api_names)
    refuse_if(_unknown_fields(gone, current))
    return set_fields(definition, [field for field in current if field.api_name not in gone], by, expected_revision)


@transaction.atomic
def order_fields(
    definition: Definition, api_names: Sequence[str], by: Any, expected_revision: int | None = None
) -> Any:
    """Put the named fields first, in this order, and the others after them."""
    definition = _lock_for(definition, by)
    current = _current(definition)
    refuse_if(_unknown_fields(api_names, current))
    places = {name: place for place, name in enumerate(api_names)}
    ordered = sorted(current, key=lambda field: places.get(field.api_name, len(places)))
    return set_fields(definition, ordered, by, expected_revision)


def lock(definition: D, *, deleted: bool = False) -> D:
    """The definition as it is now, its row locked until the transaction ends; one that is there, or a deleted one.

    Raises `RejectedError` when it is gone, or (`not_deleted`) not gone.
    """
    kind: DefinitionKind[D] = kind_of(definition)
    rows = kind.model._default_manager.filter(pk=definition.pk)
    # the draft is read by a statement of its own: that which waits for the lock would read it as it was before
    rows.select_for_update().values_list("pk").first()
    found = rows.filter(deleted_at__isnull=not deleted).select_related("live", "draft").first()
    if found is None and deleted:
        raise RejectedError(Problem(Code.NOT_DELETED, str(kind.sentences.not_deleted)))
    if found is None:
        raise RejectedError(Problem(Code.UNKNOWN_TYPE, str(kind.sentences.gone)))
    return found


def open_draft(definition: D, by: Any, expected_revision: int | None = None) -> tuple[D, Any]:
    """The definition, locked, and its draft: the one there is, or a copy of the live version.

    `expected_revision` is that of the draft the editor saw; 0 says that there was none.
    """
    kind = kind_of(definition)
    require(by, kind.right("change"))
    kind.refuse_change(definition)
    definition = lock(definition)
    check_revision(definition.draft, expected_revision)
    if definition.draft is None:
        live = definition.live  # there is one: what has no draft was approved
        copied = {column: getattr(live, column) for column in kind.texts}
        definition.draft = definition.versions.create(**copied, created_by=by)
        write_fields(definition.draft, fields_of(live))
        save(definition, "draft")
    return definition, definition.draft


def check_revision(draft: Version | None, expected: int | None) -> None:
    """Raise `ConflictError` unless the draft is at `expected`; None asks for nothing."""
    if expected is not None and expected != (draft.revision if draft else 0):
        raise ConflictError(changed_meanwhile())


def changed_meanwhile() -> Problem:
    return Problem(
        Code.CONFLICT, _("Somebody else changed this draft in the meantime. Look at it again; nothing was overwritten.")
    )


def faults_of_names(kind: DefinitionKind[Any], names: NameSpec) -> list[Problem]:
    """What keeps a new definition from being called so."""
    return [*new_api_name_problems(kind, names.api_name), *name_problems(kind, names, None)]


def faults_of_version(definition: Definition, version: Version) -> list[Problem]:
    """What keeps the version from being called as it is: no name, or one that another definition has taken."""
    kind = kind_of(definition)
    texts = {column: getattr(version, column) for column in kind.texts}
    return name_problems(kind, kind.names(api_name=definition.api_name, **texts), definition)


def check_complete(definition: Definition) -> None:
    """Raise `RejectedError` when the draft cannot be approved as it stands."""
    draft, kind = definition.draft, kind_of(definition)
    refuse_if([*faults_of_version(definition, draft), *field_problems(kind, fields_of(draft), definition)])


def version_texts(kind: DefinitionKind[Any], names: NameSpec) -> dict[str, Any]:
    """The columns of a version that is called so."""
    values = ((column, getattr(names, column)) for column in kind.texts)
    return {column: value.strip() if isinstance(value, str) else value for column, value in values}


def write_fields(draft: Version, fields: Sequence[FieldSpec]) -> None:
    rows = draft.fields
    rows.bulk_create(
        rows.model(version=draft, position=position, **asdict(replace(field, name=field.name.strip())))
        for position, field in enumerate(fields)
    )


def sign(draft: Version, by: Any) -> None:
    """Remember who had a hand in the draft: also the owner of the API client that acted."""
    if by is not None:
        draft.editors.add(by.pk, *([by.owner_id] if getattr(by, "owner_id", None) else []))


def take_naming(kind: DefinitionKind[Any], *ids: int) -> None:
    """Let nobody else name definitions until the transaction ends, nor write rows of those with `ids`."""
    locks.take(locks.key(kind.lock, number) for number in (0, *ids))


def hold_names(definition: Definition) -> None:
    """Make the names of the live version and the draft this definition's, and free those it gave up."""
    kind = kind_of(definition)
    if not kind.unique_names:
        return
    wanted = {
        (column, name_key(getattr(version, column)))
        for version in (definition.live, definition.draft)
        if version is not None
        for column in kind.unique_names
    }
    rows = definition.names
    held = {(row.kind, row.key): row for row in rows.all()}
    rows.filter(pk__in=[row.pk for name, row in held.items() if name not in wanted]).delete()
    new = sorted(wanted - set(held))
    rows.bulk_create(rows.model(**{rows.field.name: definition}, kind=column, key=key) for column, key in new)


def save(definition: Definition, *columns: str) -> None:
    definition.save(update_fields=[*columns, "updated_at"])


def _lock_for(definition: D, by: Any) -> D:
    """The definition, locked; raises `NotAllowedError` before anything is told of it to who may not change it."""
    require(by, kind_of(definition).right("change"))
    return lock(definition)


def _save(definition: Definition, draft: Version, by: Any, *what: str) -> None:
    draft.revision += 1
    draft.return_reason = ""
    draft.save()
    sign(draft, by)
    hold_names(definition)
    audit.note(by, definition, "changed", what=", ".join(what))
    notices.draft_waits(definition, draft, by)


def _current(definition: Definition) -> list[Any]:
    version = definition.draft or definition.live
    return fields_of(version) if version else []


def _unknown_fields(names: Iterable[str], fields: Sequence[FieldSpec]) -> list[Problem]:
    known = {field.api_name for field in fields}
    return [
        Problem(Code.UNKNOWN_FIELD, _("There is no field '%(name)s'.") % {"name": name}, ("fields", name))
        for name in names
        if name not in known
    ]
