"""Smart campaigns: what they cost recording, and how soon the first step comes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from tests.benchmarks import Bench, Line, at_least, measures
from tests.benchmarks.harness import within
from tests.benchmarks.recording import A_CALL, CONNECTIONS, _call, _headers, _in_parallel, _post_all

CAMPAIGNS = 20
A_SECOND, SECONDS, A_COMMIT = 500, 12, 10
PATIENCE = 60


@measures
def campaigns_while_recording(bench: Bench) -> Iterator[Line]:
    """The same calls over HTTP without a campaign and with 20 active ones on the type and a dispatcher at work."""
    from people import static_lists
    from smartlists import campaigns

    recorded = bench.activity_type("Campaign Bench", "benchCampaign")
    people, number = bench.people(), bench.rows(24_000)
    calls = [_call(range(start, start + A_CALL), recorded.pk, people) for start in range(0, number, A_CALL)]
    target = static_lists.create("Bench", None)
    made = [
        campaigns.create(
            f"Bench {at}", None, value=_definition("benchCampaign", target.pk, str(4_800 + at * 10), None)
        )
        for at in range(CAMPAIGNS)
    ]  # fmt: skip
    with bench.web_server() as address, _dispatcher():
        headers = _headers(address)

        def post(_turn: int) -> int:
            return _in_parallel(calls, lambda mine: _post_all(address, headers, mine))

        def post_with_campaigns(turn: int) -> int:
            for one in made:
                campaigns.activate(one, None)
            started = time.perf_counter()
            count = post(turn)
            taken.append(count / (time.perf_counter() - started))
            for one in made:
                campaigns.pause(one, None)
            _caught_up()
            return count

        taken: list[float] = []
        post(0)
        (without,) = bench.rounds(post, number=2)
        bench.rounds(post_with_campaigns, number=3)
        (again,) = bench.rounds(post, number=2)
    yield at_least(
        f"recording, {CONNECTIONS} connections, {CAMPAIGNS} active campaigns (none)", sorted(taken)[1],
        max(without, again), 0.8,
    )  # fmt: skip


@measures
def campaigns_first_step(bench: Bench) -> Iterator[Line]:
    """500 activities a second in commits of ten; one dispatcher; from recording to the end of the first step."""
    from people import static_lists
    from smartlists import campaigns, results

    bench.activity_type("Latency Bench", "benchLatency")
    target = static_lists.create("Bench latency", None)
    value = _definition("benchLatency", target.pk, "0", 24)
    made = campaigns.create("Bench latency", None, value=value)
    people = bench.people()
    campaigns.activate(made, None)
    with _dispatcher():
        time.sleep(3)
        rate = _record_steadily(people)
        _caught_up()
        time.sleep(1)
    results.SAMPLE = A_SECOND * SECONDS
    latency = results.latency(made)
    assert latency is not None and latency.of >= rate * SECONDS * 0.9, latency
    print(f"campaigns_first_step: {rate:.0f} activities/s, p50 {latency.p50:.3f} s", file=sys.stderr)
    yield within(f"commit to first step, p95, {A_SECOND} activities/s", latency.p95, 1, "s")


def _definition(type_name: str, list_id: int, above: str, late_after_hours: int | None) -> dict[str, Any]:
    constraint = {"field": "amount", "operator": "greater than", "values": [above]}
    return {
        "triggers": [{"type": type_name, "constraints": [constraint]}], "qualification": {"how": "every time"},
        "late_after_hours": late_after_hours, "steps": [{"do": "add_to_list", "list": list_id}],
    }  # fmt: skip


def _record_steadily(people: Sequence[int]) -> float:
    """Record at the pace for the seconds; return the activities a second there really were."""
    from tests.making import activity, recorded

    started, number = time.perf_counter(), 0
    while number < A_SECOND * SECONDS:
        rows = [
            activity(people[(number + at) % len(people)], "benchLatency", datetime.now(UTC), f"No. {at}", amount=at + 1)
            for at in range(A_COMMIT)
        ]
        recorded(*rows)
        number += A_COMMIT
        time.sleep(max(0, started + number / A_SECOND - time.perf_counter()))
    return number / (time.perf_counter() - started)


def _caught_up() -> None:
    """Wait until the dispatcher has read all and done all."""
    from smartlists import triggering
    from smartlists.models import CampaignEntry

    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if triggering.lag() == 0 and not CampaignEntry.objects.filter(state="open").exists():
            return
        time.sleep(0.2)
    raise RuntimeError("the dispatcher does not catch up")


@contextmanager
def _dispatcher() -> Iterator[None]:
    environment = os.environ | {"EMBEDDED_POSTGRES_ATTACH": "1"}
    process = subprocess.Popen([sys.executable, "manage.py", "dispatch"], env=environment, cwd=settings.BASE_DIR)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
        connection.close()
