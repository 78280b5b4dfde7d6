"""Imports and exports over the native API."""

import json

import pytest
from django.contrib.auth import get_user_model

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from people.files.exports import jobs as export_jobs
from people.files.imports import runner as import_runner
from people.models import ObjectRecord, Person
from people.persons import import_undo
from tests.api.conftest import Api
from tests.factories import make_person
from tests.people.objects.world import approved_type, saved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _folder(tmp_path, settings):
    settings.FILES_DIR = tmp_path


def test_a_file_is_uploaded_understood_and_imported(api):
    file = b"Mail,Town\nann@example.com,Vigo\nnonsense,Lugo\n"
    made = api.post("imports?kind=people&name=people.csv", file, content_type="text/csv")
    assert made.status_code == 201, made.content
    assert made.json()["columns"] == ["Mail", "Town"]
    address = f"imports/{made.json()['id']}"
    assert api.post(f"{address}/start").json()["code"] == "no_plan"
    wrong = api.put(f"{address}/plan", {"columns": {"email": "E-Mail"}})
    assert "the columns are Mail, " in wrong.text
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["path"] == "/columns/email"
    assert api.put(f"{address}/plan", {"columns": {"email": "Mail", "city": "Town"}}).status_code == 200
    assert api.post(f"{address}/start").status_code == 202
    import_runner.run_import(made.json()["id"])
    done = api.get(address).json()
    assert (done["state"], done["added"], done["refused"]) == ("complete", 1, 1)
    assert Person.objects.get(email="ann@example.com").city == "Vigo"
    (failure,) = api.get(f"{address}/failures").json()["results"]
    assert failure["errors"][0]["got"] == "nonsense"
    assert api.post(f"{address}/start").status_code == 409
    assert [row["id"] for row in api.get("imports?state=complete&refused__gte=1").json()["results"]] == [done["id"]]
    assert done["created"] == 1 and done["taken_back"] is None
    would = api.get(f"{address}/take-back").json()
    records = {"deleted": 0, "put_back": 0, "kept": {}}
    assert would == {"activities": 0, "people": 1, "kept": {}, "records": records, "changed": 0, "changes": []}
    assert api.post(f"{address}/take-back", {"reason": " "}).status_code == 422
    assert api.post(f"{address}/take-back", {"reason": "wrong file"}).status_code == 202
    import_undo.run_import_undo(made.json()["id"])
    undone = api.get(address).json()
    assert undone["state"] == "taken_back" and undone["taken_back"]["is_done"]
    assert undone["taken_back"]["people"] == 1 and not Person.objects.live().filter(email="ann@example.com").exists()


def test_a_file_of_object_records_is_imported_exported_and_taken_back(api):
    car = approved_type()
    saved(car, plate="A 1", colour="blue")
    file = b"plate,colour,Mileage\nA 1,red,1\nA 2,red,many\nA 3,red,3\n"
    made = api.post("imports?kind=objects&name=cars.csv", file, content_type="text/csv")
    assert made.status_code == 201, made.content
    address = f"imports/{made.json()['id']}"
    columns = {"plate": "plate", "colour": "colour", "mileage": "Mileage"}
    for plan, path in (
        ({"columns": columns}, "/subject"),
        ({"columns": {"colour": "colour"}, "subject": "car"}, "/columns/plate"),
        ({"columns": columns, "subject": "car", "lookup_field": "email"}, "/lookup_field"),
    ):
        wrong = api.put(f"{address}/plan", plan)
        assert wrong.status_code == 422 and path in [error["path"] for error in wrong.json()["errors"]], plan
    planned = api.put(f"{address}/plan", {"columns": columns, "subject": "car"})
    assert planned.json()["plan"]["lookup_field"] == "dedupe_fields"
    for verb in ("check", "start"):
        assert api.post(f"{address}/{verb}").status_code == 202
        import_runner.run_import(made.json()["id"])
        done = api.get(address).json()
        assert (done["added"], done["updated"], done["repeated"], done["refused"]) == (1, 1, 0, 1)
    export = api.post("exports", {"kind": "objects", "parameters": {"object_type": "car"}, "format": "ndjson"})
    export_jobs.run_export(export.json()["id"])
    lines = b"".join(api.get(f"exports/{export.json()['id']}/file").streaming_content).splitlines()
    assert [json.loads(line)["plate"] for line in lines] == ["A 1", "A 3"]
    assert api.post("exports", {"kind": "objects", "parameters": {"object_type": "boat"}}).status_code >= 400
    assert api.get(f"{address}/take-back").json()["records"] == {"deleted": 1, "put_back": 1, "kept": {}}
    assert api.post(f"{address}/take-back", {"reason": "wrong file"}).status_code == 202
    import_undo.run_import_undo(made.json()["id"])
    undone = api.get(address).json()["taken_back"]
    assert (undone["records"], undone["records_put_back"], undone["records_kept"]) == (1, 1, {})
    assert ObjectRecord.objects.existing().get().fields == {"plate": "A 1", "colour": "blue"}


def test_what_is_no_file_is_refused(api):
    assert api.post("imports?kind=moons", b"a,b\n", content_type="text/csv").status_code == 400
    assert api.post("imports?kind=people", "{}", content_type="application/json").status_code == 415
    assert api.get("imports/99/failures").status_code == 404


def test_a_file_is_asked_for_and_fetched_by_whoever_asked(api, client):
    make_person(email="ann@example.com")
    made = api.post("exports", {"kind": "people", "parameters": {"fields": ["id", "email"]}})
    assert made.status_code == 202, made.content
    address = f"exports/{made.json()['id']}"
    assert api.get(f"{address}/file").json()["code"] == "not_ready"
    export_jobs.run_export(made.json()["id"])
    assert api.get(address).json()["state"] == "completed"
    file = api.get(f"{address}/file")
    assert file["Content-Type"].startswith("text/csv") and b"ann@example.com" in b"".join(file.streaming_content)
    owner = get_user_model().objects.get(username="olga")
    other = client_editing.create_client("Other", owner, None, client_editing.grantable_rights())
    assert Api(client, tokens.issue_token(other.client).text).get(address).status_code == 404
    assert api.post("exports", {"kind": "moons"}).status_code == 422
    assert api.post("exports", {"kind": "people", "parameters": {"static_list": 7}}).status_code == 422
    assert api.post(f"{address}/cancel").status_code == 409


def test_rights_are_asked_for(narrowed):
    reader = narrowed("people.view_person")
    assert reader.get("imports").status_code == 403
    assert reader.post("imports?kind=people", b"email\n", content_type="text/csv").status_code == 403
    assert reader.get("exports").status_code == 403
