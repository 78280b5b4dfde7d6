"""Roles and their rights: Django groups, created from this table after every migration."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.utils.translation import gettext_lazy

from activities.rights import (
    ADD_ACTIVITYTYPE,
    ADD_EVENTSOURCE,
    ADD_FORM,
    ADD_TRACKEDLINK,
    APPROVE_ACTIVITYTYPE,
    ASSOCIATE_VISITOR,
    CHANGE_ACTIVITYTYPE,
    CHANGE_EVENTSOURCE,
    CHANGE_FORM,
    CHANGE_FORMSUBMISSION,
    CHANGE_INBOUNDWEBHOOK,
    CHANGE_REFUSEDACTIVITY,
    CHANGE_SIGHTING,
    CHANGE_TRACKEDLINK,
    DELETE_ACTIVITYTYPE,
    DELETE_EVENTSOURCE,
    DELETE_FORM,
    DELETE_TRACKEDLINK,
    RECORD_ACTIVITY,
    VIEW_ACTIVITY,
    VIEW_ACTIVITYTYPE,
    VIEW_EVENTSOURCE,
    VIEW_FORM,
    VIEW_FORMSUBMISSION,
    VIEW_INBOUNDWEBHOOK,
    VIEW_REFUSEDACTIVITY,
    VIEW_SIGHTING,
    VIEW_TRACKEDLINK,
    VIEW_VISITOR,
)
from config.access.rights import ADD_APICLIENT, CHANGE_APICLIENT, VIEW_APICLIENT
from people.rights import (
    ADD_FOLDER,
    ADD_OBJECTRECORD,
    ADD_OBJECTTYPE,
    ADD_PERSON,
    ADD_STATICLIST,
    APPROVE_OBJECTTYPE,
    CHANGE_FOLDER,
    CHANGE_OBJECTRECORD,
    CHANGE_OBJECTTYPE,
    CHANGE_PERSON,
    CHANGE_STATICLIST,
    DELETE_FOLDER,
    DELETE_OBJECTRECORD,
    DELETE_OBJECTTYPE,
    DELETE_PERSON,
    DELETE_STATICLIST,
    EXPORT_PERSON,
    MERGE_PERSON,
    RESTORE_PERSON,
    SHARE_PEOPLEVIEW,
    TAKE_BACK_IMPORT,
    VIEW_OBJECTRECORD,
    VIEW_OBJECTTYPE,
    VIEW_PERSON,
    VIEW_PERSONFIELD,
    VIEW_STATICLIST,
)
from smartlists.rights import (
    ACTIVATE_SMARTCAMPAIGN,
    ADD_SMARTCAMPAIGN,
    ADD_SMARTLIST,
    ADD_WEBHOOK,
    CHANGE_SMARTCAMPAIGN,
    CHANGE_SMARTLIST,
    CHANGE_WEBHOOK,
    DELETE_SMARTCAMPAIGN,
    DELETE_SMARTLIST,
    DELETE_WEBHOOK,
    SHARE_REPORT,
    VIEW_SMARTCAMPAIGN,
    VIEW_SMARTLIST,
    VIEW_WEBHOOK,
    VIEW_WEBHOOKDELIVERY,
)

_VIEW = (
    VIEW_PERSON,
    VIEW_PERSONFIELD,
    VIEW_STATICLIST,
    VIEW_OBJECTTYPE,
    VIEW_OBJECTRECORD,
    VIEW_ACTIVITYTYPE,
    VIEW_ACTIVITY,
    VIEW_FORM,
    VIEW_TRACKEDLINK,
    VIEW_SMARTLIST,
    VIEW_SMARTCAMPAIGN,
    VIEW_WEBHOOK,
)
_MARKETER = (
    *_VIEW,
    ADD_PERSON,
    CHANGE_PERSON,
    DELETE_PERSON,
    MERGE_PERSON,
    RESTORE_PERSON,
    SHARE_PEOPLEVIEW,
    TAKE_BACK_IMPORT,
    ADD_STATICLIST,
    CHANGE_STATICLIST,
    DELETE_STATICLIST,
    ADD_FOLDER,
    CHANGE_FOLDER,
    DELETE_FOLDER,
    ADD_OBJECTTYPE,
    CHANGE_OBJECTTYPE,
    ADD_OBJECTRECORD,
    CHANGE_OBJECTRECORD,
    DELETE_OBJECTRECORD,
    ADD_ACTIVITYTYPE,
    CHANGE_ACTIVITYTYPE,
    RECORD_ACTIVITY,
    VIEW_REFUSEDACTIVITY,
    CHANGE_REFUSEDACTIVITY,
    VIEW_EVENTSOURCE,
    VIEW_VISITOR,
    ASSOCIATE_VISITOR,
    VIEW_SIGHTING,
    CHANGE_SIGHTING,
    VIEW_INBOUNDWEBHOOK,
    CHANGE_INBOUNDWEBHOOK,
    ADD_FORM,
    CHANGE_FORM,
    DELETE_FORM,
    ADD_TRACKEDLINK,
    CHANGE_TRACKEDLINK,
    DELETE_TRACKEDLINK,
    VIEW_FORMSUBMISSION,
    CHANGE_FORMSUBMISSION,
    ADD_SMARTLIST,
    CHANGE_SMARTLIST,
    DELETE_SMARTLIST,
    SHARE_REPORT,
    ADD_SMARTCAMPAIGN,
    CHANGE_SMARTCAMPAIGN,
    DELETE_SMARTCAMPAIGN,
    ACTIVATE_SMARTCAMPAIGN,
    ADD_WEBHOOK,
    CHANGE_WEBHOOK,
    DELETE_WEBHOOK,
    VIEW_WEBHOOKDELIVERY,
)
_EDITOR = (*_VIEW, ADD_ACTIVITYTYPE, CHANGE_ACTIVITYTYPE, ADD_OBJECTTYPE, CHANGE_OBJECTTYPE)
_DEVELOPER = (
    *_VIEW,
    VIEW_APICLIENT,
    ADD_APICLIENT,
    CHANGE_APICLIENT,
    ADD_PERSON,
    CHANGE_PERSON,
    ADD_OBJECTRECORD,
    CHANGE_OBJECTRECORD,
    DELETE_OBJECTRECORD,
    RECORD_ACTIVITY,
    VIEW_EVENTSOURCE,
    VIEW_VISITOR,
    ASSOCIATE_VISITOR,
    VIEW_SIGHTING,
    CHANGE_SIGHTING,
    VIEW_INBOUNDWEBHOOK,
    CHANGE_INBOUNDWEBHOOK,
    ADD_EVENTSOURCE,
    CHANGE_EVENTSOURCE,
    DELETE_EVENTSOURCE,
    ADD_FORM,
    CHANGE_FORM,
    ADD_TRACKEDLINK,
    CHANGE_TRACKEDLINK,
    VIEW_FORMSUBMISSION,
)
ROLES: dict[str, tuple[str, ...]] = {
    "Viewer": _VIEW,
    "Marketer": _MARKETER,
    "Type editor": _EDITOR,
    "Approver": (*_EDITOR, APPROVE_ACTIVITYTYPE, DELETE_ACTIVITYTYPE, APPROVE_OBJECTTYPE, DELETE_OBJECTTYPE),
    "Developer": _DEVELOPER,
    "Exporter": (EXPORT_PERSON,),
}
ADMINISTRATOR = "Administrator"  # all rights


# name and purpose of each role, translated
WORDS = {
    "Viewer": (gettext_lazy("Viewer"), gettext_lazy("sees people, activities, lists and campaigns; changes nothing")),
    "Marketer": (
        gettext_lazy("Marketer"),
        gettext_lazy("works with people, objects, lists and campaigns; drafts types"),
    ),
    "Type editor": (gettext_lazy("Type editor"), gettext_lazy("drafts and changes types of activities and objects")),
    "Approver": (
        gettext_lazy("Approver"),
        gettext_lazy("approves types of activities and objects; drafts and deletes them, too"),
    ),
    "Developer": (
        gettext_lazy("Developer"),
        gettext_lazy("connects programs: API clients, people, activities, objects"),
    ),
    "Exporter": (gettext_lazy("Exporter"), gettext_lazy("exports people to files, besides another role")),
    ADMINISTRATOR: (gettext_lazy("Administrator"), gettext_lazy("full access, users and their roles included")),
}


def role_name(role: str) -> str:
    """The name of a role in the reader's language; a team's own role keeps its name."""
    return str(WORDS[role][0]) if role in WORDS else role


def role_label(role: str) -> str:
    """A role with its purpose: "Viewer: sees people, …"."""
    return f"{role_name(role)}: {WORDS[role][1]}" if role in WORDS else role


def role_purpose(role: str) -> str:
    """The purpose of a role: "sees people, …"; empty for a team's own role."""
    return str(WORDS[role][1]) if role in WORDS else ""


def install_roles(**_options: Any) -> None:
    """Create the roles with the rights of the table; rights that a team added to a role stay."""
    permissions = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for role, rights in ROLES.items():
        group, _created = Group.objects.get_or_create(name=role)
        group.permissions.add(*(permissions[right] for right in rights if right in permissions))
    administrators, _created = Group.objects.get_or_create(name=ADMINISTRATOR)
    administrators.permissions.add(*permissions.values())
