"""Merging people and taking it back."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import F

from activities.log.digest import digest_sql
from activities.models import Activity, ActivityKey, ActivityRemoval
from activities.recording.recorder import record_activities
from activities.recording.rows import RecordStatus as Recorded
from activities.types.standard import CHANGE_DATA_VALUE, CHANGE_SCORE, MERGE_PEOPLE
from people import lookup as people_lookup
from people.core import audit
from people.core.errors import NotAllowedError, RejectedError
from people.lists import static_lists
from people.models import Person, PersonField, PersonKey, PersonMerge, StaticListMember
from people.persons import deletion, upsert
from people.persons import merge as person_merge
from people.privacy import erasure
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


def merge(winner, *losers, **options):
    return person_merge.merge_people(winner.pk, [loser.pk for loser in losers], None, MARKETO, **options)


def undo(done):
    person_merge.undo_merge(done.pk, None, MARKETO)


def refusal(verb, *args, **options):
    with pytest.raises(RejectedError) as caught:
        verb(*args, **options)
    return caught.value


LOG = f"select *, {digest_sql()} from activity a order by id, person_id"


def rows(query=LOG):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_activities_move_with_their_ids_and_say_whose_they_were():
    check = approved_type()
    ann, bob = make_person(), make_person()
    mine, theirs = record_rows(new_activity(ann.pk, amount="1.5"), new_activity(bob.pk, amount="2.50"))
    merge(ann, bob)
    found = Activity.objects.filter(activity_type_id=check.pk).order_by("pk")
    assert list(found.values_list("pk", "person_id", "original_person_id")) == [
        (mine.activity_id, ann.pk, None),
        (theirs.activity_id, ann.pk, bob.pk),
    ]
    assert not Activity.objects.of_person(bob.pk).exists()
    entry = Activity.objects.of_person(ann.pk).get(activity_type_id=MERGE_PEOPLE)
    assert entry.attributes["merge_ids"] == str(bob.pk)


def test_removals_account_for_every_moved_row():
    approved_type()
    ann, bob = make_person(), make_person()
    record_rows(new_activity(bob.pk), new_activity(bob.pk))
    before = sum(row[-1] for row in rows())
    done = merge(ann, bob)
    undo(done)
    removed = ActivityRemoval.objects.filter(reason="merge")
    assert removed.count() == 6  # three there (one is New Person), three back
    now = sum(row[-1] for row in rows() if row[2] != MERGE_PEOPLE)
    assert before == now
    assert sum(entry.digest - entry.replacement_digest for entry in removed) == 0


def test_an_undo_puts_every_row_back_exactly():
    approved_type()
    ann, bob, eve = make_person(first_name="Ann"), make_person(last_name="Lee", city="Vigo"), make_person(city="Lugo")
    lists = [static_lists.create_static_list(name, None) for name in ("One", "Two")]
    static_lists.add_members(lists[0], [ann.pk, bob.pk], MARKETO)
    static_lists.add_members(lists[1], [bob.pk, eve.pk], MARKETO)
    record_rows(*(new_activity(one.pk, external_id="T-1", primary_value=str(one.pk)) for one in (ann, bob, eve)))
    queries = [
        "select * from activity_key order by 1, 2, 3",
        "select * from static_list_member order by 1, 2",
        "select * from person_key order by field_id, value",
        "select id, email, first_name, last_name, city, state, merged_into_id from person order by id",
        f"select * from activity where activity_type_id not in ({MERGE_PEOPLE}, {CHANGE_DATA_VALUE}) order by id",
    ]
    before = [rows(query) for query in queries]
    done = merge(ann, bob, eve)
    ann.refresh_from_db()
    assert (ann.first_name, ann.last_name, ann.city) == ("Ann", "Lee", "Vigo")
    assert [rows(query) for query in queries] != before
    undo(done)
    assert [rows(query) for query in queries] == before


def test_a_losers_id_means_the_winner_natively_and_nobody_without_following():
    approved_type()
    ann, bob, eve = make_person(), make_person(), make_person()
    merge(bob, eve)
    merge(ann, bob)
    assert people_lookup.person_ids_by_id([bob.pk, eve.pk]) == {bob.pk: ann.pk, eve.pk: ann.pk}
    assert record_rows(new_activity(eve.pk))[0].status is Recorded.ADDED
    assert Activity.objects.latest("pk").person_id == ann.pk
    assert (
        record_activities([new_activity(eve.pk)], MARKETO, follow_merges=False)[0].problems[0].code == "unknown_person"
    )


def test_lists_combine_and_the_earliest_membership_counts():
    seeds, ann, bob, eve = static_lists.create_static_list("Seeds", None), make_person(), make_person(), make_person()
    static_lists.add_members(seeds, [bob.pk], MARKETO)
    static_lists.add_members(seeds, [eve.pk], MARKETO)
    StaticListMember.objects.filter(person=eve).update(added_at=F("added_at") - timedelta(days=3))
    earliest = StaticListMember.objects.get(person=eve).added_at
    done = merge(ann, bob, eve)
    found = StaticListMember.objects.get()
    assert (found.person_id, found.added_at) == (ann.pk, earliest)
    static_lists.remove_members(seeds, [ann.pk], MARKETO)
    static_lists.add_members(seeds, [ann.pk], MARKETO)
    undo(done)
    assert set(StaticListMember.objects.values_list("person_id", flat=True)) == {ann.pk, bob.pk, eve.pk}


def test_values_are_chosen_typed_or_filled_and_opt_outs_survive():
    PersonField.objects.create(api_name="shoeSize", label="Shoe size", data_type="float")
    ann = make_person(first_name="Ann", city="Vigo", unsubscribed=False, person_score=3)
    bob = make_person(first_name="Robert", city="Lugo", unsubscribed=True, shoeSize=42, person_score=9)
    done = merge(ann, bob, choices={"city": bob.pk}, values={"title": "Chief"})
    found = Person.objects.get(pk=ann.pk)
    assert (found.first_name, found.city, found.title, found.unsubscribed) == ("Ann", "Lugo", "Chief", True)
    assert (found.fields["shoeSize"], found.person_score) == (42, 3)
    changed = Activity.objects.of_person(ann.pk).filter(activity_type_id=CHANGE_DATA_VALUE)
    assert set(changed.values_list("primary_value", flat=True)) == {"city", "title", "unsubscribed", "shoeSize"}
    upsert.update_person(found, {"title": "Boss"}, MARKETO)
    undo(done)
    found = Person.objects.get(pk=ann.pk)
    assert (found.city, found.title, found.unsubscribed, found.fields) == ("Vigo", "Boss", False, {})
    assert upsert.update_person(bob, {"city": "Soria"}, MARKETO).person_id == bob.pk


def change_log(person_id):
    found = Activity.objects.of_person(person_id).filter(activity_type_id__in=(CHANGE_DATA_VALUE, CHANGE_SCORE))
    return [
        (row.primary_value, row.attributes.get("old_value"), row.attributes.get("new_value"))
        for row in found.order_by("pk")
    ]


def test_changes_by_a_merge_say_so_and_leave_the_log_with_its_undo():
    ann = make_person(first_name="Ann", person_score=2)
    bob = make_person(phone="+34 600 000 111", person_score=9)
    upsert.update_person(ann, {"city": "Vigo"}, MARKETO)
    done = merge(ann, bob, choices={"person_score": bob.pk})
    assert change_log(ann.pk) == [("city", None, "Vigo"), ("phone", None, "+34 600 000 111"), ("person_score", 2, 9)]
    entry = Activity.objects.get(primary_value="phone")
    assert (entry.attributes["source"], entry.attributes["reason"]) == ("Merge", f"Merge {done.pk}: people {bob.pk}")
    undo(done)
    assert change_log(ann.pk) == [("city", None, "Vigo")]
    found = Person.objects.get(pk=ann.pk)
    assert (found.phone, found.person_score) == (None, 2)
    gone = ActivityRemoval.objects.filter(person_id=ann.pk, replacement_digest=None)
    assert gone.count() == 2


def test_after_an_undo_later_changes_say_what_the_winner_had_before():
    ann, bob = make_person(phone="1", person_score=2, city="Vigo"), make_person(phone="2", person_score=9, city="Lugo")
    done = merge(ann, bob, choices={"phone": bob.pk, "person_score": bob.pk, "city": bob.pk})
    found = Person.objects.get(pk=ann.pk)
    upsert.update_person(found, {"phone": "3", "person_score": 10}, MARKETO)
    found.refresh_from_db()
    upsert.update_person(found, {"phone": "4"}, MARKETO)
    digests, removals = sum(row[-1] for row in rows()), ActivityRemoval.objects.latest("pk")
    undo(done)
    assert change_log(ann.pk) == [("phone", "1", "3"), ("person_score", 2, 10), ("phone", "3", "4")]
    assert Activity.objects.of_person(ann.pk).get(primary_value="person_score").attributes["change_value"] == 8
    assert Person.objects.values_list("phone", "person_score", "city").get(pk=ann.pk) == ("4", 10, "Vigo")
    removed = ActivityRemoval.objects.filter(pk__gt=removals.pk)
    assert digests == sum(row[-1] for row in rows()) + sum(
        entry.digest - (entry.replacement_digest or 0) for entry in removed
    )


def test_nothing_of_an_erased_loser_stays_with_the_winner():
    ann, bob = make_person(), make_person(phone="+34 600 000 111")
    done = merge(ann, bob)
    upsert.update_person(Person.objects.get(pk=ann.pk), {"phone": "5"}, MARKETO)
    undo(done)
    erasure.erase_people([bob.pk], None, MARKETO)
    with connection.cursor() as cursor:
        cursor.execute(
            "select a::text from activity a union all select p::text from person p union all "
            "select m::text from person_merge m"
        )
        assert not [text for (text,) in cursor.fetchall() if "600 000 111" in text]


def test_a_preview_shows_values_and_whose_are_taken():
    ann, bob = make_person(first_name="Ann"), make_person(first_name="Bob", last_name="Lee")
    shown = {one.info.api_name: one for one in person_merge.preview_merge(ann.pk, [bob.pk], None).fields}
    assert set(shown) == {"email", "first_name", "last_name"}
    assert (shown["first_name"].taken_from, shown["first_name"].differs) == (ann.pk, True)
    assert (shown["last_name"].taken_from, shown["last_name"].differs) == (bob.pk, False)
    chosen = person_merge.preview_merge(ann.pk, [bob.pk], None, {"first_name": bob.pk}).fields
    assert next(one for one in chosen if one.info.api_name == "first_name").result == "Bob"
    assert Person.objects.live().count() == 2


def test_unique_values_go_to_the_winner_and_back():
    PersonField.objects.create(api_name="number", label="Number", data_type="string", is_unique=True)
    ann, bob = make_person(), make_person(number="C-1")
    done = merge(ann, bob)
    assert PersonKey.objects.get().person_id == ann.pk
    undo(done)
    assert PersonKey.objects.get().person_id == bob.pk and Person.objects.get(pk=ann.pk).fields == {}
    done = merge(ann, bob)
    upsert.update_person(ann, {"number": None}, MARKETO)
    eve = make_person(number="C-1")
    assert refusal(undo, done).code == "value_taken"
    assert Person.objects.get(pk=bob.pk).state == "merged" and PersonKey.objects.get().person_id == eve.pk


def test_of_two_activities_with_one_external_id_both_stay_and_the_winners_answers():
    approved_type()
    ann, bob, eve = make_person(), make_person(), make_person()
    first, second, third = record_rows(
        new_activity(ann.pk, external_id="T-1"),
        new_activity(bob.pk, external_id="T-1"),
        new_activity(eve.pk, external_id="T-2"),
    )
    merge(ann, bob, eve)
    (again,) = record_rows(new_activity(bob.pk, external_id="T-1"))
    assert (again.status, again.activity_id) == (Recorded.REPEATED, first.activity_id)
    (again,) = record_rows(new_activity(ann.pk, external_id="T-2"))
    assert (again.status, again.activity_id) == (Recorded.REPEATED, third.activity_id)
    assert Activity.objects.filter(pk__in=[first.activity_id, second.activity_id]).count() == 2
    assert ActivityKey.objects.filter(person_id=bob.pk).get().activity_id == second.activity_id


def test_keys_come_back_although_their_activities_were_kept_long_enough():
    approved_type()
    ann, bob = make_person(), make_person()
    (old,) = record_rows(new_activity(bob.pk, external_id="T-1"))
    done = merge(ann, bob)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into activity_removal (activity_id, person_id, activity_type_id, recorded_at, reason, digest)
            select id, person_id, activity_type_id, recorded_at, 'retention', {digest_sql()} from activity a where id = %s""",
            [old.activity_id],
        )
        cursor.execute("delete from activity where id = %s", [old.activity_id])
    undo(done)
    assert record_rows(new_activity(bob.pk, external_id="T-1"))[0].status is Recorded.REPEATED


