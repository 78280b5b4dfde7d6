"""Did, did not, in a period: bitmaps of people by day, and PostgreSQL for the parts of days at the ends."""

from collections.abc import Sequence

from pyroaring import BitMap

from activities.log.columns.bitmaps import DAY
from activities.log.columns.relation import IndexView
from smartlists.evaluation.columns import conditions
from smartlists.evaluation.columns.statements import ColumnContext
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.evaluation.postgres.snapshot import Snapshot
from smartlists.rules import model as rules
from smartlists.rules import operators
from smartlists.rules.operators import OPERATORS, RANGED

Stretch = tuple[int | None, int | None]  # [start, end) in microseconds; None is no bound
EVER: Sequence[Stretch] = ((None, None),)
MANY = 8  # stretches: rows of more parts of days are quicker read from the columns


def periods_of_filter(item: rules.Activity, context: ColumnContext) -> Sequence[Stretch] | None:
    """The periods of the filter; an activity has to lie in one of them; None if the filter has other conditions."""
    if item.aggregate is not None or (item.count is not None and item.count.bounds != (1, None)):
        return None
    return periods_of_rows(item.type, item.row_constraints, context)


def periods_of_rows(
    type_name: str, constraints: Sequence[rules.Constraint], context: ColumnContext
) -> Sequence[Stretch] | None:
    """The periods in which rows satisfy the constraints; None if they require anything else."""
    periods: Sequence[Stretch] = EVER
    for constraint in constraints:
        if constraint.field != "@occurred_at" or constraint.operator not in RANGED:
            return None
        if OPERATORS[constraint.operator].negates:
            return None
        field = context.names.field(context.names.type(type_name), constraint.field)
        ranges = operators.time_ranges(field.data_type, constraint.operator, constraint.values, context.clock)
        periods = overlaps_of(periods, conditions.whole_ranges(ranges))
    return periods if len(periods) <= MANY else None


def people_in_periods(columns: IndexView, view: Snapshot, type_id: int, stretches: Sequence[Stretch]) -> BitMap:
    """The people with a row of the type in one of the periods.

    Raises `NotHeldError`, `DamagedFileError`.
    """
    delta = columns.delta(type_id)
    whole, parts = _split(stretches)
    people = columns.by_day(type_id, whole) if whole else BitMap()
    if parts:
        people |= view.people(_rows(type_id, _in(parts)))
    return people | view.people(_rows(type_id, f"{delta.where} and {_in(stretches)}"))


def overlaps_of(first: Sequence[Stretch], second: Sequence[Stretch]) -> list[Stretch]:
    """The stretches that lie in both."""
    overlaps = []
    for start, end in first:
        for low, high in second:
            lowest = max((bound for bound in (start, low) if bound is not None), default=None)
            highest = min((bound for bound in (end, high) if bound is not None), default=None)
            if lowest is None or highest is None or lowest < highest:
                overlaps.append((lowest, highest))
    return overlaps


def _split(stretches: Sequence[Stretch]) -> tuple[list[Stretch], list[Stretch]]:
    """The whole days (UTC, since 1970) inside of stretches, and the parts of days at their ends, in microseconds."""
    whole: list[Stretch] = []
    parts: list[Stretch] = []
    for start, end in stretches:
        first = None if start is None else -(-start // DAY)
        last = None if end is None else end // DAY
        if first is not None and last is not None and first >= last:
            parts.append((start, end))
            continue
        whole.append((first, last))
        if start is not None and first is not None and start < first * DAY:
            parts.append((start, first * DAY))
        if end is not None and last is not None and last * DAY < end:
            parts.append((last * DAY, end))
    return whole, parts


def _in(stretches: Sequence[Stretch]) -> str:
    return f"({' or '.join(map(_within, stretches)) or 'false'})"


def _within(stretch: Stretch) -> str:
    start, end = stretch
    bounds = [f"occurred_at >= {_moment(start)}"] if start is not None else []
    bounds += [f"occurred_at < {_moment(end)}"] if end is not None else []
    return f"({' and '.join(bounds) or 'true'})"


def _moment(microseconds: int) -> str:
    """A moment as PostgreSQL has it: to the microsecond."""
    return f"('1970-01-01Z'::timestamptz + '{microseconds} microseconds'::interval)"


def _rows(type_id: int, where: str) -> Sql:
    return Sql(f"(select person_id as person from activity where activity_type_id = {int(type_id)} and {where}) found")
