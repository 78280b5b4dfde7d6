"""Object types with versions and fields, their records, and the changes of records."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import people.datatypes.canonical

WORDS = """
create function object_words(fields jsonb) returns tsvector language sql immutable parallel safe
return search_words(coalesce((select string_agg(value, ' ') from jsonb_each_text(fields)), ''));
"""
# as of activity types (activities 0002): what an approval fixed stays; and a change is history
GUARDS = """
create function freeze_object_version() returns trigger language plpgsql as $$
declare culprit text;
begin
    if old.number is not null then
        raise exception 'version % of object type % is approved: it stays and never changes',
            old.number, old.object_type_id using errcode = 'restrict_violation';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    if new.number is null then
        return new;
    end if;
    select f.api_name into culprit from object_field f left join approved_object_field a
        on a.object_type_id = new.object_type_id and a.api_name = f.api_name
        where f.version_id = new.id and (a.data_type <> f.data_type or a.is_dedupe <> f.is_dedupe
            or a.link_to <> f.link_to or a.link_by <> f.link_by
            or (a.id is null and (f.is_dedupe or f.link_to <> '')
                and exists (select from approved_object_field o where o.object_type_id = new.object_type_id)))
        limit 1;
    if found then
        raise exception 'field % had another data type, link or place in the key in an approved version', culprit
            using errcode = 'restrict_violation';
    end if;
    select a.api_name into culprit from approved_object_field a
        where a.object_type_id = new.object_type_id and (a.is_dedupe or a.link_to <> '')
          and not exists (select from object_field f where f.version_id = new.id and f.api_name = a.api_name) limit 1;
    if found then
        raise exception 'field % is part of the key, or a link: it stays', culprit using errcode = 'restrict_violation';
    end if;
    if (select count(*) from object_field f where f.version_id = new.id and f.is_dedupe) not between 1 and 3 then
        raise exception 'an object type has one to three dedupe fields' using errcode = 'restrict_violation';
    end if;
    insert into approved_object_field (object_type_id, api_name, data_type, is_dedupe, link_to, link_by)
        select new.object_type_id, f.api_name, f.data_type, f.is_dedupe, f.link_to, f.link_by
        from object_field f where f.version_id = new.id
        on conflict (object_type_id, api_name) do nothing;
    insert into object_link (object_type_id, linked_type_id)
        select new.object_type_id, t.id from object_field f join object_type t on t.api_name = f.link_to
        where f.version_id = new.id and f.link_to not in ('', 'person') on conflict do nothing;
    return new;
end $$;
create trigger object_version_is_frozen before update or delete on object_version
    for each row execute function freeze_object_version();

create function freeze_object_fields() returns trigger language plpgsql as $$
begin
    if exists (select from object_version v where v.number is not null
               and v.id in (case when tg_op <> 'INSERT' then old.version_id end,
                            case when tg_op <> 'DELETE' then new.version_id end)) then
        raise exception 'the fields of an approved version never change' using errcode = 'restrict_violation';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger object_field_is_frozen before insert or update or delete on object_field
    for each row execute function freeze_object_fields();

create function refuse_object_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: its rows are never changed', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end $$;
create trigger approved_object_field_is_for_ever before update or delete on approved_object_field
    for each statement execute function refuse_object_change();
create trigger object_change_is_never_truncated before truncate on object_change
    for each statement execute function refuse_object_change();
create trigger object_type_is_never_truncated before truncate on object_type
    for each statement execute function refuse_object_change();
create trigger object_version_is_never_truncated before truncate on object_version
    for each statement execute function refuse_object_change();
create trigger object_field_is_never_truncated before truncate on object_field
    for each statement execute function refuse_object_change();
create trigger approved_object_field_is_never_truncated before truncate on approved_object_field
    for each statement execute function refuse_object_change();

create function keep_object_type() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.live_id is not null then
            raise exception 'object type % was approved once: its id and API name stay reserved', old.id
                using errcode = 'restrict_violation';
        end if;
        return old;
    end if;
    if new.id <> old.id or (old.live_id is not null and (new.api_name <> old.api_name or new.live_id is null)) then
        raise exception 'id, API name and approval of object type % are for ever', old.id
            using errcode = 'restrict_violation';
    end if;
    if new.live_id is distinct from old.live_id and not exists (
        select from object_version v
        where v.id = new.live_id and v.object_type_id = new.id and v.number is not null) then
        raise exception 'the live version of object type % must be an approved version of it', new.id
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger object_type_is_kept before update or delete on object_type
    for each row execute function keep_object_type();

