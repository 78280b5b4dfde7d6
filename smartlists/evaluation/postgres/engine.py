"""Answers filters by SQL statements in one snapshot: it can answer everything, anywhere."""

from functools import cached_property

from pyroaring import BitMap

from smartlists.catalog import Catalogue
from smartlists.evaluation.postgres import statements
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.evaluation.postgres.snapshot import Snapshot
from smartlists.rules.model import Filter
from smartlists.rules.periods import Clock

FEW = 5_000  # people that are named to the database rather than picked out of its answer

ALL_PEOPLE = Sql("(select id as person from person) found")
NOT_LIVE = Sql("(select id as person from person where state <> 'live') found")


class PostgresEngine:
    """The engine of one evaluation over `view`; `among` limits it to some people."""

    def __init__(self, view: Snapshot, clock: Clock, among: BitMap | None, names: Catalogue) -> None:
        self.view = view
        self.among = among
        self.answered_by: dict[Filter, str] = {}  # all of them
        is_small = among is not None and len(among) <= FEW
        self.context = statements.Context(names, clock, list(among) if among is not None and is_small else None)

    @cached_property
    def live(self) -> BitMap:
        if self.context.among is not None:
            named = "(select id as person from person where id = any(%s::int[]) and state = 'live') found"
            return self.view.people(Sql(named, (self.context.among,)))
        everybody = self.view.people(ALL_PEOPLE) - self.not_live
        return everybody if self.among is None else everybody & self.among

    def people(self, item: Filter) -> BitMap:
        statement = statements.of_filter(item, self.context)
        found = BitMap() if statement.source is None else self.view.people(statement.source)
        if statement.is_complement:
            return self.live - found
        if self.context.among is not None:
            return found & self.live
        found -= self.not_live
        return found if self.among is None else found & self.among

    @cached_property
    def not_live(self) -> BitMap:
        """People who were deleted, merged or erased: their activities are there, they are not."""
        return self.view.people(NOT_LIVE)
