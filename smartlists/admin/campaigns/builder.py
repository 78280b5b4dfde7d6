"""The builder page of campaigns: triggers in their own wording, audience, steps; the server owns the form."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from people.core.admin.base import require_rights
from people.core.errors import Problem, RejectedError
from smartlists.admin.builder import cards as builder_cards
from smartlists.admin.builder import fitting
from smartlists.admin.builder import form as builder_form
from smartlists.admin.builder.choices import Choices
from smartlists.admin.builder.page import BuilderPage, BuilderState, pressed_button, proposed_type
from smartlists.admin.campaigns import cards as campaign_cards
from smartlists.admin.campaigns import form as campaign_form
from smartlists.admin.campaigns import records as campaign_records
from smartlists.admin.campaigns import views as campaign_views
from smartlists.admin.campaigns.reasons import link_reasons
from smartlists.admin.campaigns.views import NAME, campaign_page, saved_rules_problems
from smartlists.campaigns import diagnostics as campaign_diagnostics
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import templates as campaign_templates
from smartlists.campaigns.definitions import parsing as campaign_parsing
from smartlists.campaigns.definitions import sentences as campaign_sentences
from smartlists.campaigns.definitions.model import CampaignDefinition
from smartlists.catalog import Catalogue
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.lists import template_slots
from smartlists.models import SmartCampaign, Webhook
from smartlists.rights import ADD_SMARTCAMPAIGN
from smartlists.webhooks import tokens as webhook_tokens

Json = dict[str, Any]


@dataclass(kw_only=True)
class CampaignBuilderState(BuilderState):
    """The input typed into the builder of a campaign."""

    form: Json
    webhooks: dict[int, str] = field(default_factory=lambda: _webhooks())
    parsed: CampaignDefinition | None = None
    value: Json = field(default_factory=dict)
    lacking: list[Problem] | None = None  # once it was looked for

    placed = frozenset({"triggers", "steps", "audience", "qualification", "late_after_hours", "also_past", "name"})

    def check(self) -> "CampaignBuilderState":
        self.value, problems = campaign_form.definition_from_form(self.form, self.choices.catalogue)
        try:
            self.parsed = campaign_parsing.parse_definition(self.value, self.choices.catalogue, self.webhooks)
        except RejectedError as refusal:
            paths = {problem.path for problem in problems}
            problems += [problem for problem in refusal.problems if problem.path not in paths]
        self.problems = problems
        return self

    def cards(self, problems: Sequence[Problem]) -> Json:
        in_triggers = [
            Problem(problem.code, str(problem.message), ("filters", *problem.path[1:]))
            for problem in problems
            if problem.path[:1] == ("triggers",)
        ]
        return {
            "form": self.form,
            "triggers": builder_cards.build_cards(self.form["triggers"], self.choices, in_triggers),
            "steps": campaign_cards.build_step_cards(
                self.form["steps"], self.choices, problems, lacking=() if problems else self.activation_reasons()
            ),
            "webhooks": self.webhooks,
            "static_lists": self.choices.static_lists,
            "smart_lists": self.choices.smart_lists,
            "step_titles": campaign_sentences.STEP_TITLES,
            "periods": campaign_cards.PERIODS,
            "qualifications": campaign_cards.QUALIFICATIONS,
            "q_units": campaign_cards.PERIODS[1:],
            "events": campaign_records.EVENTS,
            "directions": campaign_records.DIRECTIONS,
            **{
                f"{name}_errors": builder_cards.errors_at(problems, name)
                for name in ("name", "audience", "qualification", "late_after_hours")
            },
            "tokens": self._tokens(),
        }

    def activation_reasons(self) -> list[Problem]:
        """The problems that prevent the activation of the typed campaign; none while it is unfinished."""
        if self.lacking is None:
            self.lacking = campaign_diagnostics.definition_reasons(self.parsed, self.by) if self.parsed else []
        return self.lacking

    def _tokens(self) -> list[str]:
        named = [(item["kind"], item["type"]) for item in self.form["triggers"]["filters"] if item.get("type")]
        types, objects = (
            [name for kind, name in named if kind == trigger_kind] for trigger_kind in ("activity", "object")
        )
        keys = webhook_tokens.available_tokens(types, self.choices.catalogue, objects)
        return sorted("{{" + key + "}}" for key in keys)


def _webhooks() -> dict[int, str]:
    return dict(Webhook.objects.filter(is_archived=False).order_by("name").values_list("pk", "name"))


class CampaignBuilder(BuilderPage[SmartCampaign, CampaignBuilderState]):
    """The builder of campaigns: triggers in their own wording, audience, steps."""

    address, tab, title = NAME, "flow", gettext_lazy("New smart campaign")
    add_right, change_right = ADD_SMARTCAMPAIGN, campaign_lifecycle.CHANGE
    view_right = campaign_lifecycle.VIEW
    fragment, panel_template = "smartlists/_campaign_builder.html", "smartlists/_campaign_panel.html"
    draw = staticmethod(campaign_page)
    saving = MappingProxyType({"save": gettext_lazy("Saved."), "activate": gettext_lazy("Saved and active.")})
    shows_problems_at_first = False  # a draft may be unfinished

    find = staticmethod(campaign_views.find_campaign)

    def find_typed(self, request: HttpRequest, pk: int) -> SmartCampaign | None:
        require_rights(request, campaign_lifecycle.VIEW)
        return SmartCampaign.objects.filter(pk=pk).first()

    def stored(self, edited: SmartCampaign | None) -> CampaignBuilderState:
        choices = Choices(Catalogue())
        if edited is None:
            return CampaignBuilderState(
                form=campaign_form.form_from_definition(campaign_lifecycle.EMPTY, choices.catalogue), choices=choices
            )
        return CampaignBuilderState(
            name=edited.name,
            description=edited.description,
            revision=edited.revision,
            form=campaign_form.form_from_definition(edited.definition, choices.catalogue),
            choices=choices,
        )

    def proposed(self, request: HttpRequest) -> CampaignBuilderState:
        """A new campaign: from the template in the parameter `template`, or with a trigger of the type in `type`."""
        state = self.stored(None)
        if template := campaign_templates.TEMPLATES.get(request.GET.get("template", "")):
            names = state.choices.catalogue
            values = template_slots.chosen_values(template.slots, names, request.GET)
            if values is not None:
                address = getattr(request.user, "email", "")
                definition = template.build(names, address, **values)
                state.name, state.description = str(template.name), str(template.description)
                state.form = campaign_form.form_from_definition(definition, names)
        elif activity_type := proposed_type(request, state.choices):
            card = f"activity:{activity_type.api_name}"
            triggers = builder_form.apply_rules_action(state.form["triggers"], "add", card, state.choices)
            state.form["triggers"] = triggers
        return state

    def posted(self, request: HttpRequest, edited: SmartCampaign | None) -> CampaignBuilderState:
        choices = Choices(Catalogue())
        form = campaign_form.parse_posted_campaign(request.POST)
        action, choice = pressed_button(request.POST)
        form["triggers"] = fitting.fit_rules_to_fields(
            builder_form.apply_rules_action(form["triggers"], action, choice, choices), choices
        )
        return CampaignBuilderState(
            **BuilderState.head_of(request.POST),
            form=campaign_form.apply_step_action(form, action, choice),
            choices=choices,
        )

    def save(self, request: HttpRequest, edited: SmartCampaign | None, state: CampaignBuilderState) -> SmartCampaign:
        if state.check().problems:
            raise RejectedError(*state.problems)
        if edited is None:
            saved = campaign_lifecycle.create_campaign(
                state.name, request.user, value=state.value, description=state.description
            )
        else:
            saved = campaign_lifecycle.change_campaign(
                edited,
                request.user,
                expected_revision=state.revision,
                name=state.name,
                value=state.value,
                description=state.description,
            )
        return (
            campaign_lifecycle.activate_campaign(saved, request.user) if request.POST.get("do") == "activate" else saved
        )

    def panel_of(self, request: HttpRequest, state: CampaignBuilderState, edited: SmartCampaign | None) -> Json:
        """The campaign in sentences, or its unfinished parts."""
        return _panel(state, edited)


CAMPAIGN_BUILDER = CampaignBuilder()


def _panel(state: CampaignBuilderState, campaign: SmartCampaign | None) -> Json:
    names = state.choices.catalogue
    if state.parsed is None:
        return {"unfinished": link_reasons(state.problems[:10], state.value)}
    problems = campaign_diagnostics.campaign_problems(state.parsed, names)
    shown_above = list_diagnostics.problem_messages(saved_rules_problems(campaign, names)) if campaign else []
    return {
        "notes": [sentence for sentence in list_diagnostics.problem_messages(problems) if sentence not in shown_above],
        "sentences": {
            "triggers": [campaign_sentences.trigger_sentence(trigger, names) for trigger in state.parsed.triggers],
            "audience": campaign_sentences.audience_sentence(state.parsed.audience, names),
            "qualification": campaign_sentences.qualification_sentence(state.parsed.qualification),
            "steps": list(campaign_sentences.step_sentences(state.parsed, names, state.webhooks)),
        },
        "missing": link_reasons(state.activation_reasons(), state.value),
    }
