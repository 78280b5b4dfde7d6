"""Evaluates filters by SQL statements in one snapshot: works for all filters, on any database."""

from collections.abc import Callable
from functools import cached_property

from pyroaring import BitMap

from smartlists.catalog import Catalogue
from smartlists.evaluation.postgres import statements
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.evaluation.postgres.snapshot import Snapshot
from smartlists.rules.model import Filter
from smartlists.rules.periods import Clock

FEW = 5_000  # up to so many people are passed to the database, instead of filtering its answer

ALL_PEOPLE = Sql("(select id as person from person) found")
NOT_LIVE = Sql("(select id as person from person where state <> 'live') found")


class PostgresEngine:
    """The engine of one evaluation over `view`; `among` limits it to some people."""

    def __init__(self, view: Snapshot, clock: Clock, among: BitMap | None, names: Catalogue) -> None:
        self.view = view
        self.among = among
        self.answered_by: dict[Filter, str] = {}  # all of them
        self.read_people: Callable[[], BitMap] = self.people_of_table  # the ids of all people, live or not
        is_small = among is not None and len(among) <= FEW
        self.context = statements.TranslationContext(
            names, clock, list(among) if among is not None and is_small else None
        )

    @cached_property
    def live(self) -> BitMap:
        if self.context.among is not None:
            statement = "(select id as person from person where id = any(%s::int[]) and state = 'live') found"
            return self.view.people(Sql(statement, (self.context.among,)))
        people = self.read_people() - self.not_live
        return people if self.among is None else people & self.among

    def people_of_table(self) -> BitMap:
        """The ids of all people, live or not."""
        return self.view.people(ALL_PEOPLE)

    def people(self, item: Filter) -> BitMap:
        statement = statements.filter_statement(item, self.context)
        people = BitMap() if statement.source is None else self.view.people(statement.source)
        if statement.is_complement:
            return self.live - people
        if self.context.among is not None:
            return people & self.live
        people -= self.not_live
        return people if self.among is None else people & self.among

    @cached_property
    def not_live(self) -> BitMap:
        """People who were deleted, merged or erased, but whose activities still exist."""
        return self.view.people(NOT_LIVE)
