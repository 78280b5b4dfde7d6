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
    dependencies = [("access", "0006_sign_in")]

    operations = [migrations.SeparateDatabaseAndState(state_operations=[*renamed("failedcalls")])]
