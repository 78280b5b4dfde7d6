"""Segment's API: batches of events of a program, answered after the commit, against baseline B.

All batches that wait are one commit: with eight connections, as many servers of a shop have, the next ones are read
while the database writes.
"""

import base64
import http.client
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from activities.models import VisitorActivity
from activities.sources import editing
from activities.visitors import identity
from tests.benchmarks import Bench, Line, at_least, measures
from tests.benchmarks.import_files import attributes
from tests.benchmarks.recording import ROUNDS, _block, _copy_all
from tests.server import running_collector

A_COMMIT = 300
SIZES = (100, 500)  # events of a batch; the SDKs send 100
CONNECTIONS = 8
USERS = 1_000


@measures
def segment_batches(bench: Bench) -> Iterator[Line]:
    """Batches over eight connections, load generator on the same processors; B: COPY commits of 300 over as many."""
    os.environ.pop("TEST_DATABASE_NAME", None)
    kept = bench.activity_type("Segment Bench", "benchSegment")
    copied = bench.activity_type("Segment Copy Bench", "benchSegmentBaseline")
    people, number = bench.people(), max(CONNECTIONS * 1_500, bench.sample(24_000) // 1_500 * 1_500)
    program = editing.create_source("Bench program", "server", None, bytes_a_day=10**12)
    calls = {
        size: [[_call(part, str(kept), turn) for part in _parts(number, size)] for turn in range(ROUNDS + 1)]
        for size in SIZES
    }
    blocks = [_block(part, copied.pk, people) for part in _parts(number, A_COMMIT)]
    with running_collector(
        DJANGO_SETTINGS_MODULE="config.settings", TEST_DATABASE_NAME="", TRACKING_NEW_VISITORS_A_DAY="100000000"
    ) as server:
        headers = _headers(program.write_key)

        def post(size: int, turn: int) -> int:
            return _in_parallel(calls[size][turn], lambda mine: _post_all(server.port, headers, mine, size))

        post(SIZES[0], ROUNDS)  # processes are warm afterwards, and visitors there
        while identity.process_identities():  # all have an owner, as once a worker has seen the first event of each
            pass
        works = [partial(post, size) for size in SIZES]
        *sent, baseline = bench.rounds(*works, lambda _turn: _in_parallel(blocks, _copy_all), number=ROUNDS)
    stored = VisitorActivity.objects.filter(activity_type_id=kept.pk).count()
    assert stored == (ROUNDS * len(SIZES) + 1) * number, f"acknowledged is stored: {stored}"
    for size, rate in zip(SIZES, sent, strict=True):
        target = 0.4 if size == SIZES[0] else None
        yield at_least(f"/v1/batch of {size} events, 8 connections (B)", rate, baseline, target)


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
