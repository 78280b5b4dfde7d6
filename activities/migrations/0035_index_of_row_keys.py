from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

ROW_KEY = "inbound_call_row_key"


class Migration(migrations.Migration):
    atomic = False  # the index is built while calls come in; it is alone here, so that a build cut off can be repeated

    dependencies = [("activities", "0034_tracked_links")]

    operations = [
        # a build that was cut off leaves an index that serves nobody and keeps the name
        migrations.RunSQL(f"drop index concurrently if exists {ROW_KEY}", migrations.RunSQL.noop),
        AddIndexConcurrently("inboundcall", models.Index(fields=["row_key"], name=ROW_KEY)),
    ]