-- A change is history. A merge gives it to the winner, an erase takes values out of it; nothing else changes it.
create function keep_object_change() returns trigger language plpgsql as $$
begin
    if (new.id, new.record_id, new.object_type_id, new.kind, new.revision, new.changed_at, new.channel)
        is distinct from (old.id, old.record_id, old.object_type_id, old.kind, old.revision, old.changed_at, old.channel)
        or not new.changes <@ old.changes then
        raise exception 'change % of record % is history and never changes', old.id, old.record_id
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger object_change_is_kept before update on object_change
    for each row execute function keep_object_change();

-- Whoever inserts holds the lock that readers look for (people.objects.change_log). 27 << 56 is
-- people.core.db.locks.LockSpace.OBJECT_CHANGES.
create function hold_object_changes() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared((27::bigint << 56) | case when is_called then last_value else 0 end)
        from object_change_id_seq;
    return null;
end $$;
create trigger object_change_insert_holds_mark before insert on object_change
    for each statement execute function hold_object_changes();
"""
DROP_GUARDS = """
drop trigger object_change_insert_holds_mark on object_change;
drop trigger object_change_is_kept on object_change;
drop trigger object_change_is_never_truncated on object_change;
drop trigger object_type_is_never_truncated on object_type;
drop trigger object_version_is_never_truncated on object_version;
drop trigger object_field_is_never_truncated on object_field;
drop trigger approved_object_field_is_never_truncated on approved_object_field;
drop trigger object_type_is_kept on object_type;
drop trigger approved_object_field_is_for_ever on approved_object_field;
drop trigger object_field_is_frozen on object_field;
drop trigger object_version_is_frozen on object_version;
drop function hold_object_changes(); drop function keep_object_change(); drop function keep_object_type();
drop function refuse_object_change(); drop function freeze_object_fields(); drop function freeze_object_version();
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0026_suggested_pair"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.RunSQL(WORDS, "drop function object_words(jsonb);"),
        migrations.CreateModel(
            name="ObjectType",
            fields=[
                ("api_name", models.CharField(max_length=255, unique=True, verbose_name="API name")),
                ("retired_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="retired at")),
                ("deleted_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="deleted at")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="updated at")),
                ("id", models.AutoField(primary_key=True, serialize=False)),
                (
                    "is_shown_on_person",
                    models.BooleanField(db_default=True, default=True, verbose_name="shown on the page of a person"),
                ),
                (
                    "folder",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="people.folder",
                        verbose_name="folder",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "object type",
                "verbose_name_plural": "object types",
                "db_table": "object_type",
                "ordering": ["id"],
                "permissions": [("approve_objecttype", "Can approve, retire and restore object types")],
            },
        ),
        migrations.CreateModel(
            name="ObjectVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField(editable=False, null=True, verbose_name="number")),
                ("name", models.CharField(max_length=255, verbose_name="name")),
                ("description", models.TextField(blank=True, verbose_name="description")),
                ("revision", models.PositiveIntegerField(default=1, editable=False)),
                ("return_reason", models.TextField(blank=True, editable=False, verbose_name="returned because")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("approved_at", models.DateTimeField(editable=False, null=True, verbose_name="approved at")),
                ("plural_name", models.CharField(max_length=255, verbose_name="plural name")),
                (
                    "approved_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
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
                ("editors", models.ManyToManyField(editable=False, related_name="+", to=settings.AUTH_USER_MODEL)),
                (
                    "object_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="people.objecttype"
                    ),
                ),
            ],
            options={
                "verbose_name": "version of an object type",
                "verbose_name_plural": "versions of object types",
                "db_table": "object_version",
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="objecttype",
            name="draft",
            field=models.OneToOneField(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="draft_of",
                to="people.objectversion",
            ),
        ),
        migrations.AddField(
            model_name="objecttype",
            name="live",
            field=models.OneToOneField(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="live_of",
                to="people.objectversion",
            ),
        ),
        migrations.CreateModel(
            name="ObjectField",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("api_name", models.CharField(max_length=255, verbose_name="API name")),
                ("name", models.CharField(max_length=255, verbose_name="name")),
                ("description", models.TextField(blank=True, verbose_name="description")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                ("is_dedupe", models.BooleanField(default=False, verbose_name="dedupe field")),
                ("link_to", models.CharField(blank=True, default="", max_length=255, verbose_name="links to")),
                ("link_by", models.CharField(blank=True, default="", max_length=255, verbose_name="by")),
                (
                    "data_type",
                    models.CharField(
                        choices=[
                            ("string", "Text"),
                            ("text", "Long text"),
                            ("email", "Email"),
                            ("phone", "Phone"),
                            ("link", "Link"),
                            ("boolean", "Yes or no"),
                            ("integer", "Whole number"),
                            ("float", "Number"),
                            ("currency", "Currency"),
                            ("date", "Date"),
                            ("datetime", "Date and time"),
                        ],
                        max_length=16,
                        verbose_name="data type",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="fields", to="people.objectversion"
                    ),
                ),
            ],
            options={
                "verbose_name": "object field",
                "verbose_name_plural": "object fields",
                "db_table": "object_field",
                "ordering": ["position", "id"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ObjectChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("record_id", models.BigIntegerField()),
                ("object_type_id", models.IntegerField()),
                ("person_id", models.IntegerField(null=True)),
                ("former_person_id", models.IntegerField(null=True)),
                (
                    "kind",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (1, "Added"),
                            (2, "Changed"),
                            (3, "Deleted"),
                            (4, "Restored"),
                            (5, "Given its person"),
                        ],
                        verbose_name="kind",
                    ),
                ),
                (
                    "changes",
                    models.JSONField(
                        decoder=people.datatypes.canonical.ExactDecoder,
                        default=dict,
                        encoder=people.datatypes.canonical.ExactEncoder,
                    ),
                ),
                ("revision", models.PositiveIntegerField()),
                ("version", models.PositiveSmallIntegerField()),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="changed at"
                    ),
                ),
                (
                    "channel",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (1, "Admin"),
                            (2, "API"),
                            (3, "Marketo API"),
                            (4, "Import"),
                            (5, "Smart campaign"),
                            (6, "System"),
                            (7, "Command"),
                            (8, "Event source"),
                            (9, "Form"),
                        ],
                        verbose_name="channel",
                    ),
                ),
                ("origin_id", models.BigIntegerField(null=True)),
                ("is_backfill", models.BooleanField(default=False)),
                ("undoes_id", models.BigIntegerField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "change of an object record",
                "verbose_name_plural": "changes of object records",
                "db_table": "object_change",
                "default_permissions": (),
                "indexes": [
                    models.Index(models.F("record_id"), models.F("id"), name="object_change_record"),
                    models.Index(
                        models.F("object_type_id"),
                        models.F("changed_at"),
                        models.F("person_id"),
                        name="object_change_period",
                    ),
                    models.Index(models.F("person_id"), models.F("id"), name="object_change_person"),
                    models.Index(
                        models.F("former_person_id"),
                        condition=models.Q(("former_person_id__isnull", False)),
                        name="object_change_former",
                    ),
                    models.Index(
                        models.F("origin_id"),
                        models.F("id"),
                        condition=models.Q(("origin_id__isnull", False)),
                        name="object_change_origin",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ObjectRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("guid", models.UUIDField(editable=False, unique=True)),
                ("version", models.PositiveSmallIntegerField(verbose_name="version")),
                ("person_id", models.IntegerField(null=True, verbose_name="person")),
                ("person_key", models.TextField(null=True)),
                ("linked_key", models.TextField(null=True)),
                ("dedupe_hash", models.BinaryField(max_length=32)),
                ("name", models.TextField(verbose_name="name")),
                (
                    "fields",
                    models.JSONField(
                        decoder=people.datatypes.canonical.ExactDecoder,
                        default=dict,
                        encoder=people.datatypes.canonical.ExactEncoder,
                        verbose_name="values",
                    ),
                ),
                ("revision", models.PositiveIntegerField(default=1)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="created at"
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="updated at"
                    ),
                ),
                ("deleted_at", models.DateTimeField(null=True, verbose_name="deleted at")),
                (
                    "linked",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="linking",
                        to="people.objectrecord",
                    ),
                ),
                (
                    "object_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="records", to="people.objecttype"
                    ),
                ),
            ],
            options={
                "verbose_name": "object record",
                "verbose_name_plural": "object records",
                "db_table": "object_record",
                "indexes": [
                    models.Index(
                        models.F("object_type"),
                        models.F("id"),
                        condition=models.Q(("deleted_at__isnull", True)),
                        name="object_record_page",
                    ),
                    models.Index(
                        models.F("object_type"), models.F("updated_at"), models.F("id"), name="object_record_updated"
                    ),
                    models.Index(
                        models.F("object_type"),
                        models.F("person_id"),
                        condition=models.Q(("deleted_at__isnull", True)),
                        name="object_record_has",
                    ),
                    models.Index(
                        models.F("person_id"), models.F("object_type"), models.F("id"), name="object_record_person"
                    ),
                    models.Index(
                        models.F("linked"), condition=models.Q(("linked__isnull", False)), name="object_record_linked"
                    ),
                    models.Index(
                        models.F("object_type"),
                        models.Func("person_key", function="md5", output_field=models.TextField()),
                        condition=models.Q(("person_id__isnull", True), ("person_key__isnull", False)),
                        name="object_record_waiting",
                    ),
                    models.Index(
                        models.F("object_type"),
                        models.Func("linked_key", function="md5", output_field=models.TextField()),
                        condition=models.Q(("linked__isnull", True), ("linked_key__isnull", False)),
                        name="object_record_waits_record",
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        models.Func(
                            models.F("fields"),
                            function="object_words",
                            output_field=django.contrib.postgres.search.SearchVectorField(),
                        ),
                        name="object_record_words",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("object_type"),
                        models.F("dedupe_hash"),
                        condition=models.Q(("deleted_at__isnull", True)),
                        name="object_record_is_unique",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ObjectLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "linked_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="linked_by", to="people.objecttype"
                    ),
                ),
                (
                    "object_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="links", to="people.objecttype"
                    ),
                ),
            ],
            options={
                "db_table": "object_link",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("object_type"), models.F("linked_type"), name="object_link_is_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ApprovedObjectField",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_dedupe", models.BooleanField(default=False, verbose_name="dedupe field")),
                ("link_to", models.CharField(blank=True, default="", max_length=255, verbose_name="links to")),
                ("link_by", models.CharField(blank=True, default="", max_length=255, verbose_name="by")),
                ("api_name", models.CharField(max_length=255)),
                (
                    "data_type",
                    models.CharField(
                        choices=[
                            ("string", "Text"),
                            ("text", "Long text"),
                            ("email", "Email"),
                            ("phone", "Phone"),
                            ("link", "Link"),
                            ("boolean", "Yes or no"),
                            ("integer", "Whole number"),
                            ("float", "Number"),
                            ("currency", "Currency"),
                            ("date", "Date"),
                            ("datetime", "Date and time"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "object_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approved_fields",
                        to="people.objecttype",
                    ),
                ),
            ],
            options={
                "verbose_name": "approved object field",
                "verbose_name_plural": "approved object fields",
                "db_table": "approved_object_field",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("object_type"), models.F("api_name"), name="approved_object_field_is_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ObjectTypeName",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=255)),
                ("kind", models.CharField(choices=[("name", "name"), ("plural_name", "plural name")], max_length=12)),
                (
                    "object_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="names", to="people.objecttype"
                    ),
                ),
            ],
            options={
                "db_table": "object_type_name",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(models.F("kind"), models.F("key"), name="object_type_name_is_unique")
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="objectversion",
            constraint=models.UniqueConstraint(
                models.F("object_type"), models.F("number"), name="object_version_number_is_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="objectversion",
            constraint=models.UniqueConstraint(
                models.F("object_type"), condition=models.Q(("number__isnull", True)), name="object_version_one_draft"
            ),
        ),
        migrations.AddConstraint(
            model_name="objectversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approved_at__isnull", True), ("number__isnull", True)),
                    models.Q(("approved_at__isnull", False), ("number__isnull", False)),
                    _connector="OR",
                ),
                name="object_version_number_means_approved",
            ),
        ),
        migrations.AddConstraint(
            model_name="objecttype",
            constraint=models.CheckConstraint(
                condition=models.Q(("api_name__regex", "^[A-Za-z0-9_]*[A-Za-z][A-Za-z0-9_]*$")),
                name="object_type_api_name_is_a_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="objectfield",
            constraint=models.UniqueConstraint(
                models.F("version"), models.F("api_name"), name="object_field_api_name_is_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="objectfield",
            constraint=models.CheckConstraint(
                condition=models.Q(("api_name__regex", "^[A-Za-z0-9_]*[A-Za-z][A-Za-z0-9_]*$")),
                name="object_field_api_name_is_a_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="objectfield",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("link_by", ""), ("link_to", "")),
                    models.Q(models.Q(("link_to", ""), _negated=True), models.Q(("link_by", ""), _negated=True)),
                    _connector="OR",
                ),
                name="object_field_link_is_whole",
            ),
        ),
        migrations.RunSQL(GUARDS, DROP_GUARDS),
    ]
