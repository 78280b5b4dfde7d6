"""Object types and their records over the native API."""

import pytest

from people.definitions import lifecycle
from people.models import ObjectChange, ObjectRecord
from tests.factories import make_person
from tests.people.objects.world import COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, changed, saved

pytestmark = pytest.mark.django_db
CAR = {
    "name": "Car",
    "plural_name": "Cars",
    "fields": [
        {"name": "Number plate", "is_dedupe": True},
        {"name": "Owner", "data_type": "email", "link_to": "person", "link_by": "email"},
        {"name": "Colour"},
    ],
}


def test_a_type_from_a_draft_to_retired_and_back(api):
    made = api.post("object-types", CAR)
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["api_name"], body["state"], body["live"]) == ("car", "draft", None)
    assert [field["api_name"] for field in body["draft"]["fields"]] == ["numberPlate", "owner", "colour"]
    assert api.get("objects/car").status_code == 404
    approved = api.post("object-types/car/approve", If_Match=made["ETag"])
    assert approved.json()["state"] == "approved" and approved.json()["live"]["number"] == 1
    assert api.get(f"object-types/{body['id']}").json() == api.get("object-types/car").json()
    assert api.patch("object-types/car", {"is_shown_on_person": False}).json()["state"] == "approved"
    assert api.post("object-types/car/fields", {"fields": [{"name": "Seats"}]}).status_code == 201
    assert api.patch("object-types/car/fields/seats", {"data_type": "integer"}).status_code == 200
    locked = api.patch("object-types/car/fields/colour", {"is_dedupe": True})
    assert locked.status_code == 422 and locked.json()["errors"][0]["code"] == "locked_key"
    assert api.get("object-types/car/fields").json()[-1]["data_type"] == "integer"
    assert api.delete("object-types/car/fields/seats").status_code == 200
    assert api.post("object-types/car/return", {"reason": "Why?"}).json()["draft"]["return_reason"] == "Why?"
    assert api.post("object-types/car/discard-draft").json()["draft"] is None
    assert api.post("object-types/car/retire").json()["state"] == "retired"
    assert api.post("objects/car", {"values": {"numberPlate": "1"}}).status_code == 409
    assert api.post("object-types/car/restore").json()["state"] == "approved"
    assert [row["number"] for row in api.get("object-types/car/versions").json()] == [1]
    assert api.get("object-types?search=car&state=approved").json()["results"][0]["id"] == body["id"]
    assert api.delete("object-types/car").status_code == 204 and api.get("object-types/car").status_code == 404
    assert api.post("object-types/car/undelete").json()["state"] == "approved"
    for bad in ({**CAR, "fields": []}, {**CAR, "name": ""}, {**CAR, "api_name": "person"}, {**CAR, "x": 1}):
        assert api.post("object-types", bad).status_code in {409, 422}, bad


