"""Roles and their rights: Django groups, created from this table after every migration."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.utils.translation import gettext_lazy

_VIEW = (
    "people.view_person",
    "people.view_personfield",
    "people.view_staticlist",
    "people.view_objecttype",
    "people.view_objectrecord",
    "activities.view_activitytype",
    "activities.view_activity",
    "activities.view_form",
    "activities.view_trackedlink",
    "smartlists.view_smartlist",
    "smartlists.view_smartcampaign",
    "smartlists.view_webhook",
)
_MARKETER = (
    *_VIEW,
    "people.add_person",
    "people.change_person",
    "people.delete_person",
    "people.merge_person",
    "people.restore_person",
    "people.share_peopleview",
    "people.take_back_import",
    "people.add_staticlist",
    "people.change_staticlist",
    "people.delete_staticlist",
    "people.add_folder",
    "people.change_folder",
    "people.delete_folder",
    "people.add_objecttype",
    "people.change_objecttype",
    "people.add_objectrecord",
    "people.change_objectrecord",
    "people.delete_objectrecord",
    "activities.add_activitytype",
    "activities.change_activitytype",
    "activities.record_activity",
    "activities.view_refusedactivity",
    "activities.change_refusedactivity",
    "activities.view_eventsource",
    "activities.view_visitor",
    "activities.associate_visitor",
    "activities.view_sighting",
    "activities.change_sighting",
    "activities.view_inboundwebhook",
    "activities.change_inboundwebhook",
    "activities.add_form",
    "activities.change_form",
    "activities.delete_form",
    "activities.add_trackedlink",
    "activities.change_trackedlink",
    "activities.delete_trackedlink",
    "activities.view_formsubmission",
    "activities.change_formsubmission",
    "smartlists.add_smartlist",
    "smartlists.change_smartlist",
    "smartlists.delete_smartlist",
    "smartlists.share_report",
    "smartlists.add_smartcampaign",
    "smartlists.change_smartcampaign",
    "smartlists.delete_smartcampaign",
    "smartlists.activate_smartcampaign",
    "smartlists.add_webhook",
    "smartlists.change_webhook",
    "smartlists.delete_webhook",
    "smartlists.view_webhookdelivery",
)
_EDITOR = (
    *_VIEW,
    "activities.add_activitytype",
    "activities.change_activitytype",
    "people.add_objecttype",
    "people.change_objecttype",
)
_DEVELOPER = (
    *_VIEW,
    "access.view_apiclient",
    "access.add_apiclient",
    "access.change_apiclient",
    "people.add_person",
    "people.change_person",
    "people.add_objectrecord",
    "people.change_objectrecord",
    "people.delete_objectrecord",
    "activities.record_activity",
    "activities.view_eventsource",
    "activities.view_visitor",
    "activities.associate_visitor",
    "activities.view_sighting",
    "activities.change_sighting",
    "activities.view_inboundwebhook",
    "activities.change_inboundwebhook",
    "activities.add_eventsource",
    "activities.change_eventsource",
    "activities.delete_eventsource",
    "activities.add_form",
    "activities.change_form",
    "activities.add_trackedlink",
    "activities.change_trackedlink",
    "activities.view_formsubmission",
)
ROLES: dict[str, tuple[str, ...]] = {
    "Viewer": _VIEW,
    "Marketer": _MARKETER,
    "Type editor": _EDITOR,
    "Approver": (
        *_EDITOR,
        "activities.approve_activitytype",
        "activities.delete_activitytype",
        "people.approve_objecttype",
        "people.delete_objecttype",
    ),
    "Developer": _DEVELOPER,
    "Exporter": ("people.export_person",),
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
