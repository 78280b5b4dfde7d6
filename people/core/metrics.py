"""Metrics of the product for monitoring.

Counted in memory and added to the database every few seconds: they cover all processes of all machines and continue
after a restart. Only the unwritten counts of a killed process are lost.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

from people.core.counters import CounterBuffer

Labels = tuple[str, ...]

SUM = "sum"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Measurement(models.Model):
    """One number of a measure: the total of a counter; the sum, or the count of one bucket, of a histogram."""

    name = models.CharField(max_length=60)
    labels = ArrayField(models.CharField(max_length=255))
    part = models.CharField(max_length=10, blank=True)  # of a histogram: the number of the bucket, or SUM
    value = models.FloatField(default=0)

    class Meta:
        db_table = "measurement"
        default_permissions = ()
        constraints = [models.UniqueConstraint("name", "labels", "part", name="measurement_is_unique")]

    def __str__(self) -> str:
        return f"{self.name}{self.labels}{self.part}"


@dataclass(frozen=True, slots=True)
class Measure:
    """A counter or histogram. Its labels need few values: names of routes and types, never user input."""

    name: str
    description: str
    labels: Labels
    bounds: tuple[float, ...] = ()  # of a histogram, in seconds; a counter has none

    def add(self, *labels: object, number: float = 1) -> None:
        """Count `number` under the labels."""
        _counts.add({(self.name, tuple(map(str, labels)), ""): number})

    def observe(self, seconds: float, *labels: object) -> None:
        """Count one duration under the labels."""
        values = tuple(map(str, labels))
        place = bisect_left(self.bounds, seconds)
        _counts.add({(self.name, values, str(place)): 1, (self.name, values, SUM): seconds})


def _write(rows: Sequence[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            """insert into measurement as m (name, labels, part, value) values (%s, %s, %s, %s)
            on conflict (name, labels, part) do update set value = m.value + excluded.value""",
            [(name, list(labels), part, number) for name, labels, part, number in rows],
        )


_measures: dict[str, Measure] = {}
_counts: CounterBuffer[tuple[str, Labels, str]] = CounterBuffer(_write)


def register_counter(name: str, description: str, *labels: str) -> Measure:
    return _measures.setdefault(name, Measure(name, description, labels))


def register_histogram(name: str, description: str, *labels: str, bounds: tuple[float, ...] = SECONDS) -> Measure:
    return _measures.setdefault(name, Measure(name, description, labels, bounds))


def flush_metrics() -> None:
    """Add what this process has counted to the database."""
    _counts.flush()


def metric_totals() -> dict[Measure, dict[Labels, dict[str, float]]]:
    """The totals of all processes: for each measure, by its labels, the parts."""
    parts_by_measure: dict[Measure, dict[Labels, dict[str, float]]] = {measure: {} for measure in _measures.values()}
    for row in Measurement.objects.all():
        measure = _measures.get(row.name)
        if measure is not None and len(row.labels) == len(measure.labels):
            parts_by_measure[measure].setdefault(tuple(row.labels), {})[row.part] = row.value
    return parts_by_measure