def test_records(api, narrowed):
    car, ann = approved_type(), make_person(email="ann@example.com")
    values = {"plate": "1234 BCD", "owner": "ann@example.com", "price": 15000.5}
    made = api.post("objects/car", {"values": values})
    assert made.status_code == 201, made.content
    record = made.json()
    assert (record["name"], record["person"], record["values"]) == ("1234 BCD", ann.pk, values)
    address = f"objects/car/{record['id']}"
    assert made["Location"].endswith(address)
    assert api.post("objects/car", {"values": {"plate": "1234 bcd"}}).json()["code"] == "record_exists"
    first = api.get(address)
    blue = api.patch(address, {"values": {"colour": "blue", "price": None}}, If_Match=first["ETag"])
    assert blue.json()["values"] == {"plate": "1234 BCD", "owner": "ann@example.com", "colour": "blue"}
    assert api.patch(address, {"values": {"colour": "red"}}, If_Match=first["ETag"]).status_code == 412
    bad = api.patch(address, {"values": {"colours": "red", "mileage": "x", "notes": "\0"}})
    assert [error["path"] for error in bad.json()["errors"]] == ["/values/colours", "/values/mileage", "/values/notes"]
    for odd in ({"values": []}, {"values": {"id": 5}}, {}, [], {"values": {"plate": None}}):
        assert api.patch(address, odd).status_code == 422, odd
    history = api.get(f"{address}/history").json()
    assert [row["kind"] for row in history["results"]] == ["changed", "added"] and history["next_before"] is None
    assert history["results"][0]["changes"] == {"colour": [None, "blue"], "price": [15000.5, None]}
    undone = api.post(f"{address}/history/{history['results'][0]['id']}/undo")
    assert undone.json()["values"] == values
    assert undone.json()["deleted_at"] is None
    gone = api.post(f"{address}/history/{history['results'][1]['id']}/undo")  # the addition
    assert gone.status_code == 200 and gone.json()["deleted_at"] is not None
    latest = api.get(f"{address}/history").json()["results"][0]
    assert latest["kind"] == "removed" and latest["record"] == gone.json()["id"]
    assert api.post(f"{address}/history/{latest['id']}/undo").json()["deleted_at"] is None
    assert api.post(f"{address}/history/999999/undo").status_code == 404
    assert api.post(f"{address}/history/{history['results'][0]['id']}/undo").status_code == 422  # no longer blue
    assert api.get(f"{address}/history?before=1").json()["results"] == []
    assert api.get(f"{address}/history?before=x").status_code == 400
    reader = narrowed("people.view_objectrecord", "people.change_objectrecord")
    assert reader.delete(address).status_code == 403
    assert reader.post(f"{address}/history/{history['results'][1]['id']}/undo").status_code == 403
    assert api.delete(address).status_code == 204 and api.get(address).status_code == 404
    assert api.get(f"{address}/history").json()["results"][0]["kind"] == "removed"
    assert api.post(f"{address}/restore").json()["id"] == record["id"]
    assert api.post(f"{address}/restore").status_code == 409
    assert api.get("objects/car/99999999999").status_code == 404 and api.get("objects/nothing").status_code == 404
    lifecycle.retire_definition(car, None)
    assert api.get(address).status_code == 200 and api.patch(address, {"values": {"colour": "x"}}).status_code == 409


def test_batches(api, narrowed):
    approved_type()
    body = {
        "records": [
            {"values": {"plate": "1", "colour": "red"}},
            {"values": {"colour": "x"}},
            {"values": {"plate": "2"}},
        ]
    }
    reply = api.post("objects/car/batch", body)
    assert reply.status_code == 200, reply.content
    assert {name: reply.json()[name] for name in ("created", "updated", "refused")} == {
        "created": 2,
        "updated": 0,
        "refused": 1,
    }
    refused = reply.json()["results"][1]
    assert refused["errors"][0]["path"] == "/values/plate" and "id" not in refused
    first, last = reply.json()["results"][0], reply.json()["results"][2]
    by_id = {"key": "id", "records": [{"id": first["id"], "values": {"colour": "blue"}}, {"id": 999_999}]}
    assert [row["status"] for row in api.post("objects/car/batch", by_id).json()["results"]] == ["updated", "refused"]
    by_guid = {"key": "guid", "records": [{"guid": last["guid"], "values": {"colour": "green"}}]}
    assert api.post("objects/car/batch", by_guid).json()["updated"] == 1
    odd = {"records": [{"values": {"plate": "3", "id": 1}}, {"values": {"plate": "2"}}]}
    reply = api.post("objects/car/batch", odd).json()
    assert [row["status"] for row in reply["results"]] == ["refused", "updated"], "a row's fault costs no other row"
    assert reply["results"][0]["errors"][0]["code"] == "unexpected_id"
    updating = narrowed("people.change_objectrecord")
    assert updating.post("objects/car/batch", {**body, "action": "update"}).json()["updated"] == 2
    assert updating.post("objects/car/batch", body).status_code == 403
    for odd in ({"records": []}, {"records": 5}, {"records": None}, [], {"rows": []}, {"records": [{}] * 1_001}):
        assert api.post("objects/car/batch", odd).status_code == 422, odd
    past = api.post("objects/car/batch?backfill=true", {"records": [{"values": {"plate": "3"}}]})
    assert past.json()["created"] == 1 and ObjectChange.objects.latest("pk").is_backfill
    gone = {"records": [{"values": {"plate": "1"}}, {"values": {"plate": "1"}}]}
    assert [row["status"] for row in api.post("objects/car/delete", gone).json()["results"]] == ["deleted", "refused"]
    assert ObjectRecord.objects.existing().count() == 2


