"""Marks of an activity: the first bit says that it was recorded as back-fill.

A column with a constant default: no row is written, and the lock lasts for a moment. The digest of a row without marks
is what it was; the version before, which computes it from the columns that it knows, agrees for such rows.
"""

from django.db import migrations, models

COLUMN = "alter table activity add column flags smallint not null default 0;"
DIGEST = """
create function activity_digest(
    id bigint, person_id integer, activity_type_id integer, version smallint, occurred_at timestamptz,
    recorded_at timestamptz, primary_value text, attributes jsonb, door smallint, user_id integer, origin_id bigint,
    original_person_id integer, flags smallint
) returns numeric language sql immutable parallel safe as $$
    select (('x' || encode(substr(sha256(convert_to(concat_ws(chr(31),
        id, person_id, activity_type_id, version,
        extract(epoch from occurred_at), extract(epoch from recorded_at),
        coalesce(primary_value, chr(30)), attributes::text, door,
        coalesce(user_id::text, ''), coalesce(origin_id::text, ''),
        coalesce(original_person_id::text, ''), nullif(flags, 0)), 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint)::numeric
$$;
"""
DROP_DIGEST = """
drop function activity_digest(bigint, integer, integer, smallint, timestamptz, timestamptz, text, jsonb, smallint,
    integer, bigint, integer, smallint);
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0017_event_sources")]

    operations = [
        migrations.RunSQL(
            COLUMN,
            "alter table activity drop column flags;",
            state_operations=[
                migrations.AddField("activity", "flags", models.PositiveSmallIntegerField(db_default=0, default=0))
            ],
        ),
        migrations.RunSQL(DIGEST, DROP_DIGEST),
        migrations.AlterModelOptions(
            "activitytype",
            options={
                "ordering": ["id"],
                "permissions": [
                    ("approve_activitytype", "Can approve, retire and restore activity types"),
                    ("record_activity", "Can record activities"),
                    ("record_standard_activity", "Can import the history of standard activities"),
                ],
                "verbose_name": "activity type",
                "verbose_name_plural": "activity types",
            },
        ),
    ]
