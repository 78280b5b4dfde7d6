"""Object types: the life cycle of definitions, with dedupe fields and links."""

import pytest
from django.db import IntegrityError, connection, transaction

from people.core.errors import RejectedError
from people.definitions import differences, drafts, lifecycle
from people.fields import editing
from people.models import ObjectType
from people.objects.definition import ObjectFieldSpec, show_on_person
from tests.people.objects.world import CAR_FIELDS, COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, draft_type

pytestmark = pytest.mark.django_db
PLATE = CAR_FIELDS[0]


def refused(verb, *arguments, **options):
    with pytest.raises(RejectedError) as refusal:
        verb(*arguments, **options)
    return [problem.code for problem in refusal.value.problems]


def fresh(object_type):
    return ObjectType.objects.get(pk=object_type.pk)


def test_a_whole_life():
    car = approved_type()
    assert car.state == "approved" and str(car) == "Car" and car.live.plural_name == "Cars"
    drafts.add_draft_fields(car, [ObjectFieldSpec("seats", "Seats", "integer")], None)
    drafts.remove_draft_fields(car, ["notes"], None)
    car = fresh(car)
    assert differences.version_differences(car.live, car.draft) == [
        "Seats (Whole number) added",
        "Notes removed: pages and filters no longer have it",
    ]
    assert lifecycle.approve_draft(car, None).number == 2
    lifecycle.retire_definition(car, None)
    lifecycle.restore_definition(car, None)
    show_on_person(car, None, False)
    assert not fresh(car).is_shown_on_person
    lifecycle.delete_definition(car, None)
    assert refused(draft_type) == ["api_name_taken"]
    lifecycle.undelete_definition(car, None)
    assert refused(draft_type, "CAR", "other") == ["name_taken"] * 2


def test_what_is_wrong_with_the_fields_of_a_draft():
    course = approved_type("Course", "course", COURSE_FIELDS)
    owner = ObjectFieldSpec("owner", "Owner", "email", link_to="person", link_by="email")

    def link(**values):
        defaults = {"api_name": "at", "name": "At", "link_to": "course", "link_by": "code"}
        return ObjectFieldSpec(**defaults | values)

    samples = {
        (): ["dedupe_fields"],
        (owner,): ["dedupe_fields"],
        tuple(ObjectFieldSpec(f"f{n}", f"F {n}", is_dedupe=True) for n in range(4)): ["dedupe_fields"],
        (ObjectFieldSpec("notes", "Notes", "text", is_dedupe=True),): ["dedupe_fields"],
        (PLATE, ObjectFieldSpec("createdAt", "Created")): ["api_name_taken"],
        (PLATE, ObjectFieldSpec("ID", "Number")): ["api_name_taken"],
        (PLATE, owner, link(link_to="person", link_by="id", data_type="integer")): ["bad_link"],
        (PLATE, link(), link(api_name="b", name="B")): ["bad_link"],
        (PLATE, link(link_to="", link_by="id")): ["bad_link"],
        (PLATE, link(link_to="nothing")): ["bad_link"],
        (PLATE, link(link_to="thing")): ["bad_link"],
        (PLATE, link(link_by="title")): ["bad_link"],
        (PLATE, link(data_type="integer")): ["bad_link"],
        (PLATE, link(link_to="person", link_by="phone")): ["bad_link"],
        (PLATE, link(link_by="id", data_type="integer")): None,
        (PLATE, owner, link(link_by="guid")): None,
    }
    for place, (fields, expected) in enumerate(samples.items()):
        if expected is None:
            draft_type(f"T{place}", f"t{place}", fields)
        else:
            assert refused(draft_type, "Thing", "thing", fields) == expected, fields
    for api_name in ("person", "Lead", "company"):
        assert refused(draft_type, "Thing", api_name) == ["api_name_taken"]
    assert refused(drafts.add_draft_fields, course, [link(api_name="next", name="Next")], None) == ["locked_key"]


