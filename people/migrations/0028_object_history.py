"""The history of object records: read by type, searched by the values of links, and guarded as its model says.

Indexes are built while records are written. The version before writes changes without `link_keys`: a trigger fills
them in. Its erasures of people with records are refused by the new guard as a whole, and succeed after the upgrade.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

GUARD = """
create or replace function keep_object_change() returns trigger language plpgsql as $$
declare
    is_erasing boolean := coalesce(current_setting('people.erasing', true), '') = 'on';
begin
    if tg_op = 'DELETE' then
        if not is_erasing then
            raise exception 'change % of record % is history and stays', old.id, old.record_id
                using errcode = 'restrict_violation';
        end if;
        return old;
    end if;
    if (to_jsonb(new) - array['person_id', 'former_person_id', 'changes', 'link_keys'])
        is distinct from (to_jsonb(old) - array['person_id', 'former_person_id', 'changes', 'link_keys'])
        -- a merge gives it to the winner
        or (new.person_id is null) <> (old.person_id is null)
        -- an erasure takes people and values out of it
        or (new.former_person_id is distinct from old.former_person_id
            and not (is_erasing and new.former_person_id is null))
        or (new.changes is distinct from old.changes and not (is_erasing and not exists (
            select from jsonb_each(new.changes) as kept
            where old.changes -> kept.key is distinct from kept.value)))
        or (new.link_keys is distinct from old.link_keys
            and not (is_erasing and coalesce(new.link_keys, '{}') <@ coalesce(old.link_keys, '{}'))) then
        raise exception 'change % of record % is history and never changes', old.id, old.record_id
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create or replace trigger object_change_is_kept before update or delete on object_change
    for each row execute function keep_object_change();
"""
OLD_GUARD = """
create or replace function keep_object_change() returns trigger language plpgsql as $$
begin
    if (new.id, new.record_id, new.object_type_id, new.kind, new.revision, new.changed_at, new.channel)
        is distinct from (old.id, old.record_id, old.object_type_id, old.kind, old.revision, old.changed_at, old.channel)
        or not new.changes <@ old.changes then
        raise exception 'change % of record % is history and never changes', old.id, old.record_id
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create or replace trigger object_change_is_kept before update on object_change
    for each row execute function keep_object_change();
"""
# the values of links among changes, as compared by `people.datatypes.keys.key_of`; null if there are none
LINK_KEYS = """
create or replace function object_change_link_keys(type_id int, changes jsonb) returns text[] language sql stable as $$
    select array_agg(distinct lower(normalize(trim(value))))
    from approved_object_field f cross join jsonb_array_elements_text(changes -> f.api_name) as value
    where f.object_type_id = type_id and f.link_to <> '' and changes ? f.api_name and value is not null
$$;
create or replace function fill_object_change_link_keys() returns trigger language plpgsql as $$
begin
    new.link_keys := object_change_link_keys(new.object_type_id, new.changes);
    return new;
end $$;
create or replace trigger object_change_has_link_keys before insert on object_change
    for each row when (new.link_keys is null and new.changes <> '{}')
    execute function fill_object_change_link_keys();
"""
NO_LINK_KEYS = """
drop trigger object_change_has_link_keys on object_change;
drop function fill_object_change_link_keys();
drop function object_change_link_keys(int, jsonb);
"""
FILL = """
update object_change set link_keys = object_change_link_keys(object_type_id, changes)
where link_keys is null and changes <> '{}'
"""
INDEXES = (
    ("objectchange", models.Index("object_type_id", "id", name="object_change_log")),
    ("objectchange", models.Index("person_id", "changed_at", "id", name="object_change_timeline")),
    (
        "objectchange",
        django.contrib.postgres.indexes.GinIndex(
            "link_keys", condition=Q(link_keys__isnull=False), name="object_change_links"
        ),
    ),
    (
        "objectrecord",
        models.Index(
            models.F("object_type"),
            models.Func("person_key", function="md5", output_field=models.TextField()),
            condition=Q(person_key__isnull=False),
            name="object_record_names_person",
        ),
    ),
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("people", "0027_objects")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    "objectchange",
                    "link_keys",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True),
                )
            ],
            database_operations=[
                # repeatable, as nothing of this migration is one transaction
                migrations.RunSQL(
                    "alter table object_change add column if not exists link_keys text[]",
                    "alter table object_change drop column link_keys",
                )
            ],
        ),
        migrations.RunSQL(OLD_GUARD, migrations.RunSQL.noop),
        migrations.RunSQL(LINK_KEYS, NO_LINK_KEYS),  # before the rows that exist are filled, so that none is missed
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL(GUARD, OLD_GUARD),
        *(
            operation
            for model, index in INDEXES
            for operation in (
                # a build that was cut off leaves an index that serves nobody and keeps the name
                migrations.RunSQL(f"drop index concurrently if exists {index.name}", migrations.RunSQL.noop),
                AddIndexConcurrently(model, index),
            )
        ),
        RemoveIndexConcurrently("objectrecord", "object_record_waiting"),
        RemoveIndexConcurrently("objectchange", "object_change_person"),
        migrations.AlterField(
            "objectchange",
            "kind",
            models.PositiveSmallIntegerField(
                choices=[
                    (1, "Added"),
                    (2, "Changed"),
                    (3, "Deleted"),
                    (4, "Restored"),
                    (5, "Given its person"),
                    (6, "Given its linked record"),
                ],
                verbose_name="kind",
            ),
        ),
    ]
