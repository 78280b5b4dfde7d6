"""What the database does for the log works on one server and on each part of a log that is distributed by person.

A part is a table of its own beside its siblings: `activity_102008` has its removals in, say, `activity_removal_102040`,
and no row type `activity`. So digests are made of columns, and triggers find the tables beside theirs.
"""

from django.db import migrations, models

DIGEST = """
create function activity_digest(
    id bigint, person_id integer, activity_type_id integer, version smallint, occurred_at timestamptz,
    recorded_at timestamptz, primary_value text, attributes jsonb, door smallint, user_id integer, origin_id bigint,
    original_person_id integer
) returns numeric language sql immutable parallel safe as $$
    select (('x' || encode(substr(sha256(convert_to(concat_ws(chr(31),
        id, person_id, activity_type_id, version,
        extract(epoch from occurred_at), extract(epoch from recorded_at),
        coalesce(primary_value, chr(30)), attributes::text, door,
        coalesce(user_id::text, ''), coalesce(origin_id::text, ''),
        coalesce(original_person_id::text, '')), 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint)::numeric
$$;
drop function activity_digest(activity);
"""

BESIDE = """
create function table_beside(schema_name text, table_name text, wanted text) returns text language plpgsql as $$
declare part text := substring(table_name from '_([0-9]+)$');
declare found text;
begin
    if part is null then
        return format('%I.%I', schema_name, wanted);
    end if;
    execute 'select w.shardid from pg_dist_shard p join pg_dist_shard w on w.shardminvalue = p.shardminvalue
        where p.shardid = $1 and w.logicalrelid = $2::regclass'
        into strict found using part::bigint, format('%I.%I', schema_name, wanted);
    return format('%I.%I', schema_name, wanted || '_' || found);
end $$;
"""

GUARDS = """
create or replace function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: its rows are never changed',
        tg_op, regexp_replace(tg_table_name, '_[0-9]+$', '') using errcode = 'restrict_violation';
end $$;

-- one trigger for rows and one for tables: parts get only the former
drop trigger activity_removal_is_append_only on activity_removal;
create trigger activity_removal_is_append_only before update or delete on activity_removal
    for each statement execute function refuse_change();
create trigger activity_removal_is_never_truncated before truncate on activity_removal
    for each statement execute function refuse_change();

-- the transaction that the row is written in, on the server that writes it
create function stamp_removal() returns trigger language plpgsql as $$
begin
    new.transaction_id := pg_current_xact_id();
    return new;
end $$;
create trigger activity_removal_is_stamped before insert on activity_removal
    for each row execute function stamp_removal();

create or replace function refuse_unaccounted_removal() returns trigger language plpgsql as $$
declare missing bigint;
begin
    execute format(
        'select gone.id from gone where not exists (
            select from %s r where r.activity_id = gone.id and r.person_id = gone.person_id
              and r.transaction_id = pg_current_xact_id()) limit 1',
        table_beside(tg_table_schema, tg_table_name, 'activity_removal')) into missing;
    if missing is not null then
        raise exception 'activity % has no removal entry in this transaction', missing
            using errcode = 'restrict_violation';
    end if;
    return null;
end $$;

drop table day_to_recount;
create table day_to_recount (
    person_id integer not null,
    activity_type_id integer not null,
    day date not null,
    transaction_id xid8 not null,
    primary key (person_id, activity_type_id, day, transaction_id)
);
-- One of the people stands for all: a row lies beside those that it speaks of. Each transaction has a row of its
-- own, so that a recount under way cannot take an earlier one for it.
create or replace function note_removed_activities() returns trigger language plpgsql as $$
begin
    execute format(
        'insert into %s (person_id, activity_type_id, day, transaction_id)
            select min(person_id), activity_type_id, (occurred_at at time zone ''UTC'')::date, pg_current_xact_id()
            from gone group by 2, 3
        on conflict do nothing',
        table_beside(tg_table_schema, tg_table_name, 'day_to_recount'));
    return null;
end $$;
"""

# An id below which nothing occurred at `since` or later: see reading.start
FIRST_ID = """
create function first_activity_id(mark bigint, since timestamptz, before timestamptz)
returns bigint language plpgsql stable as $$
declare low bigint := 0;
declare high bigint := mark;
declare middle bigint;
declare found record;
declare ahead bigint;
begin
    while low < high loop
        middle := (low + high + 1) / 2;
        select a.id, a.recorded_at into found from activity a
            where a.id >= middle and a.id <= high order by a.id limit 1;
        if found.recorded_at < before then
            low := found.id;
        else
            high := middle - 1;
        end if;
    end loop;
    -- all of them: for the smallest id alone the planner would walk the primary key
    with late as materialized (
        select a.id from activity a
        where a.occurred_at - a.recorded_at > interval '10 minutes' and a.occurred_at >= since)
    select min(id) into ahead from late;
    return least(low + 1, ahead);
end $$;
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0006_upkeep")]

    operations = [
        migrations.RunSQL(DIGEST),
        migrations.RunSQL(BESIDE),
        migrations.RunSQL(GUARDS),
        migrations.RunSQL(FIRST_ID),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel("DayToRecount"),
                migrations.CreateModel(
                    name="DayToRecount",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "person_id",
                                "activity_type_id",
                                "day",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("person_id", models.IntegerField()),
                        ("activity_type_id", models.IntegerField()),
                        ("day", models.DateField()),
                    ],
                    options={"db_table": "day_to_recount", "managed": False, "default_permissions": ()},
                ),
            ]
        ),
    ]
