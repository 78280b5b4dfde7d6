"""The tables that a cluster distributes, and checks of the schema.

The tables named here are on the workers, each person's rows together in one part. All other tables stay on the
coordinator, where they are small beside the log. There are no reference tables: workers join only tables of the
log, and Citus refuses triggers on reference tables.
"""

from collections.abc import Iterator, Mapping, Sequence

from django.db import connection

COLUMN = "person_id"
DISTRIBUTED = ("activity", "activity_key", "activity_removal", "day_to_recount")
# functions that parts of the log call and that no trigger names
FUNCTIONS = ("activity_digest", "table_beside")
# triggers that a cluster has in another form: see `distribute`
REPLACED = ("activity_insert_holds_high_water",)


def schema_problems() -> list[str]:
    """Return the obstacles to distributing the schema, one line each."""
    return [problem for check, sql in _CHECKS.items() for problem in _problems_of(check, sql)]


def _problems_of(check: str, sql: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tables": list(DISTRIBUTED), "column": COLUMN, "replaced": list(REPLACED)})
        for (name,) in cursor.fetchall():
            yield check.format(name)


def trigger_functions() -> Sequence[str]:
    """Return the functions that triggers of the distributed tables call."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select distinct p.proname from pg_trigger t join pg_proc p on p.oid = t.tgfoid
            where t.tgrelid = any(%s::regclass[]) and not t.tgisinternal and t.tgname <> all(%s) order by 1""",
            [list(DISTRIBUTED), list(REPLACED)],
        )
        return [name for (name,) in cursor.fetchall()]


_CHECKS: Mapping[str, str] = {
    "table {} is missing": "select t from unnest(%(tables)s::text[]) as t where to_regclass(t) is null",
    "{} has no person_id that is never null": """select t from unnest(%(tables)s::text[]) as t where not exists (
        select from pg_attribute where attrelid = to_regclass(t) and attname = %(column)s and attnotnull)""",
    "unique key {} leaves person_id out": """select i.indexrelid::regclass::text from pg_index i
        where i.indrelid::regclass::text = any(%(tables)s) and (i.indisunique or i.indisexclusion)
          and not exists (select from pg_attribute a where a.attrelid = i.indrelid and a.attname = %(column)s
                          and a.attnum = any((i.indkey::int2[])[0:i.indnkeyatts - 1]))""",
    "foreign key {} would reach from one server to another": """select conrelid::regclass || '.' || conname
        from pg_constraint where contype = 'f' and not (conparentid <> 0)
          and (conrelid::regclass::text = any(%(tables)s) or confrelid::regclass::text = any(%(tables)s))""",
    "column {} takes its number from a sequence that is no bigint, or keeps some back": """
        select c.oid::regclass || '.' || a.attname from pg_class c
        join pg_depend d on d.refobjid = c.oid and d.classid = 'pg_class'::regclass and d.deptype in ('i', 'a')
        join pg_sequence s on s.seqrelid = d.objid
        join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
        where c.oid::regclass::text = any(%(tables)s) and (s.seqtypid <> 'bigint'::regtype or s.seqcache <> 1)""",
    "trigger function {} names a table that is not in the same part: use table_beside()": r"""
        select distinct p.proname from pg_trigger t join pg_proc p on p.oid = t.tgfoid
        where t.tgrelid::regclass::text = any(%(tables)s) and not t.tgisinternal and t.tgname <> all(%(replaced)s)
          and exists (select from pg_class c where c.relnamespace = current_schema()::regnamespace
                      and c.relkind in ('r', 'S')
                      and p.prosrc ~* ('\m(from|into|update|join)\s+' || c.relname || '\M'))""",
    "view {} stands on a distributed table": """select distinct r.ev_class::regclass::text
        from pg_rewrite r join pg_depend d on d.objid = r.oid and d.classid = 'pg_rewrite'::regclass
        where d.refobjid::regclass::text = any(%(tables)s) and r.ev_class <> d.refobjid""",
    "{} has a rule or row security": """select c.oid::regclass::text from pg_class c
        where c.oid::regclass::text = any(%(tables)s) and (c.relhasrules or c.relrowsecurity)""",
    "{} inherits, or is inherited from": """select inhrelid::regclass::text from pg_inherits
        where inhrelid::regclass::text = any(%(tables)s) or inhparent::regclass::text = any(%(tables)s)""",
}
