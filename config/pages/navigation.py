"""Settings of the admin's theme: name, colours, side bar."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _

from activities.rights import (
    RECORD_ACTIVITY,
    VIEW_ACTIVITY,
    VIEW_ACTIVITYTYPE,
    VIEW_EVENTSOURCE,
    VIEW_FORM,
    VIEW_INBOUNDWEBHOOK,
    VIEW_RETENTION,
    VIEW_SIGHTING,
    VIEW_TRACKEDLINK,
)
from config.access.rights import VIEW_APICLIENT, VIEW_LOGENTRY, VIEW_USER
from people.rights import (
    ADD_PERSON,
    EXPORT_PERSON,
    VIEW_INSTALLATION,
    VIEW_OBJECTTYPE,
    VIEW_PERSON,
    VIEW_PERSONFIELD,
    VIEW_STATICLIST,
)
from smartlists.rights import VIEW_SMARTCAMPAIGN, VIEW_SMARTLIST, VIEW_WEBHOOK


def _item(title: Any, icon: str, name: str, permission: str) -> dict[str, Any]:
    """Return an entry of the side bar: the list of a model (`app_model`), or a page by its URL name."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{name}_changelist" if "_" in name else name),
        "permission": lambda request: request.user.has_perm(permission),
    }


def is_people_page(request: Any) -> bool:
    """Return whether a page belongs to people, also where its address is below something else."""
    stem = str(reverse("admin:activities_activitytype_changelist"))
    of_people = tuple(f"{stem}{page}/" for page in ("timeline", "record", "consents", "withdraw"))
    others = ("people_objectrecord_of_person", "smartlists_smartlist_of_person")
    elsewhere = (reverse(f"admin:{name}", args=[0]).removesuffix("0/") for name in others)
    return request.path.startswith((str(reverse("admin:people_person_changelist")), *of_people, *elsewhere))


def is_types_page(request: Any) -> bool:
    types = str(reverse("admin:activities_activitytype_changelist"))
    return request.path.startswith(types) and not is_people_page(request)


def is_smart_lists_page(request: Any) -> bool:
    lists = str(reverse("admin:smartlists_smartlist_changelist"))
    return request.path.startswith(lists) and not is_people_page(request)


def is_objects_page(request: Any) -> bool:
    """Return whether a page belongs to object types or their records, other than those of one person."""
    stem = str(reverse("admin:people_objecttype_changelist")).removesuffix("objecttype/")
    is_of_person = request.path.startswith(f"{stem}objectrecord/of-person/")
    return request.path.startswith((f"{stem}objecttype/", f"{stem}objectrecord/")) and not is_of_person


def is_dashboards_page(request: Any) -> bool:
    """Return whether a page belongs to dashboards: their list, which has the saved reports, too, or one of them."""
    return request.path.startswith((reverse("saved-reports"), reverse("add-dashboard").removesuffix("add/")))