MALFORMED = [
    ("5", (None, "wrong_type")),
    ("null", (None, "wrong_type")),
    ("[]", (None, "wrong_type")),
    ('"x"', (None, "wrong_type")),
    ('{"values": []}', ("/values", "wrong_type")),
    ('{"values": null}', ("/values", "wrong_type")),
    ('{"values": {"plate": "1", "plate": "2"}}', ("/values", "given_twice")),
    ('{"values": {}, "values": {}}', (None, "given_twice")),
    ('{"value": {}}', ("/value", "unknown_member")),
    ('{"values": {"plate": "1", "guid": 1}}', ("/values/guid", "unexpected_id")),
    ('{"id": "1"}', ("/id", "wrong_type")),
    ('{"id": true}', ("/id", "wrong_type")),
    ('{"id": 99999999999999999999}', ("/id", "wrong_type")),
    ('{"guid": 5}', ("/guid", "wrong_type")),
    ('{"guid": "x"}', ("/guid", "wrong_type")),
]


@pytest.mark.parametrize(("way", "status"), [("batch", "created"), ("delete", "deleted")])
def test_a_malformed_row_costs_no_other_row(api, way, status):
    car = approved_type()
    if way == "delete":
        saved(car, plate="first")
        saved(car, plate="last")
    first, last = ('{"values": {"plate": "first"}}', '{"values": {"plate": "last"}}')
    body = f'{{"records": [{", ".join([first, *(row for row, _fault in MALFORMED), last])}]}}'
    reply = api.post(f"objects/car/{way}", body)
    assert reply.status_code == 200, reply.content
    results = reply.json()["results"]
    assert [row["status"] for row in results] == [status, *["refused"] * len(MALFORMED), status]
    for (row, fault), result in zip(MALFORMED, results[1:-1], strict=True):
        assert [(error.get("path"), error["code"]) for error in result["errors"]] == [fault], row


def test_lists_are_filtered_by_fields(api):
    car, ann = approved_type(), make_person(email="ann@example.com")
    red = saved(car, plate="1234 BCD", colour="Red", mileage=5, owner="ann@example.com")
    blue = changed(saved(car, plate="Ñandú 7", colour="blue", owner="nobody@example.com"), mileage=50)

    def ids(query):
        reply = api.get(f"objects/car?{query}")
        assert reply.status_code == 200, reply.content
        return [row["id"] for row in reply.json()["results"]]

    samples = {
        "": [red.pk, blue.pk],
        "ordering=-id": [blue.pk, red.pk],
        f"person={ann.pk}": [red.pk],
        "is_waiting=true": [blue.pk],
        "search=nan": [blue.pk],
        "search=re": [red.pk],
        "values.colour=RED": [red.pk],
        "values.mileage__gte=10": [blue.pk],
        "values.price__isempty=true": [red.pk, blue.pk],
        "name__startswith=1234": [red.pk],
    }
    for query, expected in samples.items():
        assert ids(query) == expected, query
    page = api.get("objects/car?page_size=1").json()
    assert len(page["results"]) == 1 and page["next"]
    for odd in ("values.nothing=1", "values.mileage=x", "values.%00=1", "person=x"):
        assert api.get(f"objects/car?{odd}").status_code == 400, odd


def test_the_document_says_what_the_values_of_each_type_are(api):
    approved_type()
    document = api.get("openapi.json").json()
    schemas = document["components"]["schemas"]
    assert schemas["ObjectValues"]["anyOf"] == [{"$ref": "#/components/schemas/ObjectValues.car"}]
    properties = schemas["ObjectValues.car"]["properties"]
    assert properties["plate"] == {"type": "string", "maxLength": 255, "title": "Number plate"}
    assert properties["mileage"]["anyOf"][1] == {"type": "null"}
    assert schemas["ObjectRecord"]["properties"]["values"]["$ref"] == "#/components/schemas/ObjectValues"


