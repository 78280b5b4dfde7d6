"""The state of the column index of this node, for the command, the doctor, the status page and metrics."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from activities.log.columns import builder, files, manifest, source
from people.core.db import citus
from people.core.db.sequences import last_value

OLD = timedelta(days=1, minutes=10)  # a generation is published every day, even without changes


@dataclass(frozen=True, slots=True)
class IndexState:
    """The contents of the index. `is_used` is False if the database does not list the generation: SQL answers alone.

    `is_needed`: a type has enough activities to be in it.
    """

    is_wanted: bool
    is_needed: bool = False
    types: int = 0
    rows: int = 0
    bytes: int = 0
    built_at: datetime | None = None
    behind: int = 0  # ids of activities after the mark
    is_used: bool = False
    problem: str = ""  # of the last build
    left_out: tuple[int, ...] = ()


def index_state() -> IndexState:
    is_wanted = settings.COLUMN_INDEX and not citus.is_distributed()
    problem = files.stored_problem() if is_wanted else ""
    is_needed = is_wanted and bool(source.big_types(builder.FEWEST_ROWS))
    current = manifest.current_manifest()
    if current is None:
        return IndexState(is_wanted, is_needed, problem=problem)
    entries = current.types.values()
    return IndexState(
        is_wanted,
        is_needed,
        len(entries),
        sum(entry.rows for entry in entries),
        sum(file.size for file in current.files),
        datetime.fromisoformat(current.built_at),
        max(0, last_value("activity_id_seq") - current.mark),
        is_wanted and source.is_published(current.token) and source.server_identity() == current.server,
        problem,
        tuple(current.left_out),
    )


def examine_index() -> tuple[str, str]:
    """The state in words, and the advice if the index is on and cannot be used."""
    state, summary = index_state(), index_summary()
    if not state.is_wanted:
        return f"off: {summary}", ""
    if state.problem:
        return summary, f"its last build failed, and SQL answers what it lacks: {state.problem}"
    if not state.is_needed:
        return summary, ""
    if state.built_at is None or timezone.now() - state.built_at > OLD or not state.is_used:
        return (
            summary,
            "start its builder: python manage.py columns build --keep (make run does); until then SQL answers",
        )
    return summary, "see the builder's log for the reason; SQL answers for these types" if state.left_out else ""


def index_summary() -> str:
    """One line for a terminal."""
    state = index_state()
    if state.built_at is None:
        return "there is no column index" + ("" if state.is_wanted else ", and none is wanted")
    summary = (
        f"{state.rows:,} rows of {state.types} types, {state.bytes / 1024**2:,.1f} MB, {state.behind:,} ids behind"
    )
    if not state.is_used:
        reason = "the database does not list this generation" if state.is_wanted else "COLUMN_INDEX is off"
        summary += f"; not used: {reason}"
    return summary + (f"; left out: types {', '.join(map(str, state.left_out))}" if state.left_out else "")
