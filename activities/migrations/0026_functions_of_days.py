from django.db import migrations

# `create table … partition of` locks out every reader and writer of its parent, and waits for a backup that reads it.
# A table that is made apart and attached only keeps other changes of the parent's definition waiting.
# Only roles that may write what visitors did may make and drop its days. The owner may drop anything anyway: others no
# day that an association may still be undone by.
FUNCTIONS = """
create function make_day_partition(parent text, day date) returns integer
language plpgsql set search_path from current as $$
declare
    part text := parent || '_' || to_char(day, 'YYYYMMDD');
    first_value text := day::text;
    last_value text := (day + 1)::text;
begin
    if to_regclass(part) is not null then
        return 0;
    end if;
    execute format('lock table %I in share update exclusive mode', parent);
    if to_regclass(part) is not null then  -- made while this waited
        return 0;
    end if;
    if parent = 'visitor_activity' then
        first_value := (day::timestamp at time zone 'UTC')::text;
        last_value := ((day + 1)::timestamp at time zone 'UTC')::text;
    end if;
    execute format('create table %I (like %I including defaults including constraints including indexes)', part, parent);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, part, first_value, last_value);
    return 1;
end $$;

create or replace function make_day_partitions(first_day date, last_day date) returns integer
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
        made := made + make_day_partition('visitor_activity', day) + make_day_partition('message_key', day);
    end loop;
    return made;
end $$;

create function make_message_partitions(first_day date, last_day date) returns integer
language plpgsql security definer set search_path from current as $$
declare
    day date;
    made integer := 0;
begin
    if last_day - first_day > 800 or first_day < date '2020-01-01' then
        raise exception 'out of range: % to %', first_day, last_day;
    end if;
    perform set_config('lock_timeout', '2s', true);
    for day in select generate_series(first_day, last_day, interval '1 day')::date loop
        made := made + make_day_partition('message_key', day);
    end loop;
    return made;
end $$;

create or replace function drop_day_partitions(parent text, before date) returns integer
language plpgsql security definer set search_path from current as $$
declare
    part text;
    dropped integer := 0;
begin
    if parent not in ('visitor_activity', 'message_key') then
        raise exception 'no table of days: %', parent;
    end if;
    if parent = 'visitor_activity' and before > current_date - 30
        and not pg_has_role(session_user, (select relowner from pg_class where oid = to_regclass(parent)), 'usage')
    then
        raise exception 'days of the last 30 days are kept: %', before;
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

revoke execute on function make_day_partition(text, date) from public;
revoke execute on function make_day_partitions(date, date) from public;
revoke execute on function make_message_partitions(date, date) from public;
revoke execute on function drop_day_partitions(text, date) from public;
do $$
declare
    writer name;
begin
    for writer in
        select r.rolname from pg_class c, aclexplode(c.relacl) as a join pg_roles r on r.oid = a.grantee
        where c.oid = 'visitor_activity'::regclass and a.privilege_type = 'INSERT'
        union select current_user
    loop
        execute format('grant execute on function make_day_partitions(date, date), make_message_partitions(date, date), '
            'drop_day_partitions(text, date) to %I', writer);
    end loop;
end $$;
"""
# the functions of the version before stay as they are now: they do the same
BACK = """
drop function make_message_partitions(date, date);
grant execute on function make_day_partitions(date, date), drop_day_partitions(text, date) to public;
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0025_index_of_consents")]

    operations = [migrations.RunSQL(FUNCTIONS, BACK)]
