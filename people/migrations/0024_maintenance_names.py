"""Plain names in the code for the dates of maintenance; table and column keep theirs, so nothing runs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0023_folder_dates")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("Upkeep", "MaintenanceRun"),
                migrations.RenameField("maintenancerun", "says", "outcome"),
                migrations.AlterField(
                    "maintenancerun", "outcome", models.CharField(max_length=500, blank=True, db_column="says")
                ),
            ]
        )
    ]
