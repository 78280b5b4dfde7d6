from django.db import migrations, models


class Migration(migrations.Migration):
    """Room for sealed headers. What is there is sealed a day later, when the version before is gone for sure."""

    dependencies = [("smartlists", "0009_jobs")]

    operations = [
        operation
        for model in ("webhook", "webhookdelivery")
        for operation in (
            migrations.AddField(model, "sealed_headers", models.BinaryField(null=True)),
            migrations.AddField(
                model,
                "headers_key_name",
                models.CharField(blank=True, db_default="", default="", editable=model != "webhook", max_length=64),
            ),
        )
    ]
