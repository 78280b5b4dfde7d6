"""One person's object records for a filter: those that satisfy it, or else the nearest ones."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from smartlists.catalog import Catalogue
from smartlists.evaluation import near_misses, row_misses
from smartlists.evaluation.evidence import LOOKED_AT, SHOWN
from smartlists.evaluation.near_misses import NearMiss
from smartlists.evaluation.postgres import field_sql, object_statements
from smartlists.evaluation.postgres.snapshot import Snapshot
from smartlists.evaluation.postgres.translation import TranslationContext, aggregate_sql, join_sql
from smartlists.rules import model as rules
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import VocabularyObject


@dataclass(frozen=True, slots=True)
class RecordEvidence:
    """An object record that supports a verdict: its id, its name and its last change."""

    record_id: int
    name: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RecordSummary:
    """The records that satisfy a filter's conditions: their number, those that changed last, and the aggregate."""

    times: int
    records: tuple[RecordEvidence, ...]
    result: Any = None


class RecordReader:
    """The records of one person in one snapshot."""

    def __init__(self, view: Snapshot, names: Catalogue, clock: Clock, person_id: int) -> None:
        self.view = view
        self.names = names
        self.clock = clock
        self.context = TranslationContext(names, clock, [person_id])

    def summary(self, item: rules.Object) -> RecordSummary:
        """Summarize the records that satisfy the conditions."""
        object_type = self.names.object(item.type)
        rows = object_statements.record_rows_sql(item, object_type, self.context)
        computed = "null"
        if item.aggregate:
            field = object_type.fields[item.aggregate.field]
            raw = field_sql.record_field_sql(field)
            computed = f"({aggregate_sql(item.aggregate.function, field, raw)})::text"
        ((times, text),) = self.view.rows(
            f"select count(*), {computed} from object_record where {rows.text}", rows.params
        )
        latest = self.view.rows(
            f"select id, name, updated_at from object_record where {rows.text}"
            f" order by updated_at desc, id desc limit {SHOWN}",
            rows.params,
        )
        result = None
        if text is not None and item.aggregate is not None:
            result = row_misses.aggregate_result(item.aggregate, object_type, text)
        return RecordSummary(times, tuple(RecordEvidence(*row) for row in latest), result)

    def miss(self, item: rules.Object, summary: RecordSummary) -> NearMiss:
        """The reason why the filter does not hold."""
        bounds = item.count.bounds if item.count else (1, None)
        if not item.has:
            return near_misses.has_miss(summary.times)
        object_type = self.names.object(item.type)
        if summary.times == 0 and bounds[0] > 0:
            return self._nearest_record(item, object_type) or near_misses.record_count_miss(0, bounds)
        if not bounds[0] <= summary.times <= (summary.times if bounds[1] is None else bounds[1]):
            return near_misses.record_count_miss(summary.times, bounds)
        assert item.aggregate is not None
        return row_misses.aggregate_miss(item.aggregate, object_type, summary.result, self.clock)

    def _nearest_record(self, item: rules.Object, object_type: VocabularyObject) -> NearMiss | None:
        """The miss of the record that fails the fewest conditions; of several, the one that fails by the least."""
        conditions = object_statements.record_conditions(item, object_type, self.context)
        if not conditions:
            return None
        passed = join_sql(conditions, ", ")
        values = "".join(
            f", {field_sql.record_field_sql(object_type.fields[constraint.field])}" for constraint in item.constraints
        )
        base = object_statements.base_rows_sql(object_type, self.context)
        rows = self.view.rows(
            f"select * from (select array[{passed.text}] as passed{values}, id from object_record where {base.text})"
            f" near order by cardinality(array_positions(passed, true)) desc, id desc limit {LOOKED_AT}",
            (*passed.params, *base.params),
        )
        near = [self._record_miss(item, object_type, passes, raw) for passes, *raw, _id in rows]
        return min(near, key=lambda row_miss: row_miss[:2])[2] if near else None

    def _record_miss(
        self, item: rules.Object, object_type: VocabularyObject, passes: list[bool | None], raw: list[Any]
    ) -> tuple[int, float, NearMiss]:
        number = len(item.constraints)
        misses = row_misses.constraint_misses(item.constraints, object_type, passes[:number], raw, self.clock)
        if item.changed and not passes[number]:
            misses.append(near_misses.not_changed_miss())
        return row_misses.joined_miss(misses)
