"""The page of one mapping: a sample of the calls, where each value comes from, and what the last calls would become."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from activities.admin.inbound.mapping_form import errors_by_row, known_places, read_definition, rows_of
from activities.inbound import editing
from activities.inbound.mapping import CallMapping, parse_definition
from activities.inbound.paths import Leaf, leaves_of, path_label
from activities.inbound.proposals import kinds_of_calls, propose_definition
from activities.inbound.reading import load_call
from activities.inbound.trying import Trial, sample_calls, try_mapping
from activities.models import ActivityType, InboundMapping
from people import lookup as people_lookup
from people.core.admin.base import OwnPages, PagesAdmin, parse_number, problem_text, require_rights
from people.core.errors import RejectedError, quoted_value
from people.datatypes.keys import MAX_ID
from people.rights import VIEW_PERSON

PAGE = "admin:activities_inboundwebhook"
MAX_TYPES = 500
FIRST_ROWS = ("person", "occurred_at")


class MappingPages(PagesAdmin):
    """The pages of mappings, for the admin of webhooks."""

    def own_pages(self) -> OwnPages:
        return [
            ("<int:pk>/mappings/<int:mapping>/", self.mapping_page, "mapping"),
            ("<int:pk>/mappings/<int:mapping>/do/<slug:verb>/", require_POST(self.run_mapping_action), "mapping_do"),
            *super().own_pages(),
        ]

    def mapping_page(self, request: HttpRequest, pk: int, mapping: int) -> HttpResponse:
        """Choose where values come from; what was saved is tried on the last calls below."""
        require_rights(request, editing.VIEW, VIEW_PERSON)
        row = _find(pk, mapping)
        leaves = _leaves(row)
        errors: dict[str, list[str]] = {}
        others: list[str] = []
        if request.method == "POST":
            require_rights(request, editing.CHANGE)
            try:
                _save(request, row, leaves)
                return redirect(f"{PAGE}_mapping", pk, mapping)
            except RejectedError as refusal:
                errors, others = errors_by_row(refusal)
        definition = _shown_definition(row, leaves)
        trial = try_mapping(row)
        return self.page(
            request,
            "inbound_mapping",
            row.name,
            inboundwebhook=row.source.inbound_webhook,
            mapping=row,
            leaves=leaves,
            rows=[_with_typed(request, form_row, errors) for form_row in rows_of(definition, row.activity_type)],
            errors=errors,
            others=others,
            name=request.POST.get("name", row.name),
            chosen_type=_typed_type(request, row),
            person=_person(request, definition),
            lookups=people_lookup.lookup_fields(),
            when=_when(request, definition, leaves),
            types=_own_types(),
            trial=trial,
            tried=_shown_rows(trial),
            trial_problems=[problem_text(problem) for problem in trial.problems],
            may_change=request.user.has_perm(editing.CHANGE),
            may_turn_on=request.user.has_perms([editing.CHANGE, editing.RECORD]),
        )

    def run_mapping_action(self, request: HttpRequest, pk: int, mapping: int, verb: str) -> HttpResponse:
        """Switch the mapping on or off, or delete it."""
        require_rights(request, editing.VIEW)
        row, by = _find(pk, mapping), request.user
        if verb == "on":
            revision = parse_number(request.POST.get("revision", ""))
            done = _("The mapping is on: calls that come from now on are recorded.")
            self.try_verb(request, lambda: editing.turn_on_mapping(row, by, expected_revision=revision), done)
        elif verb == "off":
            done = _("The mapping is off: calls are kept and not recorded.")
            self.try_verb(request, lambda: editing.turn_off_mapping(row, by), done)
        elif verb == "delete":
            if self.try_verb(request, lambda: editing.delete_mapping(row, by), _("Deleted.")) is not None:
                return redirect(f"{PAGE}_change", pk)
        else:
            raise Http404
        return redirect(f"{PAGE}_mapping", pk, mapping)


def _find(pk: int, mapping: int) -> InboundMapping:
    rows = InboundMapping.objects.select_related("source__inbound_webhook", "activity_type__live")
    row: InboundMapping = get_object_or_404(rows, pk=min(mapping, MAX_ID), source__inbound_webhook=min(pk, MAX_ID))
    return row


def _leaves(row: InboundMapping) -> list[Leaf]:
    """The values of the calls that the mapping takes; of all calls where it takes none yet."""
    calls = sample_calls(row.source, _parsed(row)) or sample_calls(row.source, None)
    return leaves_of(load_call(call.body) for call in calls)


def _parsed(row: InboundMapping) -> CallMapping | None:
    try:
        return parse_definition(row.definition)
    except RejectedError:
        return None


def _shown_definition(row: InboundMapping, leaves: list[Leaf]) -> dict[str, Any]:
    """The definition, with proposals for what it lacks while it is off."""
    if row.is_on:
        return dict(row.definition)
    version = row.activity_type.live if row.activity_type is not None else None
    return propose_definition(leaves, version, row.source.inbound_webhook.recipe, row.definition)


def _with_typed(request: HttpRequest, form_row: Any, errors: dict[str, list[str]]) -> dict[str, Any]:
    """A row with what was typed, where the form comes back, and its errors."""
    place, constant, is_hundredths = form_row.place, form_row.constant, form_row.is_hundredths
    if request.method == "POST":
        place = request.POST.get(f"place.{form_row.name}", "")
        constant = request.POST.get(f"constant.{form_row.name}", "")
        is_hundredths = f"hundredths.{form_row.name}" in request.POST
    found = errors.get(form_row.name, [])
    return {"row": form_row, "place": place, "constant": constant, "is_hundredths": is_hundredths, "errors": found}


def _person(request: HttpRequest, definition: dict[str, Any]) -> dict[str, Any]:
    """The definition of the person look-up; of a posted form as chosen there."""
    if request.method == "POST":
        return {"field": request.POST.get("person_field", ""), "create": "create" in request.POST}
    return definition.get("person") or {}


def _typed_type(request: HttpRequest, row: InboundMapping) -> int | None:
    return parse_number(request.POST.get("type", "")) if request.method == "POST" else row.activity_type_id


def _when(request: HttpRequest, definition: dict[str, Any], leaves: list[Leaf]) -> dict[str, Any]:
    """The condition on calls, as the form shows it; with a proposal (`hint`)."""
    if request.method == "POST":
        return {"place": request.POST.get("place.when", ""), "words": request.POST.get("words", "")}
    when = definition.get("when") or {}
    hint = kinds_of_calls(leaves)
    return {
        "place": path_label(when["path"]) if when.get("path") else "",
        "words": "\n".join(when.get("values") or ()),
        "hint": hint,
    }


def _save(request: HttpRequest, row: InboundMapping, leaves: list[Leaf]) -> None:
    """Save the form. Fields of another type than before are read once the page shows them."""
    data = request.POST.dict()
    activity_type = _chosen_type(parse_number(data.get("type", "")))
    is_same = activity_type is not None and activity_type.pk == row.activity_type_id
    names = [form_row.name for form_row in rows_of({}, activity_type if is_same else None)]
    definition = read_definition(data, known_places(leaves, _shown_definition(row, leaves)), names)
    if not is_same and (primary := row.definition.get("primary")):
        definition["primary"] = primary  # a ready mapping has it before there is a type
    editing.change_mapping(
        row,
        request.user,
        expected_revision=parse_number(data.get("revision", ""), row.revision),
        name=data.get("name", ""),
        activity_type=activity_type,
        definition=definition,
    )
    messages.success(request, _("Saved."))


def _chosen_type(pk: int) -> ActivityType | None:
    return ActivityType.objects.existing().filter(pk=min(pk, MAX_ID), is_standard=False).first() if pk else None


def _own_types() -> list[ActivityType]:
    types = ActivityType.objects.existing().filter(is_standard=False, retired_at=None, live__isnull=False)
    return sorted(types.select_related("live", "draft")[:MAX_TYPES], key=str)


def _shown_rows(trial: Trial) -> list[dict[str, Any]]:
    """The activities that the samples become, as texts."""
    rows = []
    for tried in trial.rows:
        row = tried.mapped.row
        rows.append(
            {
                "call": tried.call,
                "person": getattr(row.person, "value", "") or "—",
                "occurred_at": datetime.fromisoformat(row.occurred_at),
                "primary": "" if row.primary_value is None else quoted_value(row.primary_value),
                "attributes": [(name, quoted_value(value)) for name, value in row.attributes if value is not None],
                "problems": [problem_text(problem) for problem in tried.problems],
            }
        )
    return rows
