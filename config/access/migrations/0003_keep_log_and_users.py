"""The log of edits only grows, and users are deactivated, never deleted: kept by the database."""

from django.db import migrations

GUARDS = """
create function refuse_to_forget() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: its rows stay as they are', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end $$;
create trigger admin_log_is_append_only before update or delete or truncate on django_admin_log
    for each statement execute function refuse_to_forget();
create trigger users_are_never_deleted before delete or truncate on access_user
    for each statement execute function refuse_to_forget();
"""
DROP = """
drop trigger users_are_never_deleted on access_user;
drop trigger admin_log_is_append_only on django_admin_log;
drop function refuse_to_forget();
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0002_apiclient"), ("admin", "0003_logentry_add_action_flag_choices")]

    operations = [migrations.RunSQL(GUARDS, DROP)]
