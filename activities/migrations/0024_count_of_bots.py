from django.db import migrations, models

# types of the team may have said so before: their days are counted again by the next run of the rollup
RECOUNT = """
insert into day_to_recount (person_id, activity_type_id, day, transaction_id)
    select 0, d.activity_type_id, d.day, pg_current_xact_id() from daily_count d join approved_field f
        on f.activity_type_id = d.activity_type_id and f.api_name = 'is_bot' and f.data_type = 'boolean'
    on conflict do nothing;
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0023_recent_events")]

    operations = [
        migrations.AddField("DailyCount", "bots", models.BigIntegerField(default=0, db_default=0)),
        migrations.RunSQL(RECOUNT, migrations.RunSQL.noop),
    ]
