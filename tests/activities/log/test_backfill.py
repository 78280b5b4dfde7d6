"""Back-filled rows in the log: the flag counts in digests only where it is set, and goes wherever the row goes."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from activities.log import backfill, reader, verify
from activities.models import Activity, ActivityRemoval
from activities.recording.recorder import record_activities
from people.core.source import Channel, Source
from people.persons import merge as person_merge
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_by_our_clock, record_rows

pytestmark = pytest.mark.django_db
PAST = Source(Channel.API, is_backfill=True)
# digests that the function of commit c9adf0d computed for these rows
BEFORE = {
    (101, 7, 100001, 1, None, "{}", 3, None, None, None): "2042310375484847375",
    (102, 8, 100002, 2, "No. 1", '{"amount": 12.5}', 4, 5, 6, 7): "6156084550178431852",
}
OCCURRED, RECORDED = datetime(2026, 11, 20, 10, tzinfo=UTC), datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)


def digest(*values):
    places = "%s::bigint, %s::int, %s::int, %s::smallint, %s, %s, %s::text, %s::jsonb, %s::smallint, %s::int, %s::bigint, %s::int"
    with connection.cursor() as cursor:
        cursor.execute(
            f"select activity_digest({places}{', %s::smallint' if len(values) > 12 else ''})::text", list(values)
        )
        return cursor.fetchone()[0]


def by_hand(*values):
    *head, occurred, recorded_at, primary, attributes, channel, user, origin, original, flags = values
    moments = (f"{moment.timestamp():.6f}" for moment in (occurred, recorded_at))
    parts = [*head, *moments, "\x1e" if primary is None else primary, attributes, channel]
    parts += ["" if value is None else value for value in (user, origin, original)] + ([flags] if flags else [])
    number = int.from_bytes(sha256("\x1f".join(map(str, parts)).encode()).digest()[:8], signed=True)
    return str(number)


@pytest.mark.parametrize("row", BEFORE)
def test_the_digest_of_a_row_without_flags_is_that_of_the_version_before(row):
    values = (*row[:4], OCCURRED, RECORDED, *row[4:])
    assert digest(*values) == digest(*values, 0) == by_hand(*values, 0) == BEFORE[row]
    assert digest(*values, 1) == by_hand(*values, 1) != BEFORE[row]


def copied(who, check, flags=None):
    """A row of 21 November; without flags, copied with the columns that the version before names."""
    with connection.cursor() as cursor:
        cursor.execute("select nextval('activity_id_seq')")
        (pk,) = cursor.fetchone()
        columns = "id, person_id, activity_type_id, version, occurred_at, recorded_at, primary_value, attributes, door"
        values = [pk, who.pk, check.pk, 1, OCCURRED, RECORDED, "No. 1", "{}", 3, None, None]
        more = "" if flags is None else ", flags"
        with cursor.copy(f"copy activity ({columns}, user_id, origin_id{more}) from stdin") as copy:
            copy.write_row([*values, *([] if flags is None else [flags])])
    return pk


def test_rows_of_the_version_before_and_flagged_ones_add_up():
    check, ann, twin = approved_type(), make_person(), make_person()
    old, new, plain = copied(twin, check), copied(twin, check, 1), copied(twin, check, 0)
    assert dict(Activity.objects.filter(pk__in=[old, new, plain]).values_list("pk", "flags")) == {
        old: 0,
        new: 1,
        plain: 0,
    }
    verify.close_days(RECORDED + timedelta(days=2))
    assert verify.verify_log() == []
    done = person_merge.merge_people(ann.pk, [twin.pk], None, MARKETO)
    moved = Activity.objects.get(pk=new)
    assert (moved.person_id, moved.is_backfill) == (ann.pk, True) and verify.verify_log() == []
    person_merge.undo_merge(done.pk, None, MARKETO)
    assert Activity.objects.get(pk=new).is_backfill and verify.verify_log() == []


def test_a_flag_that_is_taken_away_is_found(monkeypatch):
    record_by_our_clock(monkeypatch)
    approved_type()
    (outcome,) = record_activities([new_activity(make_person().pk)], PAST)
    verify.close_days(timezone.now() + timedelta(days=2))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("update activity set flags = 0")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("alter table activity disable trigger activity_is_never_updated")
        cursor.execute("update activity set flags = 0 where id = %s", [outcome.activity_id])
    assert [fault.is_altered for fault in verify.verify_log()] == [True]


def test_readers_of_the_log_say_it(own_rows_read):
    check, ann = approved_type(), make_person()
    (past,) = record_activities([new_activity(ann.pk)], PAST)
    record_rows(new_activity(ann.pk))
    page = reader.read_activities(reader.ReadPosition(None, 0, past.activity_id - 1), [check.pk])
    assert [row.is_backfill for row in page.activities] == [True, False]


def test_a_flagged_key_is_the_same_key():
    approved_type()
    ann = make_person()
    (first,) = record_activities([new_activity(ann.pk, external_id="k")], PAST)
    (again,) = record_rows(new_activity(ann.pk, external_id="k"))
    assert (again.status, again.activity_id) == ("repeated", first.activity_id)
    assert Activity.objects.get(pk=first.activity_id).is_backfill and not ActivityRemoval.objects.exists()


def test_silent_changes_are_found_by_their_own_indexes():
    """Even where statistics are missing: the dispatcher's transaction waits for this."""
    parameters = {"people": [1, 2], "since": RECORDED, "until": RECORDED + timedelta(days=1)}
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(f"explain {backfill.SILENT_CHANGES}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "activity_backfill" in plan and "activity_removal_undone" in plan, plan
