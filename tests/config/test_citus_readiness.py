"""The log can be distributed over a Citus cluster: kept so by what can be seen without one."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from config.cluster import distribute, tables, undistribute
from people.core import personal_data

NAMES = "|".join(tables.DISTRIBUTED)
SPEAKS_OF_THE_LOG = re.compile(rf"\b(?:from|join|into|update|using)\s+(?:only\s+)?(?:{NAMES})\b", re.I)
REFUSED = {
    "a part gives no row without columns": rf"\(\s*select\s+from\s+(?:{NAMES})\b",
    "row addresses mean nothing across servers": r"\bctid\b|\btableoid\b",
    "recursion reaches no parts": r"\bwith\s+recursive\b",
    "rows of several parts cannot be locked": r"\bfor\s+(?:no\s+key\s+)?(?:update|share)\b|\bfor\s+key\s+share\b",
    "a part cannot be looked up for each row of something else": r"\blateral\b",
    "a row's person says where it lies, and never changes": r"\bupdate\s+(?:activity|activity_key)\b",
    "parts have row types of their own": rf"\bactivity_digest\(\s*\w+\s*\)|::(?:{NAMES})\b",
    "how many rows is a number": r"\blimit\b[^()]*\(\s*select\b",
    "not across servers": r"\btablesample\b|\bmerge\s+into\b|\bwhere\s+current\s+of\b",
}


def test_the_schema_is_ready(db):
    assert tables.schema_problems() == []


@pytest.mark.one_server("the statements are refused by the cluster itself")
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("create unique index only_id on activity_key (activity_id)", "unique key only_id"),
        ("alter table activity_key add foreign key (person_id) references person", "foreign key activity_key."),
        ("create table child (a bigint, p int, foreign key (a, p) references activity)", "foreign key child."),
        (
            "alter table day_to_recount drop constraint day_to_recount_pkey, alter person_id drop not null",
            "no person_id",
        ),
        ("alter sequence activity_id_seq cache 20", "column activity.id"),
        ("create view latest as select * from activity", "view latest"),
        (
            """create function peek() returns trigger language plpgsql as
            'begin perform 1 from activity_removal; return null; end';
            create trigger peeks after delete on activity for each statement execute function peek()""",
            "trigger function peek",
        ),
    ],
)
def test_what_could_not_be_distributed_is_noticed(db, statement, said):
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert any(said in problem for problem in tables.schema_problems())


def test_every_big_table_of_people_was_thought_of(db):
    """Tables of people with activities lie with the log; the rest grows with the number of people, and stays."""
    of_the_log = {one.table for one in personal_data.registered_tables() if one.table.startswith("activity")}
    of_the_log -= {"activity_change"}  # nothing writes it on a cluster, which has no column index
    assert of_the_log <= set(tables.DISTRIBUTED)


def statements_about_the_log():
    """Every text of the product's that speaks of a distributed table in SQL, f-strings with gaps for their parts."""
    for app in ("people", "activities", "smartlists", "config"):
        for file in sorted((Path(settings.BASE_DIR) / app).rglob("*.py")):
            if "migrations" in file.parts or file.parent.name == "cluster":
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                text = _text(node)
                if text and SPEAKS_OF_THE_LOG.search(text):
                    yield f"{file.relative_to(settings.BASE_DIR)}:{node.lineno}", text


def _text(node):
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else " ? " for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def refused_kinds(text):
    return [why for why, pattern in REFUSED.items() if re.search(pattern, text, re.I)]


def test_no_statement_is_of_a_kind_that_a_cluster_refuses():
    found = {place: kinds for place, text in statements_about_the_log() if (kinds := refused_kinds(text))}
    assert found == {}


def test_the_statements_are_found():
    places = {place.partition(":")[0] for place, _text in statements_about_the_log()}
    assert {
        "activities/log/reader.py",
        "activities/log/personal_data.py",
        "smartlists/evaluation/postgres/statements.py",
    } <= places


@pytest.mark.parametrize(
    "text",
    [
        "select 1 from activity where ctid = any(%s)",
        "select id from activity limit 5 for update",
        "update activity_key k set person_id = 1",
        "select * from unnest(%s::int[]) t, lateral (select 1 from activity) l",
        "with recursive x as (select 1) select * from x, activity",
        "select activity_digest(a) from activity a",
    ],
)
def test_refused_kinds_are_told(text):
    assert refused_kinds(text)


@pytest.mark.one_server("there the database has the extension")
def test_a_database_without_the_extension_is_refused_and_the_statements_are_shown(db, capsys):
    with pytest.raises(CommandError, match="no extension citus"):
        call_command("distribute", "--dry-run", "--parts", "16")
    said = capsys.readouterr().out
    for table in tables.DISTRIBUTED:
        assert f"create_distributed_table('{table}', 'person_id'" in said
    assert "shard_count => 16" in said
    assert all(f"{guard}" in said for guard in tables.REPLACED)


def test_the_dry_run_is_what_would_be_run(db):
    statements = [statement for step in distribute.distribution_steps() for statement in step.statements]
    dropped = {match for text in statements for match in re.findall(r"drop trigger (\w+)", text)}
    made = {match for text in statements for match in re.findall(r"create trigger (\w+)", text)}
    assert dropped == made != set()


@pytest.mark.one_server("there the trigger has its other form")
def test_the_trigger_that_comes_back_is_the_one_that_migrations_make(db):
    of_migrations = "select pg_get_triggerdef(oid) from pg_trigger where tgname = any(%s) and not tgisinternal"
    with connection.cursor() as cursor:
        cursor.execute(of_migrations, [list(tables.REPLACED)])
        (before,) = cursor.fetchall()
        cursor.execute(f"drop trigger {tables.REPLACED[0]} on activity; {undistribute.HOLDS_HERE}")
        cursor.execute(of_migrations, [list(tables.REPLACED)])
        assert cursor.fetchall() == [before]


@pytest.mark.one_server("there the log can come back")
def test_what_is_here_cannot_come_back(db):
    with pytest.raises(CommandError, match="its log is here"):
        call_command("distribute", "--undo", "--dry-run")
