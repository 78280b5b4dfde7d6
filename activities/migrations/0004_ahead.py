"""The few activities that occurred well after they were recorded, for `reading.start`."""

from django.db import migrations

# reading.AHEAD says the same; subtracting two moments is immutable, adding an interval to one is not
AHEAD = """
create index activity_ahead on activity (occurred_at) include (id)
    where occurred_at - recorded_at > interval '10 minutes';
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0003_rollup")]

    operations = [migrations.RunSQL(AHEAD, "drop index activity_ahead;")]
