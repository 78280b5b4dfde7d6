"""Deleting, restoring and erasing people."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db.models import F

from activities.models import Activity, ActivityKey, ActivityRemoval
from activities.recording.rows import RecordStatus as Recorded
from activities.types.standard import DELETE_PERSON
from people import lookup as people_lookup
from people.core import audit
from people.core.errors import NotAllowedError, RejectedError
from people.lists import static_lists
from people.models import Person, PersonDeletion, PersonField, PersonKey, StaticListMember
from people.persons import deletion
from people.persons import merge as person_merge
from people.persons.deletion import DeletionStatus
from people.privacy import erasure
from people.privacy import search as privacy_search
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


def delete(*ids):
    return [_said(outcome) for outcome in deletion.delete_people(ids, None, MARKETO)]


def restore(*ids):
    return [_said(outcome) for outcome in deletion.restore_people(ids, None, MARKETO)]


def _said(outcome):
    return outcome.problems[0].code if outcome.problems else outcome.status


def refusal(verb, *args):
    with pytest.raises(RejectedError) as caught:
        verb(*args)
    return caught.value.code


def test_a_deleted_person_is_nowhere_but_in_the_log():
    approved_type()
    ann, seeds = (
        make_person(email="ann@example.com", first_name="Ann", last_name="Lee"),
        static_lists.create_static_list("Seeds", None),
    )
    static_lists.add_members(seeds, [ann.pk], MARKETO)
    record_rows(new_activity(ann.pk, external_id="T-1"))
    before = Activity.objects.of_person(ann.pk).count()
    assert delete(ann.pk) == [DeletionStatus.DELETED]
    assert not Person.objects.live().exists() and not StaticListMember.objects.exists()
    assert people_lookup.person_ids_by_id([ann.pk]) == {} and not people_lookup.person_ids_by_field(
        "email", ["ann@example.com"]
    )
    last = Activity.objects.of_person(ann.pk).latest("pk")
    assert (last.activity_type_id, last.primary_value) == (DELETE_PERSON, "Ann Lee")
    assert Activity.objects.of_person(ann.pk).count() == before + 1
    assert record_rows(new_activity(ann.pk))[0].status is Recorded.REFUSED


def test_who_is_deleted_twice_or_unknown_costs_the_others_nothing():
    ann, bob = make_person(), make_person()
    delete(bob.pk)
    assert delete(ann.pk, bob.pk, ann.pk, 999_999, "x", 10**50) == [DeletionStatus.DELETED] + ["unknown_person"] * 5
    assert Activity.objects.filter(activity_type_id=DELETE_PERSON).count() == 2


def test_restoring_brings_back_lists_as_they_were_and_nothing_else():
    ann, kept, gone = (
        make_person(),
        static_lists.create_static_list("Kept", None),
        static_lists.create_static_list("Gone", None),
    )
    static_lists.add_members(kept, [ann.pk], MARKETO)
    static_lists.add_members(gone, [ann.pk], MARKETO)
    before = StaticListMember.objects.filter(static_list=kept).values_list("added_at", "channel", "user_id")[0]
    revision = Person.objects.get(pk=ann.pk).revision
    delete(ann.pk)
    static_lists.delete_static_list(gone, None)
    log = Activity.objects.count()
    assert restore(ann.pk) == [DeletionStatus.RESTORED]
    found = StaticListMember.objects.get()
    assert (found.static_list_id, found.added_at, found.channel, found.user_id) == (kept.pk, *before)
    ann.refresh_from_db()
    assert ann.is_live and ann.revision > revision and Activity.objects.count() == log
    assert not PersonDeletion.objects.exists()
    assert restore(ann.pk, 999_999) == ["not_deleted", "not_deleted"]


def test_restoring_is_for_thirty_days():
    ann = make_person()
    static_lists.add_members(static_lists.create_static_list("Seeds", None), [ann.pk], MARKETO)
    delete(ann.pk)
    assert deletion.drop_expired_deletions() == 0
    PersonDeletion.objects.update(deleted_at=F("deleted_at") - timedelta(days=30, minutes=1))
    assert restore(ann.pk) == ["too_late"]
    assert not PersonDeletion.objects.restorable().exists()
    assert deletion.drop_expired_deletions() == 1 and PersonDeletion.objects.get().memberships == []


def test_a_unique_value_is_free_after_a_delete_and_keeps_its_old_owner_out():
    PersonField.objects.create(api_name="number", label="Number", data_type="string", is_unique=True)
    ann = make_person(number="C-1")
    delete(ann.pk)
    bob = make_person(number="c-1")
    assert restore(ann.pk) == ["value_taken"]
    assert PersonKey.objects.get().person_id == bob.pk
    delete(bob.pk)
    assert restore(ann.pk, bob.pk) == [DeletionStatus.RESTORED, "value_taken"]


def test_one_audit_entry_a_call_without_names():
    ann, bob = make_person(first_name="Ann"), make_person()
    delete(ann.pk, bob.pk)
    entry = LogEntry.objects.latest("pk")
    assert audit.entry_sentence(entry) == "Deleted 2 people" and entry.object_repr == f"Person {ann.pk}"
    deletion.restore_people([ann.pk], None, MARKETO)
    assert audit.entry_sentence(LogEntry.objects.latest("pk")) == "Restored"
    assert "Ann" not in "".join(LogEntry.objects.values_list("object_repr", flat=True))


def test_every_verb_needs_its_right():
    nobody, ann = get_user_model().objects.create_user("nobody"), make_person()
    for verb in (deletion.delete_people, deletion.restore_people, erasure.erase_people):
        with pytest.raises(NotAllowedError):
            verb([ann.pk], nobody, MARKETO)
    with pytest.raises(NotAllowedError):
        erasure.preview_erase([ann.pk], nobody)


def rich_person():
    """A person with everything that there is: lists, keys, merges, activities, changed addresses."""
    from people.persons import upsert

    PersonField.objects.create(api_name="customerNumber", label="Customer number", data_type="string", is_unique=True)
    zoe = make_person(
        email="zoe.first@example.com",
        first_name="Zoë",
        last_name="Ünal",
        phone="+34 600 987 654",
        customerNumber="CUST-77",
        address='Calle "Mayor" 7\\b',
    )
    twin = make_person(email="zoe.twin@example.com", mobile_phone="+34 600 111 222")
    seeds = static_lists.create_static_list("Seeds", None)
    static_lists.add_members(seeds, [zoe.pk, twin.pk], MARKETO)
    upsert.update_person(zoe, {"email": "zoe.second@example.com"}, MARKETO)
    record_rows(new_activity(zoe.pk, external_id="T-1"), new_activity(twin.pk, external_id="T-2"))
    done = person_merge.merge_people(zoe.pk, [twin.pk], None, MARKETO)
    person_merge.undo_merge(done.pk, None, MARKETO)
    person_merge.merge_people(zoe.pk, [twin.pk], None, MARKETO)
    return zoe, twin


def test_after_an_erase_nothing_is_found_in_any_table():
    approved_type()
    zoe, twin = rich_person()
    other = make_person(email="other@example.com", first_name="Other", last_name="One")
    record_rows(new_activity(other.pk, external_id="T-1"))
    assert len(privacy_search.find_traces(privacy_search.people_identity([zoe.pk, twin.pk]))) > 8
    preview = erasure.preview_erase([zoe.pk], None)
    assert preview.person_ids == [zoe.pk, twin.pk] and dict(preview.rows)["activities"] >= 8
    identity = erasure.erase_people([zoe.pk], None, MARKETO)
    assert {"zoe.first@example.com", "zoe.second@example.com", "zoe.twin@example.com", "cust-77"} <= set(identity.texts)
    assert privacy_search.find_traces(identity) == []
    for tombstone in Person.objects.filter(pk__in=[zoe.pk, twin.pk]):
        assert (tombstone.state, str(tombstone), tombstone.fields) == ("erased", f"Person {tombstone.pk}", {})
    assert Activity.objects.of_person(other.pk).count() == 2 and ActivityKey.objects.get().person_id == other.pk
    assert ActivityRemoval.objects.filter(reason="erase").count() == dict(preview.rows)["activities"]
    assert audit.entry_sentence(LogEntry.objects.latest("pk")) == "Erased for good"


def test_an_erased_loser_leaves_nothing_with_the_winner_of_a_merge_that_was_undone():
    ann, bob = make_person(email="ann@example.com"), make_person(email="bob@example.com", phone="+34 600 777 888")
    done = person_merge.merge_people(ann.pk, [bob.pk], None, MARKETO)
    person_merge.undo_merge(done.pk, None, MARKETO)
    identity = erasure.erase_people([bob.pk], None, MARKETO)
    assert "+34 600 777 888" in identity.texts and privacy_search.find_traces(identity) == []


def test_a_deleted_person_can_be_erased_and_then_not_restored():
    ann = make_person()
    delete(ann.pk)
    erasure.erase_people([ann.pk], None, MARKETO)
    assert restore(ann.pk) == ["not_deleted"]
    assert refusal(erasure.erase_people, [ann.pk], None, MARKETO) == "unknown_person"


def test_an_erase_of_several_is_all_or_nothing():
    ann, bob, eve = make_person(), make_person(), make_person()
    person_merge.merge_people(ann.pk, [bob.pk], None, MARKETO)
    assert refusal(erasure.erase_people, [eve.pk, bob.pk], None, MARKETO) == "person_merged"
    assert refusal(erasure.erase_people, [eve.pk, 0], None, MARKETO) == "unknown_person"
    assert refusal(erasure.erase_people, [], None, MARKETO) == "missing_value"
    assert Person.objects.get(pk=eve.pk).is_live


def test_what_others_have_too_is_no_trace():
    ann, bob = (
        make_person(email="ann@example.com", phone="555 12 34"),
        make_person(email="bob@example.com", phone="555 12 34"),
    )
    assert erasure.preview_erase([ann.pk], None).shared == 0
    identity = erasure.erase_people([ann.pk], None, MARKETO)
    assert identity.texts == ["ann@example.com"] and privacy_search.find_traces(identity) == []
    assert Person.objects.get(pk=bob.pk).phone == "555 12 34"


def test_an_id_or_address_in_any_json_is_a_trace():
    from people.models import StaticList

    ann = make_person(email="ann.trace@example.com")
    identity = privacy_search.people_identity([ann.pk])
    erasure.erase_people([ann.pk], None, MARKETO)
    StaticList.objects.create(name="Mails", description="wrote to Ann.Trace@Example.com")
    bob = make_person()
    delete(bob.pk)
    PersonDeletion.objects.update(memberships=[{"deep": {"person_ids": [1_000_000, ann.pk]}}])
    assert {trace.place for trace in privacy_search.find_traces(identity)} == {
        "static_list.description",
        "person_deletion.memberships",
    }
