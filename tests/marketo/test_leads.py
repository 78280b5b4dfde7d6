"""People over the Marketo API: fields, filters, partitions, cookies."""

import pytest

from people.models import Person, PersonField
from tests.activities.visitors.factories import log_of, make_hit, make_site, make_visitor
from tests.factories import make_person
from tests.marketo.conftest import code, result


@pytest.fixture
def shoe_size(db):
    return PersonField.objects.create(api_name="shoeSize", label="Shoe Size", data_type="integer")


def test_describe_gives_every_field_with_its_name_in_this_api(dialect, shoe_size):
    rows = {row["rest"]["name"]: row for row in result(dialect.get("/rest/v1/leads/describe.json"))}
    assert rows["firstName"]["dataType"] == "string" and rows["firstName"]["length"] == 255
    assert rows["id"]["rest"]["readOnly"] is True and rows["createdAt"]["rest"]["readOnly"] is True
    assert (
        rows["website"]["dataType"] == "url" and "updatedAt" in rows and rows["shoeSize"]["displayName"] == "Shoe Size"
    )
    assert len({row["id"] for row in rows.values()}) == len(rows)
    (two,) = result(dialect.get("/rest/v1/leads/describe2.json"))
    assert two["name"] == "API Lead" and two["searchableFields"][:2] == [["email"], ["id"]]
    assert {field["name"] for field in two["fields"]} == set(rows)


def test_the_schema_of_fields_comes_in_pages(dialect, shoe_size):
    seen, token = [], {}
    while True:
        body = dialect.get("/rest/v1/leads/schema/fields.json", batchSize=7, **token).json()
        seen += body["result"]
        if not body["moreResult"]:
            break
        token = {"nextPageToken": body["nextPageToken"]}
    assert len(seen) == PersonField.objects.count() + 59 and "nextPageToken" not in body
    assert len({row["name"] for row in seen}) == len(seen)
    (row,) = result(dialect.get("/rest/v1/leads/schema/fields/shoeSize.json"))
    assert row in seen and row["isCustom"] is True and row["description"] is None
    assert code(dialect.get("/rest/v1/leads/schema/fields/first_name.json")) == "1006"


def test_every_described_field_can_be_asked_for(dialect, shoe_size):
    ann = make_person(shoeSize=38, annual_revenue="12.50", date_of_birth="1990-02-28", unsubscribed=True)
    names = [row["rest"]["name"] for row in result(dialect.get("/rest/v1/leads/describe.json"))]
    (row,) = result(dialect.get(f"/rest/v1/lead/{ann.pk}.json", fields=",".join(names)))
    assert set(row) == set(names)
    assert (row["shoeSize"], row["annualRevenue"], row["dateOfBirth"], row["unsubscribed"]) == (
        38,
        12.5,
        "1990-02-28",
        True,
    )
    assert row["city"] is None


def test_names_of_ours_are_not_names_of_the_dialect(dialect):
    (row,) = result(dialect.post("/rest/v1/leads.json", {"input": [{"email": "a@example.com", "first_name": "Ann"}]}))
    assert row["reasons"] == [{"code": "1006", "message": "Field 'first_name' not found"}]
    assert not Person.objects.exists()


def test_leads_by_a_custom_field_of_a_type_that_can_be_filtered_by(dialect, shoe_size):
    ann, _bob = make_person(shoeSize=38), make_person(shoeSize=40)
    find = lambda **parameters: dialect.get("/rest/v1/leads.json", **parameters)  # noqa: E731
    assert [row["id"] for row in result(find(filterType="shoeSize", filterValues="38,39"))] == [ann.pk]
    assert code(find(filterType="cookies", filterValues="x")) == "1012"
    assert len(result(find(filterType="leadPartitionId", filterValues="1"))) == 2
    assert [
        list(row)
        for row in result(find(filterType="id", filterValues=ann.pk, **{"fields[0]": "email", "fields[1]": "city"}))
    ] == [["id", "email", "city"]]
    assert code(find(filterType="id", filterValues=",".join(map(str, range(1, 302))))) == "1003"
    assert code(find(filterType="id")) == "1002"


def test_values_with_an_ampersand_stay_whole(dialect):
    PersonField.objects.create(api_name="employer", label="Employer", data_type="string")
    ann = make_person(employer="AT&T")
    assert [
        row["id"] for row in result(dialect.get("/rest/v1/leads.json", filterType="employer", filterValues="at&t"))
    ] == [ann.pk]


def test_too_many_matches_are_refused(dialect):
    Person.objects.bulk_create(Person(email="same@example.com") for _ in range(1001))
    reply = dialect.get("/rest/v1/leads.json", filterType="email", filterValues="same@example.com")
    assert reply.json()["errors"] == [{"code": "1003", "message": "Too many results match the filter"}]


