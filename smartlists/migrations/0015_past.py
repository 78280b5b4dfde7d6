"""The reason of entries that are about the past, and the moment of the evaluation that a watch has seen."""

from django.db import migrations, models

FILL = """
update smart_campaign_watch w set as_of = e.as_of from smart_list_evaluation e where e.id = w.evaluation_id
"""


class Migration(migrations.Migration):
    dependencies = [("smartlists", "0014_campaign_backlog")]

    operations = [
        migrations.AddField(model_name="listwatch", name="as_of", field=models.DateTimeField(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="campaignentry",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("past", "done before: recorded as history, or long after it happened"),
                    ("late", "recorded too long after it happened"),
                    ("paused", "the campaign was paused"),
                    ("audience", "not in the audience"),
                    ("once", "has been through it before"),
                    ("loop", "campaigns trigger each other in a loop"),
                    ("gone", "the person was deleted"),
                    ("archived", "the campaign was archived"),
                    ("failed", "the audience could not be evaluated"),
                ],
                max_length=12,
            ),
        ),
    ]
