"""Who satisfies rules: each filter becomes a bitmap of person ids, and the rule logic combines the bitmaps.

Everything in one evaluation, nested lists included, is seen in one snapshot of the database and at one moment.
Only live people are ever found.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from pyroaring import BitMap

from activities.log.columns.manifest import Manifest
from activities.log.columns.relation import pin
from people.core import metrics
from people.datatypes import keys as datatype_keys
from smartlists.catalog import Catalogue
from smartlists.evaluation import nesting
from smartlists.evaluation.columns import engine as column_engine
from smartlists.evaluation.engine import Engine
from smartlists.evaluation.postgres.snapshot import Snapshot, snapshot
from smartlists.rules import logic
from smartlists.rules.model import ANY, Filter, Rules, SmartList
from smartlists.rules.periods import Clock

SECONDS = metrics.histogram("evaluation_seconds", "Evaluations of smart lists, by how they ended.", "outcome")


@dataclass(frozen=True, slots=True)
class Found:
    """What one filter found, by itself."""

    count: int
    seconds: float  # 0 where the answer was there already
    engine: str = "sql"  # or "columns": what answered it


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What rules hold at a moment: members, and how many people each filter finds by itself."""

    members: BitMap
    per_filter: tuple[Found, ...]
    as_of: datetime
    seconds: float
    statements: int = field(compare=False, default=0)

    @property
    def count(self) -> int:
        return len(self.members)


def members(rules: Rules, among: Iterable[int] | None = None, now: datetime | None = None) -> BitMap:
    """The live people who satisfy `rules`; of `among` only, when given. Raises `RejectedError` (`timeout`, `cycle`)."""
    return evaluate(rules, among, now).members


def evaluate(
    rules: Rules,
    among: Iterable[int] | None = None,
    now: datetime | None = None,
    *,
    seconds: float | None = None,
    tag: str = "",
    names: Catalogue | None = None,
) -> Evaluation:
    """Evaluate `rules` as of `now` (default: this moment).

    At most `seconds` (default: the setting) of statements; `snapshot.cancel(tag)` ends it before. Raises
    `RejectedError` (`timeout`, `cancelled`, `cycle`).
    """
    started = time.monotonic()
    clock = Clock.current(now)
    outcome = "stopped"
    try:
        pinned = pin() if settings.COLUMN_INDEX else None  # before the snapshot, which then sees all that it holds
        with snapshot(seconds, tag) as view:
            run = Run(view, clock, None if among is None else _known(among), names or Catalogue(), pinned)
            found = run.evaluate(rules)
            per_filter = tuple(run.found(item) for item in rules.filters)
        outcome = "done"
    finally:
        SECONDS.observe(time.monotonic() - started, outcome)
    return Evaluation(found, per_filter, clock.now, time.monotonic() - started, view.statements)


def _known(person_ids: Iterable[int]) -> BitMap:
    """The numbers that can be ids of people."""
    if isinstance(person_ids, BitMap):
        return person_ids
    return BitMap([one for one in person_ids if 0 < one <= datatype_keys.MAX_ID])


class Run:
    """One evaluation under way: what it has found so far is found once."""

    def __init__(
        self, view: Snapshot, clock: Clock, among: BitMap | None, names: Catalogue, pinned: Manifest | None = None
    ) -> None:
        self.engine: Engine = column_engine.engine(view, clock, among, names, pinned)
        self.answers: dict[Filter, BitMap] = {}
        self.seconds: dict[Filter, float] = {}
        self.nested: dict[int, BitMap] = {}

    def evaluate(self, rules: Rules) -> BitMap:
        """The live people who satisfy `rules`; the lists that they name come first, each once."""
        for list_id, nested in nesting.inside_out(rules):
            self.nested[list_id] = self._combined(nested)
        return self._combined(rules)

    def found(self, item: Filter) -> Found:
        return Found(len(self.answer(item)), self.seconds.pop(item, 0.0), self.engine.answered_by.get(item, "sql"))

    def answer(self, item: Filter) -> BitMap:
        """The live people whom one filter finds."""
        if item not in self.answers:
            started = time.monotonic()
            self.answers[item] = self._nested(item) if isinstance(item, SmartList) else self.engine.people(item)
            self.seconds[item] = time.monotonic() - started
        return self.answers[item]

    def _combined(self, rules: Rules) -> BitMap:
        expression = rules.expression
        if expression is None:
            return BitMap() if rules.match == ANY else BitMap(self.engine.live)
        sets = [self.answer(item) for item in rules.filters]
        return logic.fold(
            expression,
            lambda number: sets[number - 1],
            lambda found: self.engine.live - found,
            lambda word, found: (BitMap.intersection if word == "and" else BitMap.union)(*found),
        )

    def _nested(self, item: SmartList) -> BitMap:
        found = self.nested[item.list]
        return found if item.member else self.engine.live - found
