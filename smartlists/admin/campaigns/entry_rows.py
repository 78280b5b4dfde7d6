"""The rows of the results page: each entry with its person, and the outcomes of its steps in words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from people.datatypes.canonical import moment_text
from people.models import Person
from people.rights import VIEW_PERSON
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions import sentences as campaign_sentences
from smartlists.campaigns.triggers import definition_of_version
from smartlists.catalog import Catalogue
from smartlists.models import CampaignEntry, StepOutcome

State, Outcome = CampaignEntry.State, StepOutcome.Outcome
Json = dict[str, Any]


def rows_of_entries(
    request: HttpRequest, entries: Sequence[CampaignEntry], names: Catalogue, webhooks: Mapping[int, str]
) -> list[Json]:
    """Template context of the entries; without the person where the user may not see people."""
    may_see = request.user.has_perm(VIEW_PERSON)
    people = Person.objects.in_bulk({entry.person_id for entry in entries}) if may_see else {}
    return [
        {
            "entry": entry,
            "person": people.get(entry.person_id),
            "steps": [_step(entry, outcome, names, webhooks) for outcome in sorted(entry.outcomes.all(), key=_order)],
        }
        for entry in entries
    ]


def _order(outcome: StepOutcome) -> list[int]:
    return [int(part) for part in outcome.path.split(".")]


def _step(entry: CampaignEntry, outcome: StepOutcome, names: Catalogue, webhooks: Mapping[int, str]) -> Json:
    item = campaign_definition.step_at(definition_of_version(entry.version_id).steps, outcome.path)
    sentence = (
        str(campaign_sentences.STEP_TITLES["choose"])
        if isinstance(item, campaign_definition.Choose)  # the detail names the branch; the others do not matter here
        else campaign_sentences.step_sentence(item, names, webhooks)
    )
    what, detail = _result(entry, item, outcome, names)
    number = campaign_sentences.displayed_path(outcome.path)
    return {
        **{"number": number, "sentence": sentence, "what": what, "detail": detail},
        "at": None if isinstance(item, campaign_definition.Wait) else outcome.at,  # a wait has its end instead
    }


def _result(
    entry: CampaignEntry, item: campaign_definition.Step, outcome: StepOutcome, names: Catalogue
) -> tuple[str, str]:
    """The outcome in words, and its detail; moments in the active zone."""
    if outcome.outcome == Outcome.DONE:
        match item:
            case campaign_definition.Wait():
                return _wait_result(entry, outcome.detail), ""
            case campaign_definition.Choose():
                return _branch_label(item, outcome.detail, names), ""
            case campaign_definition.RecordActivity():
                return outcome.get_outcome_display(), _("activity %(id)s") % {"id": outcome.detail}
    if isinstance(item, campaign_definition.Wait) and outcome.outcome == Outcome.NOTHING:
        return outcome.get_outcome_display(), _shown_moment(outcome.detail)
    return outcome.get_outcome_display(), outcome.detail


def _wait_result(entry: CampaignEntry, until: str) -> str:
    """“Waiting until…” while the moment `until`, ISO 8601 in UTC, is ahead of an entry that is still under way."""
    is_over = entry.state not in (State.OPEN, State.HELD) or until <= moment_text(timezone.now())
    words = _("Waited until %(moment)s") if is_over else _("Waiting until %(moment)s")
    return words % {"moment": _shown_moment(until)}


def _shown_moment(text: str) -> str:
    """A moment as pages show it; texts that are none stay as they are."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is None:
        return text
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def _branch_label(item: campaign_definition.Choose, branch: str, names: Catalogue) -> str:
    """The condition of the branch with this number, from "1"; the last one is for everyone else."""
    number = int(branch) if branch.isdecimal() else 0
    if 1 <= number <= len(item.choices):
        return campaign_sentences.audience_sentence(item.choices[number - 1].when, names)
    return _("everyone else")
