"""Person fields: defined, renamed, made unique, deleted."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import transaction

from people.core import audit
from people.core.errors import NotAllowedError, RejectedError
from people.fields import editing as field_editing
from people.fields import unique_values
from people.models import Person, PersonField, PersonKey, StaticList
from people.persons import deletion, upsert
from smartlists.models import SmartList, SmartListUse
from tests.activities.recording.test_races import InThread
from tests.factories import MARKETO, make_person

pytestmark = pytest.mark.django_db


def make(label="Shoe size", data_type="string", **options):
    return field_editing.create_person_field(label, data_type, None, **options)


def refusal(verb, *args, **options):
    with pytest.raises(RejectedError) as caught:
        verb(*args, **options)
    return caught.value


def test_a_field_is_made_of_a_label_and_holds_values():
    field = make("Número de zapato (UE)", "float", choices=["42", 43.5, "42"], description=" European ")
    assert (field.api_name, field.choices, field.description) == ("numeroDeZapatoUE", ["42.0", "43.5"], "European")
    assert make_person(numeroDeZapatoUE="42.5").fields == {"numeroDeZapatoUE": 42.5}
    assert audit.entry_sentence(LogEntry.objects.latest("pk")) == "Created"


@pytest.mark.parametrize(
    ("options", "code", "place"),
    [
        ({"label": ""}, "missing_value", "label"),
        ({"label": "a\0"}, "wrong_type", "label"),
        ({"label": "東京"}, "bad_name", "api_name"),
        ({"api_name": "1st"}, "bad_name", "api_name"),
        ({"api_name": "x" * 101}, "bad_name", "api_name"),
        ({"api_name": "a-b"}, "bad_name", "api_name"),
        ({"api_name": "First_Name"}, "api_name_taken", "api_name"),
        ({"api_name": "firstname"}, "api_name_taken", "api_name"),
        ({"api_name": "ID"}, "api_name_taken", "api_name"),
        ({"api_name": "leadScore"}, "api_name_taken", "api_name"),
        ({"label": "first name", "api_name": "nick"}, "name_taken", "label"),
        ({"data_type": "varchar"}, "unknown_data_type", "data_type"),
        ({"data_type": ["x"]}, "unknown_data_type", "data_type"),
        ({"data_type": "float", "is_unique": True}, "cannot_be_unique", "is_unique"),
        ({"data_type": "integer", "choices": ["1", "one"]}, "wrong_type", "choices"),
        ({"choices": map(str, range(501))}, "too_many", "choices"),
    ],
)
def test_bad_definitions_are_refused(options, code, place):
    problem = refusal(make, **options).problems[0]
    assert (problem.code, problem.path[0]) == (code, place)
    assert not PersonField.objects.custom().exists()


def test_renaming_keeps_values_and_references():
    field = make()
    ann = make_person(shoeSize="42")
    used = SmartList.objects.create(name="Big feet", rules={})
    SmartListUse.objects.create(smart_list=used, person_field=field)
    field_editing.change_person_field(field, None, label="Size of shoe", is_hidden=True)
    field.refresh_from_db()
    assert (field.label, field.api_name, field.is_hidden) == ("Size of shoe", "shoeSize", True)
    assert Person.objects.get(pk=ann.pk).fields == {"shoeSize": "42"}
    assert SmartListUse.objects.get().person_field == field
    assert audit.entry_sentence(LogEntry.objects.latest("pk")) == "Changed: is_hidden, label"
    with pytest.raises(TypeError):
        field_editing.change_person_field(field, None, api_name="other")


def test_standard_fields_can_be_renamed_and_hidden_but_not_deleted_or_unique():
    field = PersonField.objects.get(api_name="industry")
    field_editing.change_person_field(field, None, label="Branch", is_hidden=True)
    assert refusal(field_editing.delete_person_field, field, None).code == "standard_field"
    assert refusal(field_editing.change_person_field, field, None, is_unique=True).code == "cannot_be_unique"


def test_a_field_in_use_is_not_deleted():
    field = make()
    used = SmartList.objects.create(name="Big feet", rules={})
    use = SmartListUse.objects.create(smart_list=used, person_field=field)
    refused = refusal(field_editing.delete_person_field, field, None)
    assert refused.code == "in_use" and "Big feet" in str(refused)
    use.delete()
    field_editing.delete_person_field(field, None)
    assert not PersonField.objects.custom().exists()
    assert refusal(field_editing.delete_person_field, field, None).code == "unknown_field"


def test_a_deleted_fields_values_are_cleared_before_its_name_is_used_again():
    field = make(is_unique=True)
    ann, bob = make_person(shoeSize="42"), make_person()
    field_editing.delete_person_field(field, None)
    assert not PersonKey.objects.exists()
    assert refusal(make).code == "api_name_taken"
    field_editing.clear_field_values("shoeSize")
    assert Person.objects.get(pk=ann.pk).fields == {} and Person.objects.get(pk=bob.pk).revision == 1
    make()
    upsert.update_person(ann, {"shoeSize": "43"}, MARKETO)
    field_editing.clear_field_values("shoeSize")  # a job that comes too late
    assert Person.objects.get(pk=ann.pk).fields == {"shoeSize": "43"}


def test_a_field_becomes_unique_with_the_values_that_are_there():
    field = make("Number", is_hidden=False)
    ann, bob, gone = make_person(number=" É-1 "), make_person(number="É-2"), make_person(number="é-1")
    assert refusal(field_editing.change_person_field, field, None, is_unique=True).code == "value_shared"
    deletion.delete_people([gone.pk], None, MARKETO)
    field_editing.change_person_field(field, None, is_unique=True)
    assert set(PersonKey.objects.values_list("value", "person_id")) == {("é-1", ann.pk), ("é-2", bob.pk)}
    (outcome,) = upsert.upsert_people([{"number": "É-1", "city": "Vigo"}], MARKETO, "number")
    assert outcome.person_id == ann.pk
    field_editing.change_person_field(field, None, is_unique=False)
    assert not PersonKey.objects.exists() and make_person(number="É-1").pk
    assert unique_values.shared_values(field)[0][0] == ann.pk


@pytest.mark.parametrize("blanks", [" ", "\t\n\x0b\x0c\r\x1c\x1f\x85\xa0", "\u2003\u2028\u3000"])
def test_the_database_strips_what_python_strips(blanks):
    field = make("Number")
    make_person(number=f"{blanks}Σασ{blanks}x{blanks}")
    field_editing.change_person_field(field, None, is_unique=True)
    assert upsert.upsert_people([{"number": f"ΣΑΣ{blanks}X"}], MARKETO, "number")[0].status == "updated"


def test_integers_can_be_unique():
    field = make("Number", "integer")
    ann = make_person(number=7)
    field_editing.change_person_field(field, None, is_unique=True)
    assert upsert.upsert_people([{"number": "7"}], MARKETO, "number")[0].person_id == ann.pk


def test_rights_are_checked():
    nobody, field = get_user_model().objects.create_user("nobody"), make()
    for verb, args in (
        (field_editing.create_person_field, ("x", "string", nobody)),
        (field_editing.change_person_field, (field, nobody)),
        (field_editing.delete_person_field, (field, nobody)),
    ):
        with pytest.raises(NotAllowedError):
            verb(*args)


@pytest.mark.django_db(transaction=True)
def test_who_changes_people_sees_the_fields_as_they_are_by_then():
    field = make("Number")
    with transaction.atomic():
        field_editing.change_person_field(field, None, is_unique=True)
        changer = InThread(lambda: upsert.upsert_people([{"email": "a@example.com", "number": "7"}], MARKETO))
        assert changer.is_waiting()
    (outcome,) = changer.result()
    assert PersonKey.objects.get().person_id == outcome.person_id
    with transaction.atomic():
        field_editing.delete_person_field(field, None)
        changer = InThread(lambda: upsert.upsert_people([{"email": "b@example.com", "number": "8"}], MARKETO))
        assert changer.is_waiting()
    assert changer.result()[0].problems[0].code == "unknown_field"


def test_static_lists_and_fields_name_their_users():
    seeds = StaticList.objects.create(name="Seeds")
    used = SmartList.objects.create(name="Sown", rules={})
    SmartListUse.objects.create(smart_list=used, static_list=seeds)
    from people.lists import static_lists

    assert "Sown" in str(refusal(static_lists.delete_static_list, seeds, None))
