"""Life cycle of definitions: create, approve, discard, retire, restore, delete, undelete.

Every verb takes the acting user (None: an operator's command), checks the right itself, runs in one
transaction and writes one audit entry. `drafts` edits drafts.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import audit, references
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import ConflictError, Problem, RejectedError, refuse_if
from people.core.models import Folder
from people.core.permissions import require_permission
from people.definitions import drafts, notices
from people.definitions.checks import field_problems
from people.definitions.differences import removed_fields
from people.definitions.kinds import MAX_VERSIONS, D, DefinitionKind, FieldSpec, NameSpec, definition_kind
from people.definitions.models import Definition, Version

audit.register_actions(
    {
        "approved": (2, gettext_lazy("Approved version %(version)s")),
        "draft_discarded": (2, gettext_lazy("Discarded the draft")),
        "draft_returned": (2, gettext_lazy("Returned the draft: %(reason)s")),
        "retired": (2, gettext_lazy("Retired")),
        "undeleted": (2, gettext_lazy("Brought back after it was deleted")),
    }
)


@transaction.atomic
def create_definition(
    kind: DefinitionKind[D], names: NameSpec, fields: Iterable[FieldSpec], by: Any, *, unfinished: bool = False
) -> D:
    """Create a definition with a draft; an `unfinished` one may lack what only the approval needs.

    Raises `RejectedError` with every problem found (`missing_value`, `bad_name`, `name_taken`, `api_name_taken`,
    `too_many_types`, …), `NotAllowedError` without the right.
    """
    require_permission(by, kind.right("add"))
    fields = list(fields)
    drafts.lock_naming(kind)
    _check_limit(kind)
    refuse_if([*drafts.new_name_problems(kind, names), *field_problems(kind, fields, None, unfinished=unfinished)])
    definition = kind.model._default_manager.create(api_name=names.api_name, owner=by)
    definition.draft = definition.versions.create(**drafts.version_texts(kind, names), created_by=by)
    drafts.write_draft_fields(definition.draft, fields)
    drafts.save_definition(definition, "draft")
    drafts.add_draft_editor(definition.draft, by)
    drafts.reserve_names(definition)
    audit.write_audit_entry(by, definition, "created")
    notices.notify_approvers(definition, definition.draft, by)
    return definition


@transaction.atomic
def approve_draft(definition: Definition, by: Any, expected_revision: int | None = None) -> Any:
    """Make the draft the live version and return it; rules can use its fields from now on.

    Waits for rows being written; later ones use the new version. Raises `RejectedError`
    (`no_draft`, `in_use` if a removed field is used, `second_approver`, `too_many`), `ConflictError` if the draft
    is not at `expected_revision`, the one that the approver saw.
    """
    require_permission(by, definition_kind(definition).right("approve"))
    definition = _lock(definition, exclusive=True)
    draft = _draft_of(definition)
    drafts.require_draft_revision(draft, expected_revision)
    _require_second_approver(draft, by)
    drafts.require_complete_draft(definition)
    references.refuse_if_used(*removed_fields(definition))
    draft.number = (definition.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    if draft.number > MAX_VERSIONS:
        message = _("A type has at most %(limit)s versions.") % {"limit": MAX_VERSIONS}
        raise RejectedError(Problem(Code.TOO_MANY, message))
    draft.approved_at, draft.approved_by, draft.return_reason = timezone.now(), by, ""
    draft.save(update_fields=["number", "approved_at", "approved_by", "return_reason"])
    rows: Any = type(definition)._default_manager
    if not rows.filter(pk=definition.pk, draft=draft).update(live=draft, draft=None, updated_at=timezone.now()):
        raise ConflictError(drafts.draft_conflict())
    definition.live, definition.draft = draft, None
    drafts.reserve_names(definition)
    audit.write_audit_entry(by, definition, "approved", version=draft.number)
    notices.withdraw_waiting(definition)
    notices.notify_draft_approved(definition, draft, by)
    return draft


@transaction.atomic
def discard_draft(definition: Definition, by: Any) -> None:
    """Delete the draft; the live version stays unchanged. Raises `RejectedError` if there is no live version."""
    require_permission(by, definition_kind(definition).right("change"))
    definition = _lock(definition)
    draft = _draft_of(definition)
    if definition.live_id is None:
        message = _("There is no approved version to go back to. Delete the type instead.")
        raise RejectedError(Problem(Code.NEVER_APPROVED, message))
    definition.draft = None
    drafts.save_definition(definition, "draft")
    draft.delete()
    drafts.reserve_names(definition)
    audit.write_audit_entry(by, definition, "draft_discarded")
    notices.withdraw_waiting(definition)


@transaction.atomic
def return_draft(definition: Definition, by: Any, reason: str) -> None:
    """Return the draft to its editors with a reason; it stays a draft. Raises `RejectedError` without a reason."""
    require_permission(by, definition_kind(definition).right("approve"))
    definition = _lock(definition)
    draft = _draft_of(definition)
    if not reason.strip():
        raise RejectedError(Problem(Code.MISSING_VALUE, _("Say why, so the editors know what to change."), ("reason",)))
    draft.return_reason = reason.strip()
    draft.save(update_fields=["return_reason", "updated_at"])
    audit.write_audit_entry(by, definition, "draft_returned", reason=draft.return_reason)
    notices.withdraw_waiting(definition)
    notices.notify_draft_returned(definition, draft, by)


@transaction.atomic
def retire_definition(definition: Definition, by: Any) -> None:
    """Retire a definition: it accepts no new rows, existing ones stay usable in lists. See `restore_definition`."""
    require_permission(by, definition_kind(definition).right("approve"))
    definition = _lock(definition, exclusive=True)
    if definition.live_id is None:
        raise RejectedError(Problem(Code.NEVER_APPROVED, _("Only an approved type can be retired.")))
    if definition.retired_at:
        raise RejectedError(Problem(Code.RETIRED_TYPE, _("The type is already retired.")))
    definition.retired_at = timezone.now()
    drafts.save_definition(definition, "retired_at")
    audit.write_audit_entry(by, definition, "retired")


@transaction.atomic
def restore_definition(definition: Definition, by: Any) -> None:
    """Make a retired definition accept rows again."""
    require_permission(by, definition_kind(definition).right("approve"))
    definition = _lock(definition, exclusive=True)
    if not definition.retired_at:
        raise RejectedError(Problem(Code.NOT_RETIRED, _("The type is not retired.")))
    definition.retired_at = None
    drafts.save_definition(definition, "retired_at")
    audit.write_audit_entry(by, definition, "restored")


@transaction.atomic
def delete_definition(definition: Definition, by: Any) -> None:
    """Delete a definition. One that was ever approved is only hidden: rows stay, id and API name are never reused.

    Raises `RejectedError` (`in_use`, naming the users) while a list or campaign uses it or one of its fields.
    """
    require_permission(by, definition_kind(definition).right("delete"))
    definition = _lock(definition, exclusive=True)
    references.refuse_if_used(*deletion_blockers(definition))
    audit.write_audit_entry(by, definition, "deleted")
    notices.withdraw_waiting(definition)
    if definition.live_id is None:
        definition.delete()
        return
    definition.deleted_at = timezone.now()
    drafts.save_definition(definition, "deleted_at")
    if definition_kind(definition).unique_names:
        definition.names.all().delete()


@transaction.atomic
def undelete_definition(definition: Definition, by: Any) -> None:
    """Undo the deletion of a definition: approved or retired as before, with its draft and all rows.

    Raises `RejectedError` (`not_deleted`; `name_taken` if another one has taken one of its names meanwhile).
    """
    kind = definition_kind(definition)
    require_permission(by, kind.right("delete"))
    kind.refuse_change(definition)
    drafts.lock_naming(kind, definition.pk)
    definition = drafts.lock_definition(definition, deleted=True)
    _check_limit(kind)
    versions = [version for version in (definition.live, definition.draft) if version is not None]
    faults = (fault for version in versions for fault in drafts.version_name_problems(definition, version))
    refuse_if(dict.fromkeys(faults))
    definition.deleted_at = None
    drafts.save_definition(definition, "deleted_at")
    drafts.reserve_names(definition)
    audit.write_audit_entry(by, definition, "undeleted")
    if definition.draft is not None and not definition.draft.return_reason:
        notices.notify_approvers(definition, definition.draft, by)


@transaction.atomic
def set_folder_and_owner(definition: Definition, by: Any, folder: Folder | None, owner: Any) -> None:
    """Set folder and owner of the definition (None: without); no version changes."""
    require_permission(by, definition_kind(definition).right("change"))
    definition = _lock(definition)
    definition.folder, definition.owner = folder, owner
    drafts.save_definition(definition, "folder", "owner")
    audit.write_audit_entry(by, definition, "changed", what="folder, owner")


def deletion_blockers(definition: Definition) -> list[Any]:
    """The objects whose use prevents a deletion: the definition and every field it ever had."""
    return [definition, *definition.approved_fields.all()]


def may_approve_draft(definition: Definition, by: Any) -> bool:
    """Return True if `approve_draft` would accept `by`: the right, and a second approver where required."""
    checks: tuple[Callable[[], None], ...] = (
        lambda: require_permission(by, definition_kind(definition).right("approve")),
        lambda: _require_second_approver(_draft_of(definition), by),
    )
    try:
        for check in checks:
            check()
    except RejectedError:
        return False
    return True


def _check_limit(kind: DefinitionKind[Any]) -> None:
    """Raise `RejectedError` if the limit of definitions is reached."""
    limit = kind.limit()
    if limit is not None and kind.model._default_manager.all().custom().existing().count() >= limit:
        raise RejectedError(Problem(Code.TOO_MANY_TYPES, str(kind.sentences.too_many) % {"limit": limit}))


def _lock(definition: D, exclusive: bool = False) -> D:
    """Lock the definition and return its current state; with `exclusive` no row of it is written meanwhile."""
    kind = definition_kind(definition)
    kind.refuse_change(definition)
    if exclusive:
        locks.acquire_exclusive([locks.lock_key(kind.lock, definition.pk)])
    return drafts.lock_definition(definition)


def _draft_of(definition: Definition) -> Version:
    if definition.draft is None:
        raise RejectedError(Problem(Code.NO_DRAFT, _("There is no draft.")))
    draft: Version = definition.draft
    return draft


def _require_second_approver(draft: Version, by: Any) -> None:
    if not settings.REQUIRE_SECOND_APPROVER or by is None:
        return
    involved = {by.pk, getattr(by, "owner_id", None)}
    if draft.editors.filter(pk__in=involved - {None}).exists():
        message = _("You edited this draft, so someone else has to approve it.")
        raise RejectedError(Problem(Code.SECOND_APPROVER, message))
