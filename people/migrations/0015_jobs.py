"""Imports and exports call what stopped them a problem, as all jobs do; their columns keep their name."""

from django.db import migrations, models


def renamed(model):
    field = models.TextField(blank=True, db_column="error", verbose_name="fault")
    return [migrations.RenameField(model, "error", "problem"), migrations.AlterField(model, "problem", field)]


class Migration(migrations.Migration):
    dependencies = [("people", "0014_import_undo")]

    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[*renamed("import"), *renamed("export")]),
        migrations.AddField("export", "progressed_at", models.DateTimeField(null=True)),
    ]
