"""Sentences that describe a campaign, in marketers' words and in the active language."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from people.core.kinds import Facet
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions import record_sentences
from smartlists.campaigns.definitions.model import Audience, CampaignDefinition
from smartlists.campaigns.definitions.parsing import parse_wait_period
from smartlists.campaigns.definitions.record_parts import ObjectTrigger
from smartlists.catalog import Catalogue
from smartlists.rules import sentences
from smartlists.rules.names import Naming
from smartlists.rules.sentence_values import join_in_words
from smartlists.rules.vocabulary import Vocabulary

STEP_TITLES = campaign_definition.STEPS.facet(
    "title",
    {
        "add_to_list": gettext_lazy("Add to a static list"),
        "remove_from_list": gettext_lazy("Remove from a static list"),
        "change_field": gettext_lazy("Change a person field"),
        "record": gettext_lazy("Record an activity"),
        "change_object": gettext_lazy("Change an object field"),
        "create_object": gettext_lazy("Create an object record"),
        "wait": gettext_lazy("Wait"),
        "alert": gettext_lazy("Send an alert email"),
        "webhook": gettext_lazy("Call a webhook"),
        "choose": gettext_lazy("If/else branch"),
    },
)


def trigger_sentence(item: campaign_definition.Trigger, names: Vocabulary) -> str:
    """The sentence of one trigger in its own wording: "Deposits Check where Amount is greater than 1000"."""
    if isinstance(item, ObjectTrigger):
        return record_sentences.trigger_sentence(item, names)
    if isinstance(item, campaign_definition.ListTrigger):
        name = names.smart_lists.get(item.smart_list, str(item.smart_list))
        template = (
            _("Joins the smart list “%(name)s”")
            if item.change == campaign_definition.JOINED
            else (_("Leaves the smart list “%(name)s”"))
        )
        return template % {"name": name}
    activity_type = names.types.get(item.type)
    trigger_name = sentences.with_bots_spoken(
        activity_type.shown_trigger_name if activity_type else item.type, item.bots
    )
    if not item.constraints:
        return trigger_name
    parts = [sentences.constraint_sentence(constraint, item.type, names) for constraint in item.constraints]
    return _("%(card)s where %(constraints)s") % {"card": trigger_name, "constraints": join_in_words(parts, "and")}


def audience_sentence(item: Audience, names: Vocabulary) -> str:
    """The description of the audience."""
    if item.smart_list is not None:
        name = names.smart_lists.get(item.smart_list, str(item.smart_list))
        return _("members of the smart list “%(name)s”") % {"name": name}
    if item.rules is None:
        return _("everyone")
    return sentences.list_sentence(item.rules, names)


def qualification_sentence(item: campaign_definition.Qualification) -> str:
    """The description of the frequency of entry."""
    if item.how == campaign_definition.WITHIN:
        return _PERIODS[item.unit](item.number) % {"number": item.number}
    return _("every time") if item.how == campaign_definition.EVERY else _("only the first time")


_PERIODS: Mapping[str, Callable[[int], str]] = {
    "hours": lambda number: ngettext("once an hour", "once every %(number)s hours", number),
    "days": lambda number: ngettext("once a day", "once every %(number)s days", number),
    "weeks": lambda number: ngettext("once a week", "once every %(number)s weeks", number),
    "months": lambda number: ngettext("once a month", "once every %(number)s months", number),
}
_WAITS: Mapping[str, Callable[[int], str]] = {
    "minute": lambda number: ngettext("Wait %(number)s minute", "Wait %(number)s minutes", number),
    "hour": lambda number: ngettext("Wait %(number)s hour", "Wait %(number)s hours", number),
    "day": lambda number: ngettext("Wait %(number)s day", "Wait %(number)s days", number),
    "week": lambda number: ngettext("Wait %(number)s week", "Wait %(number)s weeks", number),
    "month": lambda number: ngettext("Wait %(number)s month", "Wait %(number)s months", number),
}


def step_sentence(item: campaign_definition.Step, names: Catalogue, webhooks: Mapping[int, str]) -> str:
    """The sentence of one step, without a full stop; of a choice with the conditions and numbers of its ways."""
    return STEP_SENTENCES.of(item)(item, Naming(names), webhooks)


def step_sentences(
    definition: CampaignDefinition, names: Catalogue, webhooks: Mapping[int, str]
) -> Iterator[tuple[str, str]]:
    """Yield (shown number, sentence) for every step."""
    for path, item in campaign_definition.walk_steps(definition.steps):
        yield displayed_path(path), step_sentence(item, names, webhooks)


def displayed_path(path: str) -> str:
    """A path with numbers from 1: "2.0.1" is 3.1.2."""
    return ".".join(str(int(part) + 1) for part in path.split("."))


def _list(template: Any) -> Callable[[Any, Naming, Mapping[int, str]], str]:
    def sentence(item: Any, naming: Naming, _webhooks: Mapping[int, str]) -> str:
        return str(template) % {"name": naming.catalogue.static_lists.get(item.list, item.list)}

    return sentence


def _change(item: campaign_definition.ChangeField, naming: Naming, _webhooks: Mapping[int, str]) -> str:
    parameters = {"field": naming.shown_person_label(item.field), "value": item.by or item.to}
    if item.by:
        return _("Add %(value)s to %(field)s") % parameters
    return _("Change %(field)s to “%(value)s”") % parameters if item.to else _("Clear %(field)s") % parameters


def _record(item: campaign_definition.RecordActivity, naming: Naming, _webhooks: Mapping[int, str]) -> str:
    activity_type = naming.catalogue.types.get(item.type)
    return _("Record “%(activity)s” %(value)s") % {
        "activity": activity_type.name if activity_type else item.type,
        "value": item.primary,
    }


def _wait(item: campaign_definition.Wait, _naming: Naming, _webhooks: Mapping[int, str]) -> str:
    if item.until:
        return _("Wait until %(moment)s") % {"moment": item.until}
    number, unit = parse_wait_period(item.period)
    return _WAITS[unit](number) % {"number": number}


def _alert(item: campaign_definition.SendAlert, _naming: Naming, _webhooks: Mapping[int, str]) -> str:
    return _("Send “%(subject)s” to %(addresses)s") % {"subject": item.subject, "addresses": ", ".join(item.to)}


def _webhook(item: campaign_definition.CallWebhook, _naming: Naming, webhooks: Mapping[int, str]) -> str:
    return _("Call the webhook “%(name)s”") % {"name": webhooks.get(item.webhook, item.webhook)}


def _choose(item: campaign_definition.Choose, naming: Naming, _webhooks: Mapping[int, str]) -> str:
    ways = "; ".join(
        _("%(number)s for %(who)s")
        % {"number": number, "who": audience_sentence(choice.when, naming.catalogue).rstrip(".")}
        for number, choice in enumerate(item.choices, 1)
    )
    return _("If/else: %(ways)s; else %(number)s") % {"ways": ways, "number": len(item.choices) + 1}


STEP_SENTENCES: Facet[Callable[[Any, Naming, Mapping[int, str]], str]] = campaign_definition.STEPS.facet(
    "sentence",
    {
        "add_to_list": _list(gettext_lazy("Add to the static list “%(name)s”")),
        "remove_from_list": _list(gettext_lazy("Remove from the static list “%(name)s”")),
        "change_field": _change,
        "record": _record,
        "change_object": record_sentences.change_sentence,
        "create_object": record_sentences.create_sentence,
        "wait": _wait,
        "alert": _alert,
        "webhook": _webhook,
        "choose": _choose,
    },
)
