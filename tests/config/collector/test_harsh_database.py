"""A database whose disk gets full, and one that is frozen: nothing acknowledged is lost or doubled, every request is answered.

An installation of its own, on a disk of its own.
"""

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from config.postgres.binaries import wheel_binaries
from config.postgres.server import DATABASE, EmbeddedPostgres
from tests.kills import wait_until
from tests.system.chaos import collecting
from tests.system.chaos.faults import fill_disk, freeze, own_disk, take_disk_away, thaw
from tests.system.chaos.world import World, fresh_folder, manage, web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
MEGABYTES = 640
REST = 0.03  # seconds of a sender between two things
ANSWERED = 8.0  # seconds: readings wait for 4, commits for 6; on a busy machine
FEW_SECONDS = 12.0  # of a web process: silence, a question to the server, another connection
SMALL = 400 * 1024**2  # bytes of the collector's memory


class Installation(World):
    """One with a database like the test's, a collector and a web process."""

    def __init__(self, folder):
        super().__init__(folder)
        self.environment |= {"WEB_WORKERS": "1", "SECRET_KEY": settings.SECRET_KEY}
        self.addresses = collecting.make_addresses()
        self.start("database", *manage("postgres"))
        self.postgres = EmbeddedPostgres(folder)
        wait_until(self.postgres._responds, lambda: "no database")
        self._copy_database()
        self.start("collector", *manage("collect"))
        self.start("web", *web())
        self.wait_until_ready()
        wait_until(lambda: self.ask("/readyz")[0] == 200, lambda: self.ask("/readyz"))

    def _copy_database(self):
        options = ["--no-owner", "--no-privileges"]
        dumping = subprocess.run(
            [wheel_binaries() / "pg_dump", *options], env=_pg(connection.get_connection_params()), capture_output=True
        )
        loading = subprocess.run(
            [wheel_binaries() / "psql", "-q", "-v", "ON_ERROR_STOP=1"],
            env=_pg(self.parameters),
            input=dumping.stdout,
            capture_output=True,
        )
        assert loading.returncode == dumping.returncode == 0, dumping.stderr + loading.stderr

    @property
    def parameters(self):
        return self.postgres.connection_parameters() | {"dbname": DATABASE}

    def fetch(self, statement):
        with psycopg.connect(**self.parameters) as server:
            return server.execute(statement).fetchall()

    def ask(self, path, to_web=False):
        """Status and text of an answer of the collector, and the seconds until it came."""
        prober = collecting.Pages({False: self.port if to_web else self.collector_port}, self.addresses)
        started = time.monotonic()
        status, _headers, text = prober.ask("GET", path, None, {})
        return status, text, time.monotonic() - started

    @property
    def collector_bytes(self):
        text = Path(f"/proc/{self.processes['collector'].pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) * 1024

    @property
    def ports(self):
        return {False: self.collector_port, True: self.port}


def _pg(parameters):
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return os.environ | {variable: str(parameters[name]) for name, variable in names.items() if parameters.get(name)}


@pytest.fixture
def installation():
    folder = fresh_folder(Path(settings.DATA_DIR) / f"harsh-{uuid4().hex[:8]}")
    if not own_disk(folder, MEGABYTES):
        pytest.skip("mounting a file system is not allowed here")
    world = None
    try:
        world = Installation(folder)
        yield world
    finally:
        if world is not None:
            world.end()
        take_disk_away(folder)
        folder.rmdir()
        folder.with_name(f"{folder.name}.log").unlink(missing_ok=True)


@contextmanager
def sending(world):
    senders = collecting.start_senders(world.ports, world.addresses, REST)
    try:
        wait_for_more(senders)
        yield senders
        wait_for_more(senders)
    finally:
        collecting.end_senders(senders)


def wait_for_more(senders, number=5):
    goals = [len(sender.acknowledged) + number for sender in senders]
    wait_until(
        lambda: all(len(sender.acknowledged) >= goal for sender, goal in zip(senders, goals, strict=True)),
        lambda: [(sender.kind, len(sender.acknowledged), sender.refusals) for sender in senders],
    )


def wait_for_refusals(senders, number=2):
    refused = [sender for sender in senders if sender.kind != "click"]
    goals = [sender.refusals[503] + number for sender in refused]
    wait_until(
        lambda: all(sender.refusals[503] >= goal for sender, goal in zip(refused, goals, strict=True)),
        lambda: [(sender.kind, sender.refusals) for sender in refused],
    )


def test_a_full_and_a_frozen_database_lose_and_double_nothing(installation):
    collector = installation.processes["collector"].pid
    with sending(installation) as senders:
        fill_up(installation, senders)
        freeze_for_a_while(installation, senders)
    wait_until(
        lambda: clicks(installation) == len(senders[3].acknowledged),
        lambda: (clicks(installation), len(senders[3].acknowledged)),
    )
    assert list(collecting.judge_senders(senders, installation.fetch)) == []
    assert installation.processes["collector"].pid == collector and installation.collector_bytes < SMALL
    assert installation.starts["web"] == installation.starts["database"] == 1
    assert not any(sender.refusals[collecting.NO_ANSWER] for sender in senders)


def fill_up(world, senders):
    """Every sender is refused in words that name the disk, and clicks lead on; then there is room again."""
    with fill_disk(world):
        wait_for_refusals(senders)
        for status, text, seconds in (world.ask("/readyz"), world.ask("/readyz", to_web=True)):
            assert status == 503 and "disk" in text and seconds < FEW_SECONDS, text
        assert world.ask("/healthz")[0] == 200
        wait_for_more(senders[3:4])
        said = {sender.kind: sender.texts for sender in senders}
        for kind in ("hit", "Segment batch", "call", "form"):
            assert any("disk" in text for text in said[kind]), (kind, said[kind])
        assert not senders[3].refusals
    world.wait_until_ready()
    wait_for_more(senders)


def freeze_for_a_while(world, senders):
    for sender in senders:
        sender.slowest = 0.0
    processes = freeze(world)
    try:
        wait_for_refusals(senders, 1)
        wait_for_more(senders[3:4], 2)
        assert world.ask("/readyz")[0] == 503 and world.ask("/healthz")[0] == 200
        for path in ("/readyz", "/healthz"):
            status, text, seconds = world.ask(path, to_web=True)
            assert status == 503 and "unavailable" in text and seconds < FEW_SECONDS
        for sender in senders:
            assert sender.slowest < (FEW_SECONDS if sender.to_web else ANSWERED), (sender.kind, sender.slowest)
    finally:
        thaw(processes)
    world.wait_until_ready()


def clicks(world):
    return world.fetch("select coalesce(sum(clicks + machines), 0)::int from link_day")[0][0]
