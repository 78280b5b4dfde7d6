"""The author of an activity recorded by hand may withdraw it within a day: a reason of its own, kept by a trigger.

The table holds an entry for each removed activity: the new constraint is not checked against them (they satisfied a
narrower one), so that recording waits for no scan. The version before knows neither the reason nor the trigger.
"""

from django.db import migrations, models

REASONS = """
alter table activity_removal drop constraint activity_removal_reason_check;
alter table activity_removal add constraint activity_removal_reason_check check ({}) not valid;
"""
BEFORE = "reason in ('erase', 'merge', 'retention', 'correction', 'undo')"
AFTER = "reason in ('erase', 'merge', 'retention', 'correction', 'undo', 'withdrawn')"

# door 1 is Channel.ADMIN; the team's own types begin at 100001. Both this and the verb measure the day from the start
# of the transaction, by the database's clock, so that they agree.
GUARD = """
create function refuse_unfounded_withdrawal() returns trigger language plpgsql as $$
declare is_founded boolean;
begin
    execute format(
        'select exists (select from %s a where a.id = $1 and a.person_id = $2 and a.user_id = $3 and a.door = 1
            and a.activity_type_id > 100000 and a.recorded_at > now() - interval ''24 hours'')',
        table_beside(tg_table_schema, tg_table_name, 'activity'))
        into is_founded using new.activity_id, new.person_id, new.user_id;
    if not is_founded then
        raise exception 'activity % cannot be withdrawn: only its author can, within 24 hours, and only by hand',
            new.activity_id using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger activity_removal_withdrawal_is_founded before insert on activity_removal
    for each row when (new.reason = 'withdrawn') execute function refuse_unfounded_withdrawal();
"""
DROP_GUARD = """
drop trigger activity_removal_withdrawal_is_founded on activity_removal;
drop function refuse_unfounded_withdrawal();
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0013_type_pictures")]

    operations = [
        migrations.RunSQL(REASONS.format(AFTER), REASONS.format(BEFORE)),
        migrations.RunSQL(GUARD, DROP_GUARD),
        migrations.AlterField(
            "activityremoval",
            "reason",
            models.CharField(
                choices=[
                    ("erase", "Person erased"),
                    ("merge", "Moved by a merge"),
                    ("retention", "Kept long enough"),
                    ("correction", "Corrected by an operator"),
                    ("undo", "Undone"),
                    ("withdrawn", "Withdrawn by its author"),
                ],
                max_length=12,
            ),
        ),
    ]
