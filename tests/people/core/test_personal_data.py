"""The registry of everything that belongs to a person covers the whole database."""

import pytest
from django.db import connection

from people.core import personal_data

pytestmark = pytest.mark.django_db


def test_every_column_with_ids_of_people_is_registered():
    missing = personal_data.unregistered_columns()
    assert not missing, f"tell people.core.personal_data what merge, erase and export mean for {sorted(missing)}"


def test_every_registered_column_is_there():
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, column_name from information_schema.columns where table_schema = current_schema()"
        )
        there = set(cursor.fetchall())
    assert {(one.table, column) for one in personal_data.registered_tables() for column in one.columns} <= there
    assert all(set(one.keeps_ids) <= set(one.columns) for one in personal_data.registered_tables())


def test_a_table_that_nobody_registered_is_noticed():
    with connection.cursor() as cursor:
        cursor.execute(
            "create table survey (id int, person_id int); create table panel (id int, p int references person)"
        )
    assert {("survey", "person_id"), ("panel", "p")} <= personal_data.unregistered_columns()
