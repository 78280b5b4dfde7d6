"""Bulk exports and imports over the Marketo API (docs/marketo-contract.md §5)."""

import csv
import hashlib
import io
import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from activities.models import Activity
from people.core.source import SYSTEM
from people.fields import editing as field_editing
from people.files.exports import jobs as export_jobs
from people.files.imports import runner as import_runner
from people.lists import static_lists
from people.models import Export, Import, Person
from smartlists.catalog import Catalogue
from smartlists.lists import editing as list_editing
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.marketo.conftest import code, result

pytestmark = pytest.mark.django_db
RANGE = {"startAt": "2026-11-01T00:00:00Z", "endAt": "2026-11-22T00:00:00+00:00"}


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


@pytest.fixture
def checks(db):
    check = approved_type()
    ann = make_person(email="ann@example.com", first_name="Ann\nMaria", unsubscribed=True)
    record_rows(
        new_activity(ann.pk, amount="2.50", is_foreign=True, pages=3, branch='Ma"in, \u00e9'),
        new_activity(ann.pk, primary_value="Rye,\nadvanced", occurred_at="2026-11-22T00:00:00.4Z"),
        new_activity(ann.pk, primary_value="too late", occurred_at="2026-11-22T00:00:01Z"),
    )
    return check, ann


def created(dialect, kind="activities", **body):
    body = {"filter": {"createdAt": RANGE}, **body}
    (row,) = result(dialect.post(f"/bulk/v1/{kind}/export/create.json", body))
    return row


def ready(dialect, kind="activities", **body):
    """(status row, file) of a job that was written."""
    base = f"/bulk/v1/{kind}/export/{created(dialect, kind, **body)['exportId']}"
    (row,) = result(dialect.post(f"{base}/enqueue.json"))
    assert row["status"] == "Queued"
    export_jobs.run_export(Export.objects.get(key=row["exportId"]).pk)
    (row,) = result(dialect.get(f"{base}/status.json"))
    assert row["status"] == "Completed", row
    return row, dialect.get(f"{base}/file.json")


def content(reply):
    return b"".join(reply)


def table(reply, delimiter=","):
    return list(csv.reader(io.StringIO(content(reply).decode(), newline=""), delimiter=delimiter))


@pytest.mark.parametrize("fields", ["missing", None, []])
def test_activities_have_the_eight_columns(dialect, checks, fields):
    check, ann = checks
    types = {"createdAt": RANGE, "activityTypeIds": [check.pk]}
    body = {"filter": types} | ({} if fields == "missing" else {"fields": fields})
    row, reply = ready(dialect, **body)
    text = content(reply)
    assert (row["numberOfRecords"], row["fileSize"]) == (2, len(text))
    assert row["fileChecksum"] == "sha256:" + hashlib.sha256(text).hexdigest()
    assert set(row) >= {"createdAt", "queuedAt", "startedAt", "finishedAt"} and row["format"] == "CSV"
    assert reply["Content-Type"] == "text/csv;charset=UTF-8" and "Content-Encoding" not in reply
    header, *lines = text.decode().splitlines()
    first, second = sorted(lines, key=lambda line: line.split(",")[2])  # an extract promises no order
    assert header == (
        "marketoGUID,leadId,activityDate,activityTypeId,campaignId,primaryAttributeValueId,primaryAttributeValue,attributes"
    )
    cells = next(csv.reader([first]))
    assert cells[1:7] == [str(ann.pk), "2026-11-20T10:00:00Z", str(check.pk), "null", "null", "No. 1"]
    assert json.loads(cells[7]) == {"Amount": 2.5, "Is Foreign": True, "Pages": 3, "Branch": 'Ma"in, é'}
    assert '"Pages": 3' in cells[7]
    assert ",2026-11-22T00:00:00Z," in second and '"Rye, advanced",{}' in second


def test_columns_headers_and_format_are_those_asked_for(dialect, checks):
    names = {"leadId": "Person", "activityDate": "When"}
    filters = {"createdAt": RANGE, "activityTypeIds": [checks[0].pk]}
    _row, reply = ready(
        dialect,
        fields=["activityDate", "leadId", "actionResult"],
        columnHeaderNames=names,
        format="ssv",
        filter=filters,
    )
    header, *rows = table(reply, ";")
    assert header == ["When", "Person", "actionResult"]
    assert min(rows) == ["2026-11-20T10:00:00Z", str(checks[1].pk), "succeeded"]


