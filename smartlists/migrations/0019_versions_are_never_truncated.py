from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("smartlists", "0018_refreshed_lists"), ("activities", "0031_days_are_kept")]

    operations = [
        migrations.RunSQL(
            """create trigger smart_campaign_version_is_never_truncated before truncate on smart_campaign_version
            for each statement execute function refuse_change()""",
            "drop trigger smart_campaign_version_is_never_truncated on smart_campaign_version",
        )
    ]
