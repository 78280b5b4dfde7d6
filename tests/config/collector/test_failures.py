"""Acknowledged hits are there once, whatever is killed: `make kills` for long."""

import http.client
import random
import threading
import time
from collections import Counter

import psycopg
import pytest
from django.db import connection

from activities.models import MessageKey, VisitorActivity
from activities.sources import editing
from activities.visitors import partitions
from tests.config.collector.pages import SITE, Browser, new_hit
from tests.config.test_outages import other_connection
from tests.hypothesis_profiles import examples
from tests.server import free_port, running_collector

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
KILLS = examples(2, 100, "KILLS")


class Visitors(threading.Thread):
    """One browser after the other, each sending its hit until it is acknowledged or the test is over."""

    def __init__(self, port, key):
        super().__init__(daemon=True)
        self.browser = Browser(port, key)
        self.acknowledged, self.refused, self.slowest = [], Counter(), 0.0
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            hits = [new_hit() for _number in range(random.randint(1, 3))]
            while not self._is_taken(hits) and not self.over.is_set():
                time.sleep(0.05)

    def _is_taken(self, hits):
        started = time.monotonic()
        try:
            status = self.browser.send(*hits)
        except (OSError, http.client.HTTPException):
            return False
        self.slowest = max(self.slowest, time.monotonic() - started)
        if status == 200:
            assert not self.browser.refused
            self.acknowledged += [hit["id"] for hit in hits]
            return True
        self.refused[status] += 1
        assert status == 503 and int(self.browser.headers["Retry-After"]) > 0
        return False


@pytest.fixture
def site():
    partitions.forget_partitions()
    return editing.create_source("Shop", "browser", None, origins=[SITE])


def start(port, key, number=8):
    crowd = [Visitors(port, key) for _number in range(number)]
    for visitors in crowd:
        visitors.start()
    return crowd


def finish(crowd):
    """Everything acknowledged is stored, and nothing twice."""
    for visitors in crowd:
        visitors.over.set()
    for visitors in crowd:
        visitors.join(60)
    acknowledged = [message_id for visitors in crowd for message_id in visitors.acknowledged]
    stored = Counter(VisitorActivity.objects.values_list("message_id", flat=True))
    assert set(stored.values()) == {1} and len(stored) == MessageKey.objects.count()
    assert set(acknowledged) <= set(stored) and len(acknowledged) == len(set(acknowledged))
    return len(acknowledged)


def acknowledged(crowd):
    return sum(len(visitors.acknowledged) for visitors in crowd)


def wait_for_more(crowd, number=10, seconds=60):
    goal, deadline = acknowledged(crowd) + number, time.monotonic() + seconds
    while acknowledged(crowd) < goal:
        assert time.monotonic() < deadline, [visitors.refused for visitors in crowd]
        time.sleep(0.05)


def test_kills_lose_and_double_nothing(site):
    port = free_port()
    crowd = start(port, site.write_key)
    for number in range(KILLS):
        with running_collector(port) as server:
            wait_for_more(crowd)
            time.sleep(random.random() / 5)
            if number == KILLS - 1:
                server.process.terminate()  # a graceful end answers what it took
                assert server.process.wait(40) == 0
            else:
                server.process.kill()
                server.process.wait(40)
    assert finish(crowd) >= 10 * KILLS


def test_a_database_that_is_away_is_said_and_found_again_also_while_the_key_is_changed(site):
    with running_collector() as server:
        crowd = start(server.port, site.write_key, 4)
        wait_for_more(crowd)
        name = connection.settings_dict["NAME"]
        with other_connection() as other, elsewhere() as postgres:
            keep = [connection.connection.info.backend_pid if connection.connection else 0, other.info.backend_pid]
            postgres.execute(f'alter database "{name}" allow_connections false')
            try:
                postgres.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> all(%s::int[])",
                    [name, keep],
                )
                time.sleep(1)
                before = acknowledged(crowd)
                time.sleep(1)
                assert acknowledged(crowd) == before and sum((v.refused for v in crowd), Counter())[503]
                assert server.get("/healthz")[0] == 200 and server.get("/readyz")[0] == 503
            finally:
                postgres.execute(f'alter database "{name}" allow_connections true')
        wait_for_more(crowd)
        issued = editing.rotate_key(site.key.source, None, editing.timedelta(hours=1))
        assert Browser(server.port, issued.write_key).send(new_hit()) == 200
        wait_for_more(crowd)
        finish(crowd)


def elsewhere():
    """A connection to another database of the same server."""
    known = connection.get_connection_params()
    values = {name: known[name] for name in ("host", "port", "user", "password") if known.get(name)}
    return psycopg.connect(**values, dbname="postgres", autocommit=True)
