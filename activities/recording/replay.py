"""Settles refused rows: corrects them, renames a field, records them after all, or dismisses them.

A row is recorded once, however often and by however many users it is replayed: with today's live version, and as
if received through the channel that refused it; as back-fill unless `backfill` is False.
The source of a corrected row is the user who corrected it last.
Each function is limited to the rows of its user and of that user's API clients. For those of others it needs the right
`OTHERS` besides those to see them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.consent.state import CONSENTS
from activities.models import RefusedActivity
from activities.recording import history, parsing, recorder
from activities.recording import rows as recording_rows
from activities.recording.file_rows import IMPORTED
from activities.recording.quarantine import storing
from activities.recording.rows import NewActivity, PersonLookup
from activities.rights import CHANGE_REFUSEDACTIVITY, RECORD_ACTIVITY, VIEW_REFUSEDACTIVITY
from activities.types.marketo_history import HISTORY_TYPES
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, quoted_value
from people.core.messages import sentence
from people.core.permissions import own_or_all_condition, require_permission, user_source
from people.core.source import Channel, Source
from people.rights import VIEW_PERSON

MAX_ROWS = 1_000  # of one transaction
RIGHT = RECORD_ACTIVITY
SEE_OTHERS, OTHERS = (VIEW_REFUSEDACTIVITY, CHANGE_REFUSEDACTIVITY)  # of rows that other users sent
TO_SEE = (SEE_OTHERS, VIEW_PERSON)
PARTS = ("person", "activity_type", "occurred_at", "primary_value", "external_id")
State = RefusedActivity.State

audit.register_actions(
    {
        "refused_corrected": (2, gettext_lazy("Corrected %(count)s rejected activities")),
        "refused_replayed": (2, gettext_lazy("Retried %(count)s rejected activities")),
        "refused_dismissed": (2, gettext_lazy("Dismissed %(count)s rejected activities")),
    }
)


@dataclass(frozen=True, slots=True)
class RefusedRowReplay:
    """Result of a replay: the numbers of rows recorded now and of rows still refused."""

    recorded: int
    refused: int


def correct_rows(ids: Sequence[int], part: str, value: Any, by: Any) -> int:
    """Set `part` of each waiting row to the value; return the number of changed rows.

    `part` is one of `PARTS`, or a field's name. A person looked up by a field stays looked up by it.
    """

    def change(row: dict[str, Any]) -> None:
        if part == "person" and isinstance(row["person"], dict):
            row["person"]["value"] = value
        elif part in PARTS:
            row[part] = value
        else:
            others = [pair for pair in row["attributes"] if pair[0] != part]
            row["attributes"] = [*others, [part, value]]

    return _change(ids, change, by)


def remap_field(ids: Sequence[int], old: str, new: str, by: Any) -> int:
    """Move the values of field `old` to `new` (or to `primary_value`); return the number of changed rows."""

    def change(row: dict[str, Any]) -> None:
        for pair in [pair for pair in row["attributes"] if pair[0] == old]:
            if new == "primary_value":
                row["attributes"].remove(pair)
                row["primary_value"] = pair[1]
            else:
                pair[0] = new

    return _change(ids, change, by)


@transaction.atomic
def _change(ids: Sequence[int], change: Callable[[dict[str, Any]], None], by: Any) -> int:
    require_permission(by, RIGHT)
    changed = []
    for refused in _waiting(ids, by):
        row = storing.load_row(refused.raw)
        if row is None:
            continue
        before = storing.dump_row(row)
        change(row)
        if by is not None and storing.dump_row(row) != before:
            row["corrected_by"] = by.pk
        raw = storing.dump_row(row)
        if not 0 < len(raw) <= storing.MAX_RAW:
            raise RejectedError(Problem(Code.TOO_LARGE, _("The row would be too large to keep."), ("value",)))
        if raw != refused.raw:
            refused.raw = raw
            changed.append(refused)
    RefusedActivity.objects.bulk_update(changed, ["raw"], batch_size=MAX_ROWS)
    _note(by, changed, "refused_corrected")
    return len(changed)


def replay_rows(ids: Sequence[int], by: Any, *, backfill: bool = True) -> RefusedRowReplay:
    """Record the waiting rows; rows refused again stay waiting with today's reasons. Commits every 1,000 rows.

    They start campaigns only where not `backfill`, and where they were not sent as back-fill.
    """
    require_permission(by, RIGHT)
    results = [_replay(ids[start : start + MAX_ROWS], by, backfill) for start in range(0, len(ids), MAX_ROWS)]
    return RefusedRowReplay(sum(result.recorded for result in results), sum(result.refused for result in results))


@transaction.atomic
def _replay(ids: Sequence[int], by: Any, backfill: bool) -> RefusedRowReplay:
    # a row locked by another replay is recorded by that one
    waiting = list(_waiting(ids, by))
    now = timezone.now()
    may_create = by is None or by.has_perm(parsing.CREATE)
    groups: dict[tuple[Any, ...], list[RefusedActivity]] = {}
    for row in waiting:
        values = storing.load_row(row.raw)
        if values is None:
            _refuse(row, [Problem(Code.TOO_LARGE, sentence("The row was too large to keep."))])
        elif not may_create and _creates_person(row):
            message = sentence("The permission to create people is missing.")
            _refuse(row, [Problem(Code.NOT_ALLOWED, message, ("create_person",), parsing.CREATE)])
        else:
            sender = values.get("corrected_by", row.user_id)
            was_past = bool(values.get("backfill"))
            group = (row.channel, sender, row.origin_id, row.zone, backfill or was_past)
            groups.setdefault((*group, was_past and row.channel == Channel.IMPORT), []).append(row)
    recorded = 0
    for (channel, user_id, origin_id, zone, is_past, is_history), rows in groups.items():
        may_opt_in = user_source(Channel(channel), by).may_opt_in  # the sender is another user
        source = Source(Channel(channel), user_id, origin_id, is_backfill=is_past, may_opt_in=may_opt_in)
        activities = [decode_row(row.raw) for row in rows]
        # an import of Marketo's history is always sent as back-fill
        may_record = IMPORTED if channel == Channel.IMPORT else CONSENTS
        may_record |= HISTORY_TYPES if is_history and history.is_allowed(by) else frozenset()
        outcomes = recorder.record_activities(
            activities, source, zone=ZoneInfo(zone), may_record=may_record, keep_refused=False
        )
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome.status is recording_rows.RecordStatus.REFUSED:
                _refuse(row, outcome.problems)
            else:
                row.state, row.activity_id, row.settled_at = State.REPLAYED, outcome.activity_id, now
                recorded += 1
    fields = ["state", "activity_id", "settled_at", "code", "field", "problems"]
    RefusedActivity.objects.bulk_update(waiting, fields, batch_size=MAX_ROWS)
    _note(by, [row for row in waiting if row.state == State.REPLAYED], "refused_replayed")
    return RefusedRowReplay(recorded, len(waiting) - recorded)


def _creates_person(row: RefusedActivity) -> bool:
    """True where the row requests that a missing person be created."""
    person = decode_row(row.raw).person
    return isinstance(person, PersonLookup) and person.create


def _refuse(row: RefusedActivity, problems: Sequence[Problem]) -> None:
    """Set today's reasons on the row; the caller saves it."""
    row.code, row.field = problems[0].code, quoted_value(problems[0].path[-1] if problems[0].path else "")
    row.problems = [storing.problem_as_json(problem) for problem in problems]


