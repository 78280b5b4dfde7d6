"""The native API over HTTP: batches and streams against baseline B, pages against the bare SQL."""

import http.client
import json
import urllib.parse
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection

from tests.benchmarks import Bench, Line, at_least, at_most, measures
from tests.benchmarks.import_files import START, attributes
from tests.benchmarks.recording import CONNECTIONS, ROUNDS, _block, _copy_all, _in_parallel

A_BATCH = 1_000
A_COMMIT = 300
PAGE = 300


@measures
def native_recording(bench: Bench) -> Iterator[Line]:
    """Batches of 1,000 and streams over four connections, load generator on the same processors."""
    kept = bench.activity_type("Native Bench", "benchNative")
    copied = bench.activity_type("Native Copy Bench", "benchNativeBaseline")
    people, number = bench.people(), max(CONNECTIONS * A_BATCH, bench.sample(36_000) // A_BATCH * A_BATCH)
    rows = [_row(one, kept.api_name, people) for one in range(number)]
    batches = [
        json.dumps({"activities": rows[start : start + A_BATCH]}).encode() for start in range(0, number, A_BATCH)
    ]
    share = number // CONNECTIONS
    streams = [
        b"".join(json.dumps(row).encode() + b"\n" for row in rows[start : start + share])
        for start in range(0, share * CONNECTIONS, share)
    ]
    blocks = [_block(range(start, start + A_COMMIT), copied.pk, people) for start in range(0, number, A_COMMIT)]
    with bench.web_server() as address:
        headers = _headers()
        in_batches, in_streams, baseline = bench.rounds(
            lambda turn: _in_parallel(batches, lambda mine: _post(address, headers, "batch", mine)),
            lambda turn: _in_parallel(streams, lambda mine: _post(address, headers, "stream", mine)),
            lambda turn: _in_parallel(blocks, _copy_all),
            number=ROUNDS,
        )
        yield at_least("native API, batches of 1,000, 4 connections (B)", in_batches, baseline, 0.4)
        yield at_least("native API, NDJSON streams, 4 connections (B)", in_streams, baseline, 0.4)
        newest = f"select * from activity where activity_type_id = {kept.pk} order by id limit {PAGE}"
        yield at_most(
            "native API, a page of 300 activities",
            bench.milliseconds(
                lambda: _get(address, headers, f"activities?activity_type=benchNative&page_size={PAGE}")
            ),
            bench.milliseconds(lambda: _select(newest)),
            None,
        )
        yield at_most(
            "native API, one person",
            bench.milliseconds(lambda: _get(address, headers, f"people/{people[0]}")),
            bench.milliseconds(lambda: _select(f"select * from person where id = {people[0]}")),
            None,
        )


def _headers(name: str = "native") -> dict[str, str]:
    from config.access.clients import editing as client_editing
    from config.access.clients import tokens

    owner = get_user_model().objects.create_superuser(name)
    token = tokens.issue_token(client_editing.create_client(f"Bench of {name}", owner, None).client)
    return {"Authorization": f"Bearer {token.text}"}


def _row(number: int, api_name: str, people: Sequence[int]) -> dict[str, Any]:
    return {
        "activity_type": api_name,
        "person": people[number * 7919 % len(people)],
        "occurred_at": (START + timedelta(seconds=number * 37)).isoformat(),
        "primary_value": f"Check {number}",
        "attributes": attributes(number),
    }


def _post(address: str, headers: dict[str, str], kind: str, bodies: Sequence[bytes]) -> int:
    """Send the bodies over one connection; every row has to be added. Returns the rows."""
    host = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=120)
    media_type = {"batch": "application/json", "stream": "application/x-ndjson"}[kind]
    rows = 0
    for body in bodies:
        host.request("POST", f"/api/v1/activities/{kind}", body, {**headers, "Content-Type": media_type})
        reply = host.getresponse().read()
        assert b'"refused":0' in reply, reply[-500:]
        rows += reply.count(b'"status":"added"')
    return rows


def _get(address: str, headers: dict[str, str], path: str) -> None:
    host = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)
    host.request("GET", f"/api/v1/{path}", headers=headers)
    reply = host.getresponse()
    assert reply.status == 200, reply.read()
    reply.read()


def _select(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.fetchall()
