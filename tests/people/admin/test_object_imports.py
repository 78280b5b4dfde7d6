"""Files of object records through the pages: mapping, preview, progress, what was created, and undoing it."""

import csv
import io

import pytest
from django.urls import reverse

from people.files.imports import runner as import_runner
from people.models import Export, Import, ObjectRecord
from people.persons import import_undo
from tests.factories import make_person
from tests.people.admin.test_import_wizard import Wizard, wizard  # noqa: F401 (a fixture)
from tests.people.admin.test_objects import as_user  # noqa: F401 (a fixture)
from tests.people.objects.world import approved_type, changed, saved

pytestmark = pytest.mark.django_db
ROWS = (
    "Number plate,email,Colour,Mileage,shop\n"
    "A 1,ann@example.com,red,12,x\n"
    "A 2,ann@example.com,blue,7,x\n"
    "A 3,nobody@example.com,white,many,x\n"
    "A 4,nobody@example.com,white,4,x\n"
)


@pytest.fixture
def car(db):
    return approved_type()


def text(reply):
    return " ".join(reply.text.split())


def test_a_file_of_cars_from_its_upload_to_its_undoing(wizard: Wizard, car, admin_client):  # noqa: F811
    make_person(email="ann@example.com")
    first = saved(car, plate="A 1", colour="blue", owner="ann@example.com", mileage=12)
    saved(car, plate="A 2", colour="blue", owner="ann@example.com", mileage=7)
    add = text(admin_client.get(reverse("admin:people_import_add") + "?contents=objects:car"))
    assert '<option value="objects:car" selected>Objects: Cars</option>' in add
    wizard.upload(ROWS.encode(), "cars.csv", "objects:car")
    assert wizard.proposed() == {
        "Number plate": "plate",
        "email": "owner",
        "Colour": "colour",
        "Mileage": "mileage",
        "shop": "",
    }
    page = text(wizard.page)
    assert "Owner (link to a person by email)" in page and "Find records by" in page
    update, same, wrong, new = wizard.preview(starts_campaigns="no")
    assert [str(row.get("outcome")) for row in (update, same, new)] == ["Update", "Unchanged", "New"]
    assert update["hit"].changes == [("Colour", "blue", "red")] and same["hit"].changes == []
    assert "Mileage" in wrong["problems"][0] and new["hit"] is None
    page = text(wizard.page)
    assert "<del>blue</del> → <ins>red</ins>" in page
    assert reverse("admin:people_objectrecord_change", args=[first.pk]) in page
    job, page = wizard.record()
    assert (job.added, job.updated, job.repeated, job.refused) == (1, 1, 1, 1)
    for words in ("unchanged", "See the records created", "See the records changed", "Undo the import"):
        assert words in page, words
    assert "1 added, 1 updated, 1 unchanged, 1 rejected" in text(
        admin_client.get(reverse("admin:people_import_changelist"))
    )
    of_type = reverse("admin:people_objectrecord_of_type", args=[car.pk])
    for query, names in (("added_by", {"A 4"}), ("changed_by", {"A 1"})):
        shown = text(admin_client.get(f"{of_type}?{query}={job.pk}"))
        assert {name for name in ("A 1", "A 2", "A 4") if f"<bdi>{name}</bdi>" in shown} == names
    undo = reverse("admin:people_import_take_back", args=[job.pk])
    page = text(admin_client.get(undo))
    assert "1 record it created is deleted" in page and "1 record it changed gets its former values back" in page
    changed(first, colour="green")
    assert "1: changed again since" in text(admin_client.get(undo))
    admin_client.post(undo, {"reason": "wrong file"})
    import_undo.run_import_undo(job.pk)
    page = text(admin_client.get(reverse("admin:people_import_change", args=[job.pk])))
    assert "1 record was deleted." in page and "These records stayed as they are:" in page


def test_two_columns_that_can_be_the_dedupe_field_are_named(wizard: Wizard, car):  # noqa: F811
    wizard.upload(b"plate,Number plate\nA 1,B 1\n", "cars.csv", "objects:car")
    assert wizard.proposed() == {"plate": "", "Number plate": ""}
    assert "Which column is “Number plate”?" in text(wizard.page)


def test_the_same_columns_are_mapped_alike_the_next_time(wizard: Wizard, car):  # noqa: F811
    for _time in range(2):
        wizard.upload(ROWS.encode(), "cars.csv", "objects:car")
        if _time == 0:
            wizard.preview({"shop": "notes"}, starts_campaigns="no")
    assert wizard.proposed()["shop"] == "notes" and "was imported before" in text(wizard.page)


def test_roles(as_user, car):  # noqa: F811
    of_type = reverse("admin:people_objectrecord_of_type", args=[car.pk])
    job = Import.objects.create(kind="objects", name="x", channel=1, plan={"subject": "car"})
    viewer = as_user("Viewer")
    assert "contents=objects:car" not in text(viewer.get(of_type))
    assert viewer.get(reverse("admin:people_import_add")).status_code == 403
    assert viewer.get(reverse("admin:people_import_change", args=[job.pk])).status_code == 403
    assert "contents=objects:car" in text(as_user("Marketer").get(of_type))


def test_the_file_of_the_list_is_read_back_and_a_long_one_is_written_in_the_background(
    wizard: Wizard,  # noqa: F811
    car,
    admin_client,
    monkeypatch,
):
    saved(car, plate="=1+1", colour="'=2", notes='a,b\n"c"')
    saved(car, plate="A 2", colour="red")
    of_type = reverse("admin:people_objectrecord_of_type", args=[car.pk])
    file = b"".join(admin_client.get(f"{of_type}?file=csv").streaming_content)
    first = next(csv.DictReader(io.StringIO(file.decode(), newline="")))
    assert (first["plate"], first["colour"]) == ("'=1+1", "''=2")
    wizard.upload(file, "cars.csv", "objects:car").preview(starts_campaigns="no")
    job, _page = wizard.record()
    assert (job.added, job.updated, job.repeated, job.refused) == (0, 0, 2, 0)
    red = b"".join(admin_client.get(f"{of_type}?file=csv&field=colour&value=red").streaming_content)
    assert red.decode().count("\n") == 2
    monkeypatch.setattr("people.admin.transfers.AT_ONCE", 1)
    reply = admin_client.get(f"{of_type}?file=csv")
    export = Export.objects.get()
    assert reply.status_code == 302 and export.kind == "objects" and export.parameters["object_type"] == "car"
    assert admin_client.get(f"{of_type}?file=csv&field=mileage&value=x").status_code == 302
    assert Export.objects.count() == 1 and ObjectRecord.objects.count() == 2
    assert job.state == import_runner.State.COMPLETE
