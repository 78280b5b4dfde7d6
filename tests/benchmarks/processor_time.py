"""Processor time of a server process and of PostgreSQL: what a figure costs on a machine that does other work, too."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """Processor time by part: of processes by name, of this process, and of PostgreSQL, in microseconds of one unit."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = processes
        with connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            self._server = _stat(cursor.fetchone()[0])[1]
        self.clear()

    def clear(self) -> None:
        """Drop the sums."""
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._units: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def of(self, part: str, units: int) -> Iterator[None]:
        """Count the processor time of a block that does `units`."""
        before = self._read()
        yield
        self._units[part] += units
        for whose, seconds in self._read().items():
            self._seconds[part, whose] += seconds - before[whose]

    def microseconds(self) -> dict[str, float]:
        """The time of one unit by part and process, without those that did nothing."""
        each = {
            f"{part}, {whose}": seconds * 1e6 / self._units[part] for (part, whose), seconds in self._seconds.items()
        }
        return {name: value for name, value in each.items() if value >= 0.1}

    def _read(self) -> dict[str, float]:
        own = os.times()
        backends = sum(_stat(pid)[0] for pid in _children(self._server)) + _stat(self._server)[0]
        named = {name: _stat(pid)[0] for name, pid in self._processes.items()}
        return {**named, "this process": own.user + own.system, "PostgreSQL": backends}


def _stat(pid: int) -> tuple[float, int]:
    """Seconds of processor time of a process and of its children that have ended, and its parent; 0 for one that has."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0
    return sum(map(int, fields[11:15])) / TICKS, int(fields[1])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
