"""Runs of campaigns that are scheduled, cancelled or failed, and how often a part of one was tried."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("smartlists", "0010_sealed_headers")]

    operations = [
        migrations.AlterField(
            "campaignrun",
            "state",
            models.CharField(
                choices=[
                    ("scheduled", "Scheduled"),
                    ("running", "Running"),
                    ("done", "Done"),
                    ("cancelled", "Cancelled"),
                    ("failed", "Failed"),
                ],
                default="running",
                max_length=12,
            ),
        ),
        migrations.AlterField(
            "campaignrun",
            "version",
            models.ForeignKey(
                null=True, on_delete=models.deletion.CASCADE, related_name="+", to="smartlists.campaignversion"
            ),
        ),
        migrations.AddField("campaignrun", "problem", models.TextField(blank=True, db_default="", default="")),
        migrations.AddField("campaignrun", "tries", models.PositiveSmallIntegerField(db_default=0, default=0)),
        migrations.AddField(
            "campaignrun", "due_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())
        ),
        migrations.AddIndex(
            "campaignrun",
            models.Index("due_at", condition=models.Q(state="scheduled"), name="smart_campaign_run_scheduled"),
        ),
    ]
