import django.db.models.functions.datetime
from django.db import migrations, models

# Not logged: each slot is written over within seconds where much comes in, and nothing depends on it.
RECENT = """
create unlogged table recent_event (
    source_id bigint not null references event_source (id) on delete cascade,
    slot smallint not null,
    number bigint not null,
    received_at timestamptz not null default now(),
    kind text not null check (length(kind) <= 40),
    title text not null default '' check (length(title) <= 300),
    outcome varchar(8) not null,
    problem jsonb,
    check_nonce text not null default '' check (length(check_nonce) <= 40),
    visitor_id bigint,
    is_bot boolean not null default false,
    primary key (source_id, slot)
) with (fillfactor = 50);
create index recent_event_visitor on recent_event (visitor_id) where visitor_id is not null;
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0022_visitor_moves")]

    operations = [
        migrations.CreateModel(
            name="RecentEvent",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source_id", "slot", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("source_id", models.BigIntegerField()),
                ("slot", models.SmallIntegerField()),
                ("number", models.BigIntegerField()),
                ("received_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("kind", models.TextField()),
                ("title", models.TextField(blank=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("kept", "Kept"),
                            ("repeated", "Sent again"),
                            ("refused", "Rejected"),
                            ("dropped", "Not kept"),
                        ],
                        max_length=8,
                    ),
                ),
                ("problem", models.JSONField(null=True)),
                ("check_nonce", models.TextField(blank=True)),
                ("visitor_id", models.BigIntegerField(null=True)),
                ("is_bot", models.BooleanField(default=False)),
            ],
            options={"db_table": "recent_event", "managed": False, "default_permissions": ()},
        ),
        migrations.RunSQL(RECENT, "drop table recent_event"),
    ]
