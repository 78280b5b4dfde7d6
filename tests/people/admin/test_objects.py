"""Object types and their records in the admin, without scripts."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.urls import reverse

from people.definitions import lifecycle
from people.models import ObjectRecord, ObjectType
from people.objects import queries
from tests.factories import make_person
from tests.people.objects.world import COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, changed, saved

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_user(client):
    def sign_in(*roles):
        user = get_user_model().objects.create_user("-".join(roles), is_staff=True)
        user.groups.set(Group.objects.filter(name__in=roles))
        client.force_login(user)
        return client

    return sign_in


def post(client, name, *arguments, **data):
    return client.post(reverse(f"admin:people_{name}", args=arguments), data, follow=True)


def text(reply):
    assert reply.status_code == 200, reply.content[:2000]
    return reply.content.decode()


def form_of(rows, initial=0, **names):
    data = {"fields-TOTAL_FORMS": str(len(rows)), "fields-INITIAL_FORMS": str(initial), **names}
    for number, row in enumerate(rows):
        data.update({f"fields-{number}-{name}": value for name, value in {"data_type": "string", **row}.items()})
    return data


def test_a_type_from_a_template_to_approved_and_retired(admin_client):
    add = reverse("admin:people_objecttype_add")
    assert "?template=car" in text(admin_client.get(add)) and "Number plate" in text(
        admin_client.get(f"{add}?template=car")
    )
    rows = [
        {"name": "Number plate", "is_dedupe": "on"},
        {"name": "Owner", "data_type": "email", "link": "person/email"},
        {"name": "Colour"},
        {"name": ""},
    ]
    refused = admin_client.post(add, form_of([{"name": "Colour"}], name="Car", plural_name="Cars"))
    assert "needs a dedupe field" in text(refused) and not ObjectType.objects.exists()
    made = admin_client.post(add, form_of(rows, name="Car", plural_name="Cars", revision="0"), follow=True)
    car = ObjectType.objects.get()
    assert "Created as a draft" in text(made) and car.draft.fields.get(link_to="person").link_by == "email"
    step = text(admin_client.get(reverse("admin:people_objecttype_step", args=[car.pk, "approve"])))
    assert "be changed afterwards" in step and "Colour" in step
    assert "Approved." in text(
        post(admin_client, "objecttype_step", car.pk, "approve", revision=str(car.draft.revision))
    )
    edit = reverse("admin:people_objecttype_edit", args=[car.pk])
    assert 'value="numberPlate"' in text(admin_client.get(edit))
    rows = [
        {"name": "Number plate", "api_name": "numberPlate", "is_dedupe": "on"},
        {"name": "Owner", "api_name": "owner", "data_type": "email", "link": "person/email"},
        {"name": "Colour", "api_name": "colour", "is_dedupe": "on"},
    ]
    locked = admin_client.post(edit, form_of(rows, 3, name="Car", plural_name="Cars", api_name="car", revision="0"))
    assert "fixed since the first approval" in text(locked)
    rows[2] = {"name": "Paint", "api_name": "colour"}
    done = admin_client.post(edit, form_of(rows, 3, name="Car", plural_name="Cars", api_name="car", revision="0"))
    assert done.status_code == 302, done.context["forms"].errors
    page = text(admin_client.get(reverse("admin:people_objecttype_change", args=[car.pk])))
    assert "Colour: name becomes “Paint”" in page
    post(admin_client, "objecttype_step", car.pk, "discard")
    post(admin_client, "objecttype_shown", car.pk)
    car.refresh_from_db()
    assert car.draft is None and not car.is_shown_on_person
    for step, state in (("retire", "retired"), ("restore", "approved"), ("delete", "deleted")):
        post(admin_client, "objecttype_step", car.pk, step)
        car.refresh_from_db()
        assert car.state == state
    assert "Restored, with all its records" in text(post(admin_client, "objecttype_deleted", type=str(car.pk)))
    assert "Cars" in text(admin_client.get(reverse("admin:people_objecttype_changelist")))


def test_records_are_added_found_edited_undone_and_deleted(admin_client):
    car, ann = approved_type(), make_person(email="ann@example.com", first_name="Ann")
    assert "No records here" in text(admin_client.get(reverse("admin:people_objectrecord_of_type", args=[car.pk])))
    bad = post(admin_client, "objectrecord_add_to_type", car.pk, value_plate="", value_mileage="many")
    assert "Expected a whole number" in text(bad)
    post(
        admin_client,
        "objectrecord_add_to_type",
        car.pk,
        value_plate="1234 BCD",
        value_owner="ann@example.com",
        value_colour="blue",
    )
    record = ObjectRecord.objects.get()
    address = reverse("admin:people_objectrecord_change", args=[record.pk])
    assert record.person_id == ann.pk and "Ann" in text(admin_client.get(address))
    admin_client.post(address, {"seen_revision": "1", "value_colour": "red"})
    late = text(admin_client.post(address, {"seen_revision": "1", "value_colour": "green"}))
    assert "Someone else changed this record" in late
    assert re.search(r"Colour</dt>.*?blue.*?became.*?red</bdi>", text(admin_client.get(address)), re.S)
    change = queries.history_of_record(record.pk)[0]
    assert "Taken back." in text(post(admin_client, "objectrecord_undo", record.pk, change.pk))
    assert "changed again since" in text(post(admin_client, "objectrecord_undo", record.pk, change.pk))
    saved(car, plate="=1+1", colour="Red", owner="nobody@example.com")
    of_type = reverse("admin:people_objectrecord_of_type", args=[car.pk])

    def shown(query):
        page = text(admin_client.get(f"{of_type}?{query}"))
        return [name for name in ("1234 BCD", "=1+1") if f"<bdi>{name}</bdi></a></th>" in page]

    assert shown("") == ["1234 BCD", "=1+1"] and shown("q=1234") == ["1234 BCD"]
    assert shown("field=colour&value=RED") == ["=1+1"] and shown("state=waiting") == ["=1+1"]
    both = "field=colour&value=red&field=plate&value="
    assert shown(f"{both}=1%2B1") == ["=1+1"] and shown(f"{both}1234 BCD") == []
    page = text(admin_client.get(f"{of_type}?{both}=1%2B1"))
    assert page.count('name="value"') == 3
    assert "field=colour&amp;field=plate&amp;value=red&amp;value=%3D1%2B1&amp;file=csv" in page
    both_file = admin_client.get(f"{of_type}?{both}=1%2B1&file=csv")
    assert b"1234 BCD" not in b"".join(both_file.streaming_content)
    page = text(admin_client.get(f"{of_type}?{both}%3D1%2B1&state=waiting&q=nothing&before=9999"))
    for rest in ("field=plate&amp;value=%3D1%2B1&amp;state", "field=colour&amp;value=red&amp;state"):
        assert f'href="?{rest}=waiting&amp;q=nothing"' in page  # each filter is a link to the list without it
    assert "Colour is “red”" in page and "No record matches these filters." in page
    assert "2 records, the newest first." in text(admin_client.get(of_type))
    assert "at most 5 fields" in text(admin_client.get(f"{of_type}?{'field=colour&value=red&' * 6}"))
    assert "no field “color”" in text(admin_client.get(f"{of_type}?field=color&value=red"))
    assert admin_client.get(f"{of_type}?file=csv&field=color&value=red").status_code == 302
    assert "Mileage: expected" in text(admin_client.get(f"{of_type}?field=mileage&value=x"))
    assert shown("columns=price&before=x") == ["1234 BCD", "=1+1"] and shown(f"before={record.pk}") == []
    file = b"".join(admin_client.get(f"{of_type}?file=csv").streaming_content).decode()
    assert file.splitlines()[1].startswith(f"{record.pk},{record.guid},{ann.pk},1234 BCD,") and ",'=1+1," in file
    tab = reverse("admin:people_objectrecord_of_person", args=[ann.pk])
    assert "1234 BCD" in text(admin_client.get(tab)) and f'href="{tab}"' in text(
        admin_client.get(reverse("admin:people_person_change", args=[ann.pk]))
    )
    assert "it can be restored" in text(post(admin_client, "objectrecord_remove", record.pk))
    assert shown("") == ["=1+1"] and shown("state=deleted") == ["1234 BCD"]
    assert "Restored." in text(post(admin_client, "objectrecord_restore", record.pk))
    for odd in ("9999999999/change/", "of/999999/", "of-person/999999/", "99999999999999999999/restore/"):
        assert admin_client.get(f"/admin/people/objectrecord/{odd}").status_code == 404, odd


def test_roles(as_user):
    car = approved_type()
    record = changed(saved(car, plate="1", colour="blue"), colour="red")
    viewer = as_user("Viewer")
    address = reverse("admin:people_objectrecord_change", args=[record.pk])
    assert "Save</button>" not in text(viewer.get(address))
    assert viewer.post(address, {"value_colour": "green"}).status_code == 403
    of_type = reverse("admin:people_objectrecord_of_type", args=[car.pk])
    assert viewer.get(f"{of_type}?file=csv").status_code == 403
    assert viewer.post(of_type).status_code == 405
    assert viewer.get(reverse("admin:people_objecttype_step", args=[car.pk, "retire"])).status_code == 403
    marketer = as_user("Marketer")
    assert "Saved." in text(marketer.post(address, {"value_colour": "green", "seen_revision": "2"}, follow=True))


def test_a_page_takes_few_statements(admin_client, django_assert_max_num_queries):
    car = approved_type()
    for number in range(3):
        make_person(email=f"p{number}@example.com")
    for number in range(30):
        saved(car, plate=str(number), owner=f"p{number % 3}@example.com", colour="red")
    of_type = reverse("admin:people_objectrecord_of_type", args=[car.pk])
    admin_client.get(of_type)
    with django_assert_max_num_queries(14):
        admin_client.get(of_type)


def test_names_of_people_are_shown_to_those_who_may_see_people(client):
    car = approved_type()
    ann = make_person(email="ann@example.com", first_name="Ann", last_name="Unseen")
    record = saved(car, plate="1", owner="ann@example.com")
    pages = [
        reverse("admin:people_objectrecord_change", args=[record.pk]),
        reverse("admin:people_objectrecord_of_type", args=[car.pk]),
    ]
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_objectrecord", "view_objecttype"]))
    client.force_login(user)
    for page in pages:
        shown = text(client.get(page))
        assert "Unseen" not in shown and f"Person {ann.pk}" in shown, page
    user.user_permissions.add(Permission.objects.get(codename="view_person"))
    for page in pages:
        assert "Unseen" in text(client.get(page)), page
    assert client.get(reverse("admin:people_objectrecord_of_person", args=[ann.pk])).status_code == 200


def test_records_of_a_deleted_type_have_no_pages(admin_client):
    course = approved_type("Course", "course", COURSE_FIELDS)
    enrolment = approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    ann = make_person(email="ann@example.com")
    python = saved(course, code="py")
    place = changed(saved(enrolment, student="ann@example.com", course="py"), grade=5)
    change = queries.history_of_record(place.pk)[0]
    lifecycle.delete_definition(enrolment, None)
    for name, *arguments in (
        ("change", place.pk),
        ("of_type", enrolment.pk),
        ("add_to_type", enrolment.pk),
        ("remove", place.pk),
        ("restore", place.pk),
        ("undo", place.pk, change.pk),
    ):
        address = reverse(f"admin:people_objectrecord_{name}", args=arguments)
        assert admin_client.get(address).status_code == 404, name
        assert admin_client.post(address).status_code in (404, 405), name
    of_course = text(admin_client.get(reverse("admin:people_objectrecord_change", args=[python.pk])))
    assert "Records that link to this one" not in of_course
    of_person = text(admin_client.get(reverse("admin:people_objectrecord_of_person", args=[ann.pk])))
    assert "ann@example.com · py" not in of_person
    for name in ("objecttype_changelist", "objectrecord_changelist"):
        assert text(admin_client.get(reverse(f"admin:people_{name}"), follow=True))


def test_the_list_gives_up_in_time(admin_client, settings):
    car = approved_type()
    saved(car, plate="1", colour="red")
    with connection.cursor() as cursor:  # no index serves a filter by their notes
        cursor.execute(
            """insert into object_record (object_type_id, guid, version, dedupe_hash, name, fields, revision)
            select %s, gen_random_uuid(), 1, sha256(n::text::bytea), n::text,
                jsonb_build_object('plate', n::text, 'notes', repeat(n || ' ', 100)), 1
            from generate_series(1, 6000) as n""",
            [car.pk],
        )
    address = reverse("admin:people_objectrecord_of_type", args=[car.pk])
    assert "Nothing was found" not in text(admin_client.get(address, {"field": "notes", "value": "x"}))
    settings.API_LIST_SECONDS = 0.001
    assert "Nothing was found in 0.001 seconds" in text(admin_client.get(address, {"field": "notes", "value": "x"}))


def test_a_type_in_use_offers_no_deletion(admin_client):
    course = approved_type("Course", "course", COURSE_FIELDS)
    delete = reverse("admin:people_objecttype_step", args=[course.pk, "delete"])
    assert 'class="ca-button ca-button--danger"' in text(admin_client.get(delete))
    approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    page = text(admin_client.get(delete))
    assert "be deleted while it is used" in page and "Enrolment" in page and "ca-button--danger" not in page
