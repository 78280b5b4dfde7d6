"""Links of kiosks are stored as hashes and sealed; submissions get codes, consent texts the moment of their end.

Links that are in use stay valid. A server of the version before answers them with 404 until it is replaced; what
kiosks send in that time stays on the device and is sent again.

It does not reverse: the links are known as hashes only, and the moments at which texts ended are kept as evidence. Going
back drops the columns, and each kiosk then needs a new link. The unique index of `code_hash` is built while every value
is null: it reads the table of submissions once and writes nothing, which takes a second or so for ten million rows.
"""

from hashlib import sha256
from typing import Any

from django.db import migrations, models
from django.db.models.functions import Now

from activities.sources.sealing import seal_secret


def seal_links(apps: Any, _schema_editor: Any) -> None:
    """Replace each link by its hash and the sealed link."""
    for form in apps.get_model("activities", "Form").objects.exclude(kiosk_key=None).iterator(chunk_size=500):
        key = form.kiosk_key.encode()
        form.kiosk_hash, form.kiosk_key = sha256(key).digest(), None
        form.kiosk_sealed_under, form.kiosk_sealed = seal_secret(key)
        form.save(update_fields=["kiosk_hash", "kiosk_sealed", "kiosk_sealed_under", "kiosk_key"])


def end_former_texts(apps: Any, _schema_editor: Any) -> None:
    """Texts that no form asks with any more have ended at the latest now."""
    consents = apps.get_model("activities", "FormConsent").objects
    used = apps.get_model("activities", "Form").objects.exclude(consent=None).values("consent")
    consents.filter(withdrawn_at=None).exclude(pk__in=used).update(withdrawn_at=Now())


class Migration(migrations.Migration):
    dependencies = [("activities", "0031_days_are_kept")]

    operations = [
        migrations.AddField(
            "form", "kiosk_hash", models.BinaryField(editable=False, max_length=32, null=True, unique=True)
        ),
        migrations.AddField("form", "kiosk_sealed", models.BinaryField(editable=False, null=True)),
        migrations.AddField(
            "form",
            "kiosk_sealed_under",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AlterField(
            "form", "kiosk_key", models.CharField(editable=False, max_length=32, null=True, unique=True)
        ),
        migrations.AddField("formconsent", "withdrawn_at", models.DateTimeField(null=True)),
        migrations.AddField("formsubmission", "code_hash", models.BinaryField(max_length=32, null=True, unique=True)),
        migrations.RunPython(seal_links, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(end_former_texts, migrations.RunPython.noop, elidable=True),
    ]