def test_nested_merges_are_undone_from_the_outside_in():
    check = approved_type()
    ann, bob, eve = make_person(), make_person(), make_person()
    (deep,) = record_rows(new_activity(eve.pk))
    inner = merge(bob, eve)
    outer = merge(ann, bob)
    assert (Activity.objects.get(pk=deep.activity_id).original_person_id) == eve.pk
    assert refusal(undo, inner).code == "person_merged"
    undo(outer)
    found = Activity.objects.get(pk=deep.activity_id)
    assert (found.person_id, found.original_person_id) == (bob.pk, eve.pk)
    undo(inner)
    found = Activity.objects.get(activity_type_id=check.pk)
    assert (found.person_id, found.original_person_id) == (eve.pk, None)
    assert refusal(undo, inner).code == "merge_undone" and refusal(undo, outer).code == "merge_undone"


def test_merges_of_one_winner_are_undone_latest_first():
    ann, bob, eve = make_person(), make_person(), make_person()
    first, second = merge(ann, bob), merge(ann, eve)
    assert refusal(undo, first).code == "merge_covered"
    undo(second)
    undo(first)
    assert Person.objects.live().count() == 3


def test_what_came_since_stays_with_the_winner():
    approved_type()
    ann, bob = make_person(), make_person()
    done = merge(ann, bob)
    (since,) = record_rows(new_activity(bob.pk))
    undo(done)
    assert Activity.objects.get(pk=since.activity_id).person_id == ann.pk


