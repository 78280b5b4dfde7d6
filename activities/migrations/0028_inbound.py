import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# What came is never changed; what became of it is noted beside, and whole calls are deleted.
GUARD = """
create function inbound_call_stays() returns trigger language plpgsql as $$
begin
    if (new.source_id, new.received_at, new.content_type, new.body, new.row_key)
        is distinct from (old.source_id, old.received_at, old.content_type, old.body, old.row_key) then
        raise exception 'a call of a webhook stays as it came';
    end if;
    return new;
end $$;
create trigger inbound_call_stays before update on inbound_call for each row execute function inbound_call_stays();
create trigger inbound_call_is_never_truncated before truncate on inbound_call
    for each statement execute function refuse_change();
"""
NO_GUARD = """
drop trigger inbound_call_is_never_truncated on inbound_call;
drop trigger inbound_call_stays on inbound_call; drop function inbound_call_stays();
"""
# event sources of this kind could be created before anything received their calls
SETTINGS = """
insert into inbound_webhook (source_id, recipe, signature, signature_header, secret_key_name, id_header, id_path,
    calls_a_minute, revision)
select id, 'other', 'none', '', '', '', '[]', 600, 1 from event_source where kind = 'webhook'
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0027_inbox"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="InboundWebhook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "source",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inbound_webhook",
                        to="activities.eventsource",
                    ),
                ),
                ("recipe", models.CharField(default="other", max_length=20, verbose_name="product")),
                (
                    "signature",
                    models.CharField(
                        choices=[
                            ("none", "The address alone"),
                            ("sha256", "HMAC-SHA256 of the body in a header"),
                            ("stripe", "As Stripe signs"),
                            ("zoom", "As Zoom signs"),
                        ],
                        default="none",
                        max_length=8,
                        verbose_name="signature",
                    ),
                ),
                (
                    "signature_header",
                    models.CharField(blank=True, default="", max_length=100, verbose_name="header of the signature"),
                ),
                ("secret", models.BinaryField(null=True)),
                ("secret_key_name", models.CharField(blank=True, default="", editable=False, max_length=64)),
                (
                    "id_header",
                    models.CharField(blank=True, default="", max_length=100, verbose_name="header of the ID"),
                ),
                ("id_path", models.JSONField(blank=True, default=list, verbose_name="place of the ID")),
                ("calls_a_minute", models.PositiveIntegerField(default=600, verbose_name="calls a minute, at most")),
                ("revision", models.PositiveIntegerField(default=1, editable=False)),
            ],
            options={
                "verbose_name": "inbound webhook",
                "verbose_name_plural": "inbound webhooks",
                "db_table": "inbound_webhook",
                "default_permissions": ("view", "change"),
            },
        ),
        migrations.CreateModel(
            name="InboundMapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=255, verbose_name="name")),
                ("place", models.PositiveIntegerField(default=0)),
                ("definition", models.JSONField(default=dict)),
                ("is_on", models.BooleanField(default=False, verbose_name="on")),
                ("revision", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="updated at")),
                (
                    "activity_type",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="activities.activitytype",
                        verbose_name="activity type",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inbound_mappings",
                        to="activities.eventsource",
                    ),
                ),
            ],
            options={
                "verbose_name": "mapping of a webhook",
                "verbose_name_plural": "mappings of webhooks",
                "db_table": "inbound_mapping",
                "ordering": ["place", "id"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="InboundKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.BinaryField(max_length=32)),
                ("expires_at", models.DateTimeField()),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="activities.eventsource"
                    ),
                ),
            ],
            options={
                "db_table": "inbound_key",
                "default_permissions": (),
                "indexes": [models.Index(fields=["expires_at"], name="inbound_key_expires")],
                "constraints": [
                    models.UniqueConstraint(models.F("source"), models.F("digest"), name="inbound_key_is_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="InboundCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "received_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="received"),
                ),
                ("content_type", models.CharField(blank=True, default="", max_length=100)),
                ("body", models.TextField()),
                ("row_key", models.CharField(max_length=36)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("new", "New"),
                            ("done", "Recorded"),
                            ("failed", "Rejected"),
                            ("unmapped", "Not mapped"),
                            ("handshake", "Check of the address"),
                        ],
                        default="new",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                (
                    "recorded",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), default=list, size=None
                    ),
                ),
                (
                    "failed",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), default=list, size=None
                    ),
                ),
                (
                    "person_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), default=list, size=None
                    ),
                ),
                ("problems", models.JSONField(null=True)),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inbound_calls",
                        to="activities.eventsource",
                    ),
                ),
                (
                    "mapping",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="activities.inboundmapping",
                    ),
                ),
            ],
            options={
                "verbose_name": "call of a webhook",
                "verbose_name_plural": "calls of webhooks",
                "db_table": "inbound_call",
                "ordering": ["-id"],
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["source", "-id"], name="inbound_call_of_source"),
                    models.Index(fields=["source", "state", "id"], name="inbound_call_state"),
                    models.Index(condition=models.Q(("state", "new")), fields=["id"], name="inbound_call_new"),
                    models.Index(fields=["received_at"], name="inbound_call_received"),
                ],
            },
        ),
        migrations.RunSQL(GUARD, NO_GUARD),
        migrations.RunSQL(SETTINGS, ""),
    ]
