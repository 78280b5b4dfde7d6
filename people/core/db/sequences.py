"""The newest id that a sequence has given, committed or not."""

from django.db import connection


def last_value_sql(sequence: str) -> str:
    """The statement for the last value of a sequence; 0 for one that was never used."""
    return f"select case when is_called then last_value else 0 end from {sequence}"


def last_value(sequence: str) -> int:
    """The last value of a sequence; 0 for one that was never used."""
    with connection.cursor() as cursor:
        cursor.execute(last_value_sql(sequence))
        return int(cursor.fetchone()[0])
