"""Turns kept calls into activities by the mappings that are on, through the one recorder, each activity once.

What came is processed in the order in which it came. What cannot be recorded waits among the rejected activities, under
a key of its own, until it is corrected there or its call is replayed with a mended mapping, whichever comes first.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from django.db import transaction

from activities.inbound.mapping import CallMapping, MappedRow, map_call, parse_definition, problems_with_type
from activities.inbound.reading import load_call
from activities.models import Activity, InboundCall, InboundMapping, RefusedActivity
from activities.recording import recorder
from activities.recording.quarantine import storing
from activities.recording.rows import NewActivity, RecordOutcome, RecordStatus
from activities.recording.schema import schema_of_version
from activities.visitors.moving import event_source
from people.core import metrics
from people.core.codes import Code
from people.core.db import locks
from people.core.db.outages import work_together_or_apart
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.core.source import Source

BATCH = 20  # calls of one transaction: at most 10,000 activities
SHOWN_PROBLEMS = 5
ACTIVITIES = metrics.register_counter("inbound_activities", "Activities of calls of webhooks, by outcome.", "outcome")
State = InboundCall.State
Quarantined = RefusedActivity.State
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class CallResult:
    """The result of a call: the mapping that took it, its activities, and their outcomes in order."""

    call: InboundCall
    mapping: InboundMapping | None = None
    rows: Sequence[MappedRow] = ()
    outcomes: list[RecordOutcome] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReadMapping:
    """A mapping that is on, with its definition; or why it cannot be used."""

    row: InboundMapping
    definition: CallMapping | None
    problems: tuple[Problem, ...] = ()


def process_calls() -> int:
    """Process the next new calls; return their number, 0 when none is new."""
    new = InboundCall.objects.filter(state=State.NEW).order_by("pk")
    ids = list(new.values_list("pk", flat=True)[:BATCH])
    if not ids:
        return 0
    work_together_or_apart(ids, _process, mark_broken, logger, "calls of webhooks")
    return len(ids)


def mark_broken(pk: int) -> None:
    """Note that processing a call raised an error; the log has what it was. A replay tries it again."""
    problem = storing.problem_as_json(Problem(Code.ERROR, _("The call could not be processed.")))
    open_states = (State.NEW, State.FAILED, State.UNMAPPED)
    InboundCall.objects.filter(pk=pk, state__in=open_states).update(state=State.FAILED, problems=[problem])


@transaction.atomic
def _process(ids: Sequence[int]) -> None:
    # the lock of people is taken before that of any row, as an erase does
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    calls = InboundCall.objects.filter(pk__in=ids, state=State.NEW).order_by("pk")
    record_calls(list(calls.select_for_update(skip_locked=True, of=("self",))), is_backfill=False)


def record_calls(calls: Sequence[InboundCall], *, is_backfill: bool) -> list[CallResult]:
    """Record what locked calls become, without what is in the log already; within the caller's transaction.

    An activity that was recorded by hand from the quarantine, or dismissed there, is left alone.
    """
    mappings = mappings_by_source({call.source_id for call in calls})
    results = [map_kept_call(call, mappings.get(call.source_id, ())) for call in calls]
    keys = [str(mapped.row.external_id) for result in results for mapped in result.rows]
    settled = storing.settled_keys(keys)
    by_source: dict[int, list[tuple[CallResult, int]]] = defaultdict(list)
    for result in results:
        result.outcomes = [
            _known_outcome(result.call, number, mapped, settled) for number, mapped in enumerate(result.rows)
        ]
        by_source[result.call.source_id] += [
            (result, number) for number, outcome in enumerate(result.outcomes) if outcome is _OPEN
        ]
    for source_id, places in by_source.items():
        source = event_source(source_id, is_backfill=is_backfill)
        _keep_unmapped([result for result in results if result.call.source_id == source_id], source)
        rows = [result.rows[number].row for result, number in places]
        outcomes = recorder.record_activities(rows, source)
        for (result, number), outcome in zip(places, outcomes, strict=True):
            result.outcomes[number] = outcome
    _settle(results)
    return results


_OPEN = RecordOutcome(RecordStatus.REFUSED)


def _known_outcome(
    call: InboundCall, number: int, mapped: MappedRow, settled: Mapping[str, tuple[str, int | None]]
) -> RecordOutcome:
    """The outcome of an activity that is settled before it is recorded; `_OPEN` for one that is not."""
    if number in call.recorded:
        return RecordOutcome(RecordStatus.REPEATED)
    if (state := settled.get(str(mapped.row.external_id))) is not None:
        return RecordOutcome(RecordStatus.REPEATED, state[1])
    return RecordOutcome(RecordStatus.REFUSED, None, mapped.problems) if mapped.problems else _OPEN


def mappings_by_source(source_ids: set[int]) -> dict[int, list[ReadMapping]]:
    """The mappings that are on, in their order, by source."""
    rows = InboundMapping.objects.filter(source__in=source_ids, is_on=True).select_related("activity_type")
    mappings: dict[int, list[ReadMapping]] = defaultdict(list)
    for row in rows.order_by("place", "pk"):
        mappings[row.source_id].append(read_mapping(row))
    return mappings


def read_mapping(row: InboundMapping) -> ReadMapping:
    """The mapping with its definition, or why it cannot be used now."""
    try:
        definition = parse_definition(row.definition)
    except RejectedError as refusal:
        return ReadMapping(row, None, tuple(refusal.problems))
    return ReadMapping(row, definition, tuple(problems_with_type(definition, row.activity_type)))


def map_kept_call(call: InboundCall, mappings: Sequence[ReadMapping]) -> CallResult:
    """The activities of a call by the first of the mappings that takes it."""
    content = load_call(call.body)
    for mapping in mappings:
        if mapping.definition is not None and mapping.definition.takes(content):
            rows = map_content(mapping, content, call.received_at, call.row_key)
            return CallResult(call, mapping.row, rows)
    return CallResult(call)


def call_of_row(external_id: Any) -> InboundCall | None:
    """The kept call whose activity has this key, with its webhook and without its content; None for others."""
    if not storing.is_row_key(external_id):
        return None
    rows = InboundCall.objects.filter(row_key=external_id.rpartition(":")[0]).select_related("source__inbound_webhook")
    return rows.defer("body").order_by("-pk").first()


def map_content(mapping: ReadMapping, content: Any, received_at: Any, row_key: str) -> Sequence[MappedRow]:
    """The activities that a mapping makes of a call; one with its problems where the mapping cannot be used."""
    activity_type = mapping.row.activity_type
    if mapping.problems or mapping.definition is None or activity_type is None or activity_type.live_id is None:
        row = NewActivity(None, mapping.row.activity_type_id, received_at.isoformat(), None, (), f"{row_key}:0")
        return [MappedRow(row, mapping.problems)]
    schema = schema_of_version(activity_type.live_id)
    return map_call(mapping.definition, schema, content, received_at, row_key)


def _keep_unmapped(results: Sequence[CallResult], source: Source) -> None:
    """Keep what the mapping could not make an activity of where the recorder keeps what it refuses."""
    bad = [
        (mapped.row, outcome)
        for result in results
        for mapped, outcome in zip(result.rows, result.outcomes, strict=True)
        if mapped.problems and outcome.status is RecordStatus.REFUSED
    ]
    types = {row.activity_type: row.activity_type for row, _outcome in bad if type(row.activity_type) is int}
    storing.keep_refused_rows([row for row, _ in bad], [outcome for _, outcome in bad], source, UTC, types)


def _settle(results: Sequence[CallResult]) -> None:
    """Note the results of the calls, and close what waited in the quarantine for activities that are recorded now."""
    recorded: dict[str, int | None] = {}
    for result in results:
        call = result.call
        failed = [n for n, outcome in enumerate(result.outcomes) if outcome.status is RecordStatus.REFUSED]
        good = [n for n in range(len(result.rows)) if n not in set(failed)]
        keys = {n: str(result.rows[n].row.external_id) for n in good}
        recorded |= {key: result.outcomes[n].activity_id for n, key in keys.items()}
        if result.mapping is not None:  # activities that the mapping does not make any more
            gone = [n for n in call.failed if n >= len(result.rows)]
            storing.dismiss_keys([f"{call.row_key}:{n}" for n in gone])
        call.mapping = result.mapping
        call.recorded = sorted({*call.recorded, *good})
        call.failed = call.failed if result.mapping is None else failed
        call.state = State.UNMAPPED if result.mapping is None else State.FAILED if failed else State.DONE
        problems = [problem for n in failed for problem in result.outcomes[n].problems]
        call.problems = [storing.problem_as_json(problem) for problem in problems[:SHOWN_PROBLEMS]] or None
        for outcome in result.outcomes:
            ACTIVITIES.add(outcome.status)
    storing.settle_rows(recorded)
    _note_people(results)
    fields = ["mapping", "recorded", "failed", "state", "problems", "person_ids"]
    InboundCall.objects.bulk_update([result.call for result in results], fields)


def _note_people(results: Sequence[CallResult]) -> None:
    """Note whose activities the calls became: an erase finds them by it."""
    ids = {outcome.activity_id for result in results for outcome in result.outcomes if outcome.activity_id}
    people = dict(Activity.objects.filter(pk__in=ids).values_list("pk", "person_id"))
    for result in results:
        own = {people[outcome.activity_id] for outcome in result.outcomes if outcome.activity_id in people}
        result.call.person_ids = sorted({*result.call.person_ids, *own})