def test_primary_values_narrow_the_types_that_have_them(dialect, checks):
    joined = static_lists.create_static_list("VIP", None)
    static_lists.add_members(joined, [checks[1].pk], SYSTEM)
    now = checks[1].created_at
    whole = {"createdAt": {"startAt": now.isoformat(), "endAt": (now + timedelta(days=1)).isoformat()}}
    for value, count in (("VIP", 1), ("Other", 0)):
        filters = {**whole, "activityTypeIds": [24], "primaryAttributeValues": [value]}
        assert ready(dialect, filter=filters)[0]["numberOfRecords"] == count
    for asked, count in (([joined.pk], 1), ([joined.pk + 1], 0)):
        filters = {**whole, "activityTypeIds": [24, 13], "primaryAttributeValueIds": asked}
        row, file = ready(dialect, fields=["primaryAttributeValueId", "primaryAttributeValue"], filter=filters)
        assert row["numberOfRecords"] == count and table(file)[1:] == [[str(joined.pk), "VIP"]] * count
    filters = {**whole, "activityTypeIds": [checks[0].pk], "primaryAttributeValues": ["x"]}
    assert code(dialect.post("/bulk/v1/activities/export/create.json", {"filter": filters})) == "1003"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "1003"),
        ({"filter": {}}, "1003"),
        ({"filter": {"createdAt": {"startAt": "2026-11-30T00:00:00Z", "endAt": "2026-11-01T00:00:00Z"}}}, "1003"),
        ({"filter": {"createdAt": {"startAt": "2026-10-01T00:00:00Z", "endAt": "2026-11-30T00:00:00Z"}}}, "1003"),
        ({"filter": {"createdAt": {"startAt": "soon", "endAt": "2026-11-30T00:00:00Z"}}}, "1003"),
        ({"filter": {"createdAt": RANGE, "activityTypeIds": ["x"]}}, "1001"),
        ({"filter": {"createdAt": RANGE, "activityTypeIds": [37]}}, "1003"),
        ({"filter": {"createdAt": RANGE, "activityTypeIds": [1, 99]}}, "1003"),
        ({"filter": {"createdAt": RANGE, "shoeSize": 7}}, "1035"),
        ({"filter": {"createdAt": RANGE, "primaryAttributeValueIds": [7]}}, "1003"),
        ({"filter": {"createdAt": RANGE, "activityTypeIds": [24], "primaryAttributeValueIds": ["x"]}}, "1003"),
        ({"filter": {"createdAt": RANGE, "activityTypeIds": [24], "primaryAttributeValueIds": [*range(51)]}}, "1003"),
        (
            {
                "filter": {
                    "createdAt": RANGE,
                    "activityTypeIds": [24],
                    "primaryAttributeValueIds": [7],
                    "primaryAttributeValues": ["VIP"],
                }
            },
            "1003",
        ),
        ({"filter": {"createdAt": RANGE}, "fields": ["shoe\0"]}, "1003"),
        ({"filter": {"createdAt": RANGE}, "format": "XML"}, "1001"),
        ([], "1003"),
    ],
)
def test_requests_that_cannot_be(dialect, body, expected):
    assert code(dialect.post("/bulk/v1/activities/export/create.json", body)) == expected
    assert not Export.objects.exists()


def test_ranges_of_the_file(dialect, checks):
    _row, whole = ready(dialect)
    path, text = whole.wsgi_request.path, content(whole)
    assert whole["Accept-Ranges"] == "bytes"

    def part(span):
        return dialect.client.get(path, headers={**dialect.headers, "Range": f"bytes={span}"})

    for span, expected in (
        ("0-0", text[:1]),
        ("10-19", text[10:20]),
        ("30-", text[30:]),
        ("-5", text[-5:]),
        ("5-99999", text[5:]),
    ):
        reply = part(span)
        assert (reply.status_code, content(reply)) == (206, expected)
        assert reply["Content-Length"] == str(len(expected))
    assert part("0-9")["Content-Range"] == f"bytes 0-9/{len(text)}"
    assert part("99999-").status_code == 416
    for odd in ("9-3", "a-b", "1-2,4-5"):
        reply = part(odd)
        assert (reply.status_code, content(reply)) == (200, text)


