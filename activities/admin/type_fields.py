"""Pages that add, change, reorder and remove the fields of a type, in its draft."""

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.admin.base import find_type, show_type_page
from activities.admin.forms import TypeFieldForm
from activities.admin.type_detail import show_type_tab
from activities.models import ActivityType, ActivityVersion
from activities.types import name_proposals
from activities.types.definition import EDIT, ActivityFieldSpec
from people.core import references
from people.core.admin.base import add_form_errors, parse_number
from people.core.errors import RejectedError
from people.definitions import drafts

FIXED = gettext_lazy("Can't be changed since this field was approved: programs and stored activities rely on it.")


class OneFieldForm(TypeFieldForm):
    """One field; properties fixed by approval are disabled, with the reason as help."""

    is_primary = forms.BooleanField(
        label=gettext_lazy("Primary field: what the activity is about"), required=False, widget=forms.CheckboxInput
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, fixed: bool, primary_is_fixed: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["name"].required = True
        self.fields["api_name"].help_text = gettext_lazy("Used by the API. Leave empty to generate it from the name.")
        for name in ("api_name", "data_type") if fixed else ():
            self.fields[name].disabled = True
            self.fields[name].help_text = FIXED
        if primary_is_fixed:
            self.fields["is_primary"].disabled = True
            self.fields["is_primary"].help_text = gettext_lazy(
                "Which field is primary is fixed since the first approval."
            )

    @property
    def spec(self) -> ActivityFieldSpec:
        values = self.cleaned_data
        api_name = values["api_name"] or name_proposals.propose_api_name(values["name"])
        return ActivityFieldSpec(
            api_name, values["name"], values["data_type"], values["description"], values["is_primary"]
        )


def show_fields(request: HttpRequest, pk: int) -> HttpResponse:
    """The fields in their order; buttons move and remove them."""
    activity_type = find_type(request, pk)
    may_edit = request.user.has_perm(EDIT) and not activity_type.is_standard and not activity_type.retired_at
    problem = ""
    if request.method == "POST":
        find_type(request, pk, EDIT)
        try:
            return _apply_button(activity_type, request)
        except RejectedError as refusal:
            problem = str(refusal)
    version = activity_type.draft or activity_type.live
    assert version is not None  # every existing type has one
    fixed = _fixed(activity_type)
    live = {field.api_name: field for field in activity_type.live.fields.all()} if activity_type.live else {}
    rows = [
        (field, field.api_name in fixed, _mark(live.get(field.api_name), field, bool(live)))
        for field in version.fields.all()
    ]
    removed_names = set(live) - {field.api_name for field, _is_fixed, _mark in rows}
    return show_type_tab(
        request,
        activity_type,
        "fields",
        rows=rows,
        gone=[live[name] for name in live if name in removed_names],
        of_version=version,
        may_edit=may_edit,
        problem=problem,
        moved=request.GET.get("moved", ""),
        revision=activity_type.draft.revision if activity_type.draft else 0,
    )


def edit_field(request: HttpRequest, pk: int, api_name: str = "") -> HttpResponse:
    """A form for one field: a new field, or the field `api_name`."""
    activity_type = find_type(request, pk, EDIT)
    version = activity_type.draft or activity_type.live
    assert version is not None
    current = next((spec for spec in drafts.field_specs(version) if spec.api_name == api_name), None)
    if (api_name and current is None) or activity_type.is_standard:
        raise Http404
    fixed = _fixed(activity_type)
    form = OneFieldForm(
        request.POST or None,
        initial=_initial(current, activity_type),
        fixed=api_name in fixed,
        primary_is_fixed=activity_type.live_id is not None or bool(current and current.is_primary),
    )
    if request.method == "POST" and form.is_valid():
        try:
            _save(activity_type, version, current, form, request)
        except RejectedError as refusal:
            add_form_errors(form, refusal, {form.spec.api_name: "name"})
        else:
            messages.success(request, _("Saved in the draft."))
            return redirect("admin:activities_activitytype_fields", pk)
    title = _("Field %(name)s") % {"name": current.name} if current else _("New field")
    users = references.uses_of(*activity_type.approved_fields.filter(api_name=api_name)) if api_name else []
    return show_type_page(request, "field", title, activity_type=activity_type, form=form, current=current, users=users)


def _initial(current: ActivityFieldSpec | None, activity_type: ActivityType) -> dict[str, Any]:
    revision = {"revision": activity_type.draft.revision if activity_type.draft else 0}
    if current is None:
        return revision
    names = ("name", "api_name", "data_type", "description", "is_primary")
    return revision | {name: getattr(current, name) for name in names}


def _save(
    activity_type: ActivityType,
    version: ActivityVersion,
    current: ActivityFieldSpec | None,
    form: OneFieldForm,
    request: Any,
) -> None:
    """Replace `current` by the form's field, or append it; a new primary field replaces the old one as such."""
    new_spec, specs = form.spec, drafts.field_specs(version)
    if new_spec.is_primary:
        specs = [replace(spec, is_primary=False) for spec in specs]
    if current is None:
        specs.append(new_spec)
    else:
        specs = [new_spec if spec.api_name == current.api_name else spec for spec in specs]
    drafts.set_draft_fields(activity_type, specs, request.user, form.cleaned_data["revision"])


def _apply_button(activity_type: ActivityType, request: HttpRequest) -> HttpResponse:
    """Apply the pressed button: move a field up or down, or remove it; or store the order set by dragging."""
    revision = parse_number(request.POST.get("revision"), None)
    page = reverse("admin:activities_activitytype_fields", args=[activity_type.pk])
    if name := request.POST.get("remove"):
        drafts.remove_draft_fields(activity_type, [name], request.user, revision)
        messages.success(request, _("Removed in the draft; activities recorded before keep their values."))
        return redirect(page)
    if dragged := request.POST.get("order"):
        drafts.order_draft_fields(activity_type, dragged.split(","), request.user, revision)
        return redirect(page)
    up = request.POST.get("up", "")
    name, step = (up, -1) if up else (request.POST.get("down", ""), 1)
    version = activity_type.draft or activity_type.live
    assert version is not None
    specs = drafts.field_specs(version)
    place = next((index for index, spec in enumerate(specs) if spec.api_name == name), None)
    if place is None:
        raise Http404
    other = place + step
    if 0 <= other < len(specs) and not specs[other].is_primary and not specs[place].is_primary:
        specs[place], specs[other] = specs[other], specs[place]
        drafts.set_draft_fields(activity_type, specs, request.user, revision)
    return redirect(f"{page}?moved={'up' if step < 0 else 'down'}-{name}")


def _fixed(activity_type: ActivityType) -> set[str]:
    return set(activity_type.approved_fields.values_list("api_name", flat=True))


def _mark(old: Any, new: Any, is_live: bool) -> str:
    """The difference of the draft's field from the live one: "new", "changed", or empty."""
    if not is_live:
        return ""
    if old is None:
        return "new"
    return "changed" if (old.name, old.description) != (new.name, new.description) else ""
