from django.db import migrations, models

import people.core.source


class Migration(migrations.Migration):
    """The channels as the product knows them: another one needs no migration."""

    dependencies = [("people", "0028_object_history")]

    operations = [
        migrations.AlterField(
            model_name="objectchange",
            name="channel",
            field=models.PositiveSmallIntegerField(choices=people.core.source.Channel.choices, verbose_name="channel"),
        )
    ]
