from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

SENDER = "refused_activity_sender"


class Migration(migrations.Migration):
    atomic = False  # the index is built while rows come in; it is alone here, so that a build cut off can be repeated

    dependencies = [("activities", "0040_dropped_events")]

    operations = [
        # a build that was cut off leaves an index that serves nobody and keeps the name
        migrations.RunSQL(f"drop index concurrently if exists {SENDER}", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "refusedactivity", models.Index(fields=["channel", "user", "event_source", "last_at"], name=SENDER)
        ),
    ]
