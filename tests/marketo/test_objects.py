"""Custom objects over the Marketo API: records, and descriptions of their types."""

from datetime import UTC, datetime

import pytest

from config.marketo.wire.parameters import MAX_BATCH
from people.core.source import SYSTEM
from people.models import ObjectChange, ObjectRecord, ObjectType
from people.objects.definition import ObjectFieldSpec
from people.persons import merge
from tests.factories import make_person
from tests.marketo.conftest import code, result
from tests.people.objects.world import COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, draft_type, saved

pytestmark = pytest.mark.django_db
CARS = "/rest/v1/customobjects/car"
POLICY = (
    ObjectFieldSpec("number", "Number", is_dedupe=True),
    ObjectFieldSpec("leadId", "Lead", "integer", link_to="person", link_by="id"),
)


@pytest.fixture
def car(db):
    return approved_type()


def sync(dialect, *rows, path=CARS, **more):
    return result(dialect.post(f"{path}.json", {"input": rows, **more}))


def found(dialect, path=CARS, **parameters):
    return result(dialect.get(f"{path}.json", **parameters))


def queried(dialect, path=CARS, **body):
    return dialect.post(f"{path}.json?_method=GET", body)


def test_sync_creates_and_updates_and_one_bad_row_costs_no_other(dialect, car):
    rows = sync(
        dialect,
        {"plate": "1", "colour": "blue", "price": 1250.5, "sold_at": "2026-11-20T10:00:00+01:00"},
        {"plate": "2", "mileage": "far"},
        {"colour": "red"},
        {"plate": "3", "wheels": 4},
        {"plate": "3", "id": 4},
        {"plate": "3", "marketoGUID": "x"},
        {"plate": "3", "createdAt": "2026-11-20"},
        "no object",
        {"plate": "1", "colour": "red"},
    )
    record = ObjectRecord.objects.get()
    assert [rows[0], rows[8]] == [
        {"seq": 0, "status": "created", "marketoGUID": str(record.guid)},
        {"seq": 8, "status": "updated", "marketoGUID": str(record.guid)},
    ]
    assert [(row["seq"], row["status"]) for row in rows[1:8]] == [(seq, "skipped") for seq in range(1, 8)]
    reasons = [[(reason["code"], reason["message"]) for reason in row["reasons"]] for row in rows[1:8]]
    assert reasons[0] == [("1001", "Invalid value 'far'. Required of type 'Integer'")]
    assert reasons[1] == [("1002", "Missing value for the required parameter 'plate'")]
    assert reasons[2] == [("1006", "Field 'wheels' not found")]
    assert reasons[3] == [("1006", "Field 'id' not found")]
    assert reasons[4] == [("1003", "Invalid data for 'marketoGUID': an id can only be given to update by id")]
    assert reasons[5] == [("1003", "Invalid data for 'createdAt': is maintained by the product")]
    assert reasons[6][0][0] == "1006"
    assert record.fields["colour"] == "red" and record.fields["sold_at"].startswith("2026-11-20T09:00:00")


def test_actions_and_keys(dialect, car):
    (first,) = sync(dialect, {"plate": "1"}, action="createOnly")
    (again,) = sync(dialect, {"plate": "1"}, action="CREATEONLY")
    assert again == {"seq": 0, "status": "skipped", "reasons": [{"code": "1017", "message": "Object already exists"}]}
    (absent,) = sync(dialect, {"plate": "2"}, action="updateOnly")
    assert absent["reasons"] == [{"code": "1013", "message": "Object not found"}]
    by_id = {"action": "updateOnly", "dedupeBy": "idField"}
    renamed, unknown, nothing = sync(
        dialect,
        {"marketoGUID": first["marketoGUID"], "plate": "9"},
        {"marketoGUID": "0" * 32, "plate": "8"},
        {"plate": "7"},
        **by_id,
    )
    assert (renamed["status"], unknown["reasons"][0]["code"]) == ("updated", "1013")
    assert nothing["reasons"] == [{"code": "1002", "message": "Missing value for the required parameter 'marketoGUID'"}]
    assert ObjectRecord.objects.get().name == "9"
    for wrong in ({"dedupeBy": "idField"}, {"action": "upsert"}, {"dedupeBy": "plate"}, {"action": ["x"]}):
        assert code(dialect.post(f"{CARS}.json", {"input": [{"plate": "1"}], **wrong})) == "1003"
    assert code(dialect.post(f"{CARS}.json", {"input": [{}] * (MAX_BATCH + 1)})) == "1003"
    assert len(sync(dialect, *({"plate": str(n)} for n in range(MAX_BATCH)))) == MAX_BATCH
    assert code(dialect.post(f"{CARS}.json", {})) == "1003"
    assert code(dialect.post("/rest/v1/customobjects/boat.json", {"input": [{}]})) == "1013"


