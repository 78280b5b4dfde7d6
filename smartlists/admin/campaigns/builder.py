"""The page on which a campaign is built: triggers in their own wording, audience, steps; the server owns the form."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from people.core.errors import Problem, RejectedError
from people.core.numerals import whole_number
from smartlists.admin.base import require
from smartlists.admin.builder import cards as builder_cards
from smartlists.admin.builder import form as builder_form
from smartlists.admin.builder import labels as builder_labels
from smartlists.admin.builder.choices import Choices
from smartlists.admin.builder.views import SPOKEN
from smartlists.admin.campaigns import cards as campaign_cards
from smartlists.admin.campaigns import form as campaign_form
from smartlists.admin.campaigns.views import NAME, find, health_of, page
from smartlists.campaigns import diagnostics as campaign_diagnostics
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import parsing as campaign_parsing
from smartlists.campaigns import sentences as campaign_sentences
from smartlists.campaigns.definition import Definition
from smartlists.catalog import Catalogue
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.models import SmartCampaign, Webhook
from smartlists.webhooks import tokens as webhook_tokens

Json = dict[str, Any]


@dataclass
class Form:
    """The builder's form: what was typed, and what is wrong with it."""

    name: str
    description: str
    revision: int
    form: Json
    choices: Choices
    webhooks: dict[int, str]
    problems: Sequence[Problem] = ()
    parsed: Definition | None = None
    value: Json = field(default_factory=dict)

    @classmethod
    def of_campaign(cls, campaign: SmartCampaign | None) -> "Form":
        choices = Choices(Catalogue())
        stored = campaign.definition if campaign else campaign_lifecycle.EMPTY
        form = campaign_form.form_of(stored, choices.catalogue)
        if campaign is None:
            return cls("", "", 0, form, choices, _webhooks())
        return cls(campaign.name, campaign.description, campaign.revision, form, choices, _webhooks())

    @classmethod
    def posted(cls, request: HttpRequest) -> "Form":
        choices = Choices(Catalogue())
        form = campaign_form.posted(request.POST)
        action = request.POST.get("do", "")
        choice = request.POST.get(f"choice:{action}", "")
        form["triggers"] = builder_cards.made_fitting(
            builder_form.act(form["triggers"], action, choice, choices), choices
        )
        form = campaign_form.act(form, action, choice)
        revision = request.POST.get("revision", "")
        return cls(
            request.POST.get("name", ""),
            request.POST.get("description", ""),
            whole_number(revision, most_digits=9),
            form,
            choices,
            _webhooks(),
        )

    def check(self) -> "Form":
        """Read the definition; what is wrong with it becomes `problems`."""
        self.value, problems = campaign_form.definition_of(self.form, self.choices.catalogue)
        try:
            self.parsed = campaign_parsing.parse(self.value, self.choices.catalogue, self.webhooks)
        except RejectedError as refusal:
            problems += [one for one in refusal.problems if one.path not in {known.path for known in problems}]
        self.problems = problems
        return self

    def context(self, *, may_change: bool = True, show_problems: bool = True) -> Json:
        problems = self.problems if show_problems else ()
        apart = {("triggers",), ("steps",), ("audience",), ("qualification",), ("late_after_hours",), ("name",)}
        in_triggers = [
            Problem(one.code, str(one.message), ("filters", *one.path[1:]))
            for one in problems
            if one.path[:1] == ("triggers",)
        ]
        return {
            "name": self.name,
            "description": self.description,
            "revision": self.revision,
            "form": self.form,
            "choices": self.choices,
            "triggers": builder_cards.of(self.form["triggers"], self.choices, in_triggers),
            "steps": campaign_cards.of(self.form["steps"], self.choices, problems),
            "webhooks": self.webhooks,
            "static_lists": self.choices.static_lists,
            "smart_lists": self.choices.smart_lists,
            "step_titles": campaign_sentences.STEP_TITLES,
            "periods": campaign_cards.PERIODS,
            "qualifications": campaign_cards.QUALIFICATIONS,
            "units": builder_labels.UNITS,
            "frames": builder_labels.FRAMES,
            "q_units": campaign_cards.PERIODS[1:],
            "empties": builder_labels.EMPTY,
            "may_change": may_change,
            "errors": [str(one.message) for one in problems if one.path[:1] not in apart],
            **{
                f"{name}_errors": campaign_cards.errors_in(problems, name)
                for name in ("name", "audience", "qualification", "late_after_hours")
            },
            "tokens": self._tokens(),
            "suggest_url": reverse("admin:smartlists_smartlist_suggest"),
        }

    def _tokens(self) -> list[str]:
        types = [item["type"] for item in self.form["triggers"]["filters"] if item.get("type")]
        return sorted("{{" + key + "}}" for key in webhook_tokens.known_tokens(types, self.choices.catalogue))


