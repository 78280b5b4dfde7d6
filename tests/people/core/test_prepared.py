"""Statements that are planned once a connection."""

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from people.core.db import prepared

pytestmark = pytest.mark.django_db(transaction=True)


def kept() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_prepared_statements where statement like '% as doubled'")
        return cursor.fetchone()[0]


def doubled(number: object) -> int:
    with prepared.prepared_cursor() as cursor:
        cursor.execute("select 2 * %s::int as doubled", [number])
        return cursor.fetchone()[0]


def test_the_server_keeps_one_plan_for_all_values() -> None:
    assert [doubled(number) for number in (1, 7, -3)] == [2, 14, -6]
    assert kept() == 1


def test_faults_and_captured_statements_are_those_of_every_cursor() -> None:
    with pytest.raises(DataError):
        doubled(2**31)
    with CaptureQueriesContext(connection) as captured:
        assert doubled(4) == 8
    assert [query["sql"] for query in captured] == ["select 2 * $1::int as doubled"]


def test_a_new_connection_plans_anew() -> None:
    assert doubled(1) == 2
    connection.close()
    assert (doubled(5), kept()) == (10, 1)
