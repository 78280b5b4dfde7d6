"""People, person fields and static lists over the native API."""

from urllib.parse import quote

import pytest
from django.db import connection

from activities.api import serializers as activity_serializers
from activities.log.external_ids import external_ids_of
from activities.models import Activity
from config.api import parsers
from config.api.pagination import KeysetPagination
from people.api import serializers as people_serializers
from people.fields import editing as field_editing
from people.models import Person, PersonField, StaticListMember
from tests.api.test_activities import ids, paths
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan(db):
    return field_editing.create_person_field("Plan", "string", None)


@pytest.fixture
def member_number(db):
    return field_editing.create_person_field("Member number", "integer", None, is_unique=True)


def test_a_person_is_created_shown_and_changed(api, plan):
    made = api.post(
        "people", {"email": "Ann@example.com", "first_name": "Ann", "annual_revenue": 12.5, "fields": {"plan": "Gold"}}
    )
    assert made.status_code == 201
    body = made.json()
    assert (body["email"], body["fields"], body["annual_revenue"]) == ("Ann@example.com", {"plan": "Gold"}, 12.5)
    assert body["created_at"].endswith("Z") and body["last_name"] is None
    address = f"people/{body['id']}"
    assert made["Location"].endswith(f"/api/v1/{address}") and api.get(address).json() == body
    changed = api.patch(address, {"first_name": None, "fields": {"plan": "Silver"}}, If_Match=made["ETag"])
    assert changed.status_code == 200
    assert changed.json()["first_name"] is None and changed.json()["fields"] == {"plan": "Silver"}
    assert api.patch(address, {"first_name": "Zoe"}, If_Match=made["ETag"]).status_code == 412
    assert Person.objects.get(pk=body["id"]).first_name is None


def test_the_quick_form_of_a_person_and_an_activity_is_that_of_their_serializers(db, plan):
    ann = make_person(
        first_name="Ana",
        annual_revenue="12.50",
        number_of_employees=7,
        date_of_birth="1990-02-03",
        unsubscribed=True,
        plan="Gold",
    )
    shown = parsers.dump_exact_json(people_serializers.person_representation(ann))
    assert shown == parsers.dump_exact_json(people_serializers.PersonSerializer(ann).data)
    check = approved_type()
    found = activity_of(ann.pk, amount="10.50")
    names = {check.pk: check.api_name}
    serialized = activity_serializers.ActivitySerializer(found, context={"api_names": names}).data
    assert parsers.dump_exact_json(
        activity_serializers.activity_representation(found, names, external_ids_of([found]))
    ) == parsers.dump_exact_json(serialized)


def activity_of(person_id, **attributes):
    (outcome,) = record_rows(new_activity(person_id, **attributes))
    return Activity.objects.get(pk=outcome.activity_id)


def test_who_is_there_already_conflicts(api, member_number):
    assert api.post("people", {"email": "ann@example.com", "fields": {"memberNumber": 7}}).status_code == 201
    again = api.post("people", {"email": "ANN@example.com"})
    assert again.status_code == 409 and again.json()["code"] == "person_exists"
    taken = api.post("people", {"email": "bob@example.com", "fields": {"memberNumber": 7}})
    assert taken.status_code == 409 and paths(taken) == {("/fields/memberNumber", "value_taken")}


@pytest.mark.parametrize(
    "address", ["people?city=Vigo", "people?ordering=-id&last_name__contains=z", "static-lists?name=x"]
)
def test_a_filter_that_takes_too_long_is_a_clear_fault(api, settings, monkeypatch, address):
    make_person(city="Vigo")
    settings.API_LIST_SECONDS = 0.01

    def slowly(self, queryset, *_arguments, **_more):
        with connection.cursor() as cursor:
            cursor.execute("select pg_sleep(5)")

    monkeypatch.setattr(KeysetPagination, "paginate_queryset", slowly)
    reply = api.get(address)
    assert reply.status_code == 400 and reply.json()["code"] == "too_slow"
    assert "in 0.01 seconds" in reply.json()["detail"] and "no index covers" in reply.json()["detail"]
    monkeypatch.undo()
    settings.API_LIST_SECONDS = 10.0
    assert api.get(address).status_code == 200  # the limit ends with the call


