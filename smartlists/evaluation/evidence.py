"""One person's activities as a filter sees them: what satisfies it, and what comes nearest where nothing does.

Conditions are those of the evaluation itself (`statements`), asked in its snapshot.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.datatypes.registry import DataType
from smartlists.catalog import Catalogue
from smartlists.evaluation import near_misses
from smartlists.evaluation.near_misses import Miss
from smartlists.evaluation.postgres import field_sql, statements
from smartlists.evaluation.postgres.snapshot import Snapshot
from smartlists.rules import model as rules
from smartlists.rules import operators, periods
from smartlists.rules.names import Naming
from smartlists.rules.parsing import aggregate_type
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import Type

SHOWN = 10
LOOKED_AT = 200  # rows among which the nearest is sought: those that fail the fewest constraints
MAX_STEP_ROWS = 5_000
AGGREGATE_PLACES = Decimal(1).scaleb(-10)
EXACT = Context(prec=500)  # a sum of doubles has up to some 320 digits before the point


@dataclass(frozen=True, slots=True)
class Evidence:
    """An activity that shows something; `step` counts the steps of a sequence from 1."""

    activity_id: int
    occurred_at: datetime
    step: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """What satisfies an activity filter's constraints: how often, the newest of them, and the aggregate over all."""

    times: int
    activities: tuple[Evidence, ...]
    result: Any = None


class Reading:
    """The activities of one person in one snapshot."""

    def __init__(self, view: Snapshot, names: Catalogue, clock: Clock, person_id: int) -> None:
        self.view = view
        self.names = names
        self.clock = clock
        self.context = statements.Context(names, clock, [person_id])

    # --- activity filters ---

    def summary(self, item: rules.Activity) -> Summary:
        """What satisfies the constraints."""
        of = self.names.types[item.type]
        rows = statements.rows_of(of, item.constraints, self.context)
        computed = "null"
        if item.aggregate:
            computed = f"({statements.aggregate_of(item.aggregate.function, of.fields[item.aggregate.field])})::text"
        ((times, text),) = self.view.rows(f"select count(*), {computed} from activity where {rows.text}", rows.params)
        found = self.view.rows(
            f"select id, occurred_at from activity where {rows.text} order by occurred_at desc, id desc limit {SHOWN}",
            rows.params,
        )
        result = None if text is None or item.aggregate is None else _result(item.aggregate, of, text)
        return Summary(times, tuple(Evidence(pk, at) for pk, at in found), result)

    def miss(self, item: rules.Activity, summary: Summary, naming: Naming) -> Miss:
        """Why the filter does not hold."""
        bounds = item.count.bounds if item.count else (1, None)
        if not item.did:
            return near_misses.did(summary.times)
        if summary.times == 0 and bounds[0] > 0:
            return self._nearest_row(item, naming) or near_misses.never(bounds[0])
        if not bounds[0] <= summary.times <= (summary.times if bounds[1] is None else bounds[1]):
            return near_misses.of_count(summary.times, bounds)
        assert item.aggregate is not None
        of = self.names.types[item.type]
        data_type = aggregate_type(item.aggregate.function, of.fields[item.aggregate.field].data_type)
        field = label_of(naming, item.type, item.aggregate.field)
        label = AGGREGATE_LABELS[item.aggregate.function]() % {"field": field}
        return near_misses.of_value(
            label, data_type, item.aggregate.operator, item.aggregate.values, summary.result, self.clock
        )

    def _nearest_row(self, item: rules.Activity, naming: Naming) -> Miss | None:
        """The row that fails the fewest constraints, and of several the one that fails by the least."""
        of = self.names.types[item.type]
        if not item.constraints:
            return None
        passes = [statements.constraint(one, of, self.context) for one in item.constraints]
        values = ", ".join(field_sql.of_activity(of.fields[one.field]) for one in item.constraints)
        passed = statements.joined(passes, ", ")
        base = statements.rows_of(of, (), self.context)
        rows = self.view.rows(
            f"select array[{passed.text}] as passed, {values} from activity where {base.text}"
            f" order by cardinality(array_positions(array[{passed.text}], true)) desc, occurred_at desc"
            f" limit {LOOKED_AT}",
            (*passed.params, *base.params, *passed.params),
        )
        if not rows:
            return None
        near = [self._row_miss(item, of, passed, raw, naming) for passed, *raw in rows]
        return min(near, key=lambda found: found[:2])[2]

    def _row_miss(
        self, item: rules.Activity, of: Type, passed: Sequence[bool | None], raw: Sequence[Any], naming: Naming
    ) -> tuple[int, float, Miss]:
        found = [
            near_misses.of_value(
                label_of(naming, item.type, one.field),
                of.fields[one.field].data_type,
                one.operator,
                one.values,
                _typed(of.fields[one.field].data_type, value),
                self.clock,
            )
            for one, passes, value in zip(item.constraints, passed, raw, strict=True)
            if not passes
        ]
        text = "; ".join(miss.text for miss in found)
        return len(found), sum(miss.distance for miss in found), Miss(found[0].code, text, found[0].distance)

    # --- sequences ---

    def chain(self, item: rules.Sequence, naming: Naming) -> tuple[tuple[Evidence, ...], Miss | None]:
        """The newest activities that do the steps, as far as they go, and why they go no further (None: done)."""
        rows = [self._step_rows(step) for step in item.steps]
        steps = item.steps[:-1] if item.steps[-1].is_not else item.steps
        reached: list[_Reached] = [_Reached(at, pk, None) for at, pk in rows[0]]
        if not reached:
            return (), _not_done(item.steps[0], naming)
        for number, step in enumerate(steps[1:], start=1):
            following = _followed(reached, rows[number], step.within_days)
            if not following:
                return _evidence(reached), _step_miss(reached, rows[number], step, naming)
            reached = following
        if item.steps[-1].is_not:
            return self._not_followed(reached, rows[-1], item.steps[-1], naming)
        return _evidence(reached), None

    def _step_rows(self, step: rules.Step) -> list[tuple[datetime, int]]:
        where = statements.rows_of(self.names.types[step.type], step.constraints, self.context)
        found = self.view.rows(
            f"select occurred_at, id from activity where {where.text}"
            f" order by occurred_at desc, id desc limit {MAX_STEP_ROWS}",
            where.params,
        )
        return list(reversed(found))

    def _not_followed(
        self, reached: "list[_Reached]", rows: list[tuple[datetime, int]], step: rules.Step, naming: Naming
    ) -> tuple[tuple[Evidence, ...], Miss | None]:
        window = timedelta(hours=statements.DAY * (step.within_days or 0))
        still_open = None
        followed = None
        for one in reversed(reached):
            after = bisect_left(rows, (one.at + periods.SMALLEST, 0))
            if after < len(rows) and rows[after][0] <= one.at + window:
                followed = followed or (one, rows[after])
            elif one.at + window >= self.clock.now:
                still_open = still_open or one
            else:
                return one.chain(), None
        if still_open:
            left = near_misses.duration(still_open.at + window - self.clock.now)
            said = _("the time in which nothing may follow ends in %(duration)s") % {"duration": left}
            return still_open.chain(), Miss("still_open", said)
        assert followed is not None
        one, (at, pk) = followed
        shown = {"activity": naming.shown_type_label(step.type), "duration": near_misses.duration(at - one.at)}
        said = _("“%(activity)s” followed after %(duration)s") % shown
        return (*one.chain(), Evidence(pk, at, len(one.chain()) + 1)), Miss("followed", said)


