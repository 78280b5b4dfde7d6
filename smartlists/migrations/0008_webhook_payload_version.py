from django.db import migrations, models


class Migration(migrations.Migration):
    """Webhooks that there are keep the payload they have, and so do those that the version before makes."""

    dependencies = [("smartlists", "0007_list_copies")]

    operations = [
        migrations.AddField(
            "webhook",
            "payload_version",
            models.PositiveSmallIntegerField(
                choices=[(1, "1: values as text"), (2, "2: attributes with JSON types")],
                db_default=1,
                default=2,
                verbose_name="version of the data",
            ),
        ),
    ]
