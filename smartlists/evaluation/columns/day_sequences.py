"""Sequences of two steps by day: bitmaps decide for most people, and leave the others to a query over rows.

A window is so many times 24 hours. If a row is on day d (UTC), and one of the other step on any of the days d + 1 to
d + N - 1, the second follows within N times 24 hours, whenever they occurred on their days; on day d or d + N it may or
may not. On other days it is outside of the window.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

from pyroaring import BitMap

from activities.log.columns import bitmaps
from activities.log.columns.bitmaps import DAY, DayReader
from activities.log.columns.relation import IndexView
from activities.log.columns.session import SHORT
from smartlists.evaluation.columns import conditions, periods
from smartlists.evaluation.columns.periods import EVER, Stretch
from smartlists.evaluation.columns.statements import ColumnContext
from smartlists.rules import model as rules

BLOCK_DAYS = 32  # at most: days whose unions with all later days of their block are kept at once
Near = Sequence[BitMap]  # their union are the people


@dataclass(frozen=True, slots=True)
class StepDays:
    """The days on which a step may have happened; on `days` it has, for all their people, if the step is `is_sure`.

    On `parts` only some of the day's rows are in the step's period.
    """

    reader: DayReader
    days: Sequence[int]
    parts: Sequence[int]
    is_sure: bool


@dataclass(frozen=True, slots=True)
class DecidedPeople:
    """The people of a sequence, and those whose rows have to be read; no others are in it."""

    certain: BitMap
    undecided: BitMap


def decide_sequence(
    item: rules.Sequence, context: ColumnContext, columns: IndexView, meanwhile: Callable[[], None]
) -> DecidedPeople | None:
    """The people that the days decide, of the rows in the snapshot; None where these are few.

    They decide no sequence of more than two steps. With conditions besides periods a day's rows need not be of the
    step: then days only leave out people who cannot be in the sequence, and these are many only where it has a window.

    `meanwhile` is called every tenth of a second. Raises `NotHeldError`, `DamagedFileError`.
    """
    if len(item.steps) != 2:
        return None
    first_step, second_step = item.steps
    window, until = second_step.within_days, None
    if second_step.is_not:
        assert window is not None
        until = conditions.microseconds_of(context.clock.now) - window * DAY
    first = _step_days(first_step, context, columns, until)
    second = _step_days(second_step, context, columns, None)
    if not _are_decisive(first, second, item):
        return None
    by_day = _paused(_all_later(first, second) if window is None else _in_window(first, second, window), meanwhile)
    decide = _not_followed if second_step.is_not else _followed
    decided = decide(first, second, window, by_day)
    touched = BitMap()
    for step in item.steps:
        touched |= columns.touched_people(context.names.type(step.type).id)
    certain = decided.certain - touched
    return DecidedPeople(certain, (decided.undecided | touched) - certain)


def _are_decisive(first: StepDays, second: StepDays, item: rules.Sequence) -> bool:
    if item.steps[1].within_days is None:
        return first.is_sure and second.is_sure
    return first.is_sure or not item.steps[1].is_not


def _step_days(step: rules.Step, context: ColumnContext, columns: IndexView, until: int | None) -> StepDays:
    """`until`: the moment before which the step has to be, in microseconds; None is no bound."""
    type_id = context.names.type(step.type).id
    reader = columns.day_reader(type_id)
    stretches = periods.periods_of_rows(step.type, step.row_constraints, context)
    is_sure = stretches is not None
    stretches = periods.overlaps_of(EVER if stretches is None else stretches, [(None, until)])
    there = reader.days()
    whole = [day for day in there if any(_lies_in(day, stretch) for stretch in stretches)]
    parts = sorted({day for day in there if any(_meets(day, stretch) for stretch in stretches)} - set(whole))
    if is_sure:
        return StepDays(reader, whole, parts, True)
    return StepDays(reader, sorted([*whole, *parts]), (), False)


def _lies_in(day: int, stretch: Stretch) -> bool:
    start, end = stretch
    return (start is None or start <= day * DAY) and (end is None or (day + 1) * DAY <= end)


def _meets(day: int, stretch: Stretch) -> bool:
    start, end = stretch
    return (start is None or start < (day + 1) * DAY) and (end is None or day * DAY < end)


def _followed(
    first: StepDays, second: StepDays, window: int | None, by_day: Iterator[tuple[int, Near]]
) -> DecidedPeople:
    certain, undecided = BitMap(), BitMap()
    sure_days = set(first.days) if first.is_sure and second.is_sure else set()
    for day, near in by_day:
        people = first.reader.people(day) - certain
        target = certain if day in sure_days else undecided
        for followers in near:
            target |= people & followers
        for edge in _edges(second, day, window):
            undecided |= people & second.reader.people(edge)
    return DecidedPeople(certain, undecided)


def _not_followed(
    first: StepDays, second: StepDays, window: int | None, by_day: Iterator[tuple[int, Near]]
) -> DecidedPeople:
    certain, undecided = BitMap(), BitMap()
    sure_days = set(first.days) if first.is_sure else set()
    for day, near in by_day:
        people = first.reader.people(day) - certain
        if second.is_sure:
            for followers in near:
                people -= followers
        if day not in sure_days:
            undecided |= people
            continue
        doubtful = BitMap()
        for followers in near if not second.is_sure else ():
            doubtful |= people & followers
        for edge in _edges(second, day, window):
            doubtful |= people & second.reader.people(edge)
        undecided |= doubtful
        certain |= people - doubtful
    return DecidedPeople(certain, undecided)


def _edges(second: StepDays, day: int, window: int | None) -> list[int]:
    """The days on which a row may or may not follow one of `day` within the window."""
    inside = [part for part in second.parts if part >= day and (window is None or part <= day + window)]
    return [day, *inside] if window is None else [day, day + window, *inside]


def _all_later(first: StepDays, second: StepDays) -> Iterator[tuple[int, Near]]:
    """Each day of the first step, the latest first, and the people of the second on all later days."""
    later, left = BitMap(), list(second.days)
    for day in sorted([*first.days, *first.parts], reverse=True):
        while left and left[-1] > day:
            later |= second.reader.people(left.pop())
        yield day, [later]


def _in_window(first: StepDays, second: StepDays, window: int) -> Iterator[tuple[int, Near]]:
    """Each day of the first step, and the people of the second on the days that lie in the window whatever the hour."""
    days = sorted([*first.days, *first.parts])
    if window == 1:
        yield from ((day, ()) for day in days)
        return
    unions = _Unions(second, min(window - 1, BLOCK_DAYS))
    for day in days:
        yield day, unions.between(day + 1, day + window - 1)


class _Unions:
    """Unions of the people of consecutive days; the stretches have to ascend.

    After van Herk, and Gil and Werman: days are in blocks, and a stretch is the end of one, whole ones and the start of
    another. Each day is added once to the start of its block and once to the end.
    """

    def __init__(self, second: StepDays, size: int) -> None:
        self.reader, self.size = second.reader, size
        self.days_of_block: dict[int, list[int]] = {}
        for day in second.days:
            self.days_of_block.setdefault(day // size, []).append(day)
        self.end_block: int | None = None
        self.ends: list[tuple[int, BitMap]] = []  # (day, people from the day to the end of its block), descending
        self.start_block: int | None = None
        self.start, self.started_until = BitMap(), 0
        self.middle_blocks, self.middle = range(0), BitMap()
        self.whole: dict[int, BitMap] = {}

    def between(self, low: int, high: int) -> list[BitMap]:
        """The people of the days from `low` to `high`, at least a block apart or in one."""
        first, last = low // self.size, high // self.size
        parts = [self._end_of(first, low)]
        if first != last:
            parts += [self._start_of(last, high), self._blocks(range(first + 1, last))]
        return parts

    def _end_of(self, block: int, low: int) -> BitMap:
        if self.end_block != block:
            people, self.ends, self.end_block = BitMap(), [], block
            for day in reversed(self.days_of_block.get(block, ())):
                people = people | self.reader.people(day)
                self.ends.append((day, people))
        while self.ends and self.ends[-1][0] < low:
            self.ends.pop()
        return self.ends[-1][1] if self.ends else BitMap()

    def _start_of(self, block: int, high: int) -> BitMap:
        if self.start_block != block:
            self.start, self.start_block, self.started_until = BitMap(), block, block * self.size - 1
        for day in self.days_of_block.get(block, ()):
            if self.started_until < day <= high:
                self.start |= self.reader.people(day)
        self.started_until = high
        return self.start

    def _blocks(self, blocks: range) -> BitMap:
        if blocks != self.middle_blocks:
            for block in blocks:
                if block not in self.whole:
                    days = self.days_of_block.get(block, ())
                    self.whole[block] = bitmaps.union_of([self.reader.people(day) for day in days])
            self.whole = {block: self.whole[block] for block in blocks}
            self.middle_blocks, self.middle = blocks, bitmaps.union_of(self.whole.values())
        return self.middle


def _paused(by_day: Iterator[tuple[int, Near]], meanwhile: Callable[[], None]) -> Iterator[tuple[int, Near]]:
    """The same, with a call of `meanwhile` every tenth of a second."""
    called = monotonic()
    for found in by_day:
        if monotonic() - called > SHORT:
            meanwhile()
            called = monotonic()
        yield found
