from django.db import migrations, models

# The table holds an entry for each removed activity: the new constraint is not checked against them (they satisfied a
# narrower one), so that recording waits for no scan.
REASONS = """
alter table activity_removal drop constraint activity_removal_reason_check;
alter table activity_removal add constraint activity_removal_reason_check check ({}) not valid;
"""
BEFORE = "reason in ('erase', 'merge', 'retention', 'correction')"
AFTER = "reason in ('erase', 'merge', 'retention', 'correction', 'undo')"


class Migration(migrations.Migration):
    dependencies = [("activities", "0010_channel")]

    operations = [
        migrations.RunSQL(REASONS.format(AFTER), REASONS.format(BEFORE)),
        migrations.AlterField(
            "activityremoval",
            "reason",
            models.CharField(
                choices=[
                    ("erase", "Person erased"),
                    ("merge", "Moved by a merge"),
                    ("retention", "Kept long enough"),
                    ("correction", "Corrected by an operator"),
                    ("undo", "Undone"),
                ],
                max_length=12,
            ),
        ),
    ]
