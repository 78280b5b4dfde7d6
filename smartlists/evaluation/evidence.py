"""One person's activities for a filter: those that satisfy it, or else the nearest ones.

Conditions are those of the evaluation itself (`statements`), run in its snapshot.
"""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from activities.consent.state import GIVEN, LATEST_FIRST
from smartlists.catalog import Catalogue
from smartlists.evaluation import near_misses, row_misses
from smartlists.evaluation.near_misses import NearMiss
from smartlists.evaluation.postgres import field_sql, statements
from smartlists.evaluation.postgres.snapshot import Snapshot
from smartlists.evaluation.postgres.translation import TranslationContext, aggregate_sql, join_sql
from smartlists.rules import model as rules
from smartlists.rules import periods
from smartlists.rules.names import Naming
from smartlists.rules.periods import Clock

SHOWN = 10
LOOKED_AT = 200  # rows searched for the nearest: those that fail the fewest constraints
MAX_STEP_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """An activity that supports a verdict; `step` counts the steps of a sequence from 1."""

    activity_id: int
    occurred_at: datetime
    step: int = 0


@dataclass(frozen=True, slots=True)
class ActivitySummary:
    """The activities that satisfy a filter's constraints: their number, the newest ones, and the aggregate over all."""

    times: int
    activities: tuple[Evidence, ...]
    result: Any = None


class EvidenceReader:
    """The activities of one person in one snapshot."""

    def __init__(self, view: Snapshot, names: Catalogue, clock: Clock, person_id: int) -> None:
        self.view = view
        self.names = names
        self.clock = clock
        self.context = TranslationContext(names, clock, [person_id])

    # --- activity filters ---

    def summary(self, item: rules.Activity) -> ActivitySummary:
        """Summarize the activities that satisfy the constraints."""
        activity_type = self.names.types[item.type]
        rows = statements.activity_rows_sql(activity_type, item.row_constraints, self.context)
        computed = "null"
        if item.aggregate:
            field = activity_type.fields[item.aggregate.field]
            raw = field_sql.activity_field_sql(field)
            computed = f"({aggregate_sql(item.aggregate.function, field, raw)})::text"
        ((times, text),) = self.view.rows(f"select count(*), {computed} from activity where {rows.text}", rows.params)
        newest = self.view.rows(
            f"select id, occurred_at from activity where {rows.text} order by occurred_at desc, id desc limit {SHOWN}",
            rows.params,
        )
        result = (
            None
            if text is None or item.aggregate is None
            else row_misses.aggregate_result(item.aggregate, activity_type, text)
        )
        return ActivitySummary(times, tuple(Evidence(pk, at) for pk, at in newest), result)

    def miss(self, item: rules.Activity, summary: ActivitySummary) -> NearMiss:
        """The reason why the filter does not hold."""
        bounds = item.count.bounds if item.count else (1, None)
        if not item.did:
            return near_misses.did_miss(summary.times)
        if summary.times == 0 and bounds[0] > 0:
            return self._bots_miss(item) or self._nearest_row(item) or near_misses.never_did_miss(bounds[0])
        if not bounds[0] <= summary.times <= (summary.times if bounds[1] is None else bounds[1]):
            return near_misses.count_miss(summary.times, bounds)
        assert item.aggregate is not None
        return row_misses.aggregate_miss(item.aggregate, self.names.types[item.type], summary.result, self.clock)

    def _bots_miss(self, item: rules.Activity | rules.Step) -> NearMiss | None:
        """The miss of a person whose only activities are those of bots, or whose only ones are not."""
        if item.bots == rules.INCLUDE_BOTS:
            return None
        rows = statements.activity_rows_sql(self.names.types[item.type], item.constraints, self.context)
        if not self.view.rows(f"select 1 from activity where {rows.text} limit 1", rows.params):
            return None
        return near_misses.only_bots_miss() if item.bots == rules.EXCLUDE_BOTS else near_misses.no_bots_miss()

    def _nearest_row(self, item: rules.Activity) -> NearMiss | None:
        """The miss of the row that fails the fewest constraints; of several rows, the one that fails by the least."""
        activity_type = self.names.types[item.type]
        if not item.constraints:
            return None
        passes = [statements.constraint_sql(constraint, activity_type, self.context) for constraint in item.constraints]
        values = ", ".join(
            field_sql.activity_field_sql(activity_type.fields[constraint.field]) for constraint in item.constraints
        )
        passed = join_sql(passes, ", ")
        base = statements.activity_rows_sql(activity_type, rules.with_bots((), item.bots), self.context)
        rows = self.view.rows(
            f"select array[{passed.text}] as passed, {values} from activity where {base.text}"
            f" order by cardinality(array_positions(array[{passed.text}], true)) desc, occurred_at desc"
            f" limit {LOOKED_AT}",
            (*passed.params, *base.params, *passed.params),
        )
        if not rows:
            return None
        near = [
            row_misses.joined_miss(
                row_misses.constraint_misses(item.constraints, activity_type, passed, raw, self.clock)
            )
            for passed, *raw in rows
        ]
        return min(near, key=lambda row_miss: row_miss[:2])[2]

    # --- consent ---

    def latest_consent(self, item: rules.Consent) -> tuple[Evidence, bool] | None:
        """The consent that counts for the purpose, and True if it was given; None without any."""
        where = statements.consent_rows_sql(item, self.context)
        columns = "id, occurred_at, activity_type_id"
        rows = self.view.rows(
            f"select {columns} from activity where {where.text} order by {LATEST_FIRST} limit 1", where.params
        )
        return (Evidence(rows[0][0], rows[0][1]), rows[0][2] == GIVEN) if rows else None

    # --- sequences ---

    def chain(self, item: rules.Sequence, naming: Naming) -> tuple[tuple[Evidence, ...], NearMiss | None]:
        """The newest activities that complete the steps, as far as possible, and the next miss (None: complete)."""
        rows = [self._step_rows(step) for step in item.steps]
        steps = item.steps[:-1] if item.steps[-1].is_not else item.steps
        reached: list[_ReachedStep] = [_ReachedStep(at, pk, None) for at, pk in rows[0]]
        if not reached:
            return (), self._not_done(item.steps[0], naming)
        for number, step in enumerate(steps[1:], start=1):
            following = _followed(reached, rows[number], step.within_days)
            if not following and not rows[number]:
                return _evidence(reached), self._not_done(step, naming)
            if not following:
                return _evidence(reached), _step_miss(reached, rows[number], step, naming)
            reached = following
        if item.steps[-1].is_not:
            return self._not_followed(reached, rows[-1], item.steps[-1], naming)
        return _evidence(reached), None

    def _not_done(self, step: rules.Step, naming: Naming) -> NearMiss:
        """The miss of a step for which there is no row at all."""
        parameters = {"activity": naming.shown_type_label(step.type)}
        if miss := self._bots_miss(step):
            return NearMiss(miss.code, _("“%(activity)s”: %(miss)s") % {**parameters, "miss": miss.text})
        return NearMiss("too_few", _("no “%(activity)s” matches") % parameters)

    def _step_rows(self, step: rules.Step) -> list[tuple[datetime, int]]:
        where = statements.activity_rows_sql(self.names.types[step.type], step.row_constraints, self.context)
        rows = self.view.rows(
            f"select occurred_at, id from activity where {where.text}"
            f" order by occurred_at desc, id desc limit {MAX_STEP_ROWS}",
            where.params,
        )
        return list(reversed(rows))

    def _not_followed(
        self, reached: "list[_ReachedStep]", rows: list[tuple[datetime, int]], step: rules.Step, naming: Naming
    ) -> tuple[tuple[Evidence, ...], NearMiss | None]:
        window = timedelta(hours=statements.DAY * (step.within_days or 0))
        still_open = None
        followed = None
        for activity in reversed(reached):
            after = bisect_left(rows, (activity.at + periods.SMALLEST, 0))
            if after < len(rows) and rows[after][0] <= activity.at + window:
                followed = followed or (activity, rows[after])
            elif activity.at + window >= self.clock.now:
                still_open = still_open or activity
            else:
                return activity.chain(), None
        if still_open:
            remaining = near_misses.duration_text(still_open.at + window - self.clock.now)
            text = _("the time in which nothing may follow ends in %(duration)s") % {"duration": remaining}
            return still_open.chain(), NearMiss("still_open", text)
        assert followed is not None
        last, (at, pk) = followed
        parameters = {
            "activity": naming.shown_type_label(step.type),
            "duration": near_misses.duration_text(at - last.at),
        }
        text = _("“%(activity)s” followed after %(duration)s") % parameters
        return (*last.chain(), Evidence(pk, at, len(last.chain()) + 1)), NearMiss("followed", text)


