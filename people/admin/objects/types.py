"""Object types in the admin: their list, page and form, and the steps of their life cycle."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from people.admin.objects.forms import TypeForms
from people.core import references
from people.core.admin.base import OwnPages, PagesAdmin, parse_number, require_rights, show_page, state_badge
from people.core.admin.object_actions import MenuAction, action_menu
from people.core.errors import RejectedError
from people.datatypes.keys import MAX_ID
from people.definitions import differences, drafts, lifecycle
from people.models import ObjectType
from people.models.object_types import PERSON
from people.objects import definition, queries, records
from people.objects.definition import APPROVE, DELETE, EDIT, OBJECT_TYPES
from people.objects.templates import TEMPLATES
from people.templatetags.moments import moment
from people.templatetags.people_tags import object_picture

State = ObjectType.State
VIEW = OBJECT_TYPES.right("view")
ADD = OBJECT_TYPES.right("add")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the life cycle: its button, right, verb, message of success, and the effect to confirm."""

    label: Any
    right: str
    verb: Callable[[ObjectType, HttpRequest], Any]
    done: Any
    effect: Any
    is_dangerous: bool = False


def _approve(object_type: ObjectType, request: HttpRequest) -> None:
    lifecycle.approve_draft(object_type, request.user, parse_number(request.POST.get("revision"), None))


STEPS: dict[str, Step] = {
    "approve": Step(
        gettext_lazy("Approve"),
        APPROVE,
        _approve,
        gettext_lazy("Approved. Records can be written from now on."),
        gettext_lazy("Dedupe fields, links, API names and data types can't be changed afterwards."),
    ),
    "return": Step(
        gettext_lazy("Return with a reason"),
        APPROVE,
        lambda object_type, request: lifecycle.return_draft(object_type, request.user, request.POST.get("reason", "")),
        gettext_lazy("Returned: its editors see your reason."),
        gettext_lazy("The draft stays a draft; its editors see your reason."),
    ),
    "discard": Step(
        gettext_lazy("Discard draft"),
        EDIT,
        lambda object_type, request: lifecycle.discard_draft(object_type, request.user),
        gettext_lazy("The draft is gone; the live version is unchanged."),
        gettext_lazy("The live version stays as it is."),
        is_dangerous=True,
    ),
    "retire": Step(
        gettext_lazy("Retire"),
        APPROVE,
        lambda object_type, request: lifecycle.retire_definition(object_type, request.user),
        gettext_lazy("Retired: its records no longer change."),
        gettext_lazy("Its records stay, and stay usable in lists, but nobody can change them."),
        is_dangerous=True,
    ),
    "restore": Step(
        gettext_lazy("Restore"),
        APPROVE,
        lambda object_type, request: lifecycle.restore_definition(object_type, request.user),
        gettext_lazy("Restored: records can be written again."),
        gettext_lazy("Records can be written again."),
    ),
    "delete": Step(
        gettext_lazy("Delete"),
        DELETE,
        lambda object_type, request: lifecycle.delete_definition(object_type, request.user),
        gettext_lazy("Deleted. A type that was ever approved can be brought back."),
        gettext_lazy(
            "The type and its records disappear from every page. One that was ever approved can be brought back."
        ),
        is_dangerous=True,
    ),
}
# the possible steps of each state, the primary one first
NEXT: dict[str, tuple[str, ...]] = {
    State.DRAFT: ("approve", "return", "delete"),
    State.APPROVED: ("retire", "delete"),
    State.APPROVED_WITH_DRAFT: ("approve", "return", "discard", "retire", "delete"),
    State.RETIRED: ("restore", "delete"),
    State.DELETED: (),
}


