import django.db.models.functions.datetime
from django.db import migrations, models

# Who lost or got rows of a type otherwise than by a new id: erase, merge and its undoing, retention, corrections,
# imports that are taken back. Rows move by insert and delete in one transaction, the insert first; so whoever has a row
# with the id of one that goes is its new holder. The lock (22 is people.core.db.locks.Space.CHANGES), which is the last
# that such a transaction takes, has ids grow in the order of commit. On parts of a log that is distributed there is no
# column index, and nothing is noted.
CHANGES = """
create table activity_change (
    id bigint generated always as identity primary key,
    activity_type_id integer not null,
    person_id integer not null,
    changed_at timestamptz not null default now()
);

create function note_changed_activities() returns trigger language plpgsql as $$
begin
    if tg_table_name <> 'activity' then
        return null;
    end if;
    perform pg_advisory_xact_lock(22::bigint << 56);
    execute format(
        'insert into %I.activity_change (activity_type_id, person_id)
            select activity_type_id, person_id from gone
            union
            select a.activity_type_id, a.person_id from gone join %I.activity a on a.id = gone.id',
        tg_table_schema, tg_table_schema);
    return null;
end $$;
create trigger activity_change_is_noted after delete on activity
    referencing old table as gone for each statement execute function note_changed_activities();
"""
DROP_CHANGES = """
drop trigger activity_change_is_noted on activity;
drop function note_changed_activities();
drop table activity_change;
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0014_withdrawal")]

    operations = [
        migrations.CreateModel(
            name="ActivityChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("activity_type_id", models.IntegerField()),
                ("person_id", models.IntegerField()),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={"db_table": "activity_change", "managed": False, "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="ColumnGeneration",
            fields=[
                ("token", models.UUIDField(primary_key=True, serialize=False)),
                ("node", models.UUIDField()),
                ("published_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={"db_table": "column_generation", "default_permissions": ()},
        ),
        migrations.RunSQL(CHANGES, DROP_CHANGES),
    ]
