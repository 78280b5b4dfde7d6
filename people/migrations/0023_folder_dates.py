"""Dates of folders. Those made before get the installation's date, as the Marketo API has given it for them."""

from django.db import migrations, models
from django.db.models.functions import Now

EARLIER_FOLDERS = """
update folder set created_at = installation.created_at, updated_at = installation.created_at
from installation where installation.created_at is not null
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0022_labels")]

    operations = [
        migrations.AddField(
            "folder", "created_at", models.DateTimeField(auto_now_add=True, db_default=Now(), verbose_name="created at")
        ),
        migrations.AddField(
            "folder", "updated_at", models.DateTimeField(auto_now=True, db_default=Now(), verbose_name="updated at")
        ),
        migrations.RunSQL(EARLIER_FOLDERS, migrations.RunSQL.noop),
    ]
