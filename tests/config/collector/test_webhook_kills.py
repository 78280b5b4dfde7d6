"""Collector and dispatcher killed while a product calls a webhook: no acknowledged call is lost, none is recorded twice.

`make kills` does it a hundred times.
"""

import http.client
import json
import random
import threading
import time

import pytest

from activities.inbound import editing
from activities.models import Activity, InboundCall
from tests.activities.inbound.factories import DEFINITION, deposit
from tests.activities.inbound.factories import process as process_calls
from tests.config.collector.test_inbound import call
from tests.factories import approved_type, make_person
from tests.hypothesis_profiles import examples
from tests.kills import Tally, wait_until
from tests.server import commands_of_test, free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
KILLS = examples(2, 100, "KILLS")
SENDERS = 4


class Product(threading.Thread):
    """Calls with one number after the other, each until it is acknowledged."""

    def __init__(self, port, key, first, tally):
        super().__init__(daemon=True)
        self.port, self.key, self.number, self.tally = port, key, first, tally

    def run(self):
        while not self.tally.is_over.is_set():
            content = deposit(number=f"No. {self.number}")
            try:
                status = call(self.port, self.key, content)[0]
            except (OSError, http.client.HTTPException):
                status = 0
            if status == 200:
                self.tally.acknowledge(content["number"])
                self.number += SENDERS
            else:
                time.sleep(0.05)


def test_kills_lose_and_double_no_call(capsys):
    key, port, tally = webhook(), free_port(), Tally()
    products = [Product(port, key, number, tally) for number in range(SENDERS)]
    for product in products:
        product.start()
    with commands_of_test(BIND="127.0.0.1", COLLECTOR_PORT=str(port)) as commands:
        for _kill in range(KILLS):
            running = [commands.start(name) for name in ("collect", "dispatch")]
            goal, done = len(tally) + 10, done_calls()
            wait_until(
                lambda goal=goal, done=done: len(tally) >= goal and done_calls() > done,
                lambda: (len(tally), done_calls()),
            )
            time.sleep(random.random() / 10)
            for process in random.sample(running, 2):
                commands.kill(process)
    tally.finish(products)
    process_calls()
    kept = [json.loads(body)["number"] for body in InboundCall.objects.values_list("body", flat=True)]
    logged = list(Activity.objects.filter(activity_type_id__gte=100_001).values_list("primary_value", flat=True))
    tally.check(kept, KILLS * 10)
    tally.check(logged, KILLS * 10)
    assert set(InboundCall.objects.values_list("state", flat=True)) == {"done"}
    tally.tell(capsys, f"{KILLS} kills of the collector and {KILLS} of the dispatcher", kept, logged)


def webhook():
    make_person(email="ann@example.com")
    issued = editing.create_webhook("Bank", "other", None, calls_a_minute=10_000)
    mapping = editing.add_mapping(issued.key.source, "Deposits", None, DEFINITION, approved_type())
    editing.turn_on_mapping(mapping, None)
    return issued.write_key


def done_calls():
    return InboundCall.objects.filter(state="done").count()
