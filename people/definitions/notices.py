"""Who should know of what happens to drafts."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils.translation import gettext_lazy

from activities.models import ActivityType, ActivityVersion
from people.core import notifications
from people.core.notifications import Kind

PAGE = "admin:activities_activitytype_change"

notifications.describe(
    {
        "draft_waits": Kind(
            gettext_lazy("A draft waits for your approval"), gettext_lazy("The draft of %(name)s waits for approval.")
        ),
        "draft_approved": Kind(
            gettext_lazy("A draft of yours was approved"), gettext_lazy("%(name)s was approved, version %(version)s.")
        ),
        "draft_returned": Kind(
            gettext_lazy("A draft of yours was returned"),
            gettext_lazy("The draft of %(name)s was returned: %(reason)s"),
        ),
    }
)


def draft_waits(activity_type: ActivityType, draft: ActivityVersion, by: Any) -> None:
    """Tell those who may approve, but not who made the draft."""
    notifications.tell(_approvers() - _hands(by), "draft_waits", PAGE, activity_type.pk, name=draft.name)


def draft_approved(activity_type: ActivityType, draft: ActivityVersion, by: Any) -> None:
    editors = set(draft.editors.values_list("pk", flat=True)) - _hands(by)
    notifications.tell(editors, "draft_approved", PAGE, activity_type.pk, name=draft.name, version=draft.number)


def draft_returned(activity_type: ActivityType, draft: ActivityVersion, by: Any) -> None:
    editors = set(draft.editors.values_list("pk", flat=True)) - _hands(by)
    notifications.tell(editors, "draft_returned", PAGE, activity_type.pk, name=draft.name, reason=draft.return_reason)


def _hands(by: Any) -> set[int]:
    return set() if by is None else {by.pk, getattr(by, "owner_id", None) or by.pk}


def _approvers() -> set[int]:
    right = {"codename": "approve_activitytype", "content_type__app_label": "activities"}
    by_group = Q(**{f"groups__permissions__{name}": value for name, value in right.items()})
    directly = Q(**{f"user_permissions__{name}": value for name, value in right.items()})
    users = get_user_model().objects.filter(Q(is_superuser=True) | by_group | directly, is_active=True)
    return set(users.values_list("pk", flat=True))
