"""Lines, their registry, and what every measurement needs: people, types, rounds, a web server."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

SCALE = float(os.environ.get("SCALE", "1"))
PEOPLE = 20_000


@dataclass(frozen=True, slots=True)
class Line:
    """One figure. `ratio` is figure / baseline; `held` is None where there is no target; `note` is a remark."""

    what: str
    figure: float
    unit: str
    baseline: float | None
    ratio: float | None
    target: str
    held: bool | None
    note: str = ""


def at_least(what: str, figure: float, baseline: float, target: float | None, unit: str = "rows/s") -> Line:
    """A rate, and the smallest part of its baseline that is good enough."""
    ratio = figure / baseline
    return Line(
        what,
        figure,
        unit,
        baseline,
        ratio,
        "" if target is None else f"≥ {target:g}",
        None if target is None else ratio >= target,
    )


def at_most(what: str, figure: float, baseline: float, target: float | None, unit: str = "ms") -> Line:
    """A duration, and the largest multiple of its baseline that is good enough."""
    ratio = figure / baseline
    return Line(
        what,
        figure,
        unit,
        baseline,
        ratio,
        "" if target is None else f"≤ {target:g}",
        None if target is None else ratio <= target,
    )


def within(what: str, figure: float, limit: float, unit: str, note: str = "") -> Line:
    """A figure that has a limit of its own."""
    return Line(what, figure, unit, None, None, f"≤ {limit:g} {unit}", figure <= limit, note)


def plain(what: str, figure: float, unit: str, note: str = "") -> Line:
    """A figure that is reported, and has no target."""
    return Line(what, figure, unit, None, None, "", None, note)


Measurement = Callable[["Bench"], Iterator[Line]]
MEASUREMENTS: list[Measurement] = []


def measures(measurement: Measurement) -> Measurement:
    """Mark a function as one to run."""
    MEASUREMENTS.append(measurement)
    return measurement


class Bench:
    """The database under measurement, filled through the product's own verbs."""

    def __init__(self, scale: float = SCALE) -> None:
        self.scale = scale
        self._people: list[int] = []

    def rows(self, number: int) -> int:
        """The number of rows that a table is filled with: `number` at SCALE 1, in whole calls of 300."""
        return max(300, round(number * self.scale) // 300 * 300)

    def sample(self, number: int) -> int:
        """Over how many rows a rate is taken: as `rows`, but no more than `number`, however full the tables are."""
        return max(300, round(number * min(self.scale, 1)) // 300 * 300)

    def people(self, number: int = PEOPLE) -> Sequence[int]:
        """Ids of people called person<n>@bench.example.com, made at the first call."""
        from people.core.source import Channel, Source
        from people.persons import upsert

        while len(self._people) < number:
            start = len(self._people)
            values = [
                {"email": f"person{n}@bench.example.com", "first_name": f"P{n}", "country": "Spain"}
                for n in range(start, min(start + 1000, number))
            ]
            outcomes = upsert.upsert_people(values, Source(Channel.SYSTEM))
            self._people += [outcome.person_id for outcome in outcomes if outcome.person_id]
        return self._people[:number]

    def activity_type(self, name: str, api_name: str) -> Any:
        """An approved type: primary field Check; amount, branch, deposited_on, is_foreign, pages."""
        from tests.factories import approved_type

        return approved_type(name, api_name)

    def rounds(self, *works: Callable[[int], int], number: int = 3) -> list[float]:
        """Do the works in turns; return for each the median of units a second. A work returns its units."""
        rates: list[list[float]] = [[] for _work in works]
        for turn in range(number):
            for work, taken in zip(works, rates, strict=True):
                started = time.perf_counter()
                units = work(turn)
                taken.append(units / (time.perf_counter() - started))
        return [median(taken) for taken in rates]

    def milliseconds(self, work: Callable[[], Any], number: int = 7) -> float:
        """The median duration of `work`, after one run to warm up."""
        work()
        taken = []
        for _run in range(number):
            started = time.perf_counter()
            work()
            taken.append((time.perf_counter() - started) * 1000)
        return median(taken)

    @contextmanager
    def queries(self) -> Iterator[Any]:
        """The statements sent to the database meanwhile; see Django's CaptureQueriesContext."""
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            yield captured

    @contextmanager
    def web_server(self) -> Iterator[str]:
        """The product behind its own gunicorn; gives its address."""
        from django.conf import settings

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = os.environ | {"WEB_PORT": str(port), "BIND": "127.0.0.1", "EMBEDDED_POSTGRES_ATTACH": "1"}
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--config",
                "config/gunicorn.py",
                "--log-level",
                "warning",
                "config.wsgi",
            ],
            env=environment,
            cwd=settings.BASE_DIR,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/healthz", server)
            yield address
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    for _attempt in range(300):
        if server.poll() is not None:
            raise RuntimeError("the web server ended")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"{address} does not answer")
