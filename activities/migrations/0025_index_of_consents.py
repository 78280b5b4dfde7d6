"""An index of the consents, by person: what counts is read for a page of people, and for each batch that records some.

A small part of the table, built while activities come in; the version before writes into it unknowing.
"""

from django.db import migrations

NAME = "activity_consent"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("activities", "0024_count_of_bots")]

    operations = [
        # a build that was cut off leaves an index that serves nobody and keeps the name
        migrations.RunSQL(f"drop index concurrently if exists {NAME}", migrations.RunSQL.noop),
        migrations.RunSQL(
            f"create index concurrently {NAME} on activity (person_id) where activity_type_id in (90003, 90004)",
            f"drop index concurrently if exists {NAME}",
        ),
    ]
