"""Moments that the reader of the log loads by itself equal those that Django's cursors load."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.db import connection

from people.core.db.moments import load_moments_quickly

pytestmark = pytest.mark.django_db
CHANCE = Random(1)
MOMENTS = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    *(datetime(2026, 3, 29, tzinfo=UTC) + timedelta(microseconds=10**places) for places in range(8)),
    *(datetime(1900, 1, 1, tzinfo=UTC) + timedelta(microseconds=CHANCE.randint(0, 10**16)) for _moment in range(200)),
]


def loaded(moments, is_quick, zone="UTC"):
    with connection.cursor() as cursor:
        if is_quick:
            load_moments_quickly(cursor)
        cursor.execute("select set_config('timezone', %s, true)", [zone])
        cursor.execute("select unnest(%s::timestamptz[])", [moments])
        return [moment for (moment,) in cursor.fetchall()]


def test_they_are_equal_and_in_utc():
    quick = loaded(MOMENTS, True)
    assert quick == loaded(MOMENTS, False) == MOMENTS
    assert {moment.utcoffset() for moment in quick} == {timedelta(0)}


def test_on_a_connection_of_another_zone_they_are_the_same_moments():
    assert loaded(MOMENTS[2:], True, "Asia/Kathmandu") == MOMENTS[2:]