@dataclass(frozen=True, slots=True)
class _ReachedStep:
    """An activity that completes a step, linked to the one that completed the step before."""

    at: datetime
    activity_id: int
    before: "_ReachedStep | None"

    def chain(self) -> tuple[Evidence, ...]:
        activities: list[tuple[datetime, int]] = []
        activity: _ReachedStep | None = self
        while activity is not None:
            activities.append((activity.at, activity.activity_id))
            activity = activity.before
        return tuple(Evidence(pk, at, step) for step, (at, pk) in enumerate(reversed(activities), start=1))


def _followed(reached: list[_ReachedStep], rows: list[tuple[datetime, int]], within: int | None) -> list[_ReachedStep]:
    """The rows that complete the next step, each linked to the latest earlier activity before it."""
    moments = [activity.at for activity in reached]
    followed = []
    for at, pk in rows:
        position = bisect_left(moments, at) - 1
        if position >= 0 and (within is None or at - moments[position] <= timedelta(hours=statements.DAY * within)):
            followed.append(_ReachedStep(at, pk, reached[position]))
    return followed


def _evidence(reached: list[_ReachedStep]) -> tuple[Evidence, ...]:
    return reached[-1].chain() if reached else ()


def _step_miss(
    reached: list[_ReachedStep], rows: list[tuple[datetime, int]], step: rules.Step, naming: Naming
) -> NearMiss:
    """The reason why none of the rows completes the step: all came before, or the nearest came too late."""
    moments = [activity.at for activity in reached]
    gaps = [at - moments[position] for at, _pk in rows if (position := bisect_left(moments, at) - 1) >= 0]
    parameters = {"activity": naming.shown_type_label(step.type)}
    if not gaps:
        return NearMiss("wrong_order", _("“%(activity)s” came before, not after") % parameters)
    late = near_misses.too_late_miss(min(gaps) - timedelta(hours=statements.DAY * (step.within_days or 0)))
    return NearMiss(late.code, _("“%(activity)s”: %(miss)s") % {**parameters, "miss": late.text}, late.distance)
