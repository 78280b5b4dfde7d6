"""Deleting and merging leads (§3)."""

from typing import Any

from django.http import HttpResponse

from config.marketo.resources.lists import NOT_FOUND, skipped_row
from config.marketo.wire.endpoint import Call
from config.marketo.wire.parameters import parse_person_id
from config.marketo.wire.responses import missing_parameter, success_reply
from people.persons import deletion
from people.persons import merge as person_merge
from people.persons.deletion import DeletionOutcome, DeletionStatus
from people.rights import DELETE_PERSON


def delete_leads(call: Call) -> HttpResponse:
    """Delete leads, given in any of three forms; each is deleted or skipped separately."""
    call.require(DELETE_PERSON)
    ids = call.parameters.ids()
    outcomes = deletion.delete_people([parse_person_id(value) for value in ids], call.user, call.source)
    return success_reply([_deleted_row(value, outcome) for value, outcome in zip(ids, outcomes, strict=True)])


def _deleted_row(value: Any, outcome: DeletionOutcome) -> dict[str, Any]:
    if outcome.status is DeletionStatus.REFUSED:
        return skipped_row(value, NOT_FOUND)
    return {"id": parse_person_id(value), "status": "deleted"}


def merge_leads(call: Call, lead_id: int) -> HttpResponse:
    """Merge leads; the lead in the path wins. There is no CRM, so `mergeInCRM` has no effect."""
    losers = call.parameters.numbers("leadIds") + call.parameters.numbers("leadId")
    if not losers:
        raise missing_parameter("leadId")
    person_merge.merge_people(lead_id, losers, call.user, call.source)
    return success_reply()
