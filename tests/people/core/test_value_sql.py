"""SQL compares the value that the data type stored."""

import pytest
from django.db import connection

from people.core.db import value_sql
from people.datatypes.canonical import text_key
from people.datatypes.registry import BY_NAME, TEXT_OPERATORS

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", BY_NAME)
def test_sql_compares_what_a_type_stored(name):
    kind = BY_NAME[name]
    value = kind.from_json("Some Text" if kind.example == "…" else kind.example)
    stored = f'{{"it": {kind.to_json(value)}}}'
    expected = text_key(value) if value_sql.is_compared_as_text(name) else value
    member = value_sql.json_member_sql("v", "it")
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {value_sql.comparison_sql(name, member)}, {value_sql.cast_sql(name, member)} from (select %s::jsonb as v) x",
            [stored],
        )
        found = cursor.fetchone()
    assert found == (expected, expected)
    assert value_sql.is_compared_as_text(name) == (kind.operators is TEXT_OPERATORS)


def test_no_value_is_compared_as_none():
    with connection.cursor() as cursor:
        for name in BY_NAME:
            cursor.execute(
                f"select {value_sql.comparison_sql(name, value_sql.json_member_sql('v', 'it'))} from (select '{{}}'::jsonb as v) x"
            )
            assert cursor.fetchone() == (None,)
