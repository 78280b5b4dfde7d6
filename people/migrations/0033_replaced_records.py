"""Records that another one replaced, because the dedupe values of both came to name the same person or record.

The indexes are built while records are written. The version before neither replaces records nor reads these columns.
Another index is for records of which a link waits.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

WAITS = Q(person_id__isnull=True, person_key__isnull=False) | Q(linked__isnull=True, linked_key__isnull=False)
IS_REPLACED = Q(replaced_by_id__isnull=False)
INDEXES = (
    (
        "objectrecord",
        models.Index("object_type", "id", condition=Q(deleted_at__isnull=True) & WAITS, name="object_record_waiting"),
    ),
    ("objectrecord", models.Index("replaced_by_id", name="object_record_replaced", condition=IS_REPLACED)),
    (
        "objectrecord",
        models.Index("object_type", "dedupe_hash", condition=IS_REPLACED, name="object_record_replaced_key"),
    ),
    ("objectchange", models.Index("replaced_by_id", "id", name="object_change_replaced", condition=IS_REPLACED)),
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("people", "0032_object_dates")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    "objectrecord", "replaced_by_id", models.BigIntegerField(editable=False, null=True)
                ),
                migrations.AddField("objectchange", "replaced_by_id", models.BigIntegerField(null=True)),
            ],
            database_operations=[
                # repeatable, as nothing of this migration is one transaction
                migrations.RunSQL(
                    f"alter table {table} add column if not exists replaced_by_id bigint",
                    f"alter table {table} drop column if exists replaced_by_id",
                )
                for table in ("object_record", "object_change")
            ],
        ),
        *(
            operation
            for model, index in INDEXES
            for operation in (
                # a build that was cut off leaves an index that is not used and keeps the name
                migrations.RunSQL(f"drop index concurrently if exists {index.name}", migrations.RunSQL.noop),
                AddIndexConcurrently(model, index),
            )
        ),
    ]
