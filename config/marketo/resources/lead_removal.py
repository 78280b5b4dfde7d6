"""Deleting and merging leads (§3)."""

from typing import Any

from django.http import HttpResponse

from config.marketo.resources.lists import NOT_FOUND, skipped
from config.marketo.wire.endpoint import Call
from config.marketo.wire.parameters import person_id
from config.marketo.wire.responses import missing, success
from people.persons import deletion
from people.persons import merge as person_merge
from people.persons.deletion import Outcome, Status


def delete(call: Call) -> HttpResponse:
    """Delete leads, given in any of three forms; each is deleted or skipped separately."""
    call.require("people.delete_person")
    ids = call.parameters.ids()
    outcomes = deletion.delete([person_id(value) for value in ids], call.user, call.source)
    return success([_deleted_row(value, outcome) for value, outcome in zip(ids, outcomes, strict=True)])


def _deleted_row(value: Any, outcome: Outcome) -> dict[str, Any]:
    if outcome.status is Status.REFUSED:
        return skipped(value, NOT_FOUND)
    return {"id": person_id(value), "status": "deleted"}


def merge(call: Call, lead_id: int) -> HttpResponse:
    """Merge leads; the lead in the path wins. There is no CRM, so `mergeInCRM` has no effect."""
    losers = call.parameters.numbers("leadIds") + call.parameters.numbers("leadId")
    if not losers:
        raise missing("leadId")
    person_merge.merge(lead_id, losers, call.user, call.source)
    return success()
