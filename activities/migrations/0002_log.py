"""The activity log and the rules that the database itself keeps.

Needs PostgreSQL 15. Every unique key contains person_id and nothing points at `activity`, so that the
log can be distributed by person later.
"""

from django.db import migrations

LOG = """
create table activity (
    id bigint generated always as identity,
    person_id integer not null,
    activity_type_id integer not null,
    version smallint not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary_value text check (length(primary_value) <= 255),
    attributes jsonb not null default '{}' check (jsonb_typeof(attributes) = 'object'),
    door smallint not null,
    user_id integer,
    origin_id bigint,
    original_person_id integer,
    primary key (id, person_id)
);
create index activity_type_occurred on activity (activity_type_id, occurred_at, person_id);
create index activity_type_id_id on activity (activity_type_id, id);
create index activity_person_occurred on activity (person_id, occurred_at desc, id desc);

create table activity_key (
    person_id integer not null,
    activity_type_id integer not null,
    external_id text not null check (length(external_id) between 1 and 255),
    activity_id bigint not null,
    digest bytea not null,
    primary key (person_id, activity_type_id, external_id)
);

create table activity_removal (
    id bigint generated always as identity,
    activity_id bigint not null,
    person_id integer not null,
    activity_type_id integer not null,
    recorded_at timestamptz not null,
    reason varchar(12) not null check (reason in ('erase', 'merge', 'retention', 'correction')),
    digest numeric(20) not null,
    replacement_digest numeric(20),
    removed_at timestamptz not null default now(),
    user_id integer,
    transaction_id xid8 not null default pg_current_xact_id(),
    primary key (id, person_id)
);
create index activity_removal_activity on activity_removal (activity_id, person_id);
create index activity_removal_recorded on activity_removal (recorded_at);
"""

DROP_LOG = "drop table activity_removal; drop table activity_key; drop table activity;"

# A row's digest is independent of the order of rows, so a day's digest is a plain sum: removals subtract.
DIGEST = """
create function activity_digest(a activity) returns numeric language sql immutable parallel safe as $$
    select (('x' || encode(substr(sha256(convert_to(concat_ws(chr(31),
        a.id, a.person_id, a.activity_type_id, a.version,
        extract(epoch from a.occurred_at), extract(epoch from a.recorded_at),
        coalesce(a.primary_value, chr(30)), a.attributes::text, a.door,
        coalesce(a.user_id::text, ''), coalesce(a.origin_id::text, ''),
        coalesce(a.original_person_id::text, '')), 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint)::numeric
$$;
"""

GUARDS = """
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: its rows are never changed', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end $$;

create trigger activity_is_never_updated before update on activity
    for each statement execute function refuse_change();
create trigger activity_is_never_truncated before truncate on activity
    for each statement execute function refuse_change();
create trigger activity_key_is_never_truncated before truncate on activity_key
    for each statement execute function refuse_change();
create trigger activity_removal_is_append_only before update or delete or truncate on activity_removal
    for each statement execute function refuse_change();

create function refuse_unaccounted_removal() returns trigger language plpgsql as $$
declare missing bigint;
begin
    select gone.id into missing from gone where not exists (
        select from activity_removal r
        where r.activity_id = gone.id and r.person_id = gone.person_id
          and r.transaction_id = pg_current_xact_id()) limit 1;
    if found then
        raise exception 'activity % has no removal entry in this transaction', missing
            using errcode = 'restrict_violation';
    end if;
    return null;
end $$;
create trigger activity_removal_is_accounted after delete on activity
    referencing old table as gone for each statement execute function refuse_unaccounted_removal();

-- Whoever inserts holds the lock that readers of the log look for (reading.high_water_mark), also who does
-- not know of it. 3 << 56 is people.locks.Space.HIGH_WATER.
create function hold_high_water() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared((3::bigint << 56) | case when is_called then last_value else 0 end)
        from activity_id_seq;
    return null;
end $$;
create trigger activity_insert_holds_high_water before insert on activity
    for each statement execute function hold_high_water();
"""

