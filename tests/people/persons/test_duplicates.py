"""People who may be the same."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from people.models import DifferentPeople, DuplicateGroup, DuplicateSearch, Person, SuggestedPair
from people.persons import deletion, duplicates, merge, upsert
from people.privacy import erasure
from tests.factories import MARKETO, make_person

pytestmark = pytest.mark.django_db


def twins(**values):
    outcomes = upsert.upsert_people([values, values], MARKETO, action=upsert.UpsertAction.DUPLICATE)
    return [outcome.person_id for outcome in outcomes]


def test_a_search_finds_groups_of_each_kind():
    by_email = twins(email="twins@example.com")
    phones = [
        make_person(phone="+34 600-123-456").pk,
        make_person(mobile_phone="600 12 34 56").pk,
        make_person(phone="0034600123456").pk,
    ]
    names = [
        make_person(first_name="Zoë", last_name="O'Neil", company="Acme, Inc.").pk,
        make_person(first_name="zoë", last_name="ONEIL", company="ACME inc").pk,
    ]
    make_person(first_name="Zoë", last_name="O'Neil")
    make_person(phone="123")
    gone = make_person(email="x@example.com")
    twins(email="x@example.com")
    deletion.delete_people([gone.pk], None, MARKETO)
    assert duplicates.search_duplicates() == 4
    found = {kind: [group.person_ids for group in duplicates.duplicate_groups(kind)] for kind in duplicates.KINDS}
    assert found["email"][0] == by_email and len(found["email"]) == 2
    assert (found["phone"], found["name"]) == ([phones], [names])
    assert duplicates.search_duplicates() == 4 and DuplicateGroup.objects.count() == 4


def test_one_person_is_compared_at_once(django_assert_num_queries):
    ids = twins(email="twins@example.com", first_name="Ann", last_name="Lee", company="Acme")
    third = make_person(first_name="ANN", last_name="lee", company="ACME")
    ann = Person.objects.get(pk=ids[0])
    with django_assert_num_queries(2):
        found = duplicates.duplicates_of_person(ann)
    assert [(one.person.pk, one.labels) for one in found] == [
        (ids[1], ["Same email", "Same name and company"]),
        (third.pk, ["Same name and company"]),
    ]
    assert duplicates.duplicates_of_person(Person(pk=0)) == []


def test_an_erased_person_is_in_no_group():
    ids = twins(email="twins@example.com")
    duplicates.search_duplicates()
    erasure.erase_people(ids[:1], None, MARKETO)
    assert DuplicateGroup.objects.get().person_ids == ids[1:]


def test_who_was_told_apart_is_not_suspected_again():
    ids = twins(email="twins@example.com", first_name="Ann", last_name="Lee", company="Acme")
    third = make_person(first_name="ann", last_name="lee", company="acme").pk
    duplicates.search_duplicates()
    assert duplicates.duplicate_group_counts() == {"email": 1, "phone": 0, "name": 1, "program": 0}
    assert duplicates.mark_as_different(ids, None) == 1
    assert duplicates.duplicate_group_counts() == {
        "email": 0,
        "phone": 0,
        "name": 1,
        "program": 0,
    }  # the third may still be one of them
    assert [one.person.pk for one in duplicates.duplicates_of_person(Person.objects.get(pk=ids[1]))] == [third]
    assert duplicates.search_duplicates() == 1
    assert duplicates.mark_as_different([third, *ids], None) == 3 and duplicates.search_duplicates() == 0
    assert DifferentPeople.objects.count() == 3
    erasure.erase_people(ids[:1], None, MARKETO)
    assert DifferentPeople.objects.count() == 1


def test_a_search_is_queued_by_itself_when_the_last_one_is_old():
    assert duplicates.last_duplicate_search(None).asked_at and ProcrastinateJob.objects.count() == 1
    duplicates.last_duplicate_search(None)
    assert ProcrastinateJob.objects.count() == 1
    duplicates.search_duplicates()
    assert duplicates.last_duplicate_search(None).asked_at is None
    DuplicateSearch.objects.update(done_at=timezone.now() - duplicates.STALE - timedelta(hours=1))
    assert duplicates.last_duplicate_search(None).asked_at


def suggested():
    return set(SuggestedPair.objects.values_list("person_id", "other_id"))


def test_decided_pairs_make_room_for_others(monkeypatch):
    monkeypatch.setattr(duplicates, "GROUPS_KEPT", 2)
    a, b, c, d = (make_person(email=f"{name}@example.com").pk for name in "abcd")
    assert duplicates.suggest_pair(b, a) and not duplicates.suggest_pair(a, b), "the same pair is one"
    assert duplicates.suggest_pair(b, c) and not duplicates.suggest_pair(c, d), "no more than two wait"
    merged = merge.merge_people(a, [b], None, MARKETO)
    assert suggested() == {(a, c)}, "what was said of the loser is said of the winner"
    assert duplicates.suggest_pair(c, d)
    duplicates.mark_as_different([c, d], None)
    assert suggested() == {(a, c)}
    merge.undo_merge(merged.pk, None, MARKETO)
    assert suggested() == {(a, b), (b, c)}


def test_pairs_decided_by_an_older_version_go_with_a_search():
    a, b, c = (make_person(email=f"{name}@example.com").pk for name in "abc")
    for pair in ((a, b), (b, c), (a, c)):
        duplicates.suggest_pair(*pair)
    DifferentPeople.objects.create(person_id=a, other_id=b)
    Person.objects.filter(pk=c).update(state="merged", merged_into=a)
    assert duplicates.search_duplicates() == 0 and not suggested()


def test_a_search_reads_pairs_and_not_all_people():
    """The work of pairs that programs name grows with the pairs, whatever the number of people."""
    rows = [{"email": f"p{number}@example.com"} for number in range(3_000)]
    upsert.upsert_people(rows, MARKETO)
    ids = list(Person.objects.order_by("pk").values_list("pk", flat=True)[:2])
    duplicates.suggest_pair(*ids)
    with connection.cursor() as cursor:
        cursor.execute("analyze person; analyze suggested_pair")
        cursor.execute(f"explain (analyze, format json) {duplicates.KINDS['program'].rows}")
        plan = cursor.fetchone()[0][0]["Plan"]

    def scanned(node):
        rows = node["Actual Rows"] * node["Actual Loops"] if "Relation Name" in node else 0
        return rows + sum(scanned(child) for child in node.get("Plans", ()))

    assert scanned(plan) <= 5