def test_a_job_is_queued_once_cancelled_and_listed(dialect, checks):
    first, second = created(dialect)["exportId"], created(dialect)["exportId"]
    base = "/bulk/v1/activities/export"
    result(dialect.post(f"{base}/{first}/enqueue.json"))
    assert code(dialect.post(f"{base}/{first}/enqueue.json")) == "1029"
    (row,) = result(dialect.post(f"{base}/{first}/cancel.json"))
    assert row["status"] == "Cancelled" and "queuedAt" in row and "finishedAt" not in row
    assert code(dialect.post(f"{base}/{first}/cancel.json")) == "1029"
    assert [row["exportId"] for row in result(dialect.get(f"{base}.json"))] == [first, second]
    assert [row["exportId"] for row in result(dialect.get(f"{base}.json", status="canceled"))] == [first]
    page = dialect.get(f"{base}.json", batchSize=1).json()
    assert [row["exportId"] for row in page["result"]] == [first]
    rest = dialect.get(f"{base}.json", batchSize=1, nextPageToken=page["nextPageToken"]).json()
    assert [row["exportId"] for row in rest["result"]] == [second] and "nextPageToken" not in rest
    assert dialect.get(f"{base}/{first}/file.json").status_code == 404
    assert dialect.get(f"{base}/{second}/file.json")["Content-Type"] == "text/plain"
    assert result(dialect.get("/bulk/v1/leads/export.json")) == []


def test_the_eleventh_job_waits_for_a_place(dialect, checks, settings):
    settings.EXPORT_MAX_QUEUED = 2
    jobs = [created(dialect)["exportId"] for _ in range(3)]
    for job in jobs[:2]:
        result(dialect.post(f"/bulk/v1/activities/export/{job}/enqueue.json"))
    reply = dialect.post(f"/bulk/v1/activities/export/{jobs[2]}/enqueue.json")
    assert reply.json()["errors"] == [{"code": "1029", "message": "Too many jobs in queue"}]


def test_the_bytes_of_a_day_can_be_limited(dialect, checks, settings):
    row, _file = ready(dialect)
    waiting = created(dialect)["exportId"]
    settings.DIALECT_DAILY_EXPORT_MB = 1
    created(dialect)
    Export.objects.filter(key=row["exportId"]).update(size=2**20)
    said = [{"code": "1029", "message": "Export daily quota 1MB exceeded."}]
    body = {"filter": {"createdAt": RANGE}}
    assert dialect.post("/bulk/v1/activities/export/create.json", body).json()["errors"] == said
    assert dialect.post(f"/bulk/v1/activities/export/{waiting}/enqueue.json").json()["errors"] == said
    yesterday = timezone.now() - timedelta(days=1)
    Export.objects.filter(key=row["exportId"]).update(finished_at=yesterday)
    assert result(dialect.post(f"/bulk/v1/activities/export/{waiting}/enqueue.json"))[0]["status"] == "Queued"


def test_jobs_are_their_makers_only(dialect, dialect_with, checks):
    job = created(dialect)["exportId"]
    other = dialect_with("activities.view_activity", "people.export_person")
    assert code(other.get(f"/bulk/v1/activities/export/{job}/status.json")) == "1013"
    assert result(other.get("/bulk/v1/activities/export.json")) == []
    body = {"fields": ["email"], "filter": {"createdAt": RANGE}}
    assert code(other.post("/bulk/v1/leads/export/create.json", body)) == "603"


def test_reading_is_not_enough_to_export(dialect_with, checks):
    reader = dialect_with("activities.view_activity", "people.view_person")
    body = {"fields": ["email"], "filter": {"createdAt": RANGE}}
    for kind in ("activities", "leads"):
        assert code(reader.post(f"/bulk/v1/{kind}/export/create.json", body)) == "603"
        assert code(reader.get(f"/bulk/v1/{kind}/export.json")) == "603"


@pytest.mark.parametrize("kind", ["staticListId", "staticListName", "smartListId", "smartListName", "updatedAt"])
def test_leads_by_each_filter(dialect, checks, kind):
    ann, bob = checks[1], make_person(email="bob@example.com")
    fixed = static_lists.create_static_list("VIP", None)
    static_lists.add_members(fixed, [ann.pk], SYSTEM)
    now = ann.updated_at
    filters = {
        "staticListId": fixed.pk,
        "staticListName": "vip",
        "updatedAt": {"startAt": now.isoformat(), "endAt": now.isoformat()},
    }
    if kind.startswith("smart"):
        smart = list_editing.create_smart_list("Fans", _rules(fixed), None)
        filters |= {"smartListId": smart.pk, "smartListName": "FANS"}
    Person.objects.filter(pk=bob.pk).update(updated_at="2020-01-01T00:00:00Z")
    _row, reply = ready(
        dialect,
        "leads",
        fields=["id", "email", "firstName", "unsubscribed", "city", "updatedAt"],
        filter={kind: filters[kind]},
    )
    header, *rows = table(reply)
    assert header == ["id", "email", "firstName", "unsubscribed", "city", "updatedAt"]
    assert rows == [[str(ann.pk), "ann@example.com", "Ann Maria", "true", "null", now.strftime("%Y-%m-%dT%H:%M:%SZ")]]


