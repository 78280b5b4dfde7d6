"""Tries a mapping on the calls that came last, before it is switched on: everything is checked, and nothing is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Func, IntegerField, Sum, Window

from activities.inbound.mapping import CallMapping, MappedRow
from activities.inbound.processing import ReadMapping, map_content, read_mapping
from activities.inbound.reading import load_call
from activities.models import EventSource, InboundCall, InboundMapping
from activities.recording import recorder
from activities.recording.rows import RecordOutcome
from activities.visitors.moving import event_source
from people.core.errors import Problem

SAMPLES = 10
MAX_ROWS = 200  # activities that are tried
MAX_BYTES = 4 * 2**20  # of contents that are read at a time, besides those of one call
LOOKED_AT = 200  # calls among which samples are looked for


@dataclass(frozen=True, slots=True)
class TriedRow:
    """One activity that a call would become, and why it would be rejected."""

    call: InboundCall
    mapped: MappedRow
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Trial:
    """`rows`: what the samples become; `others`: samples that the mapping leaves to others; `problems`: of itself."""

    rows: Sequence[TriedRow]
    calls: int
    others: int
    problems: Sequence[Problem]

    @property
    def good(self) -> int:
        return sum(not row.problems for row in self.rows)


class _OctetLength(Func):
    """The length of a text in bytes, which PostgreSQL has without reading it."""

    function = "octet_length"
    output_field = IntegerField()


def last_calls(source: EventSource, number: int = SAMPLES) -> list[InboundCall]:
    """The newest calls of a webhook, without checks of its address: the first ones whose contents reach `MAX_BYTES`."""
    newest = source.inbound_calls.exclude(state=InboundCall.State.HANDSHAKE).order_by("-pk")[:number]
    size = _OctetLength("body")
    newer = Window(Sum(size), order_by=F("pk").desc()) - size
    calls = InboundCall.objects.filter(pk__in=newest.values("pk")).annotate(newer=newer)
    return list(calls.filter(newer__lt=MAX_BYTES).order_by("-pk"))


def sample_calls(source: EventSource, definition: CallMapping | None, number: int = SAMPLES) -> list[InboundCall]:
    """The newest calls that a mapping takes; all kinds of calls without a definition."""
    if definition is None or not definition.when_path:
        return last_calls(source, number)
    taken = []
    for call in last_calls(source, LOOKED_AT):
        if definition.takes(load_call(call.body)):
            taken.append(call)
        if len(taken) >= number:
            break
    return taken


def try_mapping(row: InboundMapping) -> Trial:
    """The activities that the mapping makes of the newest calls, without recording. `row` may be unsaved."""
    mapping = read_mapping(row)
    calls = last_calls(row.source)
    mapped = [(call, item) for call in calls for item in _map(mapping, call)][:MAX_ROWS]
    taken = {call.pk for call, _ in mapped}
    good = [(call, item) for call, item in mapped if not item.problems]
    outcomes = iter(_outcomes([item for _, item in good], row.source_id))
    rows = [TriedRow(call, item, item.problems if item.problems else next(outcomes).problems) for call, item in mapped]
    return Trial(rows, len(calls), len(calls) - len(taken), mapping.problems)


def _map(mapping: ReadMapping, call: InboundCall) -> Sequence[MappedRow]:
    content: Any = load_call(call.body)
    if mapping.definition is None or mapping.problems or not mapping.definition.takes(content):
        return ()
    return map_content(mapping, content, call.received_at, call.row_key)


def _outcomes(rows: Sequence[MappedRow], source_id: int) -> Sequence[RecordOutcome]:
    """The outcomes as if the rows came for the first time: their own ids may be in the log by now."""
    for mapped in rows:
        mapped.row.external_id = None
    return recorder.record_activities(
        [mapped.row for mapped in rows], event_source(source_id), dry_run=True, keep_refused=False
    )
