import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# A constant default: no row is written.
BACKFILL = "alter table visitor_activity add column is_backfill boolean not null default false"


class Migration(migrations.Migration):
    dependencies = [("activities", "0026_functions_of_days")]

    operations = [
        migrations.CreateModel(
            name="Sighting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("event", "Event"), ("property", "Property"), ("trait", "Trait of a person")],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                ("scope", models.IntegerField(default=0)),
                ("name_key", models.CharField(max_length=255)),
                ("name", models.CharField(max_length=255, verbose_name="name")),
                (
                    "state",
                    models.CharField(
                        choices=[("new", "New"), ("mapped", "Mapped"), ("ignored", "Ignored"), ("blocked", "Blocked")],
                        default="new",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("fields", models.JSONField(default=dict)),
                ("count", models.BigIntegerField(default=0, verbose_name="times")),
                ("kept", models.IntegerField(default=0, verbose_name="waiting")),
                ("kept_bytes", models.BigIntegerField(default=0)),
                ("libraries", models.JSONField(default=dict)),
                ("samples", models.JSONField(default=list)),
                (
                    "first_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="first seen"
                    ),
                ),
                (
                    "last_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="last seen"
                    ),
                ),
                (
                    "activity_type",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="activities.activitytype",
                        verbose_name="activity type",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sightings",
                        to="activities.eventsource",
                        verbose_name="event source",
                    ),
                ),
            ],
            options={
                "verbose_name": "undefined name",
                "verbose_name_plural": "inbox",
                "db_table": "sighting",
                "ordering": ["-last_at"],
                "default_permissions": ("view", "change"),
            },
        ),
        migrations.CreateModel(
            name="WaitingEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("visitor_id", models.BigIntegerField(db_index=True)),
                ("association_id", models.BigIntegerField(null=True)),
                ("message_id", models.TextField()),
                (
                    "received_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True),
                ),
                ("occurred_at", models.DateTimeField()),
                ("client_at", models.DateTimeField(null=True)),
                ("raw", models.TextField()),
                ("is_bot", models.BooleanField(default=False)),
                ("problems", models.JSONField(null=True)),
                (
                    "sighting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="events", to="activities.sighting"
                    ),
                ),
            ],
            options={"db_table": "waiting_event", "default_permissions": ()},
        ),
        migrations.AddIndex(
            model_name="sighting", index=models.Index(fields=["state", "-last_at"], name="sighting_state")
        ),
        migrations.AddIndex(model_name="sighting", index=models.Index(fields=["activity_type"], name="sighting_type")),
        migrations.AddConstraint(
            model_name="sighting",
            constraint=models.UniqueConstraint(
                models.F("source"), models.F("kind"), models.F("scope"), models.F("name_key"), name="sighting_is_unique"
            ),
        ),
        migrations.AddIndex(
            model_name="waitingevent", index=models.Index(fields=["sighting", "id"], name="waiting_event_of_name")
        ),
        migrations.RunSQL(BACKFILL, "alter table visitor_activity drop column is_backfill"),
    ]
