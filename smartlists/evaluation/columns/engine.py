"""Evaluates filters on activities on the column index if the result is exact, and all others in PostgreSQL.

The files are those of a generation pinned before the snapshot; `activities/log/columns/relation.py` explains why they
equal the log in the snapshot. Each reason for not using them is counted.
"""

import logging
from collections.abc import Callable
from typing import Any

from pyroaring import BitMap

from activities.log.columns import bitmaps, files, session
from activities.log.columns.files import DamagedFileError
from activities.log.columns.manifest import Manifest
from activities.log.columns.relation import IndexView, NotHeldError
from people.core import metrics
from people.core.kinds import Facet
from smartlists.catalog import Catalogue
from smartlists.evaluation.columns import day_sequences, periods, statements
from smartlists.evaluation.columns.statements import ColumnQuery
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.evaluation.postgres.engine import FEW, PostgresEngine
from smartlists.evaluation.postgres.snapshot import Snapshot
from smartlists.rules import model as rules
from smartlists.rules.model import FILTERS, Filter
from smartlists.rules.periods import Clock

log = logging.getLogger(__name__)

COLUMNS, SQL = "columns", "sql"
FILTERS_ANSWERED = metrics.register_counter(
    "filters_answered", "Filters by what answered them, and why.", "engine", "reason"
)

PEOPLE_BY_SQL = metrics.register_counter(
    "people_read_by_sql",
    "Evaluations that read all people from their table, by why the column index did not.",
    "reason",
)


class ColumnEngine:
    """The engine of one evaluation over `view`, which began after `pinned` was read."""

    def __init__(self, pinned: Manifest, sql: PostgresEngine, names: Catalogue, clock: Clock) -> None:
        self.sql = sql
        self.view = sql.view
        self.columns = IndexView(pinned, self._rows)
        self.context = statements.ColumnContext(names, clock, self.columns)
        self.answered_by: dict[Filter, str] = {}
        sql.read_people = self._all_people

    @property
    def live(self) -> BitMap:
        return self.sql.live

    def people(self, item: Filter) -> BitMap:
        """The people of `live` for whom the filter holds."""
        answer = ANSWERS.of(item)
        if answer is None:
            self.answered_by[item] = SQL
            return self.sql.people(item)
        people, reason = self._from_index(lambda: self._combined(answer(self, item)))
        self.answered_by[item] = SQL if people is None else COLUMNS
        FILTERS_ANSWERED.add(self.answered_by[item], reason)
        return self.sql.people(item) if people is None else people

    def _from_index(self, compute: Callable[[], BitMap]) -> tuple[BitMap | None, str]:
        """The people that `compute` reads from the index; None, and the reason in a word, where SQL has to answer."""
        try:
            return compute(), ""
        except NotHeldError as error:
            return None, error.reason
        except DamagedFileError as error:
            files.require_new_check(self.columns.pinned.files)
            log.warning("the column index is damaged, and SQL answers: %s", error)
            return None, "damaged"
        except (session.Error, OSError) as error:
            log.warning("the column index could not answer, and SQL does: %s", str(error).partition("\n")[0])
            return None, "error"

    def _combined(self, answer: tuple[BitMap, bool]) -> BitMap:
        people, is_complement = answer
        if is_complement:
            return self.live - people
        people = people - self.sql.not_live
        return people if self.sql.among is None else people & self.sql.among

    def _all_people(self) -> BitMap:
        """The ids of all people, live or not: of the index, else of their table."""
        people, reason = self._from_index(self._people_of_index)
        if people is None:
            PEOPLE_BY_SQL.add(reason)
            return self.sql.people_of_table()
        return people

    def _people_of_index(self) -> BitMap:
        """The ids of the file and those added since. Raises `NotHeldError` if their number is not the counted one."""
        stored, mark = self.columns.people()
        people = stored | self.view.people(Sql("(select id as person from person where id > %s) found", (mark,)))
        ((live_count,),) = self.view.rows("select coalesce(sum(people), 0)::bigint from person_count")
        if len(people - self.sql.not_live) != live_count:
            log.warning("the column index has other people than the database: run python manage.py columns verify")
            raise NotHeldError("people")
        return people

    def activity(self, item: rules.Activity) -> tuple[BitMap, bool]:
        """The people with activities of the filter, and True if the filter means all others."""
        stretches = periods.periods_of_filter(item, self.context)
        if stretches is not None:
            of = self.context.names.type(item.type)
            return periods.people_in_periods(self.columns, self.view, of.id, stretches), not item.did
        return self._run(statements.activity_query(item, self.context))

    def sequence(self, item: rules.Sequence) -> tuple[BitMap, bool]:
        decided = day_sequences.decide_sequence(item, self.context, self.columns, self._pulse_briefly)
        if decided is None:
            return self._run(statements.sequence_query(item, self.context))
        if not decided.undecided:
            return decided.certain, False
        found, _is_complement = self._run(statements.sequence_query(item, self.context, decided.undecided))
        return decided.certain | found, False

    def _run(self, query: ColumnQuery) -> tuple[BitMap, bool]:
        bits = f"select bitstring_agg(person, 0, {bitmaps.top_bit(query.top)})::BLOB from ({query.sql})"
        ((packed,),) = session.duck_session().rows(bits, query.params, self._pulse)
        return bitmaps.bitmap_of_bits(packed), query.is_complement

    def _pulse(self) -> None:
        """A short statement in the snapshot: it ends when the evaluation's time is up, or when it is cancelled."""
        self.view.rows(session.PULSE)

    def _pulse_briefly(self) -> None:
        self.view.rows("select 1")

    def _rows(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self.view.rows(sql, parameters)


Answer = Callable[[ColumnEngine, Any], tuple[BitMap, bool]]
ANSWERS: Facet[Answer | None] = FILTERS.facet(
    "answer from the column index",
    {
        "person_field": None,
        "activity": ColumnEngine.activity,
        "sequence": ColumnEngine.sequence,
        "static_list": None,
        "smart_list": None,
        "consent": None,
        "object": None,
    },
)


def engine_for(
    view: Snapshot, clock: Clock, among: BitMap | None, names: Catalogue, pinned: Manifest | None
) -> "PostgresEngine | ColumnEngine":
    """The engine of an evaluation: over the generation that was pinned, unless `among` holds few people."""
    sql = PostgresEngine(view, clock, among, names)
    if pinned is None or (among is not None and len(among) <= FEW):
        return sql
    return ColumnEngine(pinned, sql, names, clock)
