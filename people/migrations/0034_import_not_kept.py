"""The rejected rows of an import for which there was no room."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0033_replaced_records")]

    operations = [migrations.AddField("import", "not_kept", models.BigIntegerField(default=0, db_default=0))]
