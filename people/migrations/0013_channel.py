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
    dependencies = [("people", "0012_import_failure_key_default")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                *renamed("persondeletion"),
                *renamed("personmerge"),
                *renamed("staticlistmember"),
                *renamed("import", verbose_name="through"),
                *renamed("export"),
            ]
        )
    ]
