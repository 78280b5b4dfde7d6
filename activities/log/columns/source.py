"""The queries of the column index to PostgreSQL: position of the log, changed people, rows as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db import connection

from activities.log import reader
from activities.log.columns import fields
from activities.log.columns.fields import StoredColumn
from activities.models import ColumnGeneration

KEPT = "7 days"  # changes are kept so long; a node that has not read them by then rebuilds its index
TRUSTED = "6 days"  # the greatest age of a usable generation
GENERATIONS = 3  # of a node

# files depend on these besides rows: the database, and its rules of lower case
SERVER = """select concat_ws(' ', current_database(), d.oid, current_setting('server_version_num'), d.datcollate,
    coalesce(pg_database_collation_actual_version(d.oid), d.datcollversion))
    from pg_database d where d.datname = current_database()"""


@dataclass(frozen=True, slots=True)
class LogMark:
    """The position of the log, read in this order: a change after `change` was read has a greater id."""

    change: int
    mark: int


def read_log_mark() -> LogMark:
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(max(id), 0) from activity_change")
        (change,) = cursor.fetchone()
    return LogMark(change, reader.high_water_mark())


def server_identity() -> str:
    with connection.cursor() as cursor:
        cursor.execute(SERVER)
        return cursor.fetchone()[0]


def is_published(token: UUID) -> bool:
    """Return True if the generation was published in this database, and no change since has been deleted."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select exists (select from column_generation
            where token = %s and published_at > now() - interval '{TRUSTED}')""",
            [token],
        )
        return cursor.fetchone()[0]


def publish_generation(token: UUID, node: UUID) -> None:
    """Insert a generation; delete all but the last few of the node."""
    ColumnGeneration.objects.create(token=token, node=node)
    kept_tokens = ColumnGeneration.objects.filter(node=node).order_by("-published_at").values("token")[:GENERATIONS]
    ColumnGeneration.objects.filter(node=node).exclude(
        token__in=list(kept_tokens.values_list("token", flat=True))
    ).delete()


def forget_changes() -> None:
    """Delete old changes and generations: a node that has not read the changes by then rebuilds its index."""
    with connection.cursor() as cursor:
        cursor.execute(f"delete from activity_change where changed_at < now() - interval '{KEPT}'")
        cursor.execute(f"delete from column_generation where published_at < now() - interval '{KEPT}'")


def changed_people(after: int, upto: int) -> dict[int, list[int]]:
    """People by type with a change after `after`, up to `upto`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select activity_type_id, array_agg(distinct person_id) from activity_change
            where id > %s and id <= %s group by 1""",
            [after, upto],
        )
        return dict(cursor.fetchall())


def big_types(fewest: int) -> list[int]:
    """Types with `fewest` activities or more, according to the counts for charts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select t.id from activity_type t left join (
                select activity_type_id as id, sum(count) as number from daily_count group by 1) counted using (id)
            where t.live_id is not null and coalesce(counted.number, 0) >= %s order by 1""",
            [fewest],
        )
        return [type_id for (type_id,) in cursor.fetchall()]


def types_after(mark: int, upto: int) -> set[int]:
    """Types with activities recorded after the id `mark`, up to `upto`."""
    with connection.cursor() as cursor:
        cursor.execute("select distinct activity_type_id from activity where id > %s and id <= %s", [mark, upto])
        return {type_id for (type_id,) in cursor.fetchall()}


def last_id_of_type(type_id: int, after: int, upto: int, number: int) -> int | None:
    """The last id of the next `number` rows of the type after an id, up to another; None without rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select max(id) from (select id from activity where activity_type_id = %s and id > %s and id <= %s
            order by id limit %s) as following""",
            [type_id, after, upto, number],
        )
        return cursor.fetchone()[0]


def copy_rows(target: Path, type_id: int, columns: Sequence[StoredColumn], after: int, upto: int) -> None:
    """Append the rows of the type with ids after `after`, until `upto`, to a CSV file."""
    _copy(target, fields.rows_sql(type_id, columns, f"id > {int(after)} and id <= {int(upto)}"))


def copy_rows_of_people(
    target: Path, type_id: int, columns: Sequence[StoredColumn], people: Sequence[int], upto: int
) -> None:
    """Append the rows of the type that the people have, with ids until `upto`, to a CSV file."""
    ids = ",".join(str(int(person)) for person in people)
    _copy(target, fields.rows_sql(type_id, columns, f"person_id = any('{{{ids}}}'::int[]) and id <= {int(upto)}"))


def _copy(target: Path, sql: str) -> None:
    connection.ensure_connection()
    with (
        connection.wrap_database_errors,
        target.open("ab") as sink,
        connection.connection.cursor() as cursor,
        cursor.copy(f"copy ({sql}) to stdout (format csv)") as rows,
    ):
        for block in rows:
            sink.write(block)
