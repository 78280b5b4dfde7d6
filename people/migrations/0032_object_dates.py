"""Records by their dates, for campaigns that wait for them. The index is built while records are written."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

NAME = "object_record_dates"
# one key for each value that is a date, or a moment in UTC to the minute: 17:renews_on:2026-12-24
KEYS = r"""
create or replace function object_date_keys(type_id int, fields jsonb) returns text[]
language sql immutable parallel safe
return coalesce((select array_agg(type_id::text || ':' || key || ':' || left(value, 16))
    from jsonb_each_text(fields) where value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}'), '{}');
"""
INDEX = django.contrib.postgres.indexes.GinIndex(
    models.Func(
        models.F("object_type"),
        models.F("fields"),
        function="object_date_keys",
        output_field=django.contrib.postgres.fields.ArrayField(models.TextField()),
    ),
    name=NAME,
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("people", "0029_channel_of_changes")]

    operations = [
        migrations.RunSQL(KEYS, "drop function object_date_keys(int, jsonb)"),
        # a build that was cut off leaves an index that serves nobody and keeps the name
        migrations.RunSQL(f"drop index concurrently if exists {NAME}", migrations.RunSQL.noop),
        AddIndexConcurrently("objectrecord", INDEX),
    ]
