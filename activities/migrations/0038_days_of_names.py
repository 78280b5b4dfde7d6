import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("activities", "0037_inbox_replays")]

    operations = [
        migrations.CreateModel(
            name="SightingDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("count", models.BigIntegerField(default=0)),
                ("properties", models.JSONField(default=dict)),
                (
                    "sighting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="days", to="activities.sighting"
                    ),
                ),
            ],
            options={
                "db_table": "sighting_day",
                "default_permissions": (),
                "indexes": [models.Index(fields=["day", "-count"], name="sighting_day_of_day")],
                "constraints": [
                    models.UniqueConstraint(models.F("sighting"), models.F("day"), name="sighting_day_is_unique")
                ],
            },
        )
    ]