def test_a_backfill_says_so_in_the_history(dialect, car):
    result(dialect.post(f"{CARS}.json?backfill=true", {"input": [{"plate": "1"}]}))
    assert ObjectChange.objects.get().is_backfill


def test_links_to_people(dialect, db):
    approved_type("Policy", "policy", POLICY)
    path = "/rest/v1/customobjects/policy"
    ann, bob = make_person(), make_person()
    rows = sync(
        dialect, {"number": "1", "leadId": ann.pk}, {"number": "2", "leadId": 999_999}, {"number": "3"}, path=path
    )
    assert rows[1]["reasons"] == [{"code": "1004", "message": "Lead not found"}]
    merge.merge_people(bob.pk, [ann.pk], None, SYSTEM)
    for lead in (ann, bob):  # the written record, and its present person
        (row,) = found(dialect, path, filterType="leadId", filterValues=lead.pk, fields="number,leadId")
        assert (row["number"], row["leadId"]) == ("1", ann.pk)


def test_query_by_dedupe_field_guid_and_link(dialect, car):
    sync(
        dialect,
        {"plate": "1", "colour": "blue", "owner": "ann@example.com", "inspected_on": "2026-11-20", "mileage": 10},
        {"plate": "2", "owner": "ANN@example.com"},
    )
    one, _two = ObjectRecord.objects.order_by("pk")
    ObjectRecord.objects.update(created_at=datetime(2026, 11, 20, 10, tzinfo=UTC))
    moment = "2026-11-20T10:00:00Z"
    (row,) = found(dialect, filterType="plate", filterValues="1,3")
    assert {**row, "updatedAt": moment} == {
        "seq": 0,
        "marketoGUID": str(one.guid),
        "plate": "1",
        "createdAt": moment,
        "updatedAt": moment,
    }
    wanted = {"filterType": "dedupeFields", "filterValues": "1", "fields": "colour,inspected_on,mileage,notes"}
    (row,) = found(dialect, **wanted)
    assert row == {
        "seq": 0,
        "marketoGUID": str(one.guid),
        "colour": "blue",
        "inspected_on": "2026-11-20",
        "mileage": 10,
    }
    assert result(dialect.form(f"{CARS}.json?_method=GET", **wanted)) == [row]
    for filter_type in ("idField", "marketoGUID"):
        assert found(dialect, filterType=filter_type, filterValues=f"{one.guid},x", fields="colour")[0] == {
            "seq": 0,
            "marketoGUID": str(one.guid),
            "colour": "blue",
        }
    rows = found(dialect, filterType="owner", filterValues="ann@EXAMPLE.com", fields="plate")
    assert [row["plate"] for row in rows] == ["1", "2"]
    assert found(dialect, filterType="plate", filterValues="nobody") == []
    page = dialect.get(f"{CARS}.json", filterType="plate", filterValues="1,2", batchSize=1).json()
    assert len(page["result"]) == 1 and page["nextPageToken"] == str(one.pk)
    last = dialect.get(f"{CARS}.json", filterType="plate", filterValues="1,2", nextPageToken=page["nextPageToken"])
    assert last.json()["result"][0]["plate"] == "2" and "nextPageToken" not in last.json()


@pytest.mark.parametrize(
    ("expected", "parameters"),
    [
        ("1002", {"filterValues": "1"}),
        ("1002", {"filterType": "plate"}),
        ("1011", {"filterType": "colour", "filterValues": "red"}),
        ("1006", {"filterType": "plate", "filterValues": "1", "fields": "wheels"}),
        ("1003", {"filterType": "plate", "filterValues": ",".join(map(str, range(301)))}),
        ("1003", {"filterType": "plate", "filterValues": "1", "nextPageToken": "x"}),
        ("1001", {"filterType": "plate", "filterValues": "1", "batchSize": "many"}),
    ],
)
def test_bad_queries(dialect, car, expected, parameters):
    assert code(dialect.get(f"{CARS}.json", **parameters)) == expected


