"""Dry run of a campaign for one person: what each step would do, with no effect."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from activities.models import Activity
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission
from people.core.source import SYSTEM
from people.models import Person
from people.rights import VIEW_PERSON
from smartlists.campaigns import actions as campaign_actions
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import token_values, triggers
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions import sentences as campaign_sentences
from smartlists.campaigns.definitions.model import CampaignDefinition
from smartlists.campaigns.entries.step_results import ActionContext, EntryRow
from smartlists.campaigns.records.matching import latest_record
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.models import CampaignEntry, SmartCampaign, Webhook
from smartlists.webhooks import tokens as webhook_tokens

MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """The result of a dry run: whether the person would enter, the reason why not, and the steps on their way."""

    person: Person
    activity_id: int | None
    trigger: str
    would_enter: bool
    why_not: str
    steps: list[tuple[str, str]]  # (number, sentence with this person's values)


def dry_run_campaign(campaign: SmartCampaign, person_id: int, by: Any, activity_id: int | None = None) -> DryRunResult:
    """Try the campaign as it is saved on one person, with one of their activities (None: the latest that triggers).

    Nothing is written, sent or called. Raises `RejectedError` (`unknown_person`, `unknown_activity`),
    `NotAllowedError`.
    """
    require_permission(by, campaign_lifecycle.VIEW)
    require_permission(by, VIEW_PERSON)
    person = Person.objects.live().filter(pk=person_id).first()
    if person is None:
        raise RejectedError(Problem(Code.UNKNOWN_PERSON, _("there is no such person"), ("person",)))
    definition, names = campaign_definition.load_definition(campaign.definition), Catalogue()
    row, trigger = _activity(definition, person, activity_id, names)
    record_id = None
    if row is None and (found := latest_record(definition, person.pk, names)):
        record_id, trigger = found
    why_not = _why_not(campaign, definition, person, row, trigger)
    activity = row.pk if row else None
    entry = EntryRow(0, campaign.pk, 0, person.pk, activity, max(trigger, 0), "0", timezone.now(), 0, False, record_id)
    trigger_text = campaign_sentences.trigger_sentence(definition.triggers[trigger], names) if trigger >= 0 else ""
    return DryRunResult(
        person,
        row.pk if row else None,
        trigger_text,
        not why_not,
        why_not,
        list(_steps(campaign, definition, entry, names)),
    )


def _activity(
    definition: CampaignDefinition, person: Person, activity_id: int | None, names: Catalogue
) -> tuple[Activity | None, int]:
    """The activity for the dry run, and the number of the trigger that it satisfies (-1: none)."""
    types = {names.type(trigger.type).id for _at, trigger in definition.activity_triggers}
    rows = Activity.objects.filter(person_id=person.pk)
    rows = rows.filter(pk=activity_id) if activity_id else rows.filter(activity_type_id__in=types)
    listener = triggers.Listener(SmartCampaign(pk=0), definition)
    candidates = list(rows.order_by("-occurred_at", "-pk")[:100])
    if activity_id and not candidates:
        raise RejectedError(Problem(Code.UNKNOWN_ACTIVITY, _("This person has no such activity."), ("activity",)))
    matches = triggers.match_triggers(candidates, [listener], names)  # type: ignore[arg-type]
    for row in candidates:
        if (0, row.pk) in matches:
            return row, matches[0, row.pk]
    return (candidates[0] if activity_id else None), -1


def _why_not(
    campaign: SmartCampaign, definition: CampaignDefinition, person: Person, row: Activity | None, trigger: int
) -> str:
    if definition.activity_triggers and trigger < 0:
        return _("none of this person's activities matches a trigger")
    if definition.object_triggers and trigger < 0:
        return _("none of this person's object records matches a trigger")
    if row is not None and triggers.is_past(row, definition):
        return str(CampaignEntry.Reason.PAST.label)
    if not definition.audience.is_unrestricted and not evaluator.evaluate_members(
        definition.audience.effective_rules, [person.pk]
    ):
        return str(CampaignEntry.Reason.AUDIENCE.label)
    last = campaign.entries.exclude(state=CampaignEntry.State.SKIPPED).filter(person_id=person.pk)
    before = last.order_by("-entered_at").values_list("entered_at", flat=True).first()
    return "" if definition.qualification.allows(before, timezone.now()) else str(CampaignEntry.Reason.ONCE.label)


def _steps(
    campaign: SmartCampaign, definition: CampaignDefinition, entry: EntryRow, names: Catalogue
) -> Iterator[tuple[str, str]]:
    """Yield the number and the sentence of every step on this person's way."""
    webhooks = dict(Webhook.objects.values_list("pk", "name"))
    now, path, step_count = timezone.now(), "0" if definition.steps else "", 0
    while path and step_count < MAX_STEPS:
        item = campaign_definition.step_at(definition.steps, path)
        situation = ActionContext(campaign, definition, path, SYSTEM, now)
        yield campaign_sentences.displayed_path(path), _step_text(item, entry, situation, names, webhooks)
        following = campaign_definition.following_path(definition.steps, path)
        if isinstance(item, campaign_definition.Choose):
            branch = campaign_actions.run_action(item, [entry], situation)[entry.id].branch
            following = campaign_definition.path_after_choice(definition.steps, path, branch or 0)
        elif isinstance(item, campaign_definition.Wait):
            now = _end_of_wait(item, entry, situation) or now
        path, step_count = following, step_count + 1


def _end_of_wait(item: campaign_definition.Wait, entry: EntryRow, situation: ActionContext) -> datetime | None:
    return campaign_actions.run_action(item, [entry], situation)[entry.id].until


def _step_text(
    item: campaign_definition.Step, entry: EntryRow, situation: ActionContext, names: Catalogue, webhooks: Any
) -> str:
    """The step's sentence with this person's values in the places of tokens."""
    values = token_values.values_by_entry([entry], situation)[entry.id]
    text = webhook_tokens.render_template(campaign_sentences.step_sentence(item, names, webhooks), values)
    if isinstance(item, campaign_definition.SendAlert) and item.body:
        text = f"{text}: {webhook_tokens.render_template(item.body, values)}"
    if isinstance(item, campaign_definition.CallWebhook):
        hook = Webhook.objects.filter(pk=item.webhook).first()
        text = (
            f"{text}: {hook.method} {webhook_tokens.render_template(hook.url, values, webhook_tokens.escape_for_url)}"
            if hook
            else text
        )
    return text
