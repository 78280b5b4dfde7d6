import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import people.datatypes.canonical

# What visitors did waits in partitions by the day of its arrival, so that what nobody came forward for is dropped by the
# day. The role that records may not own the tables: partitions are made and dropped by functions with the owner's rights.
# `association_id` and `activity_id` are numbers without foreign keys: the collector takes no lock but the visitor's.
HITS = """
create table visitor_activity (
    received_at timestamptz not null default now(),
    id bigint generated always as identity,
    source_id bigint not null,
    visitor_id bigint not null,
    message_id text not null check (length(message_id) between 1 and 255),
    activity_type_id integer,
    version smallint,
    occurred_at timestamptz not null,
    client_at timestamptz,
    primary_value text check (length(primary_value) <= 255),
    attributes jsonb not null default '{}' check (jsonb_typeof(attributes) = 'object'),
    identity jsonb check (jsonb_typeof(identity) = 'object'),
    identity_state smallint,
    is_bot boolean not null default false,
    association_id bigint,
    activity_id bigint,
    primary key (received_at, id),
    check ((activity_type_id is null) = (version is null)),
    check ((identity is null) = (identity_state is null)),
    check (activity_type_id is not null or identity is not null)
) partition by range (received_at);
create index visitor_activity_waiting on visitor_activity (visitor_id, id)
    where activity_id is null and activity_type_id is not null;
create index visitor_activity_owned on visitor_activity (id)
    where association_id is not null and activity_id is null and activity_type_id is not null;
create index visitor_activity_identity on visitor_activity (id) where identity_state = 0;
create index visitor_activity_source on visitor_activity (source_id, id desc);
create index visitor_activity_visitor on visitor_activity (visitor_id, id);

create table message_key (
    source_id bigint not null,
    message_id text not null check (length(message_id) between 1 and 255),
    sent_day date not null,
    digest bytea not null,
    received_at timestamptz not null default now(),
    primary key (source_id, message_id, sent_day)
) partition by range (sent_day);
create table message_key_other partition of message_key for values from ('0001-01-01') to ('0001-01-02');

create function make_day_partitions(first_day date, last_day date) returns integer
language plpgsql security definer set search_path from current as $$
declare
    day date;
    made integer := 0;
begin
    if last_day - first_day > 400 or first_day < date '2020-01-01' then
        raise exception 'out of range: % to %', first_day, last_day;
    end if;
    perform set_config('lock_timeout', '2s', true);
    for day in select generate_series(first_day, last_day, interval '1 day')::date loop
        if to_regclass('visitor_activity_' || to_char(day, 'YYYYMMDD')) is null then
            execute format(
                'create table if not exists %I partition of visitor_activity for values from (%L) to (%L)',
                'visitor_activity_' || to_char(day, 'YYYYMMDD'),
                day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
            made := made + 1;
        end if;
        if to_regclass('message_key_' || to_char(day, 'YYYYMMDD')) is null then
            execute format(
                'create table if not exists %I partition of message_key for values from (%L) to (%L)',
                'message_key_' || to_char(day, 'YYYYMMDD'), day, day + 1);
            made := made + 1;
        end if;
    end loop;
    return made;
end $$;

create function drop_day_partitions(parent text, before date) returns integer
language plpgsql security definer set search_path from current as $$
declare
    part text;
    dropped integer := 0;
begin
    if parent not in ('visitor_activity', 'message_key') then
        raise exception 'no table of days: %', parent;
    end if;
    perform set_config('lock_timeout', '2s', true);
    for part in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = to_regclass(parent) and c.relname ~ ('^' || parent || '_[0-9]{8}$')
          and to_date(right(c.relname, 8), 'YYYYMMDD') < before
        order by 1
    loop
        execute format('drop table %I', part);
        dropped := dropped + 1;
    end loop;
    return dropped;
end $$;
"""
DROP_HITS = """
drop function drop_day_partitions(text, date);
drop function make_day_partitions(date, date);
drop table message_key;
drop table visitor_activity;
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0019_index_of_backfill"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="MessageKey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source_id",
                        "message_id",
                        "sent_day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("source_id", models.BigIntegerField()),
                ("message_id", models.TextField()),
                ("sent_day", models.DateField()),
                ("digest", models.BinaryField(max_length=16)),
                ("received_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={"db_table": "message_key", "managed": False, "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="VisitorActivity",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "received_at", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("received_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("id", models.BigIntegerField()),
                ("source_id", models.BigIntegerField()),
                ("visitor_id", models.BigIntegerField()),
                ("message_id", models.TextField()),
                ("activity_type_id", models.IntegerField(null=True)),
                ("version", models.PositiveSmallIntegerField(null=True)),
                ("occurred_at", models.DateTimeField()),
                ("client_at", models.DateTimeField(null=True)),
                ("primary_value", models.TextField(null=True)),
                ("attributes", models.JSONField(decoder=people.datatypes.canonical.ExactDecoder, default=dict)),
                ("identity", models.JSONField(null=True)),
                (
                    "identity_state",
                    models.PositiveSmallIntegerField(choices=[(0, "Waiting"), (1, "Done"), (2, "Refused")], null=True),
                ),
                ("is_bot", models.BooleanField(default=False)),
                ("association_id", models.BigIntegerField(null=True)),
                ("activity_id", models.BigIntegerField(null=True)),
            ],
            options={"db_table": "visitor_activity", "managed": False, "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="Visitor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("site_group", models.CharField(max_length=100, verbose_name="site group")),
                ("token_hash", models.BinaryField(max_length=32)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("free", "Unknown"),
                            ("owned", "Belongs to a person"),
                            ("shared", "Shared by several people"),
                            ("burnt", "Erased"),
                        ],
                        default="free",
                        max_length=6,
                        verbose_name="state",
                    ),
                ),
                (
                    "first_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="first seen"
                    ),
                ),
                (
                    "last_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="last seen"
                    ),
                ),
                (
                    "first_source",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="activities.eventsource",
                        verbose_name="first web site",
                    ),
                ),
            ],
            options={
                "verbose_name": "visitor",
                "verbose_name_plural": "visitors",
                "db_table": "visitor",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Association",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("person_id", models.IntegerField()),
                (
                    "evidence",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (1, "Signature or server call"),
                            (2, "Submitted form"),
                            (3, "Link in an e-mail"),
                            (4, "Claim of a web page"),
                        ],
                        verbose_name="evidence",
                    ),
                ),
                ("from_at", models.DateTimeField(verbose_name="from")),
                ("to_at", models.DateTimeField(null=True, verbose_name="until")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "event_source",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="activities.eventsource",
                    ),
                ),
                (
                    "undone_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "visitor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="associations",
                        to="activities.visitor",
                    ),
                ),
            ],
            options={
                "verbose_name": "association of a visitor",
                "verbose_name_plural": "associations of visitors",
                "db_table": "association",
                "default_permissions": (),
            },
        ),
        migrations.AddIndex(model_name="visitor", index=models.Index(fields=["last_at"], name="visitor_last")),
        migrations.AddConstraint(
            model_name="visitor",
            constraint=models.UniqueConstraint(
                models.F("site_group"), models.F("token_hash"), name="visitor_is_unique"
            ),
        ),
        migrations.AddIndex(
            model_name="association", index=models.Index(fields=["person_id"], name="association_person")
        ),
        migrations.AddConstraint(
            model_name="association",
            constraint=models.UniqueConstraint(
                models.F("visitor"),
                condition=models.Q(("to_at", None), ("undone_at", None)),
                name="association_one_owner_at_a_time",
            ),
        ),
        migrations.RunSQL(HITS, DROP_HITS),
    ]