DROP_GUARDS = """
drop trigger activity_insert_holds_high_water on activity;
drop trigger activity_removal_is_accounted on activity;
drop trigger activity_removal_is_append_only on activity_removal;
drop trigger activity_key_is_never_truncated on activity_key;
drop trigger activity_is_never_truncated on activity;
drop trigger activity_is_never_updated on activity;
drop function hold_high_water(); drop function refuse_unaccounted_removal(); drop function refuse_change();
"""

VERSIONS = """
alter table activity_type alter column id set start with 100001;
alter table activity_type alter column id restart;

create function freeze_version() returns trigger language plpgsql as $$
declare culprit text;
begin
    if tg_op = 'DELETE' then
        if old.number is not null then
            raise exception 'version % of activity type % is approved and stays', old.number, old.activity_type_id
                using errcode = 'restrict_violation';
        end if;
        return old;
    end if;
    if old.number is not null then
        raise exception 'version % of activity type % is approved and never changes',
            old.number, old.activity_type_id using errcode = 'restrict_violation';
    end if;
    if new.number is null then
        return new;
    end if;
    select f.api_name into culprit from activity_field f join approved_field a
        on a.activity_type_id = new.activity_type_id and a.api_name = f.api_name
        where f.version_id = new.id and (a.data_type <> f.data_type or a.is_primary <> f.is_primary) limit 1;
    if found then
        raise exception 'field % had another data type or rank in an approved version', culprit
            using errcode = 'restrict_violation';
    end if;
    insert into approved_field (activity_type_id, api_name, data_type, is_primary)
        select new.activity_type_id, f.api_name, f.data_type, f.is_primary
        from activity_field f where f.version_id = new.id
        on conflict (activity_type_id, api_name) do nothing;
    if not exists (select from activity_type t where t.id = new.activity_type_id and t.is_standard) then
        select a.api_name into culprit from approved_field a
            where a.activity_type_id = new.activity_type_id and a.is_primary
              and not exists (select from activity_field f
                              where f.version_id = new.id and f.is_primary and f.api_name = a.api_name);
        if found or not exists (select from activity_field f where f.version_id = new.id and f.is_primary) then
            raise exception 'the primary field of activity type % cannot change or be missing',
                new.activity_type_id using errcode = 'restrict_violation';
        end if;
    end if;
    return new;
end $$;
create trigger activity_version_is_frozen before update or delete on activity_version
    for each row execute function freeze_version();

create function freeze_version_fields() returns trigger language plpgsql as $$
begin
    if exists (select from activity_version v where v.number is not null
               and v.id in (case when tg_op <> 'INSERT' then old.version_id end,
                            case when tg_op <> 'DELETE' then new.version_id end)) then
        raise exception 'the fields of an approved version never change' using errcode = 'restrict_violation';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger activity_field_is_frozen before insert or update or delete on activity_field
    for each row execute function freeze_version_fields();

create trigger approved_field_is_for_ever before update or delete on approved_field
    for each statement execute function refuse_change();

create function keep_activity_type() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.live_id is not null then
            raise exception 'activity type % was approved once: its id and API name stay reserved', old.id
                using errcode = 'restrict_violation';
        end if;
        return old;
    end if;
    if new.id <> old.id or (old.live_id is not null and (new.api_name <> old.api_name or new.live_id is null)) then
        raise exception 'id, API name and approval of activity type % are for ever', old.id
            using errcode = 'restrict_violation';
    end if;
    if new.live_id is distinct from old.live_id and not exists (
        select from activity_version v
        where v.id = new.live_id and v.activity_type_id = new.id and v.number is not null) then
        raise exception 'the live version of activity type % must be an approved version of it', new.id
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger activity_type_is_kept before update or delete on activity_type
    for each row execute function keep_activity_type();
"""

DROP_VERSIONS = """
drop trigger activity_type_is_kept on activity_type;
drop trigger approved_field_is_for_ever on approved_field;
drop trigger activity_field_is_frozen on activity_field;
drop trigger activity_version_is_frozen on activity_version;
drop function keep_activity_type(); drop function freeze_version_fields(); drop function freeze_version();
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0001_initial")]

    operations = [
        migrations.RunSQL(LOG, DROP_LOG),
        migrations.RunSQL(DIGEST, "drop function activity_digest(activity);"),
        migrations.RunSQL(GUARDS, DROP_GUARDS),
        migrations.RunSQL(VERSIONS, DROP_VERSIONS),
    ]
