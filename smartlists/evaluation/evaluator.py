"""Evaluation of rules: each filter becomes a bitmap of person ids, and the rule logic combines the bitmaps.

One evaluation, nested lists included, uses one snapshot of the database and one moment. Only live people are found.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from pyroaring import BitMap

from activities.log.columns.manifest import Manifest
from activities.log.columns.relation import pin_manifest
from people.core import metrics
from people.datatypes import keys as datatype_keys
from smartlists.catalog import Catalogue
from smartlists.evaluation import nesting
from smartlists.evaluation.columns import engine as column_engine
from smartlists.evaluation.engine import Engine
from smartlists.evaluation.postgres.snapshot import Snapshot, open_snapshot
from smartlists.rules import logic
from smartlists.rules.model import ANY, Filter, Rules, SmartList
from smartlists.rules.periods import Clock

SECONDS = metrics.register_histogram("evaluation_seconds", "Evaluations of smart lists, by how they ended.", "outcome")


@dataclass(frozen=True, slots=True)
class FilterResult:
    """The result of one filter by itself."""

    count: int
    seconds: float  # 0 where the answer was already known
    engine: str = "sql"  # or "columns": the engine that answered


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of rules at a moment: the members, and the number of people that each filter finds by itself."""

    members: BitMap
    per_filter: tuple[FilterResult, ...]
    as_of: datetime
    seconds: float
    statements: int = field(compare=False, default=0)

    @property
    def count(self) -> int:
        return len(self.members)


def evaluate_members(rules: Rules, among: Iterable[int] | None = None, now: datetime | None = None) -> BitMap:
    """The live people, of `among` if given, who satisfy `rules`. Raises `RejectedError` (`timeout`, `cycle`)."""
    return evaluate_rules(rules, among, now).members


def evaluate_rules(
    rules: Rules,
    among: Iterable[int] | None = None,
    now: datetime | None = None,
    *,
    seconds: float | None = None,
    tag: str = "",
    names: Catalogue | None = None,
) -> Evaluation:
    """Evaluate `rules` as of `now` (default: this moment).

    Statements run for at most `seconds` (default: the setting); `snapshot.cancel_evaluations(tag)` ends the evaluation
    earlier. Raises `RejectedError` (`timeout`, `cancelled`, `cycle`).
    """
    started = time.monotonic()
    clock = Clock.current(now)
    outcome = "stopped"
    try:
        pinned = (
            pin_manifest() if settings.COLUMN_INDEX else None
        )  # before the snapshot, which then sees all that it holds
        with open_snapshot(seconds, tag) as view:
            run = EvaluationRun(
                view, clock, None if among is None else _possible_ids(among), names or Catalogue(), pinned
            )
            people = run.evaluate(rules)
            per_filter = tuple(run.result(item) for item in rules.filters)
        outcome = "done"
    finally:
        SECONDS.observe(time.monotonic() - started, outcome)
    return Evaluation(people, per_filter, clock.now, time.monotonic() - started, view.statements)


def _possible_ids(person_ids: Iterable[int]) -> BitMap:
    """The numbers that are possible ids of people."""
    if isinstance(person_ids, BitMap):
        return person_ids
    return BitMap([person_id for person_id in person_ids if 0 < person_id <= datatype_keys.MAX_ID])


class EvaluationRun:
    """One evaluation under way; the result of each filter is computed once."""

    def __init__(
        self, view: Snapshot, clock: Clock, among: BitMap | None, names: Catalogue, pinned: Manifest | None = None
    ) -> None:
        self.engine: Engine = column_engine.engine_for(view, clock, among, names, pinned)
        self.answers: dict[Filter, BitMap] = {}
        self.seconds: dict[Filter, float] = {}
        self.nested: dict[int, BitMap] = {}

    def evaluate(self, rules: Rules) -> BitMap:
        """The live people who satisfy `rules`; nested lists are evaluated first, each once."""
        for list_id, nested in nesting.nested_lists_first(rules):
            self.nested[list_id] = self._combined(nested)
        return self._combined(rules)

    def result(self, item: Filter) -> FilterResult:
        return FilterResult(
            len(self.answer(item)), self.seconds.pop(item, 0.0), self.engine.answered_by.get(item, "sql")
        )

    def answer(self, item: Filter) -> BitMap:
        """The live people that one filter finds."""
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
        return logic.fold_expression(
            expression,
            lambda number: sets[number - 1],
            lambda part: self.engine.live - part,
            lambda word, parts: (BitMap.intersection if word == "and" else BitMap.union)(*parts),
        )

    def _nested(self, item: SmartList) -> BitMap:
        people = self.nested[item.list]
        return people if item.member else self.engine.live - people