def test_a_list_without_filters_has_no_limit(api, settings):
    settings.API_LIST_SECONDS = 0.0001
    assert api.get("people?page_size=1&ordering=-id").status_code == 200


def test_somebody_without_an_address_can_be_created(api):
    assert api.post("people", {"last_name": "Nobody"}).status_code == 201
    assert api.post("people", {"last_name": "Nobody"}).status_code == 201


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"email": "no address"}, {("/email", "wrong_type")}),
        ({"colour": 1}, {("/colour", "unknown_member")}),
        ({"id": 5}, {("/id", "unknown_member")}),
        ({"created_at": "2026-01-01"}, {("/created_at", "unknown_member")}),
        ({"fields": {"shoe": 1, "email": "a"}}, {("/fields/email", "unknown_field")}),
        ({"fields": {"shoe": 1}}, {("/fields/shoe", "unknown_field")}),
        ({"fields": 7}, {("/fields", "wrong_type")}),
        ([], {(None, "wrong_type")}),
        (
            {"date_of_birth": "0001-01-01", "unsubscribed": "perhaps", "number_of_employees": 10**30},
            {
                ("/date_of_birth", "out_of_range"),
                ("/unsubscribed", "wrong_type"),
                ("/number_of_employees", "out_of_range"),
            },
        ),
        (
            '{"last_name": "\\u0000", "first_name": "\\ud800"}',
            {("/last_name", "wrong_type"), ("/first_name", "wrong_type")},
        ),
    ],
)
def test_every_fault_has_its_place(api, body, expected):
    reply = api.post("people", body)
    assert reply.status_code == 422, reply.content
    assert paths(reply) == expected
    assert not Person.objects.exists()


def test_a_batch_upserts_each_row_on_its_own(api, plan):
    ann = make_person(email="ann@example.com")
    rows = [{"email": "ann@example.com", "last_name": "A"}, {"email": "bob@example.com"}, {"colour": 1}, {"email": "x"}]
    reply = api.post("people/batch", {"people": rows}).json()
    assert [row["status"] for row in reply["results"]] == ["updated", "created", "refused", "refused"]
    assert reply["results"][0]["id"] == ann.pk and (reply["created"], reply["updated"], reply["refused"]) == (1, 1, 2)
    by_id = api.post(
        "people/batch", {"people": [{"id": ann.pk, "city": "Vigo"}], "lookup_field": "id", "action": "update"}
    )
    assert by_id.json()["updated"] == 1 and Person.objects.get(pk=ann.pk).city == "Vigo"


def test_a_malformed_row_of_a_batch_costs_no_other_row(api, plan):
    malformed = [
        ("5", (None, "wrong_type")),
        ("null", (None, "wrong_type")),
        ('{"email": "c@example.com", "fields": []}', ("/fields", "wrong_type")),
        ('{"email": "c@example.com", "email": "d@example.com"}', (None, "given_twice")),
        ('{"email": "c@example.com", "fields": {"plan": "a", "plan": "b"}}', ("/fields", "given_twice")),
    ]
    rows = ['{"email": "a@example.com"}', *(row for row, _fault in malformed), '{"email": "b@example.com"}']
    reply = api.post("people/batch", f'{{"people": [{", ".join(rows)}]}}')
    assert reply.status_code == 200, reply.content
    results = reply.json()["results"]
    assert [row["status"] for row in results] == ["created", *["refused"] * len(malformed), "created"]
    for (row, fault), result in zip(malformed, results[1:-1], strict=True):
        assert [(error.get("path"), error["code"]) for error in result["errors"]] == [fault], row


def test_the_terms_of_a_batch_are_checked(api):
    rows = [{"email": "ann@example.com"}]
    assert paths(api.post("people/batch", {"people": rows, "action": "fly"})) == {("/action", "wrong_type")}
    assert paths(api.post("people/batch", {"people": rows, "lookup_field": "city"})) == {
        ("/lookup_field", "unknown_lookup_field")
    }
    assert paths(api.post("people/batch", {"people": rows, "lookup_field": [1]})) == {("/lookup_field", "wrong_type")}


