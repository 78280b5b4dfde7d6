from django.db import migrations, models

NAME = "campaign_entry_once_a_change"
CONSTRAINT = models.UniqueConstraint(
    models.F("campaign"),
    models.F("person_id"),
    models.F("object_change_id"),
    condition=models.Q(("object_change_id__isnull", False)),
    name=NAME,
)


class Migration(migrations.Migration):
    atomic = False  # the index is built while people enter; it is alone here, so that a build cut off can be repeated

    dependencies = [("smartlists", "0021_object_triggers")]

    operations = [
        # a build that was cut off leaves an index that serves nobody and keeps the name
        migrations.RunSQL(f"drop index concurrently if exists {NAME}", migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    f"create unique index concurrently {NAME} on campaign_entry (campaign_id, person_id, object_change_id)"
                    " where object_change_id is not null",
                    f"drop index concurrently if exists {NAME}",
                )
            ],
            [migrations.AddConstraint("campaignentry", CONSTRAINT)],
        ),
    ]
