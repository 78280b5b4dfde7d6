import django.db.models.deletion
from django.db import migrations, models

# names that were there before have been seen: nobody is notified of them
SEEN = "update sighting set is_announced = true"


class Migration(migrations.Migration):
    dependencies = [("activities", "0028_inbound")]

    operations = [
        migrations.AddField(
            model_name="sighting", name="is_announced", field=models.BooleanField(db_default=False, default=False)
        ),
        migrations.RunSQL(SEEN, ""),
        migrations.CreateModel(
            name="QualityDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("library", models.CharField(blank=True, max_length=100)),
                ("events", models.BigIntegerField(default=0)),
                ("unknown", models.BigIntegerField(default=0)),
                ("wrong", models.BigIntegerField(default=0)),
                (
                    "activity_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="activities.activitytype"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="activities.eventsource"
                    ),
                ),
            ],
            options={
                "db_table": "quality_day",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("activity_type"),
                        models.F("source"),
                        models.F("day"),
                        models.F("library"),
                        name="quality_day_is_unique",
                    )
                ],
                "indexes": [models.Index(fields=["day"], name="quality_day_old")],
            },
        ),
    ]
