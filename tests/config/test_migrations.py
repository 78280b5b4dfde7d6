"""Neighbouring versions share one database: migrations add, and take nothing that the version before still uses."""

import re

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

OURS = frozenset({"access", "marketo", "people", "activities", "smartlists"})
# what shrinks although it may not: (app, migration): why no version that is still supported misses it
ALLOWED: dict[tuple[str, str], str] = {
    ("access", "0004_native_api"): "before the first release: there is no version before it",
    ("people", "0010_import_failure_key"): "before the first release: there is no version before it",
    ("activities", "0007_ready_to_distribute"): "before the first release: there is no version before it",
}
SHRINKING = (
    migrations.RemoveField, migrations.DeleteModel, migrations.RenameField, migrations.RenameModel,
    migrations.AlterModelTable,
)  # fmt: skip
SQL = re.compile(
    r"\b(drop\s+(table|column|view)|rename\s+(to|column)|set\s+not\s+null|alter\s+column\s+\w+\s+(set\s+data\s+)?type)\b",
    re.IGNORECASE,
)


def faults(operation, made):
    """What the version before would miss, or could not write; `made` are the models that this migration makes."""
    if isinstance(operation, SHRINKING):
        yield type(operation).__name__
    if isinstance(operation, migrations.AddField) and operation.model_name_lower not in made:
        field = operation.field
        is_written_by_old = field.null or field.db_default is not models.NOT_PROVIDED or field.many_to_many
        if not is_written_by_old:
            yield f"{operation.model_name}.{operation.name} is neither optional nor has a default in the database"
    if isinstance(operation, migrations.RunSQL):
        statements = operation.sql if isinstance(operation.sql, str) else str(operation.sql)
        for found in SQL.finditer(statements):
            yield f"SQL: {found[0]}"
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from faults(inner, made)


def faults_of(migration):
    made = {one.name_lower for one in migration.operations if isinstance(one, migrations.CreateModel)}
    return [fault for operation in migration.operations for fault in faults(operation, made)]


def test_migrations_only_add():
    found = {
        key: said
        for key, migration in MigrationLoader(None).disk_migrations.items()
        if key[0] in OURS and (said := faults_of(migration))
    }
    assert {key: said for key, said in found.items() if key not in ALLOWED} == {}
    assert ALLOWED.keys() <= found.keys(), "an exception for nothing"


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RemoveField("person", "email"),
        migrations.RenameField("person", "email", "mail"),
        migrations.DeleteModel("person"),
        migrations.AddField("person", "age", models.IntegerField()),
        migrations.AddField("person", "age", models.IntegerField(default=0)),
        migrations.RunSQL("alter table person drop  column email"),
        migrations.RunSQL("ALTER TABLE person ALTER COLUMN email SET NOT NULL"),
        migrations.SeparateDatabaseAndState([migrations.RunSQL("drop table person")], []),
    ],
)
def test_what_shrinks_is_seen(operation):
    assert list(faults(operation, set()))


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("person", "age", models.IntegerField(null=True)),
        migrations.AddField("person", "age", models.IntegerField(db_default=0)),
        migrations.RunSQL("create index on person (email)", "drop index person_email"),
    ],
)
def test_what_adds_is_let_through(operation):
    assert not list(faults(operation, set()))
