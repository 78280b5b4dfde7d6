"""What moving visitors' rows into the log needs: reasons of refusal, what is past, and what is still to be done.

The columns have constant defaults, so no row is written. The indexes of rows that are still to be moved are made anew
without refused rows, which would be looked through for ever. What a row says of identity is found by an erase.
"""

from django.conf import settings
from django.db import migrations, models

MOVES = """
alter table visitor_activity add column is_past boolean not null default false, add column refusal text;
drop index visitor_activity_waiting;
drop index visitor_activity_owned;
create index visitor_activity_waiting on visitor_activity (visitor_id, id)
    where activity_id is null and activity_type_id is not null and refusal is null;
create index visitor_activity_owned on visitor_activity (id)
    where association_id is not null and activity_id is null and activity_type_id is not null and refusal is null;
create index visitor_activity_of_deleted on visitor_activity (id) where refusal = 'person_deleted';
create index visitor_activity_email on visitor_activity (lower(identity ->> 'email')) where identity ->> 'email' <> '';
create index visitor_activity_user_id on visitor_activity (lower(identity ->> 'user_id'))
    where identity ->> 'user_id' <> '';
"""
DROP_MOVES = """
drop index visitor_activity_user_id;
drop index visitor_activity_email;
drop index visitor_activity_of_deleted;
drop index visitor_activity_owned;
drop index visitor_activity_waiting;
create index visitor_activity_waiting on visitor_activity (visitor_id, id)
    where activity_id is null and activity_type_id is not null;
create index visitor_activity_owned on visitor_activity (id)
    where association_id is not null and activity_id is null and activity_type_id is not null;
alter table visitor_activity drop column refusal, drop column is_past;
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0021_new_visitors"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.AlterModelOptions(
            name="visitor",
            options={
                "default_permissions": ("view",),
                "permissions": [("associate_visitor", "Can say who a visitor is, and undo it")],
                "verbose_name": "visitor",
                "verbose_name_plural": "visitors",
            },
        ),
        migrations.AlterField(
            "association",
            "evidence",
            models.PositiveSmallIntegerField(
                choices=[
                    (1, "Signature or server call"),
                    (2, "Submitted form"),
                    (3, "Link in an email"),
                    (4, "Claim of a web page"),
                ],
                verbose_name="evidence",
            ),
        ),
        migrations.AddField("association", "has_created_person", models.BooleanField(db_default=False, default=False)),
        migrations.AddField("association", "is_unfinished", models.BooleanField(db_default=False, default=False)),
        migrations.AddField(
            "eventsource",
            "creates_people",
            models.BooleanField(db_default=False, default=False, verbose_name="pages create people"),
        ),
        migrations.AddField(
            "eventsource",
            "people_an_hour",
            models.PositiveIntegerField(db_default=100, default=100, verbose_name="new people an hour, at most"),
        ),
        migrations.AddIndex(
            "association",
            models.Index(condition=models.Q(("is_unfinished", True)), fields=["id"], name="association_unfinished"),
        ),
        migrations.AddIndex(
            "association",
            models.Index(
                condition=models.Q(("has_created_person", True)),
                fields=["event_source", "created_at"],
                name="association_created_people",
            ),
        ),
        migrations.RunSQL(
            MOVES,
            DROP_MOVES,
            state_operations=[
                migrations.AddField("visitoractivity", "is_past", models.BooleanField(default=False)),
                migrations.AddField("visitoractivity", "refusal", models.TextField(null=True)),
            ],
        ),
    ]
