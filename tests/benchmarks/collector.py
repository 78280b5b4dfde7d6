"""The collector: single hits, one a request, answered after the commit; alone, beside an import, and beside merges."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from activities.models import VisitorActivity
from activities.sources import editing
from people.core.source import Channel, Source
from people.persons.merge import merge_people
from tests.benchmarks import Bench, Line, measures, plain, within
from tests.benchmarks.harness import PEOPLE, at_least
from tests.benchmarks.hit_clients import SITE
from tests.benchmarks.import_files import import_file, write_csv
from tests.benchmarks.recording import _block, _copy_all
from tests.server import running_collector

TO_MERGE = 400
WANTED, WANTED_P95 = 1_000.0, 100.0  # hits a second; ms


@measures
def collecting_hits(bench: Bench) -> Iterator[Line]:
    """64 connections, each with its next hit after the answer to the one before; load generator on the same machine."""
    seconds = max(2.0, 10.0 * bench.scale)
    os.environ.pop("TEST_DATABASE_NAME", None)
    issued = editing.create_source("Bench site", "browser", None, origins=[SITE], bytes_a_day=10**12)
    bench.activity_type("Import Beside", "benchBeside")
    people, number = bench.people(), bench.rows(60_000)
    with (
        running_collector(
            DJANGO_SETTINGS_MODULE="config.settings", TEST_DATABASE_NAME="", TRACKING_NEW_VISITORS_A_DAY="100000000"
        ) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        _browse(server.port, issued.write_key, 1.0)  # processes are warm afterwards
        alone = _browse(server.port, issued.write_key, seconds)
        file = Path(folder) / "rows.csv"
        write_csv(file, number, len(people), 0)
        importing = threading.Thread(target=import_file, args=(file, number, "benchBeside"))
        importing.start()
        beside = _browse(server.port, issued.write_key, seconds)
        is_beside = importing.is_alive()
        importing.join()
        with _merging(_people_to_merge(bench)) as merges:
            beside_merges = _browse(server.port, issued.write_key, seconds)
    sent = alone["hits"] + beside["hits"] + beside_merges["hits"]
    assert VisitorActivity.objects.count() >= sent, "acknowledged is stored"
    yield at_least("single hits, one a request, 64 connections", alone["rate"], WANTED, 1.0, "hits/s")
    yield within("the same: p95", alone["p95_ms"], WANTED_P95, "ms")
    note = "" if is_beside else "the import was over before"
    yield at_least("the same beside an import", beside["rate"], WANTED, 1.0, "hits/s")
    yield within("the same beside an import: p95", beside["p95_ms"], WANTED_P95, "ms", note)
    yield at_least("the same beside merges", beside_merges["rate"], WANTED, 1.0, "hits/s")
    yield within("the same beside merges: p95", beside_merges["p95_ms"], WANTED_P95, "ms", f"{len(merges)} merges")
    yield plain("hits sent", sent, "hits")


def _people_to_merge(bench: Bench) -> Sequence[int]:
    """People of this measurement alone, with 500 activities each."""
    people = bench.people(PEOPLE + TO_MERGE)[PEOPLE:]
    kept = bench.activity_type("Merged Beside", "benchMerged")
    _copy_all([_block(range(500 * TO_MERGE), kept.pk, people)])
    return people


@contextmanager
def _merging(people: Sequence[int]) -> Iterator[list[int]]:
    """Merge one person after another into the first, with all their activities; yields the ids of the merged."""
    winner, *others = people
    merged: list[int] = []
    is_over = threading.Event()

    def merge() -> None:
        for loser in others:
            if is_over.is_set():
                break
            merge_people(winner, [loser], None, Source(Channel.SYSTEM))
            merged.append(loser)
        connection.close()

    working = threading.Thread(target=merge)
    working.start()
    try:
        yield merged
    finally:
        is_over.set()
        working.join()


def _browse(port: int, key: str, seconds: float) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.hit_clients", str(port), key, str(seconds)]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
