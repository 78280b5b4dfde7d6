"""A new type in three steps: name, names of filter and trigger, fields.

The page carries all typed values, so that going back and forth loses nothing and needs no script.
"""

from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from activities import icons
from activities.admin.base import find_type, show_type_page
from activities.admin.forms import FieldFormSet, TypeForms
from activities.inbox import editing as inbox_editing
from activities.inbox import proposals, waiting
from activities.models import ActivityType, Sighting
from activities.rights import ADD_ACTIVITYTYPE, VIEW_ACTIVITYTYPE
from activities.types import name_proposals, pictures
from activities.types.definition import ACTIVITY_TYPES, TypeNames
from activities.types.templates import TEMPLATES, TypeTemplate
from people.core.admin.base import parse_number, require_rights
from people.core.errors import Problem, RejectedError
from people.datatypes.naming import MAX_NAME
from people.definitions import drafts, lifecycle
from people.rights import VIEW_PERSON

ADD = ADD_ACTIVITYTYPE
# number: (title, names of its fields)
STEPS: dict[int, tuple[Any, tuple[str, ...]]] = {
    1: (gettext_lazy("What happens"), ("name", "api_name", "description")),
    2: (gettext_lazy("Filter and trigger"), ("filter_name", "trigger_name")),
    3: (gettext_lazy("Fields"), ()),
}
LAST = 3
PROPOSED = ("api_name", "filter_name", "trigger_name")
MORE_ROWS = 3


def add_type(request: HttpRequest) -> HttpResponse:
    """Show a step; the pressed button leads to another step, adds rows, or creates the type."""
    require_rights(request, ADD)
    if request.method != "POST":
        return _page(request, 1, _begin(request))
    data = _with_proposals(request.POST)
    step, action = parse_number(data.get("step")) or LAST, data.get("go", "save")
    if action == "save":
        return _create(request, TypeForms(data))
    if action == "more":
        return _page(request, step, TypeForms.from_posted(data, MORE_ROWS))
    target_step = min(parse_number(action) or step, LAST)
    if target_step > step:
        forms = TypeForms(data)
        if not _is_step_valid(forms, step):
            return _page(request, step, forms)
    return _page(request, target_step, TypeForms.from_posted(data))


def propose_type_names(request: HttpRequest) -> HttpResponse:
    """The names proposed from `name`, while it is typed."""
    require_rights(request, VIEW_ACTIVITYTYPE)
    return JsonResponse(asdict(_proposal(request.GET.get("name", ""))))


def check_type_names(request: HttpRequest) -> HttpResponse:
    """Problems of the names typed so far, and existing types with similar names."""
    require_rights(request, ADD)
    data = _with_proposals(request.POST)
    problems = [problem for problem in _name_problems(data) if data.get(str(problem.path[0]), "").strip()]
    return render(request, "activities/_checks.html", {"problems": problems, "similar": _similar(data.get("name", ""))})


def _begin(request: HttpRequest) -> TypeForms:
    """Empty forms, or forms filled from the chosen template or from the type to duplicate."""
    template = TEMPLATES.get(request.GET.get("template", ""))
    if template is not None:
        return _of_template(template)
    if sighting := _sighting(request, request.GET.get("sighting")):
        return _of_sighting(sighting)
    like = parse_number(request.GET.get("like"))
    if not like:
        return TypeForms()
    activity_type = find_type(request, like)
    name = _("%(name)s copy") % {"name": activity_type}
    return TypeForms(version=activity_type.live_or_draft, names={"name": name, **asdict(_proposal(name))})


def _of_template(template: TypeTemplate) -> TypeForms:
    name = str(template.name)
    forms = TypeForms(names=asdict(_proposal(name)) | {"name": name, "description": str(template.description)})
    first, *others = ({"name": str(field.name), "data_type": field.data_type} for field in template.fields)
    forms.primary.initial = first
    forms.fields = FieldFormSet(initial=others, prefix="fields")
    return forms


def _sighting(request: HttpRequest, text: str | None) -> Sighting | None:
    """The name in the inbox that the type is made for, if any."""
    pk = parse_number(text)
    if not pk:
        return None
    require_rights(request, inbox_editing.VIEW, inbox_editing.CHANGE, VIEW_PERSON)
    return Sighting.objects.filter(pk=pk, kind=Sighting.Kind.EVENT).first()


def _of_sighting(sighting: Sighting) -> TypeForms:
    """Forms filled from the events that wait under a name."""
    proposal = proposals.propose_type(sighting.name, waiting.waiting_shapes(sighting))
    forms = TypeForms(names=asdict(_proposal(proposal.name)) | {"name": proposal.name})
    rows = [
        {name: getattr(field, name) for name in ("name", "api_name", "data_type", "path")} for field in proposal.fields
    ]
    forms.primary.initial, others = rows[0], rows[1:]
    forms.fields = FieldFormSet(initial=others, prefix="fields")
    return forms


