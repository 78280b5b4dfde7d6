import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("activities", "0032_secrets_of_forms"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="InboundReplay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("problem", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "In progress"), ("done", "Done"), ("failed", "Stopped by an error")],
                        default="running",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("is_backfill", models.BooleanField(default=True)),
                ("last_call", models.BigIntegerField(default=0)),
                ("position", models.BigIntegerField(default=0)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("total", models.PositiveIntegerField(default=0)),
                ("progress", models.PositiveIntegerField(default=0)),
                ("calls", models.PositiveIntegerField(default=0)),
                ("recorded", models.PositiveIntegerField(default=0)),
                ("refused", models.PositiveIntegerField(default=0)),
                ("broken", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("progressed_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "replay of calls",
                "verbose_name_plural": "replays of calls",
                "db_table": "inbound_replay",
                "ordering": ["-id"],
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="inboundreplay",
            name="source",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="inbound_replays", to="activities.eventsource"
            ),
        ),
        migrations.AddField(
            model_name="inboundreplay",
            name="user",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="inboundreplay",
            constraint=models.UniqueConstraint(
                models.F("source"), condition=models.Q(("state", "running")), name="inbound_replay_runs_alone"
            ),
        ),
    ]
