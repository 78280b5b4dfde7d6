"""Neighbouring versions share one database: migrations add, and take nothing that the version before still uses."""

import re

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

OURS = frozenset({"access", "marketo", "people", "activities", "smartlists"})
# exceptions: (app, migration): the reason that no supported version misses what it removes
ALLOWED: dict[tuple[str, str], str] = {
    ("access", "0004_native_api"): "before the first release: there is no version before it",
    ("smartlists", "0002_evaluations_started"): "before the first release: there is no version before it",
    ("activities", "0007_ready_to_distribute"): "before the first release: there is no version before it",
    ("activities", "0017_event_sources"): "the types of consent that it names came with it",
    ("activities", "0020_visitors"): "a function of it drops the partitions of past days, of tables that came with it",
    ("activities", "0026_functions_of_days"): "as 0020, whose functions it replaces",
    ("smartlists", "0020_object_uses"): "wider rules: what the version before writes keeps them",
}
SHRINKING = (
    migrations.RemoveField,
    migrations.DeleteModel,
    migrations.RenameField,
    migrations.RenameModel,
    migrations.AlterModelTable,
)
SQL = re.compile(
    r"\b(drop\s+(table|column|view)|rename\s+(to|column)|set\s+not\s+null|alter\s+column\s+\w+\s+(set\s+data\s+)?type)\b",
    re.IGNORECASE,
)


def faults(operation, made, later=None):
    """The parts of an operation that the version before would miss, or could not write.

    `made` are the models that this migration makes, `later` the fields that a later one changes: all migrations of a
    version run before its neighbour meets them.
    """
    if isinstance(operation, SHRINKING):
        yield type(operation).__name__
    if isinstance(operation, migrations.AddConstraint) and operation.model_name.lower() not in made:
        yield f"{operation.model_name}: what it holds may not keep {operation.constraint.name}"
    if isinstance(operation, migrations.AddField) and operation.model_name_lower not in made:
        field = (later or {}).get((operation.model_name_lower, operation.name_lower), operation.field)
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


def faults_of(migration, later):
    made = {one.name_lower for one in migration.operations if isinstance(one, migrations.CreateModel)}
    return [fault for operation in migration.operations for fault in faults(operation, made, later)]


def changed_later(migrations_of_app):
    """The fields that a migration alters, as the last one leaves them."""
    return {
        (operation.model_name_lower, operation.name_lower): operation.field
        for _name, migration in sorted(migrations_of_app.items())
        for operation in migration.operations
        if isinstance(operation, migrations.AlterField)
    }


def made_required(loader, key, migration):
    """Columns that may be empty before this migration and not after it."""
    for operation in migration.operations:
        if isinstance(operation, migrations.AlterField) and not operation.field.null:
            before = loader.project_state(key, at_end=False).models[key[0], operation.model_name_lower]
            if before.fields[operation.name].null:
                yield f"{operation.model_name}.{operation.name} is optional before"


def test_migrations_only_add():
    loader = MigrationLoader(None)
    ours = {key: migration for key, migration in loader.disk_migrations.items() if key[0] in OURS}
    later = {app: changed_later({name: one for (of, name), one in ours.items() if of == app}) for app in OURS}
    found = {
        key: said
        for key, migration in ours.items()
        if (said := [*faults_of(migration, later[key[0]]), *made_required(loader, key, migration)])
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
        migrations.AddConstraint("person", models.UniqueConstraint(fields=["email"], name="one_email")),
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
