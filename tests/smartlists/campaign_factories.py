"""Makers for tests of smart campaigns."""

import itertools
from datetime import UTC, datetime, timedelta

from people.lists import static_lists
from people.models import StaticList
from smartlists.campaigns import dispatcher
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.models import CampaignEntry
from tests.factories import new_activity, record_rows

_numbers = itertools.count(1)
CHECK = {"type": "depositCheck", "constraints": []}
BIG_CHECK = {
    "type": "depositCheck",
    "constraints": [{"field": "amount", "operator": "greater than", "values": ["1000"]}],
}


def make_static_list(name=None):
    return static_lists.create_static_list(name or f"List {next(_numbers)}", None)


def list_member_ids(static_list: StaticList):
    return set(static_list.members.values_list("person_id", flat=True))


def campaign_json(*steps, triggers=(CHECK,), qualification=None, **more):
    return {
        "triggers": list(triggers),
        "steps": list(steps),
        "qualification": qualification or {"how": "every time"},
        **more,
    }


def make_draft_campaign(*steps, name=None, **more):
    return campaign_lifecycle.create_campaign(
        name or f"Campaign {next(_numbers)}", None, value=campaign_json(*steps, **more)
    )


def make_active_campaign(*steps, **more):
    return campaign_lifecycle.activate_campaign(make_draft_campaign(*steps, **more), None)


def add_to_list_step(static_list):
    return {"do": "add_to_list", "list": static_list.pk}


def record_deposit(person_id, **more):
    """A check was deposited a minute ago."""
    more.setdefault("occurred_at", datetime.now(UTC) - timedelta(minutes=1))
    (outcome,) = record_rows(new_activity(person_id, **more))
    assert outcome.activity_id, outcome.problems
    return outcome.activity_id


def process_due_work():
    """Do all that is due; return the results of all entries, in order."""
    dispatcher.process_all_due_work()
    return entry_states()


def entry_states():
    return [(one.person_id, one.state, one.reason) for one in CampaignEntry.objects.order_by("pk")]


def step_outcomes(entry=None):
    found = entry or CampaignEntry.objects.get()
    return [(one.path, one.do, one.outcome, one.detail) for one in found.outcomes.order_by("pk")]
