"""The life of an activity type: create, approve, discard, retire, restore, delete, undelete.

Every verb takes the user it acts for (None: an operator's command), checks the right itself, does
everything in one transaction and leaves one audit entry. `drafting` changes what a draft says.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities import icons
from activities.models import ActivityField, ActivityType, ActivityVersion, ApprovedField
from activities.types import drafts
from activities.types import notifications as type_notifications
from activities.types.drafts import FieldSpec, Names
from people.core import audit, references
from people.core.db import locks
from people.core.errors import ConflictError, Problem, RejectedError, bad_value, refuse_if
from people.core.models import Folder
from people.core.permissions import require

audit.describe(
    {
        "approved": (2, gettext_lazy("Approved version %(version)s")),
        "draft_discarded": (2, gettext_lazy("Discarded the draft")),
        "draft_returned": (2, gettext_lazy("Returned the draft: %(reason)s")),
        "retired": (2, gettext_lazy("Retired")),
        "undeleted": (2, gettext_lazy("Brought back after it was deleted")),
        "log_exported": (2, gettext_lazy("Exported the activities of this person")),
    }
)

EDIT = "activities.change_activitytype"
APPROVE = "activities.approve_activitytype"
DELETE = "activities.delete_activitytype"


@transaction.atomic
def create(names: Names, fields: Iterable[FieldSpec], by: Any) -> ActivityType:
    """Create a custom type with a draft; exactly one of `fields` is primary.

    Raises `RejectedError` with every problem found (`missing_value`, `bad_name`, `name_taken`, `api_name_taken`,
    `too_many_types`, …), `NotAllowedError` without the right.
    """
    require(by, "activities.add_activitytype")
    fields = list(fields)
    _check_limit()
    drafts.check_new(names, fields)
    activity_type = ActivityType.objects.create(api_name=names.api_name, owner=by)
    draft = ActivityVersion.objects.create(
        activity_type=activity_type,
        name=names.name,
        description=names.description,
        filter_name=names.filter_name,
        trigger_name=names.trigger_name,
        created_by=by,
    )
    drafts.write_fields(draft, fields)
    ActivityType.objects.filter(pk=activity_type.pk).update(draft=draft)
    activity_type.draft = draft
    drafts.sign(draft, by)
    drafts.reserve_names(activity_type)
    audit.note(by, activity_type, "created")
    type_notifications.draft_waits(activity_type, draft, by)
    return activity_type


@transaction.atomic
def approve(activity_type: ActivityType, by: Any, expected_revision: int | None = None) -> ActivityVersion:
    """Make the draft the live version; its filter and trigger exist from now on.

    Waits for recordings under way; those that start later see the new version. Raises `RejectedError`
    (`no_draft`, `in_use` when a removed field is used, `second_approver`), `ConflictError` when the draft is not
    at `expected_revision`, the one that the approver saw.
    """
    require(by, APPROVE)
    activity_type = _hold(activity_type, alone=True)
    draft = _draft_of(activity_type)
    drafts.check_revision(draft, expected_revision)
    _require_second_approver(draft, by)
    drafts.check_complete(draft)
    references.refuse_if_used(*fields_to_be_removed(activity_type))
    draft.number = (activity_type.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    draft.approved_at, draft.approved_by, draft.return_reason = timezone.now(), by, ""
    draft.save(update_fields=["number", "approved_at", "approved_by", "return_reason"])
    moved = ActivityType.objects.filter(pk=activity_type.pk, draft=draft).update(
        live=draft, draft=None, updated_at=timezone.now()
    )
    if not moved:
        raise ConflictError(drafts.changed_meanwhile())
    activity_type.live, activity_type.draft = draft, None
    drafts.reserve_names(activity_type)
    audit.note(by, activity_type, "approved", version=draft.number)
    type_notifications.draft_approved(activity_type, draft, by)
    return draft


@transaction.atomic
def discard_draft(activity_type: ActivityType, by: Any) -> None:
    """Throw the draft away; the live version stays as it is. Raises `RejectedError` when that leaves nothing."""
    require(by, EDIT)
    activity_type = _hold(activity_type)
    draft = _draft_of(activity_type)
    if activity_type.live_id is None:
        message = _("There is no approved version to go back to. Delete the type instead.")
        raise RejectedError(Problem("never_approved", message))
    activity_type.draft = None
    activity_type.save(update_fields=["draft", "updated_at"])
    draft.delete()
    drafts.reserve_names(activity_type)
    audit.note(by, activity_type, "draft_discarded")


@transaction.atomic
def return_draft(activity_type: ActivityType, by: Any, reason: str) -> None:
    """Send the draft back to its editors, saying why; it stays a draft. Raises `RejectedError` without a reason."""
    require(by, APPROVE)
    activity_type = _hold(activity_type)
    draft = _draft_of(activity_type)
    if not reason.strip():
        raise RejectedError(
            Problem("missing_value", _("Say why, so that the editors know what to change."), ("reason",))
        )
    draft.return_reason = reason.strip()
    draft.save(update_fields=["return_reason", "updated_at"])
    audit.note(by, activity_type, "draft_returned", reason=draft.return_reason)
    type_notifications.draft_returned(activity_type, draft, by)


@transaction.atomic
def retire(activity_type: ActivityType, by: Any) -> None:
    """Take no more activities; what was recorded stays usable in lists. Can be restored."""
    require(by, APPROVE)
    activity_type = _hold(activity_type, alone=True)
    if activity_type.live_id is None:
        raise RejectedError(Problem("never_approved", _("Only an approved type can be retired.")))
    if activity_type.retired_at:
        raise RejectedError(Problem("retired_type", _("The type is retired already.")))
    activity_type.retired_at = timezone.now()
    activity_type.save(update_fields=["retired_at", "updated_at"])
    audit.note(by, activity_type, "retired")


@transaction.atomic
def restore(activity_type: ActivityType, by: Any) -> None:
    """Let a retired type take activities again."""
    require(by, APPROVE)
    activity_type = _hold(activity_type, alone=True)
    if not activity_type.retired_at:
        raise RejectedError(Problem("not_retired", _("The type is not retired.")))
    activity_type.retired_at = None
    activity_type.save(update_fields=["retired_at", "updated_at"])
    audit.note(by, activity_type, "restored")


@transaction.atomic
def delete(activity_type: ActivityType, by: Any) -> None:
    """Remove a type. One that was ever approved is hidden: rows stay, id and API name are never reused.

    Raises `RejectedError` (`in_use`, naming the users) while a list or campaign uses it or one of its fields.
    """
    require(by, DELETE)
    activity_type = _hold(activity_type, alone=True)
    references.refuse_if_used(activity_type, *activity_type.approved_fields.all())
    audit.note(by, activity_type, "deleted")
    if activity_type.live_id is None:
        activity_type.delete()
        return
    activity_type.deleted_at = timezone.now()
    activity_type.save(update_fields=["deleted_at", "updated_at"])
    activity_type.names.all().delete()


@transaction.atomic
def undelete(activity_type: ActivityType, by: Any) -> None:
    """Bring a deleted type back as it was: approved or retired, with its draft; its activities were never away.

    Raises `RejectedError` (`not_deleted`; `name_taken` when another type has taken one of its names meanwhile).
    """
    require(by, DELETE)
    drafts.refuse_standard(activity_type)
    locks.take([locks.key(locks.Space.TYPE, activity_type.pk)])
    activity_type = drafts.lock(activity_type, deleted=True)
    _check_limit()
    versions = [version for version in (activity_type.live, activity_type.draft) if version is not None]
    refuse_if(list(dict.fromkeys(fault for version in versions for fault in drafts.faults_of_version(version))))
    activity_type.deleted_at = None
    activity_type.save(update_fields=["deleted_at", "updated_at"])
    drafts.reserve_names(activity_type)
    audit.note(by, activity_type, "undeleted")


@transaction.atomic
def arrange(activity_type: ActivityType, by: Any, folder: Folder | None, owner: Any) -> None:
    """Put the type into `folder` (None: none) and make it `owner`'s (None: nobody's); no version changes."""
    require(by, EDIT)
    activity_type = _hold(activity_type)
    activity_type.folder, activity_type.owner = folder, owner
    activity_type.save(update_fields=["folder", "owner", "updated_at"])
    audit.note(by, activity_type, "changed", what="folder, owner")


@transaction.atomic
def depict(activity_type: ActivityType, by: Any, icon: str, colour: int | None) -> None:
    """Give the type an icon and a colour of the palette; empty and None: those that its name proposes.

    They are of the type, not of a version: they hold at once. Raises `RejectedError` for what is neither.
    """
    require(by, EDIT)
    if icon and not icons.is_icon(icon):
        raise RejectedError(bad_value("invalid", _("one of the icons on offer"), icon, "icon"))
    if colour is not None and not 0 <= colour < icons.COLOURS:
        raise RejectedError(bad_value("invalid", _("a colour of the palette"), colour, "colour"))
    activity_type = _hold(activity_type)
    activity_type.icon, activity_type.colour = icon, colour
    activity_type.save(update_fields=["icon", "colour", "updated_at"])
    audit.note(by, activity_type, "changed", what="icon, colour")


def fields_to_be_removed(activity_type: ActivityType) -> list[ApprovedField]:
    """The live fields that the draft no longer has: approving takes them out of filters."""
    if activity_type.live is None or activity_type.draft is None:
        return []
    kept = activity_type.draft.fields.values("api_name")
    gone = ActivityField.objects.filter(version=activity_type.live).exclude(api_name__in=kept)
    return list(activity_type.approved_fields.filter(api_name__in=gone.values("api_name")))


def may_approve(activity_type: ActivityType, by: Any) -> bool:
    """Whether `approve` would let `by` through: the right, and a second pair of eyes where required."""
    checks: tuple[Callable[[], None], ...] = (
        lambda: require(by, APPROVE),
        lambda: _require_second_approver(_draft_of(activity_type), by),
    )
    try:
        for check in checks:
            check()
    except RejectedError:
        return False
    return True


def _check_limit() -> None:
    """Raise `RejectedError` when there is no room for one more type."""
    limit = settings.ACTIVITY_TYPES_LIMIT
    if limit is not None and ActivityType.objects.custom().existing().count() >= limit:
        message = _("This installation is limited to %(limit)s activity types.") % {"limit": limit}
        raise RejectedError(Problem("too_many_types", message))


def _hold(activity_type: ActivityType, alone: bool = False) -> ActivityType:
    """The type as it is now, its row locked; with `alone` no recording of it is under way, nor starts."""
    drafts.refuse_standard(activity_type)
    if alone:
        locks.take([locks.key(locks.Space.TYPE, activity_type.pk)])
    return drafts.lock(activity_type)


def _draft_of(activity_type: ActivityType) -> ActivityVersion:
    if activity_type.draft is None:
        raise RejectedError(Problem("no_draft", _("There is no draft.")))
    return activity_type.draft


def _require_second_approver(draft: ActivityVersion, by: Any) -> None:
    if not settings.REQUIRE_SECOND_APPROVER or by is None:
        return
    involved = {by.pk, getattr(by, "owner_id", None)}
    if draft.editors.filter(pk__in=involved - {None}).exists():
        message = _("You edited this draft, so somebody else has to approve it.")
        raise RejectedError(Problem("second_approver", message))