def _rules(static_list):
    from smartlists.rules.text import language

    return language.parse_rules_text(f'1: in static list "{static_list.name}"', Catalogue())


@pytest.mark.parametrize(
    "body",
    [
        {"fields": ["email"], "filter": {"createdAt": RANGE, "updatedAt": RANGE}},
        {"filter": {"createdAt": RANGE}},
        {"fields": ["shoe"], "filter": {"createdAt": RANGE}},
        {"fields": ["email"], "filter": {"staticListName": "none"}},
        {"fields": ["email"], "filter": {"smartListId": 99}},
    ],
)
def test_lead_exports_that_cannot_be(dialect, body):
    assert code(dialect.post("/bulk/v1/leads/export/create.json", body)) == "1003"


def upload(dialect, path, text, **parameters):
    file = SimpleUploadedFile("leads.csv", text.encode() if isinstance(text, str) else text)
    query = "&".join(f"{name}={value}" for name, value in {"format": "csv", **parameters}.items())
    return dialect.client.post(f"{path}?{query}", {"file": file}, headers=dialect.headers)


def test_leads_are_imported_with_failures(dialect, checks):
    fixed = static_lists.create_static_list("VIP", None)
    text = "email,firstName,annualRevenue\nann@example.com,Anna,1\nno,Bob,2\ncarl@example.com,Carl,many\nd@example.com,D,\n"
    (row,) = result(upload(dialect, "/bulk/v1/leads.json", text, lookupField="email", listId=fixed.pk))
    assert row == {"batchId": row["batchId"], "importId": str(row["batchId"]), "status": "Queued"}
    base = f"/bulk/v1/leads/batch/{row['batchId']}"
    assert result(dialect.get(f"{base}.json"))[0]["status"] == "Queued"
    import_runner.run_import(row["batchId"])
    (status,) = result(dialect.get(f"{base}.json"))
    assert status == {
        "batchId": row["batchId"],
        "importId": row["importId"],
        "status": "Complete",
        "numOfLeadsProcessed": 2,
        "numOfRowsFailed": 2,
        "numOfRowsWithWarning": 0,
        "message": "Import completed with errors, 2 records imported (2 members), 2 failed",
    }
    failed = table(dialect.get(f"{base}/failures.json"))
    assert failed[0] == ["email", "firstName", "annualRevenue", "Import Failure Reason"]
    assert [line[0] for line in failed[1:]] == ["no", "carl@example.com"] and "field annual_revenue" in failed[2][3]
    assert dialect.get(f"{base}/warnings.json").status_code == 404
    assert fixed.members.count() == 2
    assert Person.objects.get(email="ann@example.com").first_name == "Anna"


@pytest.mark.parametrize("mark", [",", ";"])
def test_a_file_in_another_encoding_is_refused_unless_it_is_named(dialect, checks, mark):
    text = f"email{mark}firstName\nann@example.com{mark}Ann\njose@example.com{mark}José\n".encode("windows-1252")
    form = {",": "csv", ";": "ssv"}[mark]
    reply = upload(dialect, "/bulk/v1/leads.json", text, format=form)
    assert code(reply) == "1003" and "row 3 has the byte 0xE9" in reply.json()["errors"][0]["message"]
    assert not Import.objects.exists()
    (row,) = result(upload(dialect, "/bulk/v1/leads.json", text, format=form, encoding="Windows-1252"))
    import_runner.run_import(row["batchId"])
    assert Person.objects.get(email="jose@example.com").first_name == "José"
    assert code(upload(dialect, "/bulk/v1/leads.json", text, format=form, encoding="klingon")) == "1003"


def test_activities_in_another_encoding_are_refused_too(dialect, checks):
    text = "leadId,activityDate,primaryAttributeValue\n1,2026-11-02,Señal\n".encode("windows-1252")
    reply = upload(dialect, "/bulk/v1/activities/import.json", text, activityTypeId=checks[0].pk)
    assert code(reply) == "1003" and "row 2 has the byte 0xF1" in reply.json()["errors"][0]["message"]