def test_the_id_of_a_replaced_record_answers_as_the_one_that_stays(api):
    approved_type("Course", "course", COURSE_FIELDS)
    enrolment = approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    ann, ben = make_person(email="ann@example.com"), make_person(email="ben@example.com")
    gone = saved(enrolment, student="ben@example.com", course="py", grade=1)
    saved(enrolment, student="ben@example.com", course="go")
    stays = saved(enrolment, student="ann@example.com", course="py", grade=2)
    merged = api.post(f"people/{ann.pk}/merge", {"losers": [ben.pk]}).json()
    assert (merged["records_moved"], merged["records_replaced"]) == (2, 1)
    address = f"objects/enrolment/{gone.pk}"
    answer = api.get(address)
    assert answer.json()["id"] == stays.pk and answer["Content-Location"].endswith(f"/objects/enrolment/{stays.pk}")
    assert api.patch(address, {"values": {"grade": 3}}, If_Match=answer["ETag"]).json()["values"]["grade"] == 3
    refused = api.delete(address)
    assert refused.status_code == 404 and f"record {stays.pk} replaced it" in refused.content.decode()
    assert api.delete(f"objects/enrolment/{stays.pk}").status_code == 204
    assert api.get(address).status_code == 404
    api.post(f"people/merges/{merged['merge']}/undo")
    assert api.get(address).json()["id"] == gone.pk


@pytest.mark.parametrize("key", ["id", "guid"])
def test_a_batch_follows_the_id_of_a_replaced_record_and_a_removal_does_not(api, key):
    approved_type("Course", "course", COURSE_FIELDS)
    enrolment = approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    ann, ben, cid = (make_person(email=f"{name}@example.com") for name in ("ann", "ben", "cid"))
    first, second, stays = (saved(enrolment, student=person.email, course="py") for person in (cid, ben, ann))
    other = saved(enrolment, student="ann@example.com", course="go")
    for winner, loser in ((ben, cid), (ann, ben)):  # the first is replaced by the second, that by the last
        assert api.post(f"people/{winner.pk}/merge", {"losers": [loser.pk]}).json()["records_replaced"] == 1
    rows = [
        {key: str(getattr(record, key)) if key == "guid" else record.pk, "values": {"grade": grade}}
        for grade, record in enumerate((first, second, stays, other, first))
    ]
    reply = api.post("objects/enrolment/batch", {"key": key, "records": rows}).json()
    assert [row.get("id") for row in reply["results"]] == [stays.pk, stays.pk, stays.pk, other.pk, stays.pk], reply
    assert api.get(f"objects/enrolment/{first.pk}").json()["values"]["grade"] == 4, "rows are applied in order"
    gone = api.post("objects/enrolment/delete", {"key": key, "records": [{key: row[key]} for row in rows[:2]]}).json()
    assert [row["errors"][0]["code"] for row in gone["results"]] == ["unknown_record", "unknown_record"]
    assert api.delete(f"objects/enrolment/{stays.pk}").status_code == 204
    reply = api.post("objects/enrolment/batch", {"key": key, "records": rows[:2]}).json()
    assert [row["errors"][0]["code"] for row in reply["results"]] == ["unknown_record", "unknown_record"]


def test_a_clash_of_api_names_names_both_fields(api):
    fields = [
        {"name": "Plate", "is_dedupe": True},
        {"name": "Colour", "api_name": "c"},
        {"name": "City", "api_name": "C"},
    ]
    refused = api.post("object-types", {**CAR, "fields": fields})
    (error,) = refused.json()["errors"]
    assert error["message"] == "The API names of “Colour” and “City” differ only in case: c, C."
    fields[2]["api_name"] = "c"
    (error,) = api.post("object-types", {**CAR, "fields": fields}).json()["errors"]
    assert error["message"] == "The fields “Colour” and “City” have the same API name: c."
    fields[2] = {"name": "Colour", "api_name": "other"}
    (error,) = api.post("object-types", {**CAR, "fields": fields}).json()["errors"]
    assert error["message"] == "Two fields share the name “Colour”."