@pytest.mark.parametrize("winner_state", ["deleted", "merged", "erased"])
def test_no_undo_while_the_winner_is_gone(winner_state):
    ann, bob, eve = make_person(), make_person(), make_person()
    done = merge(ann, bob)
    if winner_state == "deleted":
        deletion.delete_people([ann.pk], None, MARKETO)
    elif winner_state == "merged":
        merge(eve, ann)
    else:
        erasure.erase_people([ann.pk], None, MARKETO)
    expected = {"deleted": "person_deleted", "merged": "person_merged", "erased": "unknown_merge"}
    assert refusal(undo, done).code == expected[winner_state]


def test_an_undo_is_for_thirty_days():
    done = merge(make_person(), make_person())
    PersonMerge.objects.update(merged_at=F("merged_at") - timedelta(days=30, minutes=1))
    assert refusal(undo, done).code == "too_late"
    assert person_merge.undo_problem(PersonMerge.objects.get()).code == "too_late"
    fresh = merge(make_person(), make_person())
    assert (person_merge.drop_expired_merges(), person_merge.drop_expired_merges()) == (1, 0)
    assert PersonMerge.objects.get(pk=done.pk).kept == {} and PersonMerge.objects.get(pk=fresh.pk).kept != {}


def test_who_cannot_be_merged():
    ann, bob, gone, lost = make_person(), make_person(), make_person(), make_person()
    deletion.delete_people([gone.pk], None, MARKETO)
    merge(bob, lost)
    cases = [
        (ann.pk, [ann.pk], "merge_with_itself"),
        (ann.pk, [bob.pk, ann.pk], "merge_with_itself"),
        (ann.pk, [], "missing_value"),
        (ann.pk, range(1000, 1026), "too_many_losers"),
        (gone.pk, [ann.pk], "person_deleted"),
        (ann.pk, [gone.pk], "person_deleted"),
        (lost.pk, [ann.pk], "person_merged"),
        (ann.pk, [lost.pk], "person_merged"),
        (bob.pk, [lost.pk], "person_merged"),
        (ann.pk, [10**30], "unknown_person"),
        (None, [ann.pk], "unknown_person"),
        (ann.pk, ["x\0"], "unknown_person"),
    ]
    for winner, losers, code in cases:
        assert refusal(person_merge.merge_people, winner, list(losers), None, MARKETO).code == code
    assert refusal(merge, ann, bob, choices={"nonsense": bob.pk}).code == "unknown_field"
    assert refusal(merge, ann, bob, choices={"city": 999}).code == "unknown_person"
    assert refusal(merge, ann, bob, values={"email": "nonsense"}).code == "wrong_type"
    assert refusal(merge, ann, bob, values={"nonsense": 1}).code == "unknown_field"
    assert refusal(person_merge.undo_merge, 999, None, MARKETO).code == "unknown_merge"
    assert PersonMerge.objects.count() == 1 and Person.objects.live().count() == 2
    with pytest.raises(NotAllowedError):
        person_merge.merge_people(ann.pk, [bob.pk], get_user_model().objects.create_user("nobody"), MARKETO)


def test_twenty_five_losers_cost_few_statements_and_one_audit_entry(django_assert_max_num_queries):
    approved_type()
    ann, losers = make_person(), [make_person(city="Vigo") for _ in range(25)]
    record_rows(*(new_activity(one.pk) for one in losers))
    entries = LogEntry.objects.count()
    with django_assert_max_num_queries(64):
        done = merge(ann, *losers)
    assert LogEntry.objects.count() == entries + 1
    assert audit.entry_sentence(LogEntry.objects.latest("pk")).startswith("Merged people ")
    undo(done)
    assert Person.objects.live().count() == 26
