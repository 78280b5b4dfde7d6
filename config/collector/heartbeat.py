"""The sign of life of the collector in the database, for the doctor, `/readyz` and metrics of other processes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from activities.models import EventSource
from people.core.maintenance import MaintenanceRun, record_maintenance

NAME = "collector"
SILENT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class CollectorState:
    """`silent_seconds`: since the last sign of life; None if there never was one. `values` as the process gave them."""

    silent_seconds: float | None
    values: Mapping[str, int]

    @property
    def is_silent(self) -> bool:
        return self.silent_seconds is None or self.silent_seconds > SILENT.total_seconds()


def beat(values: Mapping[str, int]) -> None:
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


def examine() -> tuple[str, str]:
    """State and remedy, for the doctor; it is missed only where web sites are to send something."""
    state, sites = collector_state(), EventSource.objects.filter(is_on=True, kind=EventSource.Kind.BROWSER).count()
    if state.is_silent and not sites:
        return "does not run; no web site is set up", ""
    if state.is_silent:
        since = "" if state.silent_seconds is None else f" since {state.silent_seconds:,.0f} s"
        return (
            f"{sites} web sites send, and nobody listens{since}",
            "start it: python manage.py collect (make run does)",
        )
    return f"{state.values.get('waiting', 0)} hits wait, {state.values.get('requests', 0)} requests are in progress", ""
