"""Used external ids that vanished or were altered are noticed; those that left with their activities are not."""

from datetime import UTC, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from activities.log import key_sums, retention, verify
from people.persons import merge as person_merge
from people.privacy import erasure
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows

# committed, as the sums reach up to the high-water mark
pytestmark = pytest.mark.django_db(transaction=True)
FORGED = (
    "delete from activity_key where external_id = 'T-3'",
    "update activity_key set external_id = 'T-x' where external_id = 'T-3'",
    "update activity_key set digest = decode(md5('x'), 'hex') where external_id = 'T-3'",
    "insert into activity_key select person_id, activity_type_id, 'T-y', activity_id, digest from activity_key limit 1",
)


def closed(days_ahead=1):
    """Close all days until then."""
    end = timezone.now().astimezone(UTC).replace(hour=2, minute=0) + timedelta(days=days_ahead)
    assert verify.close_days(end)


def forge(statement):
    with connection.cursor() as cursor:
        cursor.execute("alter table activity_key disable trigger user")
        cursor.execute(statement)
        cursor.execute("alter table activity_key enable trigger user")


@pytest.fixture
def keyed():
    """(person, outcomes): ten activities with external ids, their keys written down with the day."""
    approved_type()
    ann = make_person()
    outcomes = record_rows(*(new_activity(ann.pk, external_id=f"T-{number}") for number in range(10)))
    record_rows(new_activity(ann.pk))
    closed()
    assert verify.verify_log() == []
    return ann, outcomes


def test_external_ids_that_were_removed_or_altered_are_noticed(keyed):
    for statement in FORGED:
        with transaction.atomic():
            forge(statement)
            (finding,) = verify.verify_log()
            assert "external ids" in str(finding), statement
            transaction.set_rollback(True)
    assert verify.verify_log() == []
    forge(FORGED[0])
    record_rows(new_activity(keyed[0].pk, external_id="U-1"))
    closed(days_ahead=2)  # a later closing writes down its own range only
    assert len(key_sums.find_key_faults()) == 1


def test_external_ids_that_moved_or_left_with_their_activities_are_accounted_for(keyed):
    ann, outcomes = keyed
    person_merge.merge_people(make_person().pk, [ann.pk], None, MARKETO)
    assert key_sums.find_key_faults() == []
    retention.correct_activities([outcome.activity_id for outcome in outcomes[:2]], None)
    assert key_sums.find_key_faults() == []
    forge(FORGED[0])  # two left, three are missing
    ((_day, fault),) = key_sums.find_key_faults()
    assert "7 of 10" in fault


def test_external_ids_of_who_was_erased_are_accounted_for(keyed):
    erasure.erase_people([keyed[0].pk], None, MARKETO)
    assert key_sums.find_key_faults() == []
    record_rows(new_activity(make_person().pk, external_id="U-1"))
    closed(days_ahead=2)
    forge("delete from activity_key where external_id = 'U-1'")
    assert len(key_sums.find_key_faults()) == 1


def test_days_that_the_version_before_closed_are_part_of_the_next_range(keyed):
    with connection.cursor() as cursor:
        cursor.execute("alter table activity_day disable trigger user")
    verify.ActivityDay.objects.update(keys_upto=None, key_count=None, key_digest=None)
    assert key_sums.find_key_faults() == []
    record_rows(new_activity(keyed[0].pk, external_id="U-1"))
    closed(days_ahead=2)
    assert key_sums.find_key_faults() == []
    forge(FORGED[0])
    assert len(key_sums.find_key_faults()) == 1
