"""The pages that offer templates of smart lists and of campaigns, with the choices that each needs."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from activities.rights import ADD_ACTIVITYTYPE
from people.core.admin.base import require_rights, show_page
from people.core.admin.object_actions import MenuAction
from smartlists.campaigns import templates as campaign_templates
from smartlists.catalog import Catalogue
from smartlists.lists import templates as smart_list_templates
from smartlists.lists.template_slots import LIST, TYPE, Template
from smartlists.models import SmartCampaign, SmartList
from smartlists.rights import ADD_SMARTCAMPAIGN, ADD_SMARTLIST

# kind of a slot: page that adds what is missing, and the right to it
_ADDING = {
    TYPE: ("admin:activities_activitytype_add", ADD_ACTIVITYTYPE),
    LIST: ("admin:smartlists_smartlist_templates", ADD_SMARTLIST),
}


@require_safe
def list_templates_page(request: HttpRequest) -> HttpResponse:
    """The templates of smart lists; each leads to a new list with its rules, unsaved."""
    require_rights(request, ADD_SMARTLIST)
    return _page(request, SmartList, _("New smart list"), smart_list_templates.TEMPLATES.values())


@require_safe
def campaign_templates_page(request: HttpRequest) -> HttpResponse:
    """The templates of campaigns; each leads to a new campaign with its trigger and steps, unsaved."""
    require_rights(request, ADD_SMARTCAMPAIGN)
    return _page(request, SmartCampaign, _("New smart campaign"), campaign_templates.TEMPLATES.values())


def start_from_template(request: HttpRequest, model: type[Model]) -> MenuAction | None:
    """The action that leads from a list page to the templates, for those who may add."""
    name = model._meta.model_name
    if not request.user.has_perm(f"smartlists.{get_permission_codename('add', model._meta)}"):
        return None
    return MenuAction(_("Start from a template"), reverse(f"admin:smartlists_{name}_templates"))


def _page(request: HttpRequest, model: type[Model], title: str, templates: Iterable[Template]) -> HttpResponse:
    names = Catalogue()
    return show_page(
        request,
        model,
        "templates",
        title,
        templates=[_card(request, template, names) for template in templates],
        add_url=reverse(f"admin:smartlists_{model._meta.model_name}_add"),
    )


def _card(request: HttpRequest, template: Template, names: Catalogue) -> dict[str, Any]:
    """A template with its slots as selects, and what the installation lacks for it."""
    slots = [
        {"slot": slot, "options": slot.options(names), "proposed": slot.proposed(names)} for slot in template.slots
    ]
    lacking = next((slot for slot in template.slots if not slot.options(names)), None)
    page, right = _ADDING.get(lacking.kind, ("", "")) if lacking else ("", "")
    return {
        "template": template,
        "slots": slots,
        "lacking": lacking,
        "remedy": reverse(page) if page and request.user.has_perm(right) else "",
    }