def test_a_box_that_was_never_ticked_is_false_in_files_as_in_replies(dialect, checks):
    field_editing.create_person_field("Member", "boolean", None, api_name="member")
    for ticked in ({}, {"member": True, "unsubscribed": True}, {"member": False}):
        make_person(country="ES", **ticked)
    now = timezone.now()
    today = {"startAt": (now - timedelta(days=1)).isoformat(), "endAt": (now + timedelta(days=1)).isoformat()}
    names = ["member", "unsubscribed", "blackListed", "isLead"]
    _row, file = ready(dialect, "leads", fields=names, filter={"createdAt": today})
    assert table(file)[2:] == [  # after the person of `checks`
        ["false", "false", "false", "true"],
        ["true", "true", "false", "true"],
        ["false", "false", "false", "true"],
    ]


def test_a_file_of_failures_that_is_not_there_is_404_as_text(dialect, checks):
    (row,) = result(upload(dialect, "/bulk/v1/leads.json", "email\nann@example.com\n"))
    base = f"/bulk/v1/leads/batch/{row['batchId']}"
    early = dialect.get(f"{base}/failures.json")
    assert (early.status_code, early["Content-Type"], early.content) == (404, "text/plain", b"Not Found\n")
    import_runner.run_import(row["batchId"])
    for path in (f"{base}/failures.json", f"{base}/warnings.json", "/bulk/v1/leads/batch/999999/failures.json"):
        assert dialect.get(path).status_code == 404
    assert code(dialect.get("/bulk/v1/leads/batch/999999.json")) == "1013"


def test_lead_imports_that_cannot_be(dialect, checks, settings):
    path = "/bulk/v1/leads.json"
    text = "email\na@example.com\n"
    assert code(upload(dialect, path, "email,shoe\na@example.com,7\n")) == "1006"
    assert code(upload(dialect, path, text, lookupField="shoe")) == "1006"
    assert code(upload(dialect, path, text, format="xml")) == "1001"
    assert code(upload(dialect, path, text, listId=99)) == "1013"
    assert code(upload(dialect, path, text, partitionName="Europe")) == "1008"
    assert code(upload(dialect, path, "")) == "1003"
    assert code(dialect.post(f"{path}?format=csv", {"x": 1})) == "613"
    assert not Import.objects.exists()
    for _ in range(10):
        result(upload(dialect, path, text))
    assert code(upload(dialect, path, text)) == "1016"
    assert code(dialect.get("/bulk/v1/leads/batch/999999.json")) == "1013"


def test_custom_activities_are_imported_in_bulk(dialect, checks):
    check, _ann = checks
    text = (
        "email;activityDate;primaryAttributeValue;Amount;pages\n"
        "ann@example.com;2026-11-01T00:00:00Z;A;1.5;null\nnobody@example.com;2026-11-01;B;;\nann@example.com;x;C;y;1\n"
    )
    parameters = {"format": "ssv", "lookupField": "email", "activityTypeId": check.pk}
    (row,) = result(upload(dialect, "/bulk/v1/activities/import.json", text, **parameters))
    assert (row["status"], row["activityTypeId"]) == ("Queued", check.pk)
    import_runner.run_import(row["batchId"])
    base = f"/bulk/v1/activities/import/{row['batchId']}"
    (status,) = result(dialect.get(f"{base}/status.json"))
    assert (status["status"], status["numOfRowsProcessed"], status["numOfRowsFailed"]) == ("Complete", 1, 2)
    failed = table(dialect.get(f"{base}/failures.json"), ";")
    assert "there is no person" in failed[1][-1] and "field occurred_at" in failed[2][-1]
    assert Activity.objects.get(primary_value="A").attributes == {"amount": 1.5}
    assert (
        code(upload(dialect, "/bulk/v1/activities/import.json", text, **{**parameters, "activityTypeId": 1})) == "1013"
    )
    assert code(upload(dialect, "/bulk/v1/activities/import.json", text, lookupField="email")) == "1002"
    assert code(upload(dialect, "/bulk/v1/activities/import.json", "email\na\n", **parameters)) in {"1002", "1003"}


def test_leads_named_by_id_are_only_updated(dialect, checks):
    (row,) = result(
        upload(dialect, "/bulk/v1/leads.json", f"id,firstName\n{checks[1].pk},Zoe\n99999,No\n", lookupField="id")
    )
    import_runner.run_import(row["batchId"])
    (status,) = result(dialect.get(f"/bulk/v1/leads/batch/{row['batchId']}.json"))
    assert (status["numOfLeadsProcessed"], status["numOfRowsFailed"]) == (1, 1)
    assert Person.objects.get(pk=checks[1].pk).first_name == "Zoe"
