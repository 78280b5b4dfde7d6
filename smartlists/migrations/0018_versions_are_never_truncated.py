from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("smartlists", "0017_report_notes"), ("activities", "0028_days_are_kept")]

    operations = [
        migrations.RunSQL(
            """create trigger smart_campaign_version_is_never_truncated before truncate on smart_campaign_version
            for each statement execute function refuse_change()""",
            "drop trigger smart_campaign_version_is_never_truncated on smart_campaign_version",
        )
    ]
