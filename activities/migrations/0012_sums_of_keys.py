from django.db import migrations, models


class Migration(migrations.Migration):
    """Room for the sums of external ids; days that the version before closes have none."""

    dependencies = [("activities", "0011_removal_reasons")]

    operations = [
        migrations.AddField("activityday", "keys_upto", models.BigIntegerField(null=True)),
        migrations.AddField("activityday", "key_count", models.BigIntegerField(null=True)),
        migrations.AddField(
            "activityday", "key_digest", models.DecimalField(decimal_places=0, max_digits=40, null=True)
        ),
    ]