def test_partitions(dialect):
    assert result(dialect.get("/rest/v1/leads/partitions.json"))[0]["name"] == "Default"

    def sync(name):
        return dialect.post("/rest/v1/leads.json", {"input": [{"email": "a@example.com"}], "partitionName": name})

    assert result(sync("Default"))[0]["status"] == "created"
    assert code(sync("Europe")) == "1008" and code(sync(["x"])) == "1008"


def test_a_cookie_is_associated_with_a_lead(dialect):
    ann, bob = make_person(), make_person()
    site = make_site(munchkin_id="287-GTJ-838")
    token = "_mch-example.com-1396310362214-46169"
    good = f"id:287-GTJ-838%26token:{token}"
    make_hit(make_visitor(site, token), site, "example.com/before")
    body = dialect.post(f"/rest/v1/leads/{ann.pk}/associate.json?id={ann.pk}&cookie={good}").json()
    assert body["success"] is True and "result" not in body
    assert log_of(ann.pk) == [("example.com/before", True)]
    found = dialect.get("/rest/v1/leads.json", filterType="cookies", filterValues=f"id:287-GTJ-838&token:{token}")
    assert [row["id"] for row in result(found)] == [ann.pk]
    assert dialect.post(f"/rest/v1/leads/{bob.pk}/associate.json?cookie={good}").json()["success"] is True
    assert log_of(bob.pk) == [], "only new activity goes to the second"
    new = dialect.post(f"/rest/v1/leads/{bob.pk}/associate.json?cookie=id:287-GTJ-838%26token:_mch-not-seen-yet")
    assert new.json()["success"] is True
    strange = dialect.post(f"/rest/v1/leads/{ann.pk}/associate.json?cookie=id:111-AAA-111%26token:_mch-x")
    assert strange.json()["errors"] == [
        {"code": "1012", "message": "Invalid cookie value 'id:111-AAA-111&token:_mch-x'"}
    ]
    assert code(dialect.post(f"/rest/v1/leads/{ann.pk}/associate.json?cookie=nonsense")) == "1012"
    assert code(dialect.post(f"/rest/v1/leads/{ann.pk}/associate.json")) == "1002"
    assert code(dialect.post(f"/rest/v1/leads/99999/associate.json?cookie={good}")) == "1004"


def test_what_is_not_offered_is_not_found(dialect):
    for path in ("opportunities.json", "opportunities/describe.json", "leads/push.json"):
        assert code(dialect.get(f"/rest/v1/{path}")) == "610"
    assert code(dialect.post("/rest/v1/opportunities.json", {"input": [{}]})) == "610"


def test_a_value_that_does_not_fit_is_told_with_its_field(dialect, shoe_size):
    rows = [{"email": "a@example.com", "shoeSize": "big"}, {"email": "b@example.com", "unsubscribed": "perhaps"}]
    reasons = [row["reasons"] for row in result(dialect.post("/rest/v1/leads.json", {"input": rows}))]
    for (reason,), name, value in zip(reasons, ("shoeSize", "unsubscribed"), ("big", "perhaps"), strict=True):
        assert reason["code"] == "1003" and reason["message"].startswith(f"Invalid value '{value}' for field '{name}'")


def test_booleans_that_were_never_set_are_false(dialect):
    PersonField.objects.create(api_name="isMember", label="Is Member", data_type="boolean")
    ann = make_person(city=None)
    (row,) = result(dialect.get(f"/rest/v1/lead/{ann.pk}.json", fields="isMember,unsubscribed,city"))
    assert (row["isMember"], row["unsubscribed"], row["city"]) == (False, False, None)


def test_the_filter_type_id_is_read_in_either_case(dialect):
    ann = make_person()
    for name in ("id", "Id", "ID"):
        rows = result(dialect.get("/rest/v1/leads.json", filterType=name, filterValues=ann.pk))
        assert [row["id"] for row in rows] == [ann.pk]


def test_a_plus_that_came_unencoded_is_a_plus(dialect):
    ann = make_person(email="ann+news@example.com")
    for value in ("ann+news@example.com", "ann news@example.com"):  # encoded; as a bare + is decoded
        rows = result(dialect.get("/rest/v1/leads.json", filterType="email", filterValues=value))
        assert [row["id"] for row in rows] == [ann.pk]


def test_leads_are_moved_to_the_one_partition_there_is(dialect):
    ann = make_person()
    given = [
        {"id": ann.pk, "partitionName": "Default"},
        {"id": ann.pk, "partitionName": "Europe"},
        {"id": ann.pk},
        {"id": ann.pk + 1, "partitionName": "Default"},
        7,
    ]
    rows = result(dialect.post("/rest/v1/leads/partitions.json", {"input": given}))
    assert rows[0] == {"id": ann.pk, "status": "updated"}
    assert [row["reasons"][0]["code"] for row in rows[1:]] == ["1008", "1002", "1004", "1004"]
