import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

# What is in print leads where it led: a code is taken for ever, and is a link's for ever.
GUARD = """
create trigger link_code_is_for_ever before update or delete or truncate on link_code
    for each statement execute function refuse_change();
create trigger link_destination_is_never_changed before update or truncate on link_destination
    for each statement execute function refuse_change();
create function keep_link_code() returns trigger language plpgsql as $$
begin
    if new.code is distinct from old.code then
        raise exception 'a link keeps its code' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger tracked_link_keeps_its_code before update on tracked_link
    for each row execute function keep_link_code();
"""
DROP_GUARD = """
drop trigger link_code_is_for_ever on link_code;
drop trigger link_destination_is_never_changed on link_destination;
drop trigger tracked_link_keeps_its_code on tracked_link;
drop function keep_link_code();
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0033_inbound_replays"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="LinkCode",
            fields=[
                ("code", models.CharField(max_length=50, primary_key=True, serialize=False)),
                ("taken_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={"db_table": "link_code", "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="TrackedLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=255, verbose_name="name")),
                ("code", models.CharField(editable=False, max_length=50, unique=True, verbose_name="short address")),
                ("destination", models.CharField(max_length=2000, verbose_name="destination")),
                (
                    "fallback",
                    models.CharField(blank=True, default="", max_length=2000, verbose_name="destination afterwards"),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="ends")),
                ("is_on", models.BooleanField(default=True, verbose_name="on")),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("email", "Email"),
                            ("print", "Print"),
                            ("social", "Social media"),
                            ("ads", "Ads"),
                            ("partner", "Partner"),
                            ("message", "Text message"),
                            ("other", "Other"),
                        ],
                        default="other",
                        max_length=7,
                        verbose_name="channel",
                    ),
                ),
                ("utm_source", models.CharField(blank=True, default="", max_length=100, verbose_name="UTM source")),
                ("utm_medium", models.CharField(blank=True, default="", max_length=100, verbose_name="UTM medium")),
                ("utm_campaign", models.CharField(blank=True, default="", max_length=100, verbose_name="UTM campaign")),
                ("utm_term", models.CharField(blank=True, default="", max_length=100, verbose_name="UTM term")),
                ("utm_content", models.CharField(blank=True, default="", max_length=100, verbose_name="UTM content")),
                (
                    "activity",
                    models.CharField(
                        choices=[("click_link", "Click Link"), ("click_email", "Click Email")],
                        default="click_link",
                        max_length=11,
                        verbose_name="recorded as",
                    ),
                ),
                ("email_name", models.CharField(blank=True, default="", max_length=255, verbose_name="email")),
                ("is_identifying", models.BooleanField(default=True, verbose_name="recognizes browsers")),
                ("revision", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="updated at")),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "website",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="activities.eventsource",
                        verbose_name="web site",
                    ),
                ),
            ],
            options={
                "verbose_name": "tracked link",
                "verbose_name_plural": "tracked links",
                "db_table": "tracked_link",
            },
        ),
        migrations.CreateModel(
            name="LinkDestination",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("destination", models.CharField(max_length=2000)),
                ("from_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "changed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "link",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="destinations",
                        to="activities.trackedlink",
                    ),
                ),
            ],
            options={"db_table": "link_destination", "ordering": ["-id"], "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="LinkDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("clicks", models.IntegerField(default=0)),
                ("machines", models.IntegerField(default=0)),
                (
                    "link",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="days", to="activities.trackedlink"
                    ),
                ),
            ],
            options={"db_table": "link_day", "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="LinkClick",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("message_id", models.BinaryField(max_length=16)),
                ("received_at", models.DateTimeField()),
                ("is_machine", models.BooleanField(default=False)),
                ("reason", models.CharField(blank=True, default="", max_length=100)),
                ("is_signed", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("counted", "Counted"),
                            ("new", "New"),
                            ("recorded", "Recorded"),
                            ("refused", "Not recorded"),
                        ],
                        default="counted",
                        max_length=8,
                    ),
                ),
                ("problem", models.CharField(blank=True, default="", max_length=40)),
                ("person_id", models.IntegerField(null=True)),
                ("visitor_id", models.BigIntegerField(null=True)),
                ("association_id", models.BigIntegerField(null=True)),
                ("activity_id", models.BigIntegerField(null=True)),
                ("values", models.JSONField(default=dict)),
                (
                    "link",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="clicks", to="activities.trackedlink"
                    ),
                ),
            ],
            options={"db_table": "link_click", "ordering": ["-id"], "default_permissions": ()},
        ),
        migrations.AddConstraint(
            model_name="trackedlink",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("name"), name="tracked_link_name_is_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="linkday",
            constraint=models.UniqueConstraint(models.F("link"), models.F("day"), name="link_day_is_unique"),
        ),
        migrations.AddIndex(
            model_name="linkclick", index=models.Index(fields=["link", "-id"], name="link_click_of_link")
        ),
        migrations.AddIndex(
            model_name="linkclick",
            index=models.Index(condition=models.Q(("state", "new")), fields=["id"], name="link_click_new"),
        ),
        migrations.AddIndex(model_name="linkclick", index=models.Index(fields=["person_id"], name="link_click_person")),
        migrations.AddIndex(
            model_name="linkclick",
            index=models.Index(
                condition=models.Q(("visitor_id__isnull", False)), fields=["visitor_id"], name="link_click_visitor"
            ),
        ),
        migrations.AddIndex(
            model_name="linkclick",
            index=models.Index(
                condition=models.Q(("is_machine", False), ("person_id__isnull", False)),
                fields=["link", "person_id"],
                name="link_click_people",
            ),
        ),
        migrations.AddIndex(
            model_name="linkclick", index=models.Index(fields=["received_at"], name="link_click_received")
        ),
        migrations.AddConstraint(
            model_name="linkclick",
            constraint=models.UniqueConstraint(models.F("link"), models.F("message_id"), name="link_click_is_unique"),
        ),
        migrations.RunSQL(GUARD, DROP_GUARD),
    ]
