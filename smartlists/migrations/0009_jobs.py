"""Reports know when a job claimed them; the claim of an evaluation has the name that it has in all jobs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("smartlists", "0008_webhook_payload_version")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("storedevaluation", "started_at", "progressed_at"),
                migrations.AlterField(
                    "storedevaluation", "progressed_at", models.DateTimeField(null=True, db_column="started_at")
                ),
            ]
        ),
        migrations.AddField("storedreport", "progressed_at", models.DateTimeField(null=True)),
    ]
