"""Filters of smart lists against the best SQL by hand for the same people."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from django.db import connection, transaction
from psycopg.pq import Format
from pyroaring import BitMap

from smartlists.rules.parsing import parse_rules
from tests.benchmarks import Line, at_most

ROUNDS = 3
QUICK = 0.3  # seconds, below which whatever else the machine does would decide: more rounds
IDS = "select string_agg(int4send(person), '') from ({}) found"


def filter_lines(
    title: str, filters: Mapping[str, tuple[dict[str, Any], Sequence[str]]], numbers: Mapping[str, int], names: Any
) -> Iterator[Line]:
    """A line for each filter: the product's evaluation, and the quickest of the ways by hand as its baseline.

    `filters`: by what they find, the JSON form and the statements by hand, with places for `numbers`.
    """
    from smartlists.evaluation import evaluator

    for what, (item, by_hand) in filters.items():
        parsed = parse_rules({"filters": [item]}, names)
        hands = [IDS.format(sql.format(**numbers)) for sql in by_hand]
        best = min(filter(_works, hands), key=lambda sql: min(seconds_of(_by_hand, sql) for _turn in range(2)))
        assert _by_hand(best) == evaluator.evaluate_rules(parsed, names=names).members, what
        ours, theirs = [], []
        for _turn in range(ROUNDS if seconds_of(_by_hand, best) > QUICK else 4 * ROUNDS):
            ours.append(seconds_of(evaluator.evaluate_rules, parsed, names=names))
            theirs.append(seconds_of(_by_hand, best))
        yield at_most(f"{title}: {what}", min(ours) * 1000, min(theirs) * 1000, 1.3)


def set_alike() -> None:
    """Set the session as the product's statements have it, so that both sides run alike."""
    with connection.cursor() as cursor:
        cursor.execute("set jit = off; set work_mem = '64MB'")


def _by_hand(sql: str) -> BitMap:
    from smartlists.evaluation.postgres.snapshot import bitmap_from_integers

    with psycopg.Cursor(connection.connection) as cursor:
        cursor.format = Format.BINARY
        return bitmap_from_integers(cursor.execute(sql).fetchone()[0] or b"")  # type: ignore[index]


def _works(sql: str) -> bool:
    """A cluster refuses some of what one could write by hand: joins of people with the log."""
    try:
        with transaction.atomic():
            _by_hand(sql)
    except psycopg.errors.FeatureNotSupported:
        return False
    return True


def seconds_of(work: Any, *arguments: Any, **more: Any) -> float:
    started = time.perf_counter()
    work(*arguments, **more)
    return time.perf_counter() - started