@admin.register(ObjectType)
class ObjectTypeAdmin(PagesAdmin):
    list_display = ("shown_name", "state_badge", "identified_by")
    list_display_links = ("shown_name",)
    search_fields = ("api_name", "live__name", "draft__name", "live__plural_name", "draft__plural_name")
    list_select_related = ("live", "draft")
    sortable_by = ()
    about = gettext_lazy("Facts that change and belong to people: cars, policies, subscriptions.")
    nothing_yet = gettext_lazy(
        "An object type describes facts that can change: a car and its colour, a policy and its end."
    )
    empty_icon = "deployed_code"

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = queries.with_figures(ObjectType.objects.existing().with_versions())
        return rows.order_by(F("retired_at").asc(nulls_first=True), "-pk")

    def list_actions(self, request: HttpRequest) -> list[MenuAction]:
        if not request.user.has_perm(DELETE):
            return []
        return [MenuAction(_("Deleted types"), reverse("admin:people_objecttype_deleted"))]

    def get_list_display(self, request: HttpRequest) -> Any:
        """The columns; the figures of records for those who may see records."""
        names = dict[str, str]()  # per request, as threads share the admin; read when the first link is shown

        @admin.display(description=_("Belongs to"))
        def belongs_to(object_type: ObjectType) -> str | None:
            fields = object_type.live_or_draft.fields.all()
            links = list(dict.fromkeys(field.link_to for field in fields if field.link_to))
            if links and not names:
                names.update({row.api_name: str(row) for row in ObjectType.objects.existing().with_versions()})
            return ", ".join(_("Person") if link == PERSON else names.get(link, link) for link in links) or None

        name, state, *others = super().get_list_display(request)
        figures = (self.shown_count, self.last_change) if request.user.has_perm(records.VIEW) else ()
        return [name, state, *figures, belongs_to, *others]

    @admin.display(description=gettext_lazy("Name"))
    def shown_name(self, object_type: ObjectType) -> str:
        version = object_type.live_or_draft
        return format_html(
            '<span class="ca-name">{}<span>{}<span class="ca-name__more ca-line">{}</span></span></span>',
            object_picture(object_type),
            version.plural_name,
            version.description or object_type.api_name,
        )

    @admin.display(description=gettext_lazy("State"))
    def state_badge(self, object_type: ObjectType) -> str:
        return state_badge(object_type.state.label, object_type.state)

    @admin.display(description=gettext_lazy("Records"))
    def shown_count(self, object_type: Any) -> Any:
        if not object_type.live_id:
            return None
        most = queries.MOST_COUNTED
        number = f"{intcomma(most)}+" if object_type.number > most else intcomma(object_type.number)
        address = reverse("admin:people_objectrecord_of_type", args=[object_type.pk])
        return format_html('<a class="ca-link" href="{}">{}</a>', address, number)

    @admin.display(description=gettext_lazy("Last change"))
    def last_change(self, object_type: Any) -> Any:
        return moment(object_type.changed_at) if object_type.changed_at else None

    @admin.display(description=gettext_lazy("Identified by"))
    def identified_by(self, object_type: ObjectType) -> str:
        return ", ".join(field.name for field in object_type.live_or_draft.fields.all() if field.is_dedupe)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return add_type(request)

    def own_pages(self) -> OwnPages:
        return (
            ("deleted/", list_deleted_types, "deleted"),
            ("<int:pk>/change/", show_type, "change"),
            ("<int:pk>/edit/", edit_type, "edit"),
            ("<int:pk>/shown/", set_shown, "shown"),
            ("<int:pk>/step/<str:step>/", make_step, "step"),
        )


def find_type(request: HttpRequest, pk: int, *rights: str) -> ObjectType:
    """The type with its versions and fields; 404 when there is none, 403 without the rights."""
    require_rights(request, VIEW, *rights)
    return get_object_or_404(ObjectType.objects.existing().with_versions(), pk=min(pk, MAX_ID))


def _page(request: HttpRequest, name: str, title: Any, **context: Any) -> HttpResponse:
    template = f"people/objects/{name}.html"
    return show_page(request, ObjectType, template, title, **{"original": context.get("object_type"), **context})


def add_type(request: HttpRequest) -> HttpResponse:
    """A new type in one form, from a template or from scratch."""
    require_rights(request, VIEW, ADD)
    template = TEMPLATES.get(request.GET.get("template", ""))
    forms = TypeForms(request.POST or None, template=template)
    if request.method == "POST" and forms.is_valid():
        try:
            object_type = lifecycle.create_definition(OBJECT_TYPES, forms.names.names, forms.specs, request.user)
        except RejectedError as refusal:
            forms.show(refusal)
        else:
            messages.success(request, _("Created as a draft. Approve it when it is ready."))
            return redirect("admin:people_objecttype_change", object_type.pk)
    templates = () if template or request.method == "POST" else TEMPLATES.items()
    return _page(request, "type_form", _("New object type"), forms=forms, templates=templates)


def edit_type(request: HttpRequest, pk: int) -> HttpResponse:
    """Names and fields of the draft in one form."""
    object_type = find_type(request, pk, EDIT)
    revision = object_type.draft.revision if object_type.draft else 0
    forms = TypeForms(request.POST or None, object_type.draft or object_type.live, revision)
    if request.method == "POST" and forms.is_valid():
        names = forms.names
        try:
            drafts.rewrite_draft(object_type, names.names, forms.specs, request.user, names.cleaned_data["revision"])
        except RejectedError as refusal:
            forms.show(refusal)
        else:
            messages.success(request, _("Saved in the draft."))
            return redirect("admin:people_objecttype_change", pk)
    title = _("Change %(name)s") % {"name": object_type}
    return _page(request, "type_form", title, forms=forms, object_type=object_type)


