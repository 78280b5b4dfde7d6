import django.db.models.functions.datetime
from django.db import migrations, models

# Whatever removes rows, for whatever reason: their days are counted again, and what an erased person's
# rows said is suggested no more.
TRIGGER = """
create function note_removed_activities() returns trigger language plpgsql as $$
begin
    insert into day_to_recount (activity_type_id, day)
        select distinct activity_type_id, (occurred_at at time zone 'UTC')::date from gone;
    delete from seen_value s using gone g
        where s.activity_type_id = g.activity_type_id
          and (s.value = g.primary_value or g.attributes ->> s.field = s.value)
          and exists (select from activity_removal r where r.activity_id = g.id and r.person_id = g.person_id
                      and r.transaction_id = pg_current_xact_id() and r.reason = 'erase');
    return null;
end $$;
create trigger activity_removal_is_noted after delete on activity
    referencing old table as gone for each statement execute function note_removed_activities();
"""
DROP_TRIGGER = "drop trigger activity_removal_is_noted on activity; drop function note_removed_activities();"


class Migration(migrations.Migration):
    dependencies = [
        ("activities", "0002_log"),
    ]

    operations = [
        migrations.CreateModel(
            name="DailyCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "activity_type_id", "day", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("activity_type_id", models.IntegerField()),
                ("day", models.DateField()),
                ("count", models.BigIntegerField()),
            ],
            options={
                "db_table": "daily_count",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="DayToRecount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("activity_type_id", models.IntegerField()),
                ("day", models.DateField()),
            ],
            options={
                "db_table": "day_to_recount",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="LogPosition",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("last_id", models.BigIntegerField(default=0)),
                ("time_zone", models.CharField(blank=True, max_length=64)),
                ("read_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "log_position",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="SeenValue",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "activity_type_id",
                        "field",
                        "value",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("activity_type_id", models.IntegerField()),
                ("field", models.CharField(max_length=255)),
                ("value", models.CharField(max_length=255)),
                ("times", models.BigIntegerField()),
                ("last_seen_at", models.DateTimeField()),
            ],
            options={
                "db_table": "seen_value",
                "default_permissions": (),
            },
        ),
        migrations.RunSQL(TRIGGER, DROP_TRIGGER),
    ]
