"""The actions of campaign steps: one function per kind, each for many people at once, inside one transaction."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from activities.models import ActivityType
from activities.recording import recorder
from activities.recording import rows as recording_rows
from people.core import installation
from people.core.kinds import Facet
from people.datatypes.canonical import moment_text
from people.datatypes.parsing import BadValueError, parse_moment
from people.lists import static_lists
from people.models import StaticList
from people.persons import upsert
from smartlists.campaigns import emails as campaign_emails
from smartlists.campaigns import token_values, webhook_calls
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions.model import Step
from smartlists.campaigns.definitions.parsing import parse_wait_period
from smartlists.campaigns.entries.step_results import ActionContext, Dones, EntryRow, StepResult
from smartlists.campaigns.records import steps as record_steps
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.models import StepOutcome
from smartlists.rules.periods import Clock

Outcome = StepOutcome.Outcome


def run_action(step: Step, entries: Sequence[EntryRow], situation: ActionContext) -> Dones:
    """Do the step for all entries and return the result of each, by the entry's id.

    Raises `RejectedError` when it cannot be done for any entry.
    """
    return STEP_ACTIONS.of(step)(step, entries, situation)


def failing_action(problem: str) -> Callable[[Step, Sequence[EntryRow], ActionContext], Dones]:
    """Return an action that fails for every entry with `problem`; it replaces a step that could not be done."""

    def fail(_step: Step, entries: Sequence[EntryRow], _situation: ActionContext) -> Dones:
        return {entry.id: StepResult(Outcome.FAILED, problem) for entry in entries}

    return fail


def _add_to_list(step: campaign_definition.AddToList, entries: Sequence[EntryRow], situation: ActionContext) -> Dones:
    return _on_list(static_lists.add_members, static_lists.Membership.ADDED, step.list, entries, situation)


def _remove_from_list(
    step: campaign_definition.RemoveFromList, entries: Sequence[EntryRow], situation: ActionContext
) -> Dones:
    return _on_list(static_lists.remove_members, static_lists.Membership.REMOVED, step.list, entries, situation)


def _on_list(verb: Any, did: Any, list_id: int, entries: Sequence[EntryRow], situation: ActionContext) -> Dones:
    outcomes = verb(StaticList(pk=list_id), [entry.person_id for entry in entries], situation.source)
    meaning = {did: Outcome.DONE, static_lists.Membership.UNKNOWN: Outcome.FAILED}
    return {
        entry.id: StepResult(meaning.get(outcome, Outcome.NOTHING))
        for entry, outcome in zip(entries, outcomes, strict=True)
    }


def _change_field(
    step: campaign_definition.ChangeField, entries: Sequence[EntryRow], situation: ActionContext
) -> Dones:
    values = token_values.render_for_entries(step.by or step.to, entries, situation)
    if step.by:
        amounts = {entry.person_id: values[entry.id] for entry in entries if values[entry.id]}
        outcomes = upsert.add_to_values(amounts, step.field, situation.source) if amounts else {}
    else:
        rows = [{"id": entry.person_id, step.field: values[entry.id]} for entry in entries]
        upserted = upsert.upsert_people(rows, situation.source, "id", upsert.UpsertAction.UPDATE)
        outcomes = {entry.person_id: outcome for entry, outcome in zip(entries, upserted, strict=True)}
    return {entry.id: _change_result(outcomes.get(entry.person_id), values[entry.id]) for entry in entries}


def _change_result(outcome: upsert.UpsertOutcome | None, value: str) -> StepResult:
    if outcome is None:
        return StepResult(Outcome.NOTHING)
    if outcome.status is upsert.UpsertStatus.REFUSED:
        return StepResult(Outcome.FAILED, "; ".join(str(problem.message) for problem in outcome.problems))
    return StepResult(Outcome.DONE, value)


def _record(step: campaign_definition.RecordActivity, entries: Sequence[EntryRow], situation: ActionContext) -> Dones:
    may_record = frozenset(
        ActivityType.objects.filter(api_name=step.type, is_standard=True).values_list("pk", flat=True)
    )
    primaries = token_values.render_for_entries(step.primary, entries, situation)
    attributes = {name: token_values.render_for_entries(text, entries, situation) for name, text in step.attributes}
    rows = [
        recording_rows.NewActivity(
            entry.person_id,
            step.type,
            situation.now,
            primaries[entry.id] or None,
            [(name, texts[entry.id]) for name, texts in attributes.items()],
        )
        for entry in entries
    ]
    outcomes = recorder.record_activities(rows, situation.source, may_record=may_record, keep_refused=False)
    return {entry.id: _record_result(outcome) for entry, outcome in zip(entries, outcomes, strict=True)}


def _record_result(outcome: recording_rows.RecordOutcome) -> StepResult:
    if outcome.status is recording_rows.RecordStatus.REFUSED:
        return StepResult(Outcome.FAILED, "; ".join(str(problem.message) for problem in outcome.problems))
    return StepResult(Outcome.DONE, str(outcome.activity_id))


def _wait(step: campaign_definition.Wait, entries: Sequence[EntryRow], situation: ActionContext) -> Dones:
    if step.period:
        until = _after(situation.now.replace(microsecond=0), step.period)
        return {entry.id: StepResult(Outcome.DONE, moment_text(until), until) for entry in entries}
    texts = token_values.render_for_entries(step.until, entries, situation)
    return {entry.id: _wait_result(texts[entry.id], situation.now) for entry in entries}


def _after(now: datetime, period: str) -> datetime:
    """The moment after a period: minutes and hours exact, longer units by the calendar of the installation's zone."""
    number, unit = parse_wait_period(period)
    return now + timedelta(minutes=number) if unit == "minute" else Clock.current(now).shifted(number, unit)


