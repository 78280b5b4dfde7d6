"""The icon and the colour of a type; they belong to no version, so changes apply at once."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from activities import icons
from activities.models import ActivityType
from activities.rights import CHANGE_ACTIVITYTYPE
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.permissions import require_permission

EDIT = CHANGE_ACTIVITYTYPE


@transaction.atomic
def set_picture(activity_type: ActivityType, by: Any, icon: str, colour: int | None) -> None:
    """Set the icon of the type and its colour of the palette; empty and None: as proposed from its name.

    Raises `RejectedError` for an unknown icon or colour, and for a standard type.
    """
    require_permission(by, EDIT)
    if icon and not icons.is_icon(icon):
        raise RejectedError(bad_value(Code.INVALID, _("one of the icons on offer"), icon, "icon"))
    if colour is not None and not 0 <= colour < icons.COLOURS:
        raise RejectedError(bad_value(Code.INVALID, _("a colour of the palette"), colour, "colour"))
    locked_type = ActivityType.objects.select_for_update(of=("self",)).get(pk=activity_type.pk)
    if locked_type.is_standard:
        raise RejectedError(
            Problem(Code.STANDARD_TYPE, _("Standard activity types belong to the product and never change."), ())
        )
    locked_type.icon, locked_type.colour = icon, colour
    locked_type.save(update_fields=["icon", "colour", "updated_at"])
    audit.write_audit_entry(by, locked_type, "changed", what="icon, colour")
