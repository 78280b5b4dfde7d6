"""Indexes of back-filled activities and of undone ones, by person: a watched list looks for those who change silently.

Both are small parts of their tables, and are built while activities come in; the version before writes into them
unknowing.
"""

from django.db import migrations

INDEXES = {
    "activity_backfill": "activity (person_id, recorded_at) where flags & 1 = 1",
    "activity_removal_undone": "activity_removal (person_id, removed_at) where reason in ('undo', 'withdrawn')",
}


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("activities", "0018_backfill")]

    operations = [
        operation
        for name, rows in INDEXES.items()
        for operation in (
            # a build that was cut off leaves an index that serves nobody and keeps the name
            migrations.RunSQL(f"drop index concurrently if exists {name}", migrations.RunSQL.noop),
            migrations.RunSQL(
                f"create index concurrently {name} on {rows}", f"drop index concurrently if exists {name}"
            ),
        )
    ]
