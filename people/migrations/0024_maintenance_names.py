"""Plain names in the code for the dates of maintenance; table and column keep theirs, so nothing runs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0023_folder_dates")]

    operations = [
        migrations.RenameModel("Upkeep", "MaintenanceRun"),
        migrations.AlterField("maintenancerun", "says", models.CharField(max_length=500, blank=True, db_column="says")),
        migrations.RenameField("maintenancerun", "says", "outcome"),
    ]
