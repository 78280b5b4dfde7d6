from django.db import migrations

# A closed day says what the log held: what is written down of it is completed once, and never changed or removed.
# Tables whose rows triggers keep are not to be emptied in one statement either.
KEPT = ("activity_day", "activity_type", "activity_version", "activity_field", "approved_field")
GUARD = """
create function keep_activity_day() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and (new.day, new.count, new.digest, new.closed_at) = (old.day, old.count, old.digest, old.closed_at)
        and (old.chain is null or new.chain = old.chain)
        and (old.keys_upto is null or (new.keys_upto, new.key_count, new.key_digest)
            = (old.keys_upto, old.key_count, old.key_digest)) then
        return new;
    end if;
    raise exception '% of % is refused: its rows are never changed', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end $$;
create trigger activity_day_is_kept before update or delete on activity_day
    for each row execute function keep_activity_day();
"""
DROP_GUARD = "drop trigger activity_day_is_kept on activity_day; drop function keep_activity_day();"
NEVER_TRUNCATED = """create trigger {table}_is_never_truncated before truncate on {table}
    for each statement execute function refuse_change()"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0030_forms")]

    operations = [
        migrations.RunSQL(GUARD, DROP_GUARD),
        *(
            migrations.RunSQL(
                NEVER_TRUNCATED.format(table=table), f"drop trigger {table}_is_never_truncated on {table}"
            )
            for table in KEPT
        ),
    ]
