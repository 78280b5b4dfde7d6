"""How many people are on a static list, kept by triggers; what is there already is counted once."""

from django.db import migrations, models

COUNTED = """
create function count_static_list_members() returns trigger language plpgsql as $$
begin
    insert into static_list_count (static_list_id, people)
        select static_list_id, case tg_op when 'INSERT' then count(*) else -count(*) end from moved group by 1;
    return null;
end $$;
create trigger static_list_member_joined_is_counted after insert on static_list_member
    referencing new table as moved for each statement execute function count_static_list_members();
create trigger static_list_member_left_is_counted after delete on static_list_member
    referencing old table as moved for each statement execute function count_static_list_members();
insert into static_list_count (static_list_id, people)
    select static_list_id, count(*) from static_list_member group by 1;
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0010_import_failure_key")]

    operations = [
        migrations.CreateModel(
            name="StaticListCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("static_list_id", models.BigIntegerField()),
                ("people", models.BigIntegerField()),
            ],
            options={
                "db_table": "static_list_count",
                "default_permissions": (),
                "indexes": [models.Index(models.F("static_list_id"), name="static_list_count_list")],
            },
        ),
        migrations.RunSQL(COUNTED, "drop function count_static_list_members() cascade;"),
    ]
