"""The bulk methods of a public client of other authors, unchanged, against the served application."""

import csv
import io

import pytest
from django.contrib.auth import get_user_model
from marketorestpython.client import MarketoClient

from config.access.clients import editing as client_editing
from people.files.exports import jobs as export_jobs
from people.files.imports import runner as import_runner
from people.models import Export, Person
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db(transaction=True)
RANGE = {"createdAt": {"startAt": "2026-11-01T00:00:00Z", "endAt": "2026-11-23T00:00:00Z"}}


@pytest.fixture
def marketo(live_server, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    owner = get_user_model().objects.create_superuser("olga", password="x")
    credentials = client_editing.create_client("Old script", owner, None)
    client = MarketoClient("123-ABC-456", credentials.client_id, credentials.client_secret, max_retry_time=5)
    client.host = live_server.url
    return client


def test_activities_are_exported(marketo):
    check = approved_type("Visit Branch", "visitBranch")
    record_rows(new_activity(make_person().pk, "visitBranch", amount="2.5"))
    filters = {**RANGE, "activityTypeIds": [check.pk]}
    (job,) = marketo.execute(method="create_activities_export_job", filters=filters)
    (queued,) = marketo.execute(method="enqueue_activities_export_job", job_id=job["exportId"])
    assert queued["status"] == "Queued"
    export_jobs.run_export(Export.objects.get().pk)
    (status,) = marketo.execute(method="get_activities_export_job_status", job_id=job["exportId"])
    assert (status["status"], status["numberOfRecords"]) == ("Completed", 1)
    content = marketo.execute(method="get_activities_export_job_file", job_id=job["exportId"])
    (row,) = csv.DictReader(io.StringIO(content.decode()))
    assert row["primaryAttributeValue"] == "No. 1" and row["attributes"] == '{"Amount": 2.5}'
    assert [found["exportId"] for found in marketo.execute(method="get_activities_export_jobs_list")] == [
        job["exportId"]
    ]


def test_leads_are_exported_and_a_job_is_cancelled(marketo):
    ann = make_person(email="ann@example.com")
    now = ann.created_at
    filters = {"createdAt": {"startAt": now.isoformat(), "endAt": now.isoformat()}}
    (job,) = marketo.execute(method="create_leads_export_job", fields=["id", "email"], filters=filters)
    (cancelled,) = marketo.execute(method="cancel_leads_export_job", job_id=job["exportId"])
    assert cancelled["status"] == "Cancelled"
    (job,) = marketo.execute(method="create_leads_export_job", fields=["id", "email"], filters=filters)
    marketo.execute(method="enqueue_leads_export_job", job_id=job["exportId"])
    export_jobs.run_export(Export.objects.get(key=job["exportId"]).pk)
    content = marketo.execute(method="get_leads_export_job_file", job_id=job["exportId"])
    assert content.decode() == f"id,email\n{ann.pk},ann@example.com\n"


def test_leads_are_imported(marketo, tmp_path):
    (tmp_path / "leads.csv").write_text("email,firstName\nann@example.com,Ann\nno,Bob\n")
    (job,) = marketo.execute(method="import_lead", file=str(tmp_path / "leads.csv"), format="csv", lookupField="email")
    assert job["status"] == "Queued"
    import_runner.run_import(job["batchId"])
    (status,) = marketo.execute(method="get_import_lead_status", id=job["batchId"])
    assert (status["status"], status["numOfLeadsProcessed"], status["numOfRowsFailed"]) == ("Complete", 1, 1)
    assert "no,Bob," in marketo.execute(method="get_import_failure_file", id=job["batchId"])
    assert (
        marketo.execute(method="get_import_warning_file", id=job["batchId"]) == "Not Found\n"
    )  # there is none: 404, which the library does not look at
    assert Person.objects.get().first_name == "Ann"
