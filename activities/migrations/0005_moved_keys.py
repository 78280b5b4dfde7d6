"""External ids move with a merge, and back with its undoing, also when retention has taken their activities."""

from django.db import migrations

FORWARD = """
alter table activity_key add column original_person_id integer;
create index activity_key_moved on activity_key (person_id, original_person_id) where original_person_id is not null;
"""
BACKWARD = "alter table activity_key drop column original_person_id;"


class Migration(migrations.Migration):
    dependencies = [("activities", "0004_ahead")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
