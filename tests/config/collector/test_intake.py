"""Acknowledged events are there once and in their order, whatever is killed; a full intake is refused with a time."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from django.conf import settings

from activities.intake.state import intake_state
from activities.models import IntakeRequest, MessageKey, VisitorActivity
from activities.sources import editing
from activities.visitors import partitions
from tests.activities.intake.processing import process_all, wait_until_processed
from tests.activities.segment.senders import message
from tests.config.collector.test_segment import Client
from tests.factories import approved_type
from tests.hypothesis_profiles import examples
from tests.kills import wait_until
from tests.server import commands_environment, free_port, running_collector

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
KILLS = examples(3, 60, "KILLS")
USERS = 3


class Program(threading.Thread):
    """A program that sends batches of its users, each again until it is acknowledged."""

    def __init__(self, port, key):
        super().__init__(daemon=True)
        self.client, self.over = Client(port, key), threading.Event()
        self.acknowledged, self.number = [], 0

    def run(self):
        while not self.over.is_set():
            batch = [self._event() for _place in range(random.randint(1, 20))]
            while not self._is_taken(batch) and not self.over.is_set():
                time.sleep(0.05)

    def _event(self):
        self.number += 1
        return message("track", "Deposit Check", {"check": str(self.number)}, userId=f"u-{self.number % USERS}")

    def _is_taken(self, batch):
        try:
            status, _answer = self.client.post("/v1/batch", {"batch": batch})
        except (OSError, ValueError):
            return False
        if status == 200:
            self.acknowledged += [event["messageId"] for event in batch]
        return status == 200


@pytest.fixture
def keys():
    partitions.forget_partitions()
    approved_type()
    return [editing.create_source(f"Program {number}", "server", None) for number in range(3)]


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def processor():
    """A process that works on the intake beside that of the collector."""
    return subprocess.Popen([sys.executable, "manage.py", "intake"], cwd=settings.BASE_DIR, env=commands_environment())


def wait_for_more(programs, number=30):
    goals = [len(program.acknowledged) + number for program in programs]
    wait_until(
        lambda: all(len(program.acknowledged) >= goal for program, goal in zip(programs, goals, strict=True)),
        lambda: [len(program.acknowledged) for program in programs],
    )


def test_kills_between_acknowledging_and_processing_lose_double_and_reorder_nothing(keys):
    port, beside = free_port(), processor()
    programs = [Program(port, issued.write_key) for issued in keys]
    for program in programs:
        program.start()
    children: list[int] = []
    for number in range(KILLS):
        with running_collector(port, INTAKE_PROCESSES="1") as server:
            wait_for_more(programs)
            wait_until(lambda: children_of(server.process.pid), lambda: "no process of the intake")
            children += children_of(server.process.pid)
            for child in children_of(server.process.pid):
                subprocess.run(["kill", "-9", str(child)], check=False)
            if number % 2:
                beside.kill()
                beside.wait(10)
                beside = processor()
            wait_for_more(programs)
            if number == KILLS - 1:
                wait_for_more(programs)
                finish(programs)
                wait_until_processed()
            else:
                wait_until(lambda: children_of(server.process.pid), lambda: "no other process")
                children += children_of(server.process.pid)
                server.signal(signal.SIGKILL)
    beside.terminate()
    assert beside.wait(20) == 0
    wait_until(lambda: not any(map(is_running, children)), lambda: "a process outlived its collector")
    check_once_and_in_order(keys, programs)


def is_running(pid):
    return Path(f"/proc/{pid}/cmdline").exists() and b"intake" in Path(f"/proc/{pid}/cmdline").read_bytes()


def finish(programs):
    for program in programs:
        program.over.set()
    for program in programs:
        program.join(40)


def check_once_and_in_order(keys, programs):
    stored = Counter(VisitorActivity.objects.exclude(activity_type_id=None).values_list("message_id", flat=True))
    assert set(stored.values()) == {1} and len(stored) == MessageKey.objects.count()
    for issued, program in zip(keys, programs, strict=True):
        assert set(program.acknowledged) <= set(stored)
        rows = VisitorActivity.objects.filter(source_id=issued.key.source_id).exclude(activity_type_id=None)
        by_visitor = defaultdict(list)
        for visitor_id, value in rows.order_by("pk").values_list("visitor_id", "primary_value"):
            by_visitor[visitor_id].append(int(value))
        assert len(by_visitor) == USERS
        for numbers in by_visitor.values():
            assert numbers == sorted(numbers), "in the order in which they came"


def test_a_full_intake_is_refused_with_the_time_of_another_try(keys):
    issued = keys[0]
    texts = [message("track", "Deposit Check", {"check": "x" * 30_000}, userId="u-1") for _number in range(10)]
    with running_collector(INTAKE_MB="2") as server:
        client = Client(server.port, issued.write_key)
        answers = [client.post("/v1/batch", {"batch": texts})[0] for _number in range(5)]
        assert answers == [200] * 3 + [503] * 2
        assert int(client.headers["Retry-After"]) > 0
        assert client.post("/v1/batch", {"batch": 7})[0] == 400 and client.post("/v1/m", {})[0] == 200
        assert client.post("/v1/batch", {"batch": texts}, key="nobody:")[0] == 401
        assert intake_state().requests == 3 == process_all()
        wait_until(lambda: client.post("/v1/batch", {"batch": texts[:1]})[0] == 200, lambda: intake_state())
        process_all()
    stored = VisitorActivity.objects.exclude(activity_type_id=None).count()
    assert stored == 0, "such long values are refused, and kept for review"
    assert not IntakeRequest.objects.exists()


def test_a_key_is_not_kept_and_its_end_changes_nothing_about_what_waits(keys):
    issued = keys[0]
    with running_collector() as server:
        client = Client(server.port, issued.write_key)
        event = message("track", "Deposit Check", {"check": "1"}, userId="u-1")
        body = json.dumps({"writeKey": issued.write_key, "batch": [event]}).encode()
        assert client.post("/v1/batch", body)[0] == 200 == client.post("/v1/batch", body, key=False)[0]
        assert issued.write_key not in "".join(bytes(row.body).decode() for row in IntakeRequest.objects.all())
        editing.end_key(issued.key.source, issued.key.pk, None)
        editing.turn_off(issued.key.source, None)
        process_all()
    assert VisitorActivity.objects.filter(primary_value="1").count() == 1, "it was acknowledged before"
