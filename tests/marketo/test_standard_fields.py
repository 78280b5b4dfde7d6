"""Marketo's standard fields that are no columns here: described, read and created when a value comes."""

import csv
import io

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from people.fields import editing as field_editing
from people.fields.marketo_standard import MARKETO_STANDARD
from people.files.exports import jobs as export_jobs
from people.files.imports import runner as import_runner
from people.models import Export, Person, PersonField
from tests.factories import make_person
from tests.marketo.conftest import code, result
from tests.marketo.test_bulk import upload


def described(dialect):
    return {row["rest"]["name"]: row for row in result(dialect.get("/rest/v1/leads/describe.json"))}


def test_they_are_described_and_read_before_anybody_has_a_value(dialect):
    rows = described(dialect)
    assert MARKETO_STANDARD.keys() <= rows.keys() and len(rows) == 90
    assert rows["billingCity"]["displayName"] == "Billing City" and rows["mktoName"]["rest"]["readOnly"] is True
    ann = make_person(first_name="Ann", last_name="Lee")
    fields = "billingCity,blackListed,mktoName,isLead,isAnonymous,leadPartitionId,cookies"
    (row,) = result(dialect.get(f"/rest/v1/lead/{ann.pk}.json", fields=fields))
    assert row == {
        "id": ann.pk,
        "billingCity": None,
        "blackListed": False,
        "mktoName": "Ann Lee",
        "isLead": True,
        "isAnonymous": False,
        "leadPartitionId": 1,
        "cookies": None,
    }
    assert result(dialect.get("/rest/v1/leads.json", filterType="leadStatus", filterValues="New")) == []
    assert not PersonField.objects.filter(is_standard=False).exists()


def test_the_first_value_creates_the_field_and_no_value_does_not(dialect):
    number = described(dialect)["billingCity"]["id"]
    rows = [{"email": "a@example.com", "billingCity": "Vigo", "fax": None, "department": ""}]
    (row,) = result(dialect.post("/rest/v1/leads.json", {"input": rows}))
    assert row["status"] == "created"
    (field,) = PersonField.objects.filter(is_standard=False)
    assert (field.api_name, field.label, field.is_api_created) == ("billingCity", "Billing City", True)
    assert Person.objects.get().fields == {"billingCity": "Vigo"}
    assert described(dialect)["billingCity"]["id"] == number and len(described(dialect)) == 90
    (schema,) = result(dialect.get("/rest/v1/leads/schema/fields/billingCity.json"))
    assert schema["isCustom"] is False and schema["displayName"] == "Billing City"
    found = dialect.get("/rest/v1/leads.json", filterType="billingCity", filterValues="vigo", fields="billingCity")
    assert result(found)[0]["billingCity"] == "Vigo"


def test_who_may_not_add_fields_may_give_these_values(dialect_with):
    narrow = dialect_with("people.add_person", "people.change_person")
    (row,) = result(narrow.post("/rest/v1/leads.json", {"input": [{"email": "a@example.com", "urgency": 2.5}]}))
    assert row["status"] == "created" and Person.objects.get().fields == {"urgency": 2.5}


def test_a_field_of_the_team_goes_before(dialect):
    PersonField.objects.create(api_name="LEADSTATUS", label="Status", data_type="integer")
    PersonField.objects.create(api_name="town", label="billing city", data_type="string")
    rows = [{"email": "a@example.com", "leadStatus": "New"}, {"email": "b@example.com", "billingCity": "Vigo"}]
    first, second = result(dialect.post("/rest/v1/leads.json", {"input": rows}))
    assert first["reasons"][0]["code"] == "1006" and second["status"] == "created"
    assert PersonField.objects.get(api_name="billingCity").label == "billingCity"


def test_what_nobody_writes_is_refused_by_name(dialect):
    rows = [{"email": "a@example.com", "mktoName": "Ann"}, {"email": "b@example.com", "createdAt": "2026-01-01"}]
    reasons = [row["reasons"][0] for row in result(dialect.post("/rest/v1/leads.json", {"input": rows}))]
    assert [reason["code"] for reason in reasons] == ["1003", "1003"]
    assert reasons[0]["message"] == reasons[1]["message"].replace("createdAt", "mktoName")


def test_a_deleted_one_comes_back_when_its_values_are_cleared(dialect):
    def sync():
        rows = [{"email": "a@example.com", "billingCity": "Vigo"}]
        return result(dialect.post("/rest/v1/leads.json", {"input": rows}))[0]

    sync()
    field_editing.delete_person_field(PersonField.objects.get(api_name="billingCity"), None)
    assert sync()["reasons"][0]["code"] == "1006"  # the job that clears the values still waits
    field_editing.clear_field_values("billingCity")
    ProcrastinateJob.objects.filter(task_name="people.clear_field").update(status="succeeded")
    assert sync()["status"] == "updated"


def test_the_schema_of_one_that_is_not_here_can_be_changed(dialect):
    path = "/rest/v1/leads/schema/fields/department.json"
    assert result(dialect.get(path))[0]["isApiCreated"] is False
    assert result(dialect.post(path, {"input": [{"displayName": "Team"}]}))[0]["status"] == "updated"
    assert PersonField.objects.get(api_name="department").label == "Team"
    assert code(dialect.post(path, {"input": [{"dataType": "integer"}]})) == "1003"


def test_files_hold_them_in_both_directions(dialect, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    text = "email,firstName,billingCity,inferredCountry\nann@example.com,Ann,Vigo,ES\n"
    (row,) = result(upload(dialect, "/bulk/v1/leads.json", text))
    import_runner.run_import(row["batchId"])
    ann = Person.objects.get()
    assert ann.fields == {"billingCity": "Vigo", "inferredCountry": "ES"}
    moment = ann.created_at.isoformat()
    names = ["billingCity", "fax", "blackListed", "mktoName", "isLead", "cookies", "emailSuspendedAt"]
    body = {"fields": names, "filter": {"createdAt": {"startAt": moment, "endAt": moment}}}
    (job,) = result(dialect.post("/bulk/v1/leads/export/create.json", body))
    dialect.post(f"/bulk/v1/leads/export/{job['exportId']}/enqueue.json")
    export_jobs.run_export(Export.objects.get().pk)
    reply = dialect.get(f"/bulk/v1/leads/export/{job['exportId']}/file.json")
    (line,) = csv.DictReader(io.StringIO(b"".join(reply.streaming_content).decode()))
    assert list(line.values()) == ["Vigo", "null", "false", "Ann", "true", "null", "null"]


@pytest.mark.parametrize("name", MARKETO_STANDARD)
def test_each_takes_a_value_of_its_type(dialect, name):
    values = {"boolean": True, "integer": 7, "float": 1.5, "datetime": "2026-11-20T10:00:00Z"}
    data_type = MARKETO_STANDARD[name][1]
    given = values.get(data_type, "x")
    (row,) = result(dialect.post("/rest/v1/leads.json", {"input": [{"email": "a@example.com", name: given}]}))
    assert row["status"] == "created", row
    (lead,) = result(dialect.get(f"/rest/v1/lead/{row['id']}.json", fields=name))
    assert lead[name] == given