@transaction.atomic
def dismiss_rows(ids: Sequence[int], by: Any) -> int:
    """Mark waiting rows as dismissed; return their number."""
    require_permission(by, RIGHT)
    rows = list(_waiting(ids, by))
    RefusedActivity.objects.filter(pk__in=[row.pk for row in rows]).update(
        state=State.DISMISSED, settled_at=timezone.now()
    )
    _note(by, rows, "refused_dismissed")
    return len(rows)


def decode_row(raw: str) -> NewActivity:
    """The activity that `storing.encode_row` wrote. Raises `RejectedError` where it was too large to keep."""
    row = storing.load_row(raw)
    if row is None:
        raise RejectedError(Problem(Code.TOO_LARGE, _("The row was too large to keep.")))
    person = row["person"]
    if isinstance(person, dict) and set(person) == {"value", "field", "create"}:
        person = PersonLookup(person["value"], person["field"], person["create"])
    pairs = [(name, value) for name, value in row["attributes"]]
    return NewActivity(
        person, row["activity_type"], row["occurred_at"], row["primary_value"], pairs, row["external_id"]
    )


def visible_refused_rows(by: Any) -> Any:
    """The refused rows that `by` may see: their own; those of all users with `SEE_OTHERS` and `VIEW_PERSON`."""
    return RefusedActivity.objects.filter(own_or_all_condition(by, *TO_SEE))


def _waiting(ids: Sequence[int], by: Any) -> Any:
    allowed = own_or_all_condition(by, OTHERS, *TO_SEE)
    rows = RefusedActivity.objects.filter(allowed, pk__in=list(ids), state=State.WAITING).exclude(raw="").order_by("pk")
    return rows.select_for_update(skip_locked=True, of=("self",))


def _note(by: Any, rows: Sequence[RefusedActivity], action: str) -> None:
    if rows:
        audit.write_audit_entry(by, rows[0], action, count=len(rows))
