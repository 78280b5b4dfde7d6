"""Segment's API: batches of 100 events of a program, answered after the commit, against baseline B."""

import base64
import http.client
import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.models import VisitorActivity
from activities.sources import editing
from tests.benchmarks import Bench, Line, at_least, measures
from tests.benchmarks.import_files import attributes
from tests.benchmarks.recording import CONNECTIONS, ROUNDS, _block, _copy_all, _in_parallel
from tests.server import running_collector

A_BATCH, A_COMMIT = 100, 300
USERS = 1_000


@measures
def segment_batches(bench: Bench) -> Iterator[Line]:
    """100 events a call over four connections, load generator on the same processors; B: COPY commits of 300."""
    os.environ.pop("TEST_DATABASE_NAME", None)
    kept = bench.activity_type("Segment Bench", "benchSegment")
    copied = bench.activity_type("Segment Copy Bench", "benchSegmentBaseline")
    people, number = bench.people(), max(CONNECTIONS * A_COMMIT, bench.sample(24_000) // A_COMMIT * A_COMMIT)
    program = editing.create_source("Bench program", "server", None, bytes_a_day=10**12)
    calls = [
        [_call(range(start, start + A_BATCH), str(kept), turn) for start in range(0, number, A_BATCH)]
        for turn in range(ROUNDS + 1)
    ]
    blocks = [_block(range(start, start + A_COMMIT), copied.pk, people) for start in range(0, number, A_COMMIT)]
    with running_collector(
        DJANGO_SETTINGS_MODULE="config.settings", TEST_DATABASE_NAME="", TRACKING_NEW_VISITORS_A_DAY="100000000"
    ) as server:
        headers = _headers(program.write_key)
        # processes are warm afterwards, and visitors there
        _in_parallel(calls[ROUNDS], lambda mine: _post_all(server.port, headers, mine))
        sent, baseline = bench.rounds(
            lambda turn: _in_parallel(calls[turn], lambda mine: _post_all(server.port, headers, mine)),
            lambda turn: _in_parallel(blocks, _copy_all),
            number=ROUNDS,
        )
    stored = VisitorActivity.objects.filter(activity_type_id=kept.pk).count()
    assert stored == (ROUNDS + 1) * number, f"acknowledged is stored: {stored}"
    yield at_least("/v1/batch of 100 events, 4 connections (B)", sent, baseline, 0.4)


def _headers(key: str) -> dict[str, str]:
    basic = base64.b64encode(f"{key}:".encode()).decode()
    return {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}


def _post_all(port: int, headers: dict[str, str], calls: Sequence[bytes]) -> int:
    """Send the calls over one connection; each has to be acknowledged. Returns the events."""
    host = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for body in calls:
        host.request("POST", "/v1/batch", body, headers)
        reply = host.getresponse()
        answer = reply.read()
        assert reply.status == 200, answer[:500]
    return len(calls) * A_BATCH


def _call(part: range, name: str, turn: int) -> bytes:
    """The body of one call, as the SDKs for servers make it."""
    now = datetime.now(UTC)
    return json.dumps(
        {"sentAt": now.isoformat(), "batch": [_event(number, name, turn, now) for number in part]}
    ).encode()


def _event(number: int, name: str, turn: int, now: datetime) -> dict[str, Any]:
    return {
        "type": "track",
        "event": name,
        "messageId": f"bench-{turn}-{number}",
        "userId": f"user-{number % USERS}",
        "timestamp": (now - timedelta(seconds=number % 3_000)).isoformat(),
        "properties": {"check": f"Check {number}", **attributes(number)},
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
    }
