"""Segment's API: batches of events of a program, against baseline B: acknowledged, and in their visitors' rows.

All batches that wait are one commit: with eight connections, as many servers of a shop have, the next ones are read
while the database writes. A batch is acknowledged once it is kept in the intake, and processed after that: the rate of
acknowledging alone would deceive, so that of processing alone is there, too, and that of both at the same time, until
the last event is in its visitor's row.
"""

import base64
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection

from activities.models import IntakeRequest, VisitorActivity
from activities.sources import editing
from activities.visitors import identity
from people.core.db import locks
from tests.benchmarks import Bench, Line, at_least, measures, plain
from tests.benchmarks.import_files import attributes
from tests.benchmarks.processor_time import Meter
from tests.benchmarks.recording import ROUNDS, _block, _copy_all
from tests.server import running_collector

A_COMMIT = 300
SIZES = (100, 500)  # events of a batch; the SDKs send 100
CONNECTIONS = 8
USERS = 1_000
WAYS = 2  # each batch is sent once to be acknowledged, and once to be drained


@measures
def segment_batches(bench: Bench) -> Iterator[Line]:
    """Batches over eight connections, load generator on the same processors; B: COPY commits of 300 over as many."""
    os.environ.pop("TEST_DATABASE_NAME", None)
    kept = bench.activity_type("Segment Bench", "benchSegment")
    copied = bench.activity_type("Segment Copy Bench", "benchSegmentBaseline")
    people, number = bench.people(), max(CONNECTIONS * 1_500, bench.sample(24_000) // 1_500 * 1_500)
    program = editing.create_source("Bench program", "server", None, bytes_a_day=10**12)
    turns = range(WAYS * ROUNDS + 1)
    calls = {
        size: [[_call(part, str(kept), turn) for part in _parts(number, size)] for turn in turns] for size in SIZES
    }
    blocks = [_block(part, copied.pk, people) for part in _parts(number, A_COMMIT)]
    environment = {"DJANGO_SETTINGS_MODULE": "config.settings", "TEST_DATABASE_NAME": ""}
    with (
        running_collector(0, **environment, TRACKING_NEW_VISITORS_A_DAY="100000000") as server,
        _processor(environment) as processor,
    ):
        headers, meter = (
            _headers(program.write_key),
            Meter({"collector": server.process.pid, "second stage": processor.pid}),
        )
        hold = partial(_lock, program.key.source_id)  # while it is held, the process waits

        def post(size: int, turn: int) -> int:
            with meter.of(f"acknowledging, {size}", number):
                return _in_parallel(calls[size][turn], lambda mine: _post_all(server.port, headers, mine, size))

        def wait_until_empty() -> None:
            while IntakeRequest.objects.exists():
                time.sleep(0.02)

        def process(size: int, _turn: int) -> int:
            with meter.of(f"processing, {size}", number):
                hold("pg_advisory_unlock")
                wait_until_empty()
            hold("pg_advisory_lock")
            return number

        def post_and_process(size: int, turn: int) -> int:
            hold("pg_advisory_unlock")
            _in_parallel(calls[size][ROUNDS + turn], lambda mine: _post_all(server.port, headers, mine, size))
            wait_until_empty()
            hold("pg_advisory_lock")
            return number

        hold("pg_advisory_lock")
        post(SIZES[0], turns[-1])  # processes are warm afterwards, and visitors there
        post_and_process(SIZES[0], ROUNDS)
        while identity.process_identities():  # all have an owner, as once a worker has seen the first event of each
            pass
        meter.clear()
        works = [partial(work, size) for size in SIZES for work in (post, process, post_and_process)]
        *rates, baseline = bench.rounds(*works, lambda _turn: _in_parallel(blocks, _copy_all), number=ROUNDS)
    stored = VisitorActivity.objects.filter(activity_type_id=kept.pk).count()
    assert stored == (ROUNDS * WAYS * len(SIZES) + 1) * number, f"acknowledged is stored: {stored}"
    for place, size in enumerate(SIZES):
        acknowledged, processed, drained = rates[place * 3 : place * 3 + 3]
        target = 0.4 if size == SIZES[0] else None
        what = f"/v1/batch of {size} events, 8 connections"
        yield at_least(f"{what}: acknowledged (B)", acknowledged, baseline, target)
        yield at_least(f"{what}: processed by one process, alone (B)", processed, baseline, None)
        yield at_least(f"{what}: sent until all are in their visitors' rows (B)", drained, baseline, None)
    for part, microseconds in meter.microseconds().items():
        yield plain(f"/v1/batch, processor time of one event: {part}", microseconds, "µs")


def _lock(source_id: int, function: str) -> None:
    """Take or free the lock of the source's kept requests."""
    with connection.cursor() as cursor:
        cursor.execute(f"select {function}(%s)", [locks.lock_key(locks.LockSpace.INTAKE, source_id)])


@contextmanager
def _processor(environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that works on the intake."""
    command = [sys.executable, "manage.py", "intake"]
    known = os.environ | {"EMBEDDED_POSTGRES_ATTACH": "1"} | environment
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=known)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _parts(number: int, size: int) -> list[range]:
    return [range(start, start + size) for start in range(0, number, size)]


def _in_parallel(parts: Sequence[Any], work: Callable[[Sequence[Any]], int]) -> int:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return sum(pool.map(work, [parts[first::CONNECTIONS] for first in range(CONNECTIONS)]))


def _headers(key: str) -> dict[str, str]:
    basic = base64.b64encode(f"{key}:".encode()).decode()
    return {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}


def _post_all(port: int, headers: dict[str, str], calls: Sequence[bytes], size: int) -> int:
    """Send the calls over one connection; each has to be acknowledged. Returns the events."""
    host = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for body in calls:
        host.request("POST", "/v1/batch", body, headers)
        reply = host.getresponse()
        answer = reply.read()
        assert reply.status == 200, answer[:500]
    return len(calls) * size


def _call(part: range, name: str, turn: int) -> bytes:
    """The body of one call, as the SDKs for servers make it."""
    now = datetime.now(UTC)
    events = [_event(number, name, f"{turn}-{len(part)}", now) for number in part]
    return json.dumps({"sentAt": now.isoformat(), "batch": events}).encode()


def _event(number: int, name: str, turn: str, now: datetime) -> dict[str, Any]:
    return {
        "type": "track",
        "event": name,
        "messageId": f"bench-{turn}-{number}",
        "userId": f"user-{number % USERS}",
        "anonymousId": None,
        "integrations": {},
        "timestamp": (now - timedelta(seconds=number % 3_000)).isoformat(),
        "properties": {"check": f"Check {number}", **attributes(number)},
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
    }
