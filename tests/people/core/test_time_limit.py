"""The limit of time for statements holds in its block only."""

import pytest
from django.db import connection, transaction

from people.core.db.time_limit import StatementTooSlowError, statement_limit


def timeout():
    with connection.cursor() as cursor:
        cursor.execute("show statement_timeout")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_the_limit_ends_with_its_block():
    before = timeout()
    with statement_limit(7):
        assert timeout() == "7s" != before
    assert timeout() == before
    with pytest.raises(StatementTooSlowError), statement_limit(0.01), connection.cursor() as cursor:
        cursor.execute("select pg_sleep(5)")
    assert timeout() == before


@pytest.mark.django_db(transaction=True)
def test_the_limit_ends_with_its_block_inside_another_transaction():
    with transaction.atomic():
        before = timeout()
        with statement_limit(7):
            assert timeout() == "7s" != before
        assert timeout() == before
        with pytest.raises(StatementTooSlowError), statement_limit(0.01), connection.cursor() as cursor:
            cursor.execute("select pg_sleep(5)")
        assert timeout() == before