def _webhooks() -> dict[int, str]:
    return dict(Webhook.objects.filter(is_archived=False).order_by("name").values_list("pk", "name"))


def add(request: HttpRequest) -> HttpResponse:
    """A new campaign: nothing is saved before the first "Save"."""
    require(request, "smartlists.add_smartcampaign")
    return _build(request, None)


def change(request: HttpRequest, pk: int) -> HttpResponse:
    """What a campaign does: to be changed by who may, in words for the others."""
    campaign = find(request, pk)
    if request.method == "POST":
        require(request, campaign_lifecycle.CHANGE)
    return _build(request, campaign)


def panel(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """What is typed, in words, and what is still missing: nothing is saved."""
    require(request, campaign_lifecycle.VIEW)
    if request.method != "POST":
        raise PermissionDenied
    campaign = SmartCampaign.objects.filter(pk=pk).first() if pk else None
    return render(request, "smartlists/_campaign_panel.html", _panel(Form.posted(request).check(), campaign))


def _build(request: HttpRequest, campaign: SmartCampaign | None) -> HttpResponse:
    if request.method != "POST":
        return _builder(request, campaign, Form.of_campaign(campaign).check(), show_problems=False)
    form = Form.posted(request).check()
    if "HX-Request" in request.headers:
        return render(request, "smartlists/_campaign_builder.html", form.context(show_problems=False))
    action = request.POST.get("do", "save")
    if action not in ("save", "activate"):
        return _builder(request, campaign, form, show_problems=False)
    try:
        if form.problems:
            raise RejectedError(*form.problems)
        saved = _save(request, campaign, form)
        if action == "activate":
            saved = campaign_lifecycle.activate(saved, request.user)
    except RejectedError as refusal:
        form.problems = refusal.problems
        return _builder(request, campaign, form)
    messages.success(request, _("Saved and active.") if action == "activate" else _("Saved."))
    return redirect(f"{NAME}_change", saved.pk)


def _save(request: HttpRequest, campaign: SmartCampaign | None, form: Form) -> SmartCampaign:
    if campaign is None:
        return campaign_lifecycle.create(form.name, request.user, value=form.value, description=form.description)
    return campaign_lifecycle.change(
        campaign,
        request.user,
        expected_revision=form.revision,
        name=form.name,
        value=form.value,
        description=form.description,
    )


def _builder(
    request: HttpRequest, campaign: SmartCampaign | None, form: Form, show_problems: bool = True
) -> HttpResponse:
    may_change = campaign is None or request.user.has_perm(campaign_lifecycle.CHANGE)
    panel_url = reverse(f"{NAME}_panel", args=[campaign.pk]) if campaign else reverse(f"{NAME}_panel_new")
    return page(
        request,
        "flow",
        campaign,
        _("New smart campaign"),
        panel_url=panel_url,
        words=json.dumps({name: str(word) for name, word in SPOKEN.items()}),
        **form.context(may_change=may_change, show_problems=show_problems),
        **_panel(form, campaign),
    )


def _panel(form: Form, campaign: SmartCampaign | None) -> Json:
    """The campaign in words, or what is unfinished."""
    names = form.choices.catalogue
    if form.parsed is None:
        return {"unfinished": [str(problem.message) for problem in form.problems[:10]]}
    said_above = health_of(campaign, names) if campaign else []
    return {
        "notes": [
            one
            for one in list_diagnostics.sentences(campaign_diagnostics.of_campaign(form.parsed, names))
            if one not in said_above
        ],
        "said": {
            "triggers": [campaign_sentences.trigger(one, names) for one in form.parsed.triggers],
            "audience": campaign_sentences.audience(form.parsed.audience, names),
            "qualification": campaign_sentences.qualification(form.parsed.qualification),
            "steps": list(campaign_sentences.steps(form.parsed, names, form.webhooks)),
        },
        "missing": [str(problem.message) for problem in campaign_lifecycle.unready(form.parsed)],
    }