def is_reports_page(request: Any) -> bool:
    return request.path.startswith(str(reverse("reports"))) and not is_dashboards_page(request)


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("Custom Activities"),
    "SITE_HEADER": _("Custom Activities"),
    "SITE_SYMBOL": "event_available",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_URL": None,  # there is no other site than these pages
    "SHOW_LANGUAGES": True,
    "DASHBOARD_CALLBACK": "config.pages.dashboard.dashboard_context",
    "COMMAND": {"search_callback": "config.pages.command_palette.search_palette"},
    "STYLES": [
        lambda request: static("css/tokens.css"),
        lambda request: static("css/app.css"),
        lambda request: static("css/smartlists.css"),
        lambda request: static("css/people.css"),
        lambda request: static("css/reports.css"),
        lambda request: static("css/print.css"),
    ],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/favicon.svg")}],
    "COLORS": {
        "primary": {
            "50": "oklch(97.1% .014 183)",
            "100": "oklch(94.3% .04 183)",
            "200": "oklch(89.5% .08 183)",
            "300": "oklch(83% .11 183)",
            "400": "oklch(74% .125 183)",
            "500": "oklch(62% .115 184)",
            "600": "oklch(52% .098 185)",
            "700": "oklch(44.5% .083 187)",
            "800": "oklch(38% .068 189)",
            "900": "oklch(33.5% .055 191)",
            "950": "oklch(25% .045 193)",
        }
    },
    "ACCOUNT": {
        "navigation": [
            {"title": _("Your account"), "link": reverse_lazy("mfa_index")},
            {"title": _("My tokens"), "link": reverse_lazy("tokens")},
        ]
    },
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "navigation": [
            {
                "items": [
                    {"title": _("Home"), "icon": "home", "link": reverse_lazy("admin:index")},
                    {
                        "title": _("Notifications"),
                        "icon": "notifications",
                        "link": reverse_lazy("notices"),
                        "badge": "config.pages.notifications.unread_notices",
                    },
                ]
            },
            {
                "title": _("Marketing"),
                "separator": True,
                "items": [
                    _item(_("Activity types"), "category", "activities_activitytype", VIEW_ACTIVITYTYPE)
                    | {"active": is_types_page},
                    _item(_("People"), "group", "people_person", VIEW_PERSON) | {"active": is_people_page},
                    _item(_("Objects"), "deployed_code", "people_objecttype", VIEW_OBJECTTYPE)
                    | {"active": is_objects_page},
                    _item(_("Smart lists"), "filter_alt", "smartlists_smartlist", VIEW_SMARTLIST)
                    | {"active": is_smart_lists_page},
                    _item(_("Smart campaigns"), "bolt", "smartlists_smartcampaign", VIEW_SMARTCAMPAIGN),
                    _item(_("Static lists"), "list_alt", "people_staticlist", VIEW_STATICLIST),
                    _item(_("Forms"), "dynamic_form", "activities_form", VIEW_FORM),
                    _item(_("Tracked links"), "link", "activities_trackedlink", VIEW_TRACKEDLINK),
                    _item(_("Reports"), "bar_chart", "reports", VIEW_ACTIVITY) | {"active": is_reports_page},
                    _item(_("Dashboards"), "dashboard", "saved-reports", VIEW_ACTIVITY)
                    | {"active": is_dashboards_page},
                    _item(_("Imports"), "upload_file", "people_import", ADD_PERSON),
                    _item(_("Exports"), "download", "people_export", EXPORT_PERSON),
                    _item(_("Inbox"), "inbox", "activities_sighting", VIEW_SIGHTING),
                    _item(_("Rejected activities"), "rule", "activities_refusedactivity", RECORD_ACTIVITY),
                ],
            },
            {
                "title": _("Administration"),
                "separator": True,
                "items": [
                    _item(_("API clients"), "key", "access_apiclient", VIEW_APICLIENT),
                    _item(_("API guide"), "code", "api-guide", VIEW_APICLIENT),
                    _item(_("Event sources"), "sensors", "activities_eventsource", VIEW_EVENTSOURCE),
                    _item(_("Inbound webhooks"), "input", "activities_inboundwebhook", VIEW_INBOUNDWEBHOOK),
                    _item(_("Webhooks"), "webhook", "smartlists_webhook", VIEW_WEBHOOK),
                    _item(_("Users"), "person", "access_user", VIEW_USER),
                    _item(_("Audit"), "history", "audit", VIEW_LOGENTRY),
                    _item(_("Person fields"), "badge", "people_personfield", VIEW_PERSONFIELD),
                    _item(_("Retention"), "auto_delete", "activities_retention", VIEW_RETENTION),
                    _item(_("Status"), "monitor_heart", "status", VIEW_USER),
                    _item(_("Installation"), "settings", "people_installation", VIEW_INSTALLATION),
                ],
            },
        ],
    },
}
