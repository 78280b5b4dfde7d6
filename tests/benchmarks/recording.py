"""Recording: over HTTP against baseline B, a file against baseline C."""

import http.client
import json
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from django.contrib.auth import get_user_model
from django.db import connection

from tests.benchmarks import Bench, Line, at_least, measures
from tests.benchmarks.import_files import START, attributes, import_file, write_csv

A_CALL = 300
CONNECTIONS = 4
ROUNDS = 3
COLUMNS = "person_id, activity_type_id, version, occurred_at, recorded_at, primary_value, attributes, door"


@measures
def recording_over_http(bench: Bench) -> Iterator[Line]:
    """300 a call over four connections, load generator on the same processors; B: COPY commits of 300."""
    kept = bench.activity_type("Deposit Bench", "benchHttp")
    copied = bench.activity_type("Copy Bench", "benchHttpBaseline")
    people, number = bench.people(), bench.sample(36_000)
    parts = [range(start, start + A_CALL) for start in range(0, number, A_CALL)]
    plain_calls = [_call(part, kept.pk, people) for part in parts]
    keyed_calls = [[_call(part, kept.pk, people, turn) for part in parts] for turn in range(ROUNDS)]
    blocks = [_block(part, copied.pk, people) for part in parts]
    with bench.web_server() as address:
        headers = _headers(address)
        plain, keyed, baseline = bench.rounds(
            lambda turn: _in_parallel(plain_calls, lambda mine: _post_all(address, headers, mine)),
            lambda turn: _in_parallel(keyed_calls[turn], lambda mine: _post_all(address, headers, mine)),
            lambda turn: _in_parallel(blocks, _copy_all),
            number=ROUNDS,
        )
    yield at_least("recording over HTTP, 300 a call, 4 connections (B)", plain, baseline, 0.3)
    yield at_least("the same, an external id on every row (B)", keyed, baseline, None)


@measures
def importing_a_file(bench: Bench) -> Iterator[Line]:
    """A CSV file, validated, people by e-mail, external ids; C: one COPY of all rows."""
    copied = bench.activity_type("Copy File Bench", "benchFileBaseline")
    bench.activity_type("Import Bench", "benchFile")
    people, number = bench.people(), bench.sample(60_000)
    block = _block(range(number), copied.pk, people)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{turn}.csv" for turn in range(ROUNDS)]
        for turn, file in enumerate(files):
            write_csv(file, number, len(people), turn)
        imported, baseline = bench.rounds(
            lambda turn: import_file(files[turn], number), lambda turn: _copy_all([block]), number=ROUNDS
        )
    yield at_least("import of a CSV file (C)", imported, baseline, 0.5)


def _in_parallel(parts: Sequence[Any], work: Callable[[Sequence[Any]], int]) -> int:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return sum(pool.map(work, [parts[first::CONNECTIONS] for first in range(CONNECTIONS)]))


def _headers(address: str, name: str = "bench") -> dict[str, str]:
    """Of a program that has a token."""
    from config.access.clients import editing as client_editing

    owner = get_user_model().objects.create_superuser(f"{name}-dialect")
    made = client_editing.create_client(f"Bench of {name}, dialect", owner, None)
    asked = urllib.parse.urlencode(
        {"grant_type": "client_credentials", "client_id": made.client_id, "client_secret": made.client_secret}
    )
    host = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc)
    host.request("GET", f"/identity/oauth/token?{asked}")
    token = json.loads(host.getresponse().read())["access_token"]
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def _post_all(address: str, headers: dict[str, str], calls: Sequence[bytes]) -> int:
    """Send the calls over one connection; every row has to be added. Returns the rows."""
    host = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)
    for body in calls:
        host.request("POST", "/rest/v1/activities/external.json", body, headers)
        reply = host.getresponse().read()
        assert reply.count(b'"added"') == A_CALL, reply[:500]
    return len(calls) * A_CALL


def _call(part: range, type_id: int, people: Sequence[int], turn: int | None = None) -> bytes:
    """The body of one call; with a turn every row has an external id of its own."""
    return json.dumps({"input": [_row(number, type_id, people, turn) for number in part]}).encode()


def _row(number: int, type_id: int, people: Sequence[int], turn: int | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "leadId": people[number * 7919 % len(people)],
        "activityTypeId": type_id,
        "activityDate": (START + timedelta(seconds=number * 37)).isoformat(),
        "primaryAttributeValue": f"Check {number}",
        "attributes": [{"apiName": name, "value": value} for name, value in attributes(number).items()],
    }
    return row if turn is None else row | {"externalId": f"{turn}-{number}"}


def _block(part: range, type_id: int, people: Sequence[int]) -> str:
    """The same rows as PostgreSQL's COPY reads them."""
    now = datetime.now(UTC).isoformat()
    return "".join(
        f"{people[number * 7919 % len(people)]}\t{type_id}\t1\t{(START + timedelta(seconds=number * 37)).isoformat()}"
        f"\t{now}\tCheck {number}\t{json.dumps(attributes(number))}\t2\n"
        for number in part
    )


def _copy_all(blocks: Sequence[str]) -> int:
    """COPY the blocks over one connection, a commit each. Returns the rows."""
    with psycopg.connect(**_parameters(), autocommit=True) as server:
        for block in blocks:
            with server.cursor().copy(f"copy activity ({COLUMNS}) from stdin") as copy:
                copy.write(block)
    return sum(block.count("\n") for block in blocks)


def _parameters() -> dict[str, Any]:
    known = connection.get_connection_params()
    return {name: known[name] for name in ("host", "port", "user", "password", "dbname") if known.get(name)}
