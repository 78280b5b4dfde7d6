"""The heartbeat of the collector in the database, for the doctor, `/readyz` and metrics of other processes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from people.core.maintenance import MaintenanceRun, record_maintenance

NAME = "collector"
SILENT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class CollectorState:
    """`silent_seconds`: since the last heartbeat; None if there was none. `values`: the counters of the process."""

    silent_seconds: float | None
    values: Mapping[str, int]

    @property
    def is_silent(self) -> bool:
        return self.silent_seconds is None or self.silent_seconds > SILENT.total_seconds()


def write_heartbeat(values: Mapping[str, int]) -> None:
    record_maintenance(NAME, json.dumps(dict(values)))


def collector_state() -> CollectorState:
    row = MaintenanceRun.objects.filter(name=NAME).first()
    if row is None:
        return CollectorState(None, {})
    try:
        values = {str(name): int(number) for name, number in json.loads(row.outcome).items()}
    except (ValueError, AttributeError, TypeError):
        values = {}
    return CollectorState(max(0.0, (timezone.now() - row.done_at).total_seconds()), values)
