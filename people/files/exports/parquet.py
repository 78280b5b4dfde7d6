"""Parquet, where pyarrow is installed: columns as text, integers as integers, in groups of rows."""

from itertools import islice
from typing import Any

from django.db import connection, transaction
from psycopg import ServerCursor

from people.core.disk import WritableFile
from people.files.exports.kinds import ExportStatement, select_sql

GROUP = 50_000


def write_parquet(statement: ExportStatement, out: WritableFile) -> int:
    """Write the rows of `statement`; return their number."""
    import pyarrow
    import pyarrow.parquet

    names = [column.name for column in statement.columns]
    schema = pyarrow.schema([(column.name, _type(pyarrow, column.sql)) for column in statement.columns])
    rows = 0
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        assert isinstance(cursor.cursor, ServerCursor)
        cursor.cursor.itersize = GROUP
        cursor.execute(select_sql(statement), dict(statement.parameters))
        with pyarrow.parquet.ParquetWriter(out, schema) as writer:
            fetched_rows = iter(cursor)
            while group := list(islice(fetched_rows, GROUP)):
                columns = zip(*group, strict=True)
                arrays = [
                    pyarrow.array([_plain(value, field.type == pyarrow.int64()) for value in values], field.type)
                    for values, field in zip(columns, schema, strict=True)
                ]
                writer.write_table(pyarrow.table(arrays, names))
                rows += len(group)
    return rows


def _type(pyarrow: Any, sql: str) -> Any:
    return pyarrow.int64() if sql in ("a.id", "a.person_id", "p.id") else pyarrow.string()


def _plain(value: Any, is_integer: bool) -> Any:
    return value if value is None or is_integer or isinstance(value, str) else str(value)
