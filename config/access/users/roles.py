"""Who may do what: roles are Django groups, made after every migration from this table."""

from typing import Any

from django.contrib.auth.models import Group, Permission

_VIEW = (
    "people.view_person",
    "people.view_personfield",
    "people.view_staticlist",
    "activities.view_activitytype",
    "activities.view_activity",
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
    "people.add_staticlist",
    "people.change_staticlist",
    "people.delete_staticlist",
    "people.add_folder",
    "people.change_folder",
    "people.delete_folder",
    "activities.record_activity",
    "activities.view_refusedactivity",
    "activities.change_refusedactivity",
    "smartlists.add_smartlist",
    "smartlists.change_smartlist",
    "smartlists.delete_smartlist",
    "smartlists.add_smartcampaign",
    "smartlists.change_smartcampaign",
    "smartlists.delete_smartcampaign",
    "smartlists.activate_smartcampaign",
    "smartlists.add_webhook",
    "smartlists.change_webhook",
    "smartlists.delete_webhook",
    "smartlists.view_webhookdelivery",
)
_EDITOR = (*_VIEW, "activities.add_activitytype", "activities.change_activitytype")
_DEVELOPER = (
    *_VIEW,
    "access.view_apiclient",
    "access.add_apiclient",
    "access.change_apiclient",
    "people.add_person",
    "people.change_person",
    "activities.record_activity",
)
ROLES: dict[str, tuple[str, ...]] = {
    "Viewer": _VIEW,
    "Marketer": _MARKETER,
    "Type editor": _EDITOR,
    "Approver": (*_EDITOR, "activities.approve_activitytype", "activities.delete_activitytype"),
    "Developer": _DEVELOPER,
    "Exporter": ("people.export_person",),
}
ADMINISTRATOR = "Administrator"  # every right there is


def install_after_migration(**_options: Any) -> None:
    """Give every role the rights of the table; rights that a team added to a role stay."""
    everything = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for role, rights in ROLES.items():
        group, _created = Group.objects.get_or_create(name=role)
        group.permissions.add(*(everything[right] for right in rights if right in everything))
    administrators, _created = Group.objects.get_or_create(name=ADMINISTRATOR)
    administrators.permissions.add(*everything.values())
