"""The collector: single hits, one a request, answered after the commit; alone, and beside an import."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from activities.models import VisitorActivity
from activities.sources import editing
from tests.benchmarks import Bench, Line, measures, plain, within
from tests.benchmarks.harness import at_least
from tests.benchmarks.hit_clients import SITE
from tests.benchmarks.recording import _import, _write_csv
from tests.server import running_collector

WANTED, WANTED_P95 = 1_000.0, 100.0  # hits a second; ms


@measures
def collecting_hits(bench: Bench) -> Iterator[Line]:
    """64 connections, each with its next hit after the answer to the one before; load generator on the same machine."""
    seconds = max(2.0, 10.0 * bench.scale)
    os.environ.pop("TEST_DATABASE_NAME", None)
    issued = editing.create_source("Bench site", "browser", None, origins=[SITE], bytes_a_day=10**12)
    bench.activity_type("Import Bench Two", "benchFile")
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
        _write_csv(file, number, len(people), 0)
        importing = threading.Thread(target=_import, args=(file, number))
        importing.start()
        beside = _browse(server.port, issued.write_key, seconds)
        is_beside = importing.is_alive()
        importing.join()
    sent = alone["hits"] + beside["hits"]
    assert VisitorActivity.objects.count() >= sent, "acknowledged is stored"
    yield at_least("single hits, one a request, 64 connections", alone["rate"], WANTED, 1.0, "hits/s")
    yield within("the same: p95", alone["p95_ms"], WANTED_P95, "ms")
    note = "" if is_beside else "the import was over before"
    yield at_least("the same beside an import", beside["rate"], WANTED, 1.0, "hits/s")
    yield within("the same beside an import: p95", beside["p95_ms"], WANTED_P95, "ms", note)
    yield plain("hits sent", sent, "hits")


def _browse(port: int, key: str, seconds: float) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.hit_clients", str(port), key, str(seconds)]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
