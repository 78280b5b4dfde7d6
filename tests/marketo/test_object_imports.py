"""Bulk import of custom objects over the Marketo API (docs/marketo-contract.md §5.3)."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from people.files.imports import runner as import_runner
from people.models import Import, ObjectChange, ObjectRecord
from tests.factories import make_person
from tests.marketo.conftest import code, result
from tests.people.objects.world import COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, saved

pytestmark = pytest.mark.django_db
BASE = "/bulk/v1/customobjects/car/import"


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


@pytest.fixture
def car(db):
    return approved_type()


def sent(dialect, text, api_name="car", **parameters):
    file = SimpleUploadedFile("objects.csv", text.encode() if isinstance(text, str) else text)
    query = "&".join(f"{name}={value}" for name, value in {"format": "csv", **parameters}.items())
    path = f"/bulk/v1/customobjects/{api_name}/import.json?{query}"
    return dialect.client.post(path, {"file": file}, headers=dialect.headers)


def imported(dialect, text, api_name="car", **parameters):
    """The replies to the request and of the status after the import."""
    (queued,) = result(sent(dialect, text, api_name, **parameters))
    base = f"/bulk/v1/customobjects/{api_name}/import/{queued['batchId']}"
    (before,) = result(dialect.get(f"{base}/status.json"))
    assert before["status"] == "Queued" and "message" not in before
    import_runner.run_import(queued["batchId"])
    (status,) = result(dialect.get(f"{base}/status.json"))
    return base, queued, status


def rows_of(reply):
    return list(csv.reader(io.StringIO(b"".join(reply).decode(), newline="")))


def test_objects_are_created_and_changed(dialect, car):
    ann = make_person(email="ann@example.com")
    saved(car, plate="A 1", colour="blue")
    base, queued, status = imported(dialect, "plate,owner,colour\nA 1,ann@example.com,red\nA 2,,\nA 3,,white\n")
    number = queued["batchId"]
    assert queued == {"batchId": number, "status": "Queued", "objectApiName": "car"}
    seconds = status.pop("importTime")
    assert seconds.endswith(" second(s)") and seconds.split()[0].isdigit()
    assert status == {
        "batchId": number,
        "operation": "import",
        "status": "Complete",
        "objectApiName": "car",
        "numOfObjectsProcessed": 3,
        "numOfRowsFailed": 0,
        "numOfRowsWithWarning": 0,
        "message": "Import succeeded, 3 records imported (3 members)",
    }
    assert ObjectRecord.objects.get(name="A 1").person_id == ann.pk and ObjectRecord.objects.count() == 3
    for name in ("failures", "warnings"):
        reply = dialect.get(f"{base}/{name}.json")
        assert (reply.status_code, reply.content) == (404, b"Not Found\n")
    imported(dialect, "plate;colour\nA 3;black\n", format="ssv", backfill="true")
    assert ObjectChange.objects.filter(is_backfill=True).count() == 1


def test_rows_that_fail_come_back_with_their_reasons(dialect, car):
    base, _queued, status = imported(dialect, "plate,mileage\nA 1,many\n,7\nA 2,8\n")
    assert status["message"] == "Import completed with errors, 1 records imported (1 members), 2 failed"
    assert (status["status"], status["numOfObjectsProcessed"], status["numOfRowsFailed"]) == ("Complete", 1, 2)
    reply = dialect.get(f"{base}/failures.json")
    head, bad, absent = rows_of(reply)
    assert head == ["plate", "mileage", "Import Failure Reason"] and reply["Content-Type"].startswith("text/csv")
    assert bad[:2] == ["A 1", "many"] and "mileage" in bad[2] and absent == ["", "7", "missing.dedupe.fields"]
    base, _queued, status = imported(dialect, "mileage\n1\n2\n3\n")
    assert status["message"] == "Import completed with errors, 0 records imported (0 members), 3 failed"
    assert rows_of(dialect.get(f"{base}/failures.json"))[1] == ["1", "missing.dedupe.fields"]
    head = "plate,mileage,Import Failure Reason\nA 1,7,corrected\n"
    assert imported(dialect, head)[2]["numOfObjectsProcessed"] == 1


def test_a_bridge_with_two_dedupe_fields(dialect):
    approved_type("Course", "course", COURSE_FIELDS)
    approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    _base, _queued, status = imported(dialect, "student,grade\nann@example.com,7\n", "enrolment")
    assert status["numOfRowsFailed"] == 1 and not ObjectRecord.objects.exists()


def test_what_is_refused(dialect, car):
    assert code(sent(dialect, "plate\nA 1\n", "boat")) == "1013"
    assert code(sent(dialect, "plate,wings\nA 1,2\n")) == "1006"
    assert code(sent(dialect, "plate,marketoGUID\nA 1,2\n")) == "1006"
    assert code(sent(dialect, "plate\nA 1\n", format="xls")) == "1001"
    assert code(sent(dialect, b"plate,colour\nA 1,gr\xfcn\n")) == "1003"
    assert code(dialect.post(f"{BASE}.json", {})) in ("1002", "613")
    assert not Import.objects.exists()
    saved(car, plate="A 1")
    _base, queued, _status = imported(dialect, "plate\nA 1\n")
    number = queued["batchId"]
    assert code(dialect.get(f"/bulk/v1/customobjects/boat/import/{number}/status.json")) == "1013"
    assert code(dialect.get(f"{BASE}/{number + 1}/status.json")) == "1013"
    assert dialect.get(f"{BASE}/{number + 1}/failures.json").status_code == 404
    Import.objects.update(channel=2)
    assert code(dialect.get(f"{BASE}/{number}/status.json")) == "1013"
    Import.objects.update(channel=3, state="importing")
    for _number in range(9):
        Import.objects.create(kind="objects", name="x", channel=3, state="importing")
    assert code(sent(dialect, "plate\nA 1\n")) == "1016"
