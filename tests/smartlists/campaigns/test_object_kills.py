"""The dispatcher killed while object records change: each change enters its person exactly once."""

import random
import time
from collections import Counter

import pytest

from people.models import ObjectChange
from smartlists.campaigns import triggers
from smartlists.models import CampaignEntry, StepOutcome
from tests.factories import make_person
from tests.hypothesis_profiles import examples
from tests.people.objects import world
from tests.smartlists.campaign_factories import make_active_campaign
from tests.smartlists.campaigns.test_kills import Process, eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
KILLS = examples(3, 30, "CAMPAIGN_KILLS")


def is_quiet():
    return triggers.dispatcher_lag() == 0 and not CampaignEntry.objects.filter(state="open").exists()


def test_killed_again_and_again_every_change_is_done_exactly_once():
    car = world.approved_type()
    people = [make_person(email=f"p{number}@example.com") for number in range(5)]
    make_active_campaign(
        {"do": "change_field", "field": "person_score", "by": "1"},
        {"do": "change_object", "type": "car", "field": "mileage", "to": "1"},
        triggers=[{"object": "car"}, {"object": "car", "event": "changed", "changed": {"field": "colour"}}],
    )
    processes = [Process(("dispatch",), "") for _twin in range(2)]
    chance = random.Random(4)
    try:
        for turn in range(KILLS * 2):
            rows = [{"plate": f"{turn}-{one.pk}", "owner": one.email, "colour": "Blue"} for one in people]
            world.upsert(car, *rows)
            world.upsert(car, *({"plate": row["plate"], "colour": "Red"} for row in rows))
            time.sleep(chance.uniform(0.1, 0.6))
            if turn % 2:
                process = chance.choice(processes)
                process.kill()
                process.start()
        assert eventually(is_quiet), "not done in time"
    finally:
        for process in processes:
            process.kill()
    changes = ObjectChange.objects.filter(changes__has_key="colour").values_list("pk", flat=True)
    entries = list(CampaignEntry.objects.order_by("pk"))
    assert Counter(entry.object_change_id for entry in entries) == Counter(changes)
    assert len(entries) == KILLS * 2 * len(people) * 2 and {entry.state for entry in entries} == {"done"}
    assert Counter(StepOutcome.objects.values_list("entry_id", flat=True)) == Counter({one.pk: 2 for one in entries})
