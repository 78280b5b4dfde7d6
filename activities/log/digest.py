"""The digest of an activity as SQL, from its columns: the parts of a distributed log have row types of their own."""

from collections.abc import Sequence

COLUMNS = (
    "id",
    "person_id",
    "activity_type_id",
    "version",
    "occurred_at",
    "recorded_at",
    "primary_value",
    "attributes",
    "door",
    "user_id",
    "origin_id",
    "original_person_id",
    "flags",
)


# of the versions before back-fill; their function is still there, and agrees for rows without flags
COLUMNS_BEFORE_FLAGS = COLUMNS[:-1]


def digest_sql(row: str = "a", columns: Sequence[str] = COLUMNS, **changed: str) -> str:
    """The SQL of the digest of `row`, an alias of `activity`, with some columns' SQL `changed`."""
    return f"activity_digest({', '.join(column_values_sql(row, columns, **changed))})"


def column_values_sql(row: str = "a", columns: Sequence[str] = COLUMNS, **changed: str) -> list[str]:
    """The SQL of every column of `row`, in order, with some `changed`."""
    return [changed.get(column, f"{row}.{column}") for column in columns]