def test_deleting_hides_and_restoring_brings_back(api):
    ann = make_person()
    assert api.delete(f"people/{ann.pk}").status_code == 204
    assert api.get(f"people/{ann.pk}").status_code == 404
    assert api.delete(f"people/{ann.pk}").status_code == 404
    assert api.post(f"people/{ann.pk}/restore").status_code == 200
    assert api.get(f"people/{ann.pk}").status_code == 200
    assert api.post(f"people/{ann.pk}/restore").status_code == 409


def test_erasing_leaves_nothing(api):
    ann = make_person(email="ann@example.com")
    assert api.post(f"people/{ann.pk}/erase").status_code == 204
    assert api.get(f"people/{ann.pk}").status_code == 404
    assert api.post(f"people/{ann.pk}/erase").status_code == 404
    assert not Person.objects.filter(email="ann@example.com").exists()


def test_a_merged_persons_id_answers_as_the_winner_until_undone(api):
    ann, bob = make_person(email="ann@example.com"), make_person(email="bob@example.com", city="Vigo")
    merged = api.post(f"people/{ann.pk}/merge", {"losers": [bob.pk]})
    assert merged.status_code == 200 and merged.json()["person"]["city"] == "Vigo"
    assert (merged.json()["records_moved"], merged.json()["records_replaced"]) == (0, 0)
    loser = api.get(f"people/{bob.pk}")
    assert loser.json()["id"] == ann.pk and loser["Content-Location"].endswith(f"/people/{ann.pk}")
    assert api.post(f"people/merges/{merged.json()['merge']}/undo").status_code == 204
    assert api.get(f"people/{bob.pk}").json()["id"] == bob.pk
    assert api.post(f"people/{ann.pk}/merge", {"losers": [ann.pk]}).status_code == 422


def test_rights_are_asked_for(narrowed):
    ann = make_person()
    reader = narrowed("people.view_person")
    assert reader.get(f"people/{ann.pk}").status_code == 200
    for method, path in (
        ("PATCH", f"people/{ann.pk}"),
        ("DELETE", f"people/{ann.pk}"),
        ("POST", "people"),
        ("POST", f"people/{ann.pk}/erase"),
        ("POST", "people/batch"),
        ("GET", "person-fields"),
    ):
        assert reader(method, path, {} if method != "GET" else None).status_code == 403, path
    changer = narrowed("people.change_person")
    assert changer.post("people/batch", {"people": [{"email": "x@example.com"}]}).status_code == 403


FOUND = (
    ("email=ANN@example.com", {0}),
    ("email__startswith=bo", {1}),
    ("email__in=ann@example.com,cid@example.com", {0, 2}),
    ("email__not=ann@example.com", {1, 2}),
    ("last_name__isempty=true", {2}),
    ("last_name__not=Álvarez", {1, 2}),
    ("last_name=álvarez", {0}),
    ("last_name__contains=%25", {1}),
    ("annual_revenue__gt=100.25", {1}),
    ("unsubscribed=true", {1}),
    ("date_of_birth__lt=1990-01-01", {0}),
    ("number_of_employees__gte=99999999999999", set()),
    ("fields.plan=gold", {0}),
    ("fields.plan__isempty=true", {1, 2}),
    ("fields.memberNumber__gt=6", {1}),
    ("static_list={list}", {0, 1}),
    ("created_at__gte=2020-01-01", {0, 1, 2}),
)


def test_filters_find_what_they_say(api, plan, member_number):
    everybody = [
        make_person(
            email="ann@example.com",
            last_name="Álvarez",
            annual_revenue="100.25",
            date_of_birth="1980-05-05",
            plan="Gold",
            memberNumber=6,
        ),
        make_person(email="bob@example.com", last_name="100%", annual_revenue=200, unsubscribed=True, memberNumber=7),
        make_person(email="cid@example.com", date_of_birth="1999-01-01"),
    ]
    made = api.post("static-lists", {"name": "VIP"}).json()["id"]
    api.post(f"static-lists/{made}/members", {"people": [everybody[0].pk, everybody[1].pk]})
    for query, expected in FOUND:
        found = set(ids(api.get("people?" + query.format(list=made))))
        assert found == {everybody[index].pk for index in expected}, query