def test_query_by_several_dedupe_fields(dialect, db):
    approved_type("Course", "course", COURSE_FIELDS)
    approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    path = "/rest/v1/customobjects/enrolment"
    keys = [{"student": "ann@example.com", "course": str(number)} for number in range(3)]
    sync(dialect, *({**key, "grade": place} for place, key in enumerate(keys)), path=path)
    body = {"filterType": "dedupeFields", "fields": ["grade"], "input": [*keys, {**keys[0], "course": "none"}]}
    assert [row["grade"] for row in result(queried(dialect, path, **body))] == [0, 1, 2]
    pages, token = [], {}
    while token is not None:
        reply = queried(dialect, path, **body, batchSize=2, **token).json()
        pages.append([row["grade"] for row in reply["result"]])
        token = {"nextPageToken": reply["nextPageToken"]} if "nextPageToken" in reply else None
    assert pages == [[0, 1], [2]]
    (row,) = result(queried(dialect, path, filterType="course", input=[{"course": "1"}], fields="grade"))
    assert row["grade"] == 1
    approved = saved(ObjectType.objects.get(api_name="course"), code="1")
    assert ObjectRecord.objects.filter(linked=approved).exists()
    assert len(found(dialect, path, filterType="course", filterValues="1")) == 1
    assert code(queried(dialect, path, filterType="dedupeFields", input=[{"student": "ann@example.com"}])) == "1002"
    assert code(queried(dialect, path, filterType=["x", {}], input=keys)) == "1001"
    assert code(queried(dialect, path, filterType="a\0", input=keys)) == "1003"
    assert code(dialect.get(f"{path}.json", filterType="dedupeFields", filterValues="1")) == "1003"


def test_delete(dialect, car):
    one, two, three = (saved(car, plate=str(number)) for number in range(3))
    rows = result(dialect.post(f"{CARS}/delete.json", {"input": [{"plate": "0"}, {"plate": "9"}, {"plate": "0"}, 5]}))
    assert rows[0] == {"seq": 0, "status": "deleted", "marketoGUID": str(one.guid)}
    missing = [{"code": "1013", "message": "Object not found"}]
    assert [row["reasons"] for row in rows[1:3]] == [missing, missing] and rows[3]["status"] == "skipped"
    by_id = {"deleteBy": "idField", "input": [{"marketoGUID": str(two.guid)}]}
    assert result(dialect.post(f"{CARS}/delete.json", by_id))[0]["status"] == "deleted"
    assert result(dialect.post(f"{CARS}/delete.json", {"input": {"plate": "2"}}))[0]["marketoGUID"] == str(three.guid)
    assert not ObjectRecord.objects.existing().exists()


def test_list_and_describe(dialect, car):
    draft_type("Boat", "boat")
    approved_type("Course", "course", COURSE_FIELDS)
    approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    rows = result(dialect.get("/rest/v1/customobjects.json"))
    assert [row["name"] for row in rows] == ["car", "course", "enrolment"]
    (row,) = result(dialect.get("/rest/v1/customobjects.json", names="enrolment,boat"))
    assert (row["displayName"], row["idField"], row["dedupeFields"]) == (
        "Enrolment",
        "marketoGUID",
        ["student", "course"],
    )
    assert row["searchableFields"] == [["student", "course"], ["marketoGUID"], ["student"], ["course"]]
    assert row["relationships"] == [
        {"field": "student", "type": "child", "relatedTo": {"name": "lead", "field": "email"}},
        {"field": "course", "type": "child", "relatedTo": {"name": "course", "field": "code"}},
    ]
    (row,) = result(dialect.get(f"{CARS}/describe.json"))
    fields = {field["name"]: field for field in row["fields"]}
    assert fields["marketoGUID"] == {
        "name": "marketoGUID",
        "displayName": "Marketo GUID",
        "dataType": "string",
        "length": 36,
        "updateable": False,
        "crmManaged": False,
    }
    assert fields["plate"] == fields["marketoGUID"] | {
        "name": "plate",
        "displayName": "Number plate",
        "length": 255,
        "updateable": True,
    }
    assert (fields["mileage"]["dataType"], fields["page"]["dataType"]) == ("integer", "url")
    for name in ("boat", "none", "a b"):
        assert code(dialect.get(f"/rest/v1/customobjects/{name}/describe.json")) == "1013"


def test_rights(dialect_with, car):
    changer = dialect_with("people.change_objectrecord")
    assert code(changer.post(f"{CARS}.json", {"input": [{"plate": "1"}]})) == "603"
    assert sync(changer, {"plate": "1"}, action="updateOnly")[0]["status"] == "skipped"
    assert code(changer.get(f"{CARS}.json", filterType="plate", filterValues="1")) == "603"