@dataclass(frozen=True, slots=True)
class _Reached:
    """An activity that completes a step, with the one that completed the step before."""

    at: datetime
    activity_id: int
    before: "_Reached | None"

    def chain(self) -> tuple[Evidence, ...]:
        found: list[tuple[datetime, int]] = []
        one: _Reached | None = self
        while one is not None:
            found.append((one.at, one.activity_id))
            one = one.before
        return tuple(Evidence(pk, at, step) for step, (at, pk) in enumerate(reversed(found), start=1))


def _followed(reached: list[_Reached], rows: list[tuple[datetime, int]], within: int | None) -> list[_Reached]:
    """The rows that complete the next step; the latest of the earlier ones before a row is the one that counts."""
    moments = [one.at for one in reached]
    found = []
    for at, pk in rows:
        position = bisect_left(moments, at) - 1
        if position >= 0 and (within is None or at - moments[position] <= timedelta(hours=statements.DAY * within)):
            found.append(_Reached(at, pk, reached[position]))
    return found


def _evidence(reached: list[_Reached]) -> tuple[Evidence, ...]:
    return reached[-1].chain() if reached else ()


def _step_miss(reached: list[_Reached], rows: list[tuple[datetime, int]], step: rules.Step, naming: Naming) -> Miss:
    """Why no row completes the step: there is none, all came before, or the nearest came too late."""
    if not rows:
        return _not_done(step, naming)
    moments = [one.at for one in reached]
    gaps = [at - moments[position] for at, _pk in rows if (position := bisect_left(moments, at) - 1) >= 0]
    shown = {"activity": naming.shown_type_label(step.type)}
    if not gaps:
        return Miss("wrong_order", _("“%(activity)s” came before, not after") % shown)
    late = near_misses.too_late(min(gaps) - timedelta(hours=statements.DAY * (step.within_days or 0)))
    return Miss(late.code, _("“%(activity)s”: %(miss)s") % {**shown, "miss": late.text}, late.distance)


def _not_done(step: rules.Step, naming: Naming) -> Miss:
    return Miss("too_few", _("no “%(activity)s” fits") % {"activity": naming.shown_type_label(step.type)})


def label_of(naming: Naming, activity_type: str, field: str) -> str:
    """What people call a field of an activity."""
    return str(MOMENT_LABELS.get(field) or naming.shown_activity_label(activity_type, field))


def _result(aggregate: rules.Aggregate, of: Type, text: str) -> Any:
    data_type = aggregate_type(aggregate.function, of.fields[aggregate.field].data_type)
    if data_type is operators.NUMBER:
        return Decimal(text).quantize(AGGREGATE_PLACES, context=EXACT) if "." in text else Decimal(text)
    return _typed(data_type, text)


def _typed(data_type: DataType, raw: Any) -> Any:
    return None if raw is None else data_type.parse(raw, UTC)


MOMENT_LABELS = {"@occurred_at": gettext_lazy("Occurred at"), "@recorded_at": gettext_lazy("Recorded at")}
AGGREGATE_LABELS = {
    "sum": lambda: _("Sum of %(field)s"),
    "average": lambda: _("Average of %(field)s"),
    "minimum": lambda: _("Minimum of %(field)s"),
    "maximum": lambda: _("Maximum of %(field)s"),
    "first": lambda: _("First %(field)s"),
    "last": lambda: _("Last %(field)s"),
}