def _left_out(sighting: Sighting) -> tuple[str, ...]:
    """The properties of the waiting events for which no field is proposed."""
    return proposals.propose_type(sighting.name, waiting.waiting_shapes(sighting)).left_out


def _create(request: HttpRequest, forms: TypeForms) -> HttpResponse:
    if not forms.is_valid():
        return _page(request, 1 if forms.names.errors else LAST, forms)
    sighting = _sighting(request, request.POST.get("sighting"))
    try:
        with transaction.atomic():
            if sighting is None:
                created = lifecycle.create_definition(ACTIVITY_TYPES, forms.names.names, forms.specs, request.user)
            else:
                created = inbox_editing.create_type(
                    sighting, forms.names.names, forms.specs, request.user, forms.fields_by_path
                )
            picture = chosen_picture(request.POST)
            if picture != ("", None):
                pictures.set_picture(created, request.user, *picture)
    except RejectedError as refusal:
        forms.show(refusal)
        places = {str(problem.path[0]) for problem in refusal.problems if problem.path}
        step = next((step for step, (_title, names) in STEPS.items() if places & set(names)), LAST)
        return _page(request, step, forms)
    messages.success(request, _("Created as a draft. Approve it when it is ready."))
    return redirect("admin:activities_activitytype_change", created.pk)


def _page(request: HttpRequest, step: int, forms: TypeForms) -> HttpResponse:
    names = STEPS[step][1]
    name = str(forms.names["name"].value() or "")
    sighting = _sighting(request, request.POST.get("sighting") or request.GET.get("sighting"))
    template = TEMPLATES.get(request.GET.get("template", ""))
    icon, colour = (
        chosen_picture(request.POST) if request.method == "POST" else (template.icon if template else "", None)
    )
    return show_type_page(
        request,
        "wizard",
        _("New activity type"),
        forms=forms,
        step=step,
        last=LAST,
        errors=forms.errors,
        steps=[(number, title) for number, (title, _asked) in STEPS.items()],
        questions=[forms.names[name] for name in names],
        carried=[field for field in forms.names if field.name not in names],
        similar=_similar(name) if step == 1 else [],
        sighting=sighting.pk if sighting else None,
        left_out=_left_out(sighting) if sighting and step == LAST else (),
        templates=TEMPLATES.items() if step == 1 and request.method != "POST" and not request.GET else (),
        icons=icons.WORDS,
        colours=range(icons.COLOURS),
        icon=icon,
        colour=colour,
        proposed_icon=icons.propose_icon(name),
    )


def chosen_picture(data: Any) -> tuple[str, int | None]:
    """The icon and the colour sent by a form; unknown values mean the proposed ones."""
    icon, colours = data.get("icon", ""), {str(colour): colour for colour in range(icons.COLOURS)}
    return icon if icons.is_icon(icon) else "", colours.get(data.get("colour", ""))


def _is_step_valid(forms: TypeForms, step: int) -> bool:
    """True where the values of the step are valid; problems are added to the fields."""
    forms.names.is_valid()
    names = STEPS[step][1]
    for problem in _name_problems(forms.names.data):
        if problem.path[0] in names and problem.path[0] not in forms.names.errors:
            forms.names.add_error(str(problem.path[0]), str(problem.message))
    return not any(name in forms.names.errors for name in names)


def _name_problems(data: Any) -> list[Problem]:
    names = {name: data.get(name, "") for name in ("name", *PROPOSED, "description")}
    return [problem for problem in drafts.new_name_problems(ACTIVITY_TYPES, TypeNames(**names)) if problem.path]


def _with_proposals(posted: QueryDict) -> QueryDict:
    """The posted data, with names that the user did not edit proposed anew from the present name."""
    data = posted.copy()
    name, before = data.get("name", ""), data.get("proposed_from", "")
    old, new = asdict(_proposal(before)), asdict(_proposal(name))
    for field_name in PROPOSED:
        if data.get(field_name, "").strip() in {"", old[field_name]}:
            data[field_name] = new[field_name]
    data["proposed_from"] = name
    return data


def _proposal(name: str) -> name_proposals.NamesProposal:
    return name_proposals.propose_names(name[:MAX_NAME], get_language() or "en")


def _similar(name: str) -> list[ActivityType]:
    """Existing types with a name similar to `name`."""
    if len(name.strip()) < 3:
        return []
    types = list(ActivityType.objects.existing().select_related("live", "draft"))
    similar_names = name_proposals.similar_names(name, [str(activity_type) for activity_type in types])
    return [activity_type for activity_type in types if str(activity_type) in similar_names]
