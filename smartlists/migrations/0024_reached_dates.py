import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("smartlists", "0023_date_watches")]

    operations = [
        migrations.AddField(
            model_name="datewatch", name="zone", field=models.CharField(db_default="", default="", max_length=64)
        ),
        migrations.AddField(
            model_name="reacheddate",
            name="noted_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
    ]
