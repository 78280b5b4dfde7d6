"""Notices about drafts."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils.translation import gettext_lazy

from people.core import notifications
from people.core.notifications import NoticeKind
from people.definitions.kinds import definition_kind
from people.definitions.models import Definition, Version

notifications.register_notice_kinds(
    {
        "draft_waits": NoticeKind(
            gettext_lazy("A draft is waiting for your approval"),
            gettext_lazy("The draft of %(name)s is awaiting approval."),
            advice=gettext_lazy("Approve it, or return it with a reason."),
            action=gettext_lazy("Review the draft"),
            icon="rate_review",
            look="wait",
        ),
        "draft_approved": NoticeKind(
            gettext_lazy("Your draft was approved"),
            gettext_lazy("%(name)s was approved, version %(version)s."),
            advice=gettext_lazy("From now on it is the live version."),
            action=gettext_lazy("See it"),
            icon="task_alt",
            look="good",
        ),
        "draft_returned": NoticeKind(
            gettext_lazy("Your draft was returned"),
            gettext_lazy("The draft of %(name)s was returned: %(reason)s"),
            advice=gettext_lazy("Change the draft and send it again."),
            action=gettext_lazy("Change the draft"),
            icon="undo",
            look="bad",
        ),
    }
)


def notify_approvers(definition: Definition, draft: Version, by: Any) -> None:
    """Notify the users with the right to approve, except the author of the draft."""
    _notify(_approvers(definition) - _acting_user_ids(by), "draft_waits", definition, name=draft.name)


def withdraw_waiting(definition: Definition) -> None:
    """Delete all notices that the definition's draft is awaiting approval: it is approved, returned or deleted."""
    notifications.withdraw_notices("draft_waits", definition_kind(definition).page, definition.pk)


def notify_draft_approved(definition: Definition, draft: Version, by: Any) -> None:
    _notify(_editors(draft) - _acting_user_ids(by), "draft_approved", definition, name=draft.name, version=draft.number)


def notify_draft_returned(definition: Definition, draft: Version, by: Any) -> None:
    _notify(
        _editors(draft) - _acting_user_ids(by),
        "draft_returned",
        definition,
        name=draft.name,
        reason=draft.return_reason,
    )


def _notify(users: set[int], kind: str, definition: Definition, **parameters: Any) -> None:
    notifications.notify_users(users, kind, definition_kind(definition).page, definition.pk, **parameters)


def _editors(draft: Version) -> set[int]:
    return set(draft.editors.values_list("pk", flat=True))


def _acting_user_ids(by: Any) -> set[int]:
    return set() if by is None else {by.pk, getattr(by, "owner_id", None) or by.pk}


def _approvers(definition: Definition) -> set[int]:
    app_label, codename = definition_kind(definition).right("approve").split(".")
    right = {"codename": codename, "content_type__app_label": app_label}
    by_group = Q(**{f"groups__permissions__{name}": value for name, value in right.items()})
    directly = Q(**{f"user_permissions__{name}": value for name, value in right.items()})
    users = get_user_model().objects.filter(Q(is_superuser=True) | by_group | directly, is_active=True)
    return set(users.values_list("pk", flat=True))