def _wait_result(text: str, now: datetime) -> StepResult:
    try:
        until = parse_moment(text, installation.installation_zone()) if text else now
    except BadValueError:
        return StepResult(Outcome.FAILED, _("“%(text)s” is not a date") % {"text": text})
    if until <= now:
        return StepResult(Outcome.NOTHING, text)
    return StepResult(Outcome.DONE, moment_text(until.astimezone(UTC)), until)


def _choose(step: campaign_definition.Choose, entries: Sequence[EntryRow], _situation: ActionContext) -> Dones:
    results: dict[int, StepResult] = {}
    undecided = {entry.id: entry.person_id for entry in entries}
    names = Catalogue()
    for branch, choice in enumerate(step.choices):
        if not undecided:
            break
        inside = evaluator.evaluate_rules(choice.when.effective_rules, set(undecided.values()), names=names).members
        chosen = [pk for pk, person_id in undecided.items() if person_id in inside]
        results |= {pk: StepResult(Outcome.DONE, str(branch + 1), branch=branch) for pk in chosen}
        undecided = {pk: person_id for pk, person_id in undecided.items() if pk not in results}
    otherwise = len(step.choices)
    return results | {pk: StepResult(Outcome.DONE, str(otherwise + 1), branch=otherwise) for pk in undecided}


def _alert(step: campaign_definition.SendAlert, entries: Sequence[EntryRow], situation: ActionContext) -> Dones:
    campaign_emails.queue_alerts(step, entries, situation)
    return {entry.id: StepResult(Outcome.QUEUED, ", ".join(step.to)) for entry in entries}


def _call_webhook(
    step: campaign_definition.CallWebhook, entries: Sequence[EntryRow], situation: ActionContext
) -> Dones:
    problems = webhook_calls.queue_webhook_calls(step.webhook, entries, situation)
    return {
        entry.id: StepResult(Outcome.FAILED, problems[entry.id]) if entry.id in problems else StepResult(Outcome.QUEUED)
        for entry in entries
    }


STEP_ACTIONS: Facet[Callable[[Any, Sequence[EntryRow], ActionContext], Dones]] = campaign_definition.STEPS.facet(
    "action",
    {
        "add_to_list": _add_to_list,
        "remove_from_list": _remove_from_list,
        "change_field": _change_field,
        "record": _record,
        "change_object": record_steps.change_records,
        "create_object": record_steps.create_records,
        "wait": _wait,
        "choose": _choose,
        "alert": _alert,
        "webhook": _call_webhook,
    },
)