def test_links_never_go_in_a_circle_and_a_linked_type_stays():
    course = approved_type("Course", "course", COURSE_FIELDS)
    enrolment = approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    with pytest.raises(RejectedError) as refusal:
        lifecycle.delete_definition(course, None)
    assert refusal.value.code == "in_use" and "object type “Enrolment”" in str(refusal.value)
    exam = draft_type("Exam", "exam", COURSE_FIELDS)
    back = ObjectFieldSpec("of", "Of", "integer", link_to="enrolment", link_by="id")
    assert refused(drafts.add_draft_fields, course, [back], None) == ["locked_key"]
    drafts.add_draft_fields(exam, [back], None)
    lifecycle.approve_draft(exam, None)
    lifecycle.delete_definition(exam, None)
    lifecycle.delete_definition(enrolment, None)  # a deleted type uses nothing
    lifecycle.delete_definition(course, None)


def test_a_person_field_that_records_link_by_stays_unique():
    number = editing.create_person_field("Customer number", "string", None, is_unique=True)
    link = ObjectFieldSpec("customer", "Customer", link_to="person", link_by=number.api_name)
    approved_type("Contract", "contract", (PLATE, link))
    assert refused(editing.change_person_field, number, None, is_unique=False) == ["in_use"]
    assert refused(editing.delete_person_field, number, None) == ["in_use"]


def test_the_first_approval_fixes_dedupe_fields_and_links():
    car = approved_type()
    for changes in ({"plate": {"is_dedupe": False}}, {"model": {"is_dedupe": True}}, {"owner": {"link_by": "id"}}):
        assert "locked_key" in refused(drafts.change_draft_fields, car, changes, None), changes
    for name in ("plate", "owner"):
        assert "locked_key" in refused(drafts.remove_draft_fields, car, [name], None)
    assert refused(drafts.change_draft_fields, car, {"mileage": {"data_type": "float"}}, None) == ["locked_data_type"]
    # the database refuses the same
    for statement in (
        "update object_version set name = 'x'",
        "delete from object_version",
        "update object_field set is_dedupe = true",
        "delete from approved_object_field",
        "update object_type set api_name = 'bike'",
        "delete from object_type",
        f"insert into object_version (object_type_id, name, plural_name, description, revision, return_reason, created_at,"
        f" updated_at, number, approved_at) values ({car.pk}, 'a', 'b', '', 1, '', now(), now(), 2, null)",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    drafts.edit_draft_names(car, None, description="x")
    with connection.cursor() as cursor:
        cursor.execute(
            "update object_field set is_dedupe = true where api_name = 'model' and version_id = %s",
            [fresh(car).draft_id],
        )
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("update object_version set number = 2, approved_at = now() where number is null")


def test_limits(settings):
    settings.OBJECT_TYPES_LIMIT, settings.OBJECT_FIELDS_LIMIT = 1, 2
    assert refused(draft_type) == ["too_many_fields"]
    draft_type(fields=(PLATE,))
    assert refused(draft_type, "Bike", "bike", (PLATE,)) == ["too_many_types"]


def test_names_that_differ_only_in_case_are_the_same():
    car, van = approved_type(), draft_type("Van", "van")
    assert refused(draft_type, "Vehicle", "CAR") == ["api_name_taken"]
    drafts.edit_draft_names(van, None, api_name="VAN")  # its own
    assert refused(drafts.edit_draft_names, fresh(van), None, api_name="Car") == ["api_name_taken"]
    another = [ObjectFieldSpec("PLATE", "Another plate")]
    assert "given_twice" in refused(drafts.add_draft_fields, fresh(van), another, None)
    drafts.remove_draft_fields(car, ["colour"], None)
    lifecycle.approve_draft(fresh(car), None)
    assert refused(drafts.add_draft_fields, fresh(car), [ObjectFieldSpec("Colour", "Paint")], None) == [
        "api_name_taken"
    ]
    drafts.add_draft_fields(fresh(car), [ObjectFieldSpec("colour", "Paint")], None)
