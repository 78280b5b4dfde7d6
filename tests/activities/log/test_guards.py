"""The rules that never bend, broken on purpose in the database itself."""

import pytest
from django.db import DatabaseError, connection, transaction

from activities.log.digest import digest_sql
from activities.models import Activity, ActivityDay, ActivityRemoval, ActivityType, ActivityVersion
from people.definitions import lifecycle
from tests.factories import approved_type, draft_type, edit_description, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


def refused(sql, *parameters):
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
    return str(caught.value)


def test_an_activity_is_never_updated():
    check = approved_type()
    record_rows(new_activity(make_person().pk))
    assert "never changed" in refused("update activity set primary_value = 'x'")
    assert "never changed" in refused("update activity set person_id = person_id where activity_type_id = %s", check.pk)


def test_the_log_is_never_truncated():
    assert "never changed" in refused("truncate activity")
    assert "never changed" in refused("truncate activity_key")
    assert "never changed" in refused("truncate activity_removal")


# triggers that count or note what happens to rows, and keep none
COUNTING = ("count_", "note_", "hold_")


def test_no_table_whose_rows_are_kept_is_emptied_at_once():
    with connection.cursor() as cursor:
        cursor.execute(
            """select distinct tgrelid::regclass::text, proname from pg_trigger join pg_proc p on p.oid = tgfoid
            join pg_class c on c.oid = tgrelid and c.relnamespace = current_schema()::regnamespace
            where not tgisinternal and tgtype & 24 > 0 and tgrelid::regclass::text !~ '^procrastinate'"""
        )
        kept = {table for table, function in cursor.fetchall() if not function.startswith(COUNTING)}
        cursor.execute("set constraints all immediate")  # or TRUNCATE fails for pending checks
    assert len(kept) > 8
    for table in kept:
        assert "never changed" in (said := refused(f"truncate {table} cascade")) or "stay as they are" in said, table


def test_what_is_written_down_of_a_closed_day_stays():
    ActivityDay.objects.create(day="2026-11-20", count=3, digest=7)
    assert ActivityDay.objects.update(chain="a" * 64) == ActivityDay.objects.update(keys_upto=5, key_count=1) == 1
    changes = ("count = 4", "digest = 8", "day = '2026-11-19'", "chain = null", "chain = 'b'", "keys_upto = 6")
    for change in changes:
        assert "never changed" in refused(f"update activity_day set {change}"), change
    assert "never changed" in refused("delete from activity_day")


def test_a_delete_without_a_removal_entry_is_refused():
    approved_type()
    record_rows(new_activity(make_person().pk))
    assert "no removal entry" in refused("delete from activity")


def test_a_removal_entry_for_another_row_does_not_help():
    approved_type()
    ann = make_person()
    first, second = record_rows(new_activity(ann.pk), new_activity(ann.pk))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        enter_removal(cursor, first.activity_id)
        cursor.execute("delete from activity where id = %s", [second.activity_id])


def test_an_accounted_delete_is_let_through():
    approved_type()
    (outcome,) = record_rows(new_activity(make_person().pk))
    with transaction.atomic(), connection.cursor() as cursor:
        enter_removal(cursor, outcome.activity_id)
        cursor.execute("delete from activity where id = %s", [outcome.activity_id])
    assert not Activity.objects.filter(pk=outcome.activity_id).exists()
    assert "never changed" in refused("delete from activity_removal")
    assert "never changed" in refused("update activity_removal set reason = 'erase'")
    assert ActivityRemoval.objects.get().activity_id == outcome.activity_id


def enter_removal(cursor, activity_id):
    cursor.execute(
        f"""insert into activity_removal (activity_id, person_id, activity_type_id, recorded_at, reason, digest)
        select id, person_id, activity_type_id, recorded_at, 'correction', {digest_sql()} from activity a where id = %s""",
        [activity_id],
    )


def test_ids_are_not_chosen_by_hand():
    ann, check = make_person(), approved_type()
    assert (
        "generated always"
        in refused(
            "insert into activity (id, person_id, activity_type_id, version, occurred_at, door) values (1, %s, %s, 1, now(), 1)".replace(
                "%s", "{}"
            ).format(ann.pk, check.pk)
        ).lower()
    )


def test_an_approved_version_never_changes():
    check = approved_type()
    version = check.live_id
    assert "never changes" in refused("update activity_version set name = 'x' where id = %s", version)
    assert "stays" in refused("delete from activity_version where id = %s", version)
    assert "never change" in refused("update activity_field set name = 'x' where version_id = %s", version)
    assert "never change" in refused("delete from activity_field where version_id = %s", version)
    assert "never change" in refused(
        """insert into activity_field (version_id, api_name, name, data_type, description, is_primary, position)
        values (%s, 'late', 'Late', 'string', '', false, 9)""",
        version,
    )


def test_a_field_cannot_be_moved_into_an_approved_version():
    check = approved_type()
    edit_description(check, "new")
    assert "never change" in refused(
        "update activity_field set version_id = %s, api_name = 'other' where version_id <> %s and not is_primary",
        check.live_id,
        check.live_id,
    )


def test_a_data_type_is_reserved_for_ever():
    check = approved_type()
    edit_description(check, "new")
    draft = ActivityType.objects.get(pk=check.pk).draft
    draft.fields.filter(api_name="amount").update(data_type="string")
    assert "another data type" in refused(
        "update activity_version set number = 2, approved_at = now() where id = %s", draft.pk
    )


def test_the_primary_field_is_fixed():
    check = approved_type()
    edit_description(check, "new")
    draft = ActivityType.objects.get(pk=check.pk).draft
    draft.fields.filter(is_primary=True).delete()
    assert "primary field" in refused(
        "update activity_version set number = 2, approved_at = now() where id = %s", draft.pk
    )


def test_reserved_fields_stay_reserved():
    approved_type()
    assert "never changed" in refused("delete from approved_field")
    assert "never changed" in refused("update approved_field set data_type = 'string'")


def test_the_api_name_and_approval_of_a_type_are_for_ever():
    check = approved_type()
    assert "for ever" in refused("update activity_type set api_name = 'other' where id = %s", check.pk)
    assert "for ever" in refused("update activity_type set live_id = null where id = %s", check.pk)
    assert "reserved" in refused("delete from activity_type where id = %s", check.pk)


def test_a_draft_cannot_be_made_live_without_approval():
    check = approved_type()
    edit_description(check, "new")
    draft = ActivityType.objects.get(pk=check.pk).draft
    assert "approved version" in refused("update activity_type set live_id = %s where id = %s", draft.pk, check.pk)


def test_a_type_has_one_draft():
    draft = draft_type().draft
    assert "activity_version_one_draft" in refused(
        """insert into activity_version (activity_type_id, name, description, trigger_name, filter_name, revision,
        return_reason, created_at, updated_at)
        select activity_type_id, name, description, trigger_name, filter_name, 1, '', now(), now()
        from activity_version where id = %s""",
        draft.pk,
    )


def test_a_retired_and_deleted_type_keeps_its_rows_and_id():
    check = approved_type()
    (outcome,) = record_rows(new_activity(make_person().pk))
    lifecycle.delete_definition(check, None)
    assert ActivityType.objects.get(pk=check.pk).state == ActivityType.State.DELETED
    assert Activity.objects.filter(pk=outcome.activity_id).exists()
    assert ActivityVersion.objects.filter(activity_type=check, number=1).exists()
