"""Makers for tests of smart campaigns."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from activities.log import reader as log_reader
from people.lists import static_lists
from people.models import StaticList
from smartlists.campaigns import dispatcher
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.models import CampaignEntry
from tests.factories import activity, recorded

_numbers = itertools.count(1)
CHECK = {"type": "depositCheck", "constraints": []}
BIG_CHECK = {
    "type": "depositCheck",
    "constraints": [{"field": "amount", "operator": "greater than", "values": ["1000"]}],
}


@pytest.fixture
def own_rows_read(monkeypatch):
    """The log as it will be once this test's transaction is committed, which holds the high-water mark back."""

    def last_id():
        with connection.cursor() as cursor:
            cursor.execute("select case when is_called then last_value else 0 end from activity_id_seq")
            return cursor.fetchone()[0]

    monkeypatch.setattr(log_reader, "high_water_mark", last_id)


def a_list(name=None):
    return static_lists.create(name or f"List {next(_numbers)}", None)


def members(static_list: StaticList):
    return set(static_list.members.values_list("person_id", flat=True))


def definition(*steps, triggers=(CHECK,), qualification=None, **more):
    return {
        "triggers": list(triggers), "steps": list(steps), "qualification": qualification or {"how": "every time"},
        **more,
    }  # fmt: skip


def draft(*steps, name=None, **more):
    return campaign_lifecycle.create(name or f"Campaign {next(_numbers)}", None, value=definition(*steps, **more))


def active(*steps, **more):
    return campaign_lifecycle.activate(draft(*steps, **more), None)


def add_to(static_list):
    return {"do": "add_to_list", "list": static_list.pk}


def happened(person_id, **more):
    """A check was deposited a minute ago."""
    more.setdefault("occurred_at", datetime.now(UTC) - timedelta(minutes=1))
    (outcome,) = recorded(activity(person_id, **more))
    assert outcome.activity_id, outcome.problems
    return outcome.activity_id


def dispatched():
    """Do all that is due; what became of everybody, in order."""
    dispatcher.drain()
    return entries()


def entries():
    return [(one.person_id, one.state, one.reason) for one in CampaignEntry.objects.order_by("pk")]


def outcomes(entry=None):
    found = entry or CampaignEntry.objects.get()
    return [(one.path, one.do, one.outcome, one.detail) for one in found.outcomes.order_by("pk")]
