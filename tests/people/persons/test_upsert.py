"""Creating and changing people, set-wise."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activities.models import Activity
from activities.types.standard import CHANGE_DATA_VALUE, CHANGE_SCORE, NEW_PERSON
from people.core.db import citus
from people.core.errors import ConflictError, RejectedError
from people.models import Person, PersonField
from people.persons import upsert as person_upsert
from people.persons.upsert import UpsertAction, UpsertStatus
from tests.factories import MARKETO, make_person

pytestmark = pytest.mark.django_db


def upsert(*rows, **options):
    return person_upsert.upsert_people(rows, MARKETO, **options)


def test_people_are_created_then_updated_by_email_without_case():
    created, updated = (
        upsert({"email": "ann@example.com"})[0],
        upsert({"email": "ANN@example.com", "first_name": "Ann"})[0],
    )
    assert (created.status, updated.status) == (UpsertStatus.CREATED, UpsertStatus.UPDATED)
    assert created.person_id == updated.person_id
    ann = Person.objects.get(pk=created.person_id)
    assert (ann.email, ann.first_name, ann.revision) == ("ANN@example.com", "Ann", 2)


def test_who_came_before_is_created_at_that_moment_and_who_exists_keeps_theirs():
    moment = timezone.now() - timedelta(days=90)
    rows = ({"email": "ann@example.com"}, {"email": "bob@example.com"})
    ann, bob = (Person.objects.get(pk=outcome.person_id) for outcome in upsert(*rows, came_at={0: moment}))
    assert ann.created_at == moment and bob.created_at > timezone.now() - timedelta(minutes=5)
    (entry,) = Activity.objects.of_person(ann.pk)
    assert (entry.activity_type_id, entry.occurred_at) == (NEW_PERSON, moment)
    assert entry.attributes["created_date"] == moment.date().isoformat()
    upsert(*rows, came_at={1: moment})
    assert Person.objects.get(pk=bob.pk).created_at == bob.created_at


def test_one_email_twice_in_a_batch_is_one_person():
    first, second = upsert(
        {"email": "ann@example.com", "city": "Bilbao"}, {"email": "Ann@example.com", "country": "Spain"}
    )
    assert first.person_id == second.person_id
    assert [first.status, second.status] == [UpsertStatus.CREATED, UpsertStatus.UPDATED]
    assert Person.objects.get().city == "Bilbao"


def test_new_person_and_changes_are_recorded_whatever_the_door():
    ann = make_person(first_name="Ann", person_score=5)
    person_upsert.update_person(ann, {"first_name": "Anne", "person_score": 15, "city": None}, MARKETO)
    log = list(Activity.objects.of_person(ann.pk).order_by("pk").values_list("activity_type_id", "primary_value"))
    assert log == [(NEW_PERSON, None), (CHANGE_DATA_VALUE, "first_name"), (CHANGE_SCORE, "person_score")]
    change, score = Activity.objects.of_person(ann.pk).order_by("pk")[1:]
    assert (change.attributes["old_value"], change.attributes["new_value"]) == ("Ann", "Anne")
    assert score.attributes["change_value"] == 10


def test_parts_leave_no_more_entries_than_a_transaction_may_have(monkeypatch):
    monkeypatch.setattr(person_upsert, "MAX_BATCH", 10)
    rows = [{"id": number, **dict.fromkeys(("city", "country")[: number % 3], "x")} for number in range(40)]
    parts = list(person_upsert.split_rows(rows))
    assert [row for part in parts for row in part] == rows
    assert all(sum(len(row) + 1 for row in part) <= 10 for part in parts) and len(parts) > 10
    wide = {str(number): "x" for number in range(50)}
    assert list(person_upsert.split_rows([wide, wide])) == [[wide], [wide]] and not list(person_upsert.split_rows([]))


@pytest.mark.parametrize(
    ("action", "known", "unknown"),
    [
        (UpsertAction.CREATE, "person_exists", UpsertStatus.CREATED),
        (UpsertAction.UPDATE, UpsertStatus.UPDATED, "unknown_person"),
        (UpsertAction.UPSERT, UpsertStatus.UPDATED, UpsertStatus.CREATED),
        (UpsertAction.DUPLICATE, UpsertStatus.CREATED, UpsertStatus.CREATED),
    ],
)
def test_actions(action, known, unknown):
    make_person(email="ann@example.com")
    outcomes = upsert({"email": "ann@example.com"}, {"email": "new@example.com"}, action=action)
    found = [outcome.problems[0].code if outcome.problems else outcome.status for outcome in outcomes]
    assert found == [known, unknown]


def test_several_matches_are_an_error_and_nobody_is_changed():
    upsert({"email": "twins@example.com"}, {"email": "twins@example.com"}, action=UpsertAction.DUPLICATE)
    (outcome,) = upsert({"email": "twins@example.com", "first_name": "Who"})
    assert outcome.problems[0].code == "ambiguous_person"
    assert not Person.objects.filter(first_name="Who").exists()


def test_bad_rows_cost_nothing_but_themselves():
    outcomes = upsert(
        {"email": "nonsense"},
        {"email": "good@example.com"},
        {"emial": "x"},
        {"email": "x@example.com", "created_at": "2026-01-01"},
        {"email": ""},
        {"email": "y@example.com", "id": 7},
        {"email": "z@example.com", "annual_revenue": "much"},
    )
    codes = [outcome.problems[0].code if outcome.problems else outcome.status for outcome in outcomes]
    assert codes == [
        "wrong_type",
        UpsertStatus.CREATED,
        "unknown_field",
        "read_only_field",
        "missing_value",
        "unexpected_id",
        "wrong_type",
    ]


def test_blank_takes_a_value_away():
    ann = make_person(first_name="Ann", unsubscribed=True)
    person_upsert.update_person(ann, {"first_name": " ", "unsubscribed": False}, MARKETO)
    ann.refresh_from_db()
    assert (ann.first_name, ann.unsubscribed) == (None, False)


def test_custom_fields_live_beside_the_standard_ones():
    PersonField.objects.create(api_name="shoeSize", label="Shoe size", data_type="float")
    ann = make_person(shoeSize="42.5")
    assert ann.fields == {"shoeSize": 42.5}
    person_upsert.update_person(ann, {"shoeSize": ""}, MARKETO)
    assert Person.objects.get(pk=ann.pk).fields == {}


def test_a_unique_field_finds_people_and_keeps_them_apart():
    PersonField.objects.create(api_name="customerNumber", label="Customer number", data_type="string", is_unique=True)
    ann, bob = make_person(customerNumber="C-1"), make_person()
    (outcome,) = upsert({"customerNumber": "c-1", "first_name": "Ann"}, lookup_field="customerNumber")
    assert outcome.person_id == ann.pk
    taken = person_upsert.update_person(bob, {"customerNumber": "C-1"}, MARKETO)
    assert taken.problems[0].code == "value_taken"
    person_upsert.update_person(ann, {"customerNumber": None}, MARKETO)
    assert person_upsert.update_person(bob, {"customerNumber": "C-1"}, MARKETO).status is UpsertStatus.UPDATED


def test_an_unknown_lookup_field_refuses_the_call():
    with pytest.raises(RejectedError) as refusal:
        upsert({"email": "a@example.com"}, lookup_field="shoeSize")
    assert refusal.value.code == "unknown_lookup_field"


def test_two_editors_of_one_person():
    ann = make_person()
    person_upsert.update_person(ann, {"first_name": "First"}, MARKETO, expected_revision=1)
    with pytest.raises(ConflictError):
        person_upsert.update_person(ann, {"first_name": "Second"}, MARKETO, expected_revision=1)
    assert Person.objects.get(pk=ann.pk).first_name == "First"


def test_three_hundred_people_cost_few_statements():
    with CaptureQueriesContext(connection) as queries:
        upsert(*({"email": f"p{i}@example.com", "first_name": f"P{i}"} for i in range(300)))
    # with one that looks for records of objects that waited for them; on a cluster the mark queries the workers
    assert len(queries) <= 17 + citus.is_distributed()
    with CaptureQueriesContext(connection) as queries:
        upsert(*({"email": f"p{i}@example.com", "first_name": f"Q{i}", "city": "Vigo"} for i in range(300)))
    assert len(queries) <= 16 + citus.is_distributed()  # there the mark queries the workers