def test_people_are_paged_by_key_in_every_order(api):
    everybody = [make_person().pk for _number in range(5)]
    for ordering in ("id", "-id", "created_at", "-created_at", "updated_at", "-updated_at"):
        seen, address = [], f"/api/v1/people?page_size=2&ordering={ordering}"
        while address:
            page = api.client.get(address, headers=api.headers).json()
            seen += [found["id"] for found in page["results"]]
            address = page["next"]
        assert seen == (everybody[::-1] if ordering.startswith("-") else everybody), ordering


def test_person_fields_are_defined_changed_and_deleted(api):
    made = api.post("person-fields", {"label": "Shoe size", "data_type": "integer", "choices": ["38", "39"]})
    assert made.status_code == 201 and made.json()["api_name"] == "shoeSize"
    assert made["Location"].endswith("/person-fields/shoeSize")
    tag = api.get("person-fields/shoeSize")["ETag"]
    changed = api.patch("person-fields/shoeSize", {"is_unique": True}, If_Match=tag)
    assert changed.json()["is_unique"] is True
    assert api.patch("person-fields/shoeSize", {"label": "Size"}, If_Match=tag).status_code == 412
    assert api.patch("person-fields/shoeSize", {"data_type": "string"}).status_code == 422
    assert [
        row["api_name"] for row in api.get("person-fields?is_standard=false&data_type=integer").json()["results"]
    ] == ["shoeSize"]
    assert api.delete("person-fields/shoeSize").status_code == 204
    assert not PersonField.objects.filter(api_name="shoeSize").exists()
    assert api.get("person-fields/shoeSize").status_code == 404
    assert api.delete("person-fields/email").status_code == 409
    assert api.get("person-fields/%00").status_code == 404


def test_static_lists_and_their_members(api):
    ann, bob = make_person(), make_person()
    made = api.post("static-lists", {"name": "VIP", "description": "Dear ones"})
    address = f"static-lists/{made.json()['id']}"
    assert api.post("static-lists", {"name": "vip"}).status_code == 409
    assert api.post(f"{address}/members", {"people": [ann.pk, bob.pk, ann.pk, 999_999]}).json()["results"] == [
        "added",
        "added",
        "already",
        "unknown",
    ]
    page = api.get(f"{address}/members?page_size=1").json()
    assert [row["person"] for row in page["results"]] == [ann.pk] and page["results"][0]["source"] == "api"
    rest = api.client.get(page["next"], headers=api.headers).json()
    assert [row["person"] for row in rest["results"]] == [bob.pk] and rest["next"] is None
    assert api.post(f"{address}/members/remove", {"people": [ann.pk, 5]}).json()["results"] == ["removed", "unknown"]
    assert api.delete(f"{address}/members/{bob.pk}").status_code == 204
    assert api.delete(f"{address}/members/{bob.pk}").status_code == 404
    assert not StaticListMember.objects.exists()
    tag = api.get(address)["ETag"]
    assert api.post(f"{address}/archive").json()["is_archived"] is True
    assert api.patch(address, {"name": "Best"}, If_Match=tag).status_code == 412
    assert api.patch(address, {"folder": 999}).status_code == 422
    assert api.delete(address).status_code == 204
    assert api.get(f"{address}/members").status_code == 404


def test_people_and_lists_are_searched_by_the_beginning_of_words(api):
    lucia = make_person(first_name="Lucía", last_name="García", email="lucia.garcia@x.com")
    make_person(first_name="Lucas", last_name="Green")
    for text in ("gar LUC", "lucia.garcia@x.com", "garcía", "garcia x com"):
        reply = api.get(f"people?search={quote(text)}")
        assert [row["id"] for row in reply.json()["results"]] == [lucia.pk], text
    assert api.get("people?search=%27%26%7C").json()["results"] == []
    assert api.get("people?search=").status_code == 400
    assert api.get(f"people?search={'x' * 256}").status_code == 400
    found = api.get("person-fields?search=invalid%20cau").json()["results"]
    assert [row["label"] for row in found] == ["Email Invalid Cause"]