@require_safe
def show_type(request: HttpRequest, pk: int) -> HttpResponse:
    """The page of a type: its fields, the draft, the versions, and what uses it."""
    object_type = find_type(request, pk)
    steps = [(name, STEPS[name]) for name in NEXT[object_type.state] if request.user.has_perm(STEPS[name].right)]
    return _page(
        request,
        "type",
        str(object_type),
        object_type=object_type,
        version=object_type.live_or_draft,
        changes=differences.version_differences(object_type.live, object_type.draft) if object_type.draft else [],
        history=differences.version_history(object_type, parse_number(request.GET.get("before", ""))),
        uses=references.uses_of(*lifecycle.deletion_blockers(object_type)),
        primary=next(((name, step) for name, step in steps if name in ("approve", "restore")), None),
        may_edit=request.user.has_perm(EDIT),
        may_see_records=object_type.live_id and request.user.has_perm(records.VIEW),
        actions=_actions(request, object_type, steps),
    )


def _actions(request: HttpRequest, object_type: ObjectType, steps: list[tuple[str, Step]]) -> list[MenuAction]:
    """The menu of the type: all steps except the primary one."""

    def action(name: str, step: Step) -> MenuAction:
        url = reverse("admin:people_objecttype_step", args=[object_type.pk, name])
        return MenuAction(step.label, url, is_dangerous=step.is_dangerous)

    others = [(name, step) for name, step in steps if name not in ("approve", "restore")]
    shown = _("Hide from the pages of people") if object_type.is_shown_on_person else _("Show on the pages of people")
    own = [action(name, step) for name, step in others if not step.is_dangerous]
    if request.user.has_perm(EDIT):
        own.append(MenuAction(shown, reverse("admin:people_objecttype_shown", args=[object_type.pk]), is_posted=True))
    return action_menu(*own, dangerous=tuple(action(name, step) for name, step in others if step.is_dangerous))


def set_shown(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the records on the pages of people, or no longer; a POST."""
    object_type = find_type(request, pk, EDIT)
    if request.method == "POST":
        definition.show_on_person(object_type, request.user, not object_type.is_shown_on_person)
        messages.success(request, _("Saved."))
    return redirect("admin:people_objecttype_change", pk)


def make_step(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """Show the effect of a step of the life cycle; make it on POST."""
    object_type = find_type(request, pk)
    chosen = STEPS.get(step)
    if chosen is None:
        raise PermissionDenied
    require_rights(request, chosen.right)
    problem = ""
    if request.method == "POST":
        try:
            chosen.verb(object_type, request)
        except RejectedError as refusal:
            problem = str(refusal)
        else:
            messages.success(request, chosen.done)
            if step == "delete":
                return redirect("admin:people_objecttype_changelist")
            return redirect("admin:people_objecttype_change", pk)
    uses = references.uses_of(*lifecycle.deletion_blockers(object_type))
    return _page(
        request,
        "type_step",
        _("%(step)s: %(type)s") % {"step": chosen.label, "type": object_type},
        object_type=object_type,
        version=object_type.draft or object_type.live,
        step=step,
        chosen=chosen,
        problem=problem,
        changes=differences.version_differences(object_type.live, object_type.draft)
        if step == "approve" and object_type.draft
        else [],
        uses=uses,
        is_blocked=step == "delete" and bool(uses),
        needs_other=step == "approve"
        and object_type.draft
        and not lifecycle.may_approve_draft(object_type, request.user),
    )


def list_deleted_types(request: HttpRequest) -> HttpResponse:
    """Types deleted after an approval, the latest first; a button brings one back."""
    require_rights(request, VIEW, DELETE)
    deleted_types = ObjectType.objects.exclude(deleted_at=None).select_related("live").order_by("-deleted_at")
    problem = ""
    if request.method == "POST":
        object_type = get_object_or_404(deleted_types, pk=parse_number(request.POST.get("type")))
        try:
            lifecycle.undelete_definition(object_type, request.user)
        except RejectedError as refusal:
            problem = str(refusal)
        else:
            messages.success(request, _("Restored, with all its records."))
            return redirect("admin:people_objecttype_change", object_type.pk)
    return _page(request, "deleted_types", _("Deleted object types"), types=deleted_types[:100], problem=problem)
