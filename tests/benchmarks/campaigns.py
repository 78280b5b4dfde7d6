"""Smart campaigns: what they cost recording, and how soon the first step comes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median
from typing import Any

from django.conf import settings
from django.db import connection

from tests.benchmarks import Bench, Line, at_least, measures
from tests.benchmarks.harness import within

CAMPAIGNS, CONNECTIONS, ROUNDS, A_CALL = 20, 4, 5, 300
A_SECOND, SECONDS, A_COMMIT = 500, 12, 10
PATIENCE = 60


@measures
def campaigns_while_recording(bench: Bench) -> Iterator[Line]:
    """The same calls of 300 without a campaign, and with 20 active ones on the type and a dispatcher at work."""
    from people.lists import static_lists
    from smartlists.campaigns import lifecycle as campaign_lifecycle

    bench.activity_type("Campaign Bench", "benchCampaign")
    people, number = bench.people(), bench.sample(12_000)
    target = static_lists.create_static_list("Bench", None)
    made = [
        campaign_lifecycle.create_campaign(
            f"Bench {at}", None, value=_definition("benchCampaign", target.pk, str(4_800 + at * 10), None)
        )
        for at in range(CAMPAIGNS)
    ]
    without, with_campaigns = [], []
    with _dispatcher():
        _record_all(people, number)
        for _round in range(ROUNDS):  # in turns, so that a busy machine slows both alike
            without.append(_record_all(people, number))
            for one in made:
                campaign_lifecycle.activate_campaign(one, None)
            with_campaigns.append(_record_all(people, number))
            for one in made:
                campaign_lifecycle.pause_campaign(one, None)
            _caught_up()
    yield at_least(
        f"recording, {CONNECTIONS} connections, {CAMPAIGNS} active campaigns (none)",
        median(with_campaigns),
        median(without),
        0.8,
    )


@measures
def campaigns_first_step(bench: Bench) -> Iterator[Line]:
    """500 activities a second in commits of ten; one dispatcher; from recording to the end of the first step."""
    from people.lists import static_lists
    from smartlists.campaigns import lifecycle as smartlists_campaigns_lifecycle
    from smartlists.campaigns import results as campaign_results

    bench.activity_type("Latency Bench", "benchLatency")
    target = static_lists.create_static_list("Bench latency", None)
    value = _definition("benchLatency", target.pk, "0", 24)
    made = smartlists_campaigns_lifecycle.create_campaign("Bench latency", None, value=value)
    people = bench.people(5_000)
    smartlists_campaigns_lifecycle.activate_campaign(made, None)
    with _dispatcher():
        time.sleep(3)
        rate = _record_steadily(people)
        _caught_up()
        time.sleep(1)
    campaign_results.SAMPLE = A_SECOND * SECONDS
    latency = campaign_results.first_step_latency(made)
    assert latency is not None and latency.of >= rate * SECONDS * 0.9, latency
    print(
        f"campaigns_first_step: {rate:.0f} activities/s, p50 {latency.p50:.3f} s, p95 {latency.p95:.3f} s",
        file=sys.stderr,
    )
    yield within(f"commit to first step, p95, {A_SECOND} activities/s", latency.p95, 1, "s")


def _definition(type_name: str, list_id: int, above: str, late_after_hours: int | None) -> dict[str, Any]:
    constraint = {"field": "amount", "operator": "greater than", "values": [above]}
    return {
        "triggers": [{"type": type_name, "constraints": [constraint]}],
        "qualification": {"how": "every time"},
        "late_after_hours": late_after_hours,
        "steps": [{"do": "add_to_list", "list": list_id}],
    }


def _record_all(people: Sequence[int], number: int) -> float:
    """Record `number` activities in calls of 300 over the connections; return the activities a second."""
    from tests.factories import new_activity, record_rows

    def record(first: int) -> None:
        try:
            for start in range(first * A_CALL, number, A_CALL * CONNECTIONS):
                rows = [
                    new_activity(
                        people[at * 7919 % len(people)],
                        "benchCampaign",
                        datetime.now(UTC),
                        f"Check {at}",
                        amount=at % 5000,
                        branch=f"Branch {at % 40}",
                        pages=at % 9,
                    )
                    for at in range(start, start + A_CALL)
                ]
                record_rows(*rows)
        finally:
            connection.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(record, range(CONNECTIONS)))
    return number / (time.perf_counter() - started)


def _record_steadily(people: Sequence[int]) -> float:
    """Record at the pace for the seconds; return the activities a second there really were."""
    from tests.factories import new_activity, record_rows

    started, number = time.perf_counter(), 0
    while number < A_SECOND * SECONDS:
        rows = [
            new_activity(
                people[(number + at) % len(people)], "benchLatency", datetime.now(UTC), f"No. {at}", amount=at + 1
            )
            for at in range(A_COMMIT)
        ]
        record_rows(*rows)
        number += A_COMMIT
        time.sleep(max(0, started + number / A_SECOND - time.perf_counter()))
    return number / (time.perf_counter() - started)


def _caught_up() -> None:
    """Wait until the dispatcher has read all and done all."""
    from smartlists.campaigns import triggers
    from smartlists.models import CampaignEntry

    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if triggers.dispatcher_lag() == 0 and not CampaignEntry.objects.filter(state="open").exists():
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
