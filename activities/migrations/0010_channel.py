"""Call the channel so in models; the columns keep their name."""

from django.db import migrations, models

import people.core.source

FIELD = {"choices": people.core.source.Channel.choices, "db_column": "door"}


def renamed(model, **more):
    return [
        migrations.RenameField(model, "door", "channel"),
        migrations.AlterField(model, "channel", models.PositiveSmallIntegerField(**FIELD, **more)),
    ]


class Migration(migrations.Migration):
    dependencies = [("activities", "0009_chain_of_days")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint("refusedactivity", "refused_activity_is_unique"),
                *renamed("activity"),
                *renamed("refusedactivity", verbose_name="through"),
                migrations.AddConstraint(
                    "refusedactivity",
                    models.UniqueConstraint(
                        "channel", "user", "key", name="refused_activity_is_unique", nulls_distinct=False
                    ),
                ),
            ]
        )
    ]
