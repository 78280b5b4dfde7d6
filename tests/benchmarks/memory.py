"""Memory of the web process while rows arrive: as much after half a million as after ten thousand."""

import http.client
import json
import os
import urllib.parse
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from unittest.mock import patch

from tests.benchmarks import Bench, Line, at_most, measures
from tests.benchmarks.native import A_BATCH, _headers, _post, _row
from tests.benchmarks.recording import A_CALL, _call, _post_all
from tests.benchmarks.recording import _headers as dialect_headers

FEW, MANY = 10_000, 500_000
GROWTH = 1.1


@measures
def memory_of_the_web_process(bench: Bench) -> Iterator[Line]:
    """One process, one connection a channel; private memory after a few rows is the baseline."""
    kept, people, many = bench.activity_type("Memory Bench", "benchMemory"), bench.people(), bench.rows(MANY)
    rows = [_row(one, kept.api_name, people) for one in range(A_BATCH)]
    batch = json.dumps({"activities": rows}).encode()
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    call = _call(range(A_CALL), kept.pk, people)
    with patch.dict(os.environ, WEB_WORKERS="1"), bench.web_server() as address:
        native, dialect = _headers("memory"), dialect_headers(address, "memory")
        channels = {
            "an NDJSON stream": lambda number: _stream(address, native, lines, number // A_BATCH),
            "batches of 1,000": lambda number: _post(address, native, "batch", [batch] * (number // A_BATCH)),
            "Marketo calls of 300": lambda number: _post_all(address, dialect, [call] * (number // A_CALL)),
        }
        for name, record in channels.items():
            record(FEW)
            before = _private_megabytes()
            record(many)
            yield at_most(f"private memory of a web process after {name}", _private_megabytes(), before, GROWTH, "MB")


def _stream(address: str, headers: dict[str, str], lines: bytes, times: int) -> None:
    """One stream of so many times the lines; every row has to be added."""
    host = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=3_600)
    host.request(
        "POST",
        "/api/v1/activities/stream",
        repeat(lines, times),
        {**headers, "Content-Type": "application/x-ndjson", "Content-Length": str(len(lines) * times)},
    )
    reply = host.getresponse()
    while part := reply.read(1 << 20):
        end = part[-200:]
    assert b'"refused":0' in end, end


def _private_megabytes() -> float:
    """Of the processes of our web server that answer requests."""
    sums = 0
    for server in _children(os.getpid()):
        for worker in _children(server):
            if b"gunicorn" in Path(f"/proc/{worker}/cmdline").read_bytes():
                table = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()
                sums += sum(int(line.split()[1]) for line in table if line.startswith("Private_"))
    return sums / 1024


def _children(process: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
