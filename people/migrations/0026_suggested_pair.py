import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0025_suppression")]

    operations = [
        migrations.CreateModel(
            name="SuggestedPair",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("suggested_at", models.DateTimeField(auto_now_add=True)),
                (
                    "other",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="people.person"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="people.person"
                    ),
                ),
            ],
            options={
                "db_table": "suggested_pair",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(models.F("person"), models.F("other"), name="suggested_pair_once"),
                    models.CheckConstraint(
                        condition=models.Q(("person__lt", models.F("other"))), name="suggested_pair_in_order"
                    ),
                ],
            },
        )
    ]
