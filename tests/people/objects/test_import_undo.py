"""Undo of an import of records: created ones are deleted, changed ones restored, and those changed since stay."""

from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command

from people.core.errors import NotAllowedError, RejectedError
from people.definitions import lifecycle
from people.models import Import, ObjectChange, ObjectRecord
from people.objects import removal
from people.objects.import_undo import PART
from people.persons import import_undo
from tests.factories import make_person
from tests.people.objects.test_imports import car, counts, fields, files, imported, undone  # noqa: F401 (fixtures)
from tests.people.objects.world import API, changed, saved

pytestmark = pytest.mark.django_db
State = Import.State
ROWS = "plate,colour,mileage\nold 1,red,1\nold 2,red,2\nnew 1,red,3\nnew 2,red,4\n"


def world(car):  # noqa: F811
    return [saved(car, plate=f"old {number}", colour="blue", price=number) for number in (1, 2)]


def preview(job):
    return import_undo.preview_import_undo(job, None).records


def test_what_it_created_goes_and_what_it_changed_is_put_back(car):  # noqa: F811
    world(car)
    job = imported(ROWS)
    again = imported("plate,colour\nold 1,green\nold 1,white\n")
    assert counts(again) == (0, 2, 0, 0)
    undone(again)
    seen = preview(job)
    assert (seen.deleted, seen.put_back, seen.kept) == (2, 2, {})
    undone(job)
    assert (job.state, job.undo["records"], job.undo["records_put_back"], job.undo["records_kept"]) == (
        State.TAKEN_BACK,
        2,
        2,
        {},
    )
    assert fields("old 1") == {"plate": "old 1", "colour": "blue", "price": 1}
    assert set(ObjectRecord.objects.existing().values_list("name", flat=True)) == {"old 1", "old 2"}
    gone = ObjectRecord.objects.get(name="new 1")
    (outcome,) = removal.restore_records(car, [gone.pk], API)
    assert not outcome.problems and fields("new 1")["colour"] == "red"
    undoing = ObjectChange.objects.exclude(undoes_id=None).filter(origin_id=job.pk)
    assert undoing.count() == 4
    entry = LogEntry.objects.filter(change_message__contains="import_of_records_undone").first()
    assert '"records": 2' in entry.change_message
    assert counts(imported(ROWS)) == (1, 2, 1, 0)


def test_records_that_changed_since_stay_and_are_listed(car):  # noqa: F811
    first, second = world(car)
    job = imported(ROWS)
    changed(first, price="7")  # another field: what the import changed is put back
    changed(second, colour="green")
    changed(ObjectRecord.objects.get(name="new 1"), price="9")
    removal.delete_records(car, [{"plate": "new 2"}], API)
    seen = preview(job)
    assert (seen.deleted, seen.put_back, seen.kept) == (0, 1, {"changed": 2})
    assert [(row.name, row.reason) for row in seen.kept_records] == [("new 1", "changed"), ("old 2", "changed")]
    undone(job)
    assert job.undo["records_kept"] == {"changed": 2} and job.undo["records_put_back"] == 1
    assert fields("old 1") == {"plate": "old 1", "colour": "blue", "price": 7}
    assert fields("old 2")["colour"] == "green" and fields("new 1")["price"] == 9


def test_dedupe_values_links_and_deleted_records_are_put_back(car):  # noqa: F811
    ann, bob = make_person(email="ann@example.com"), make_person(email="bob@example.com")
    first = saved(car, plate="1", owner="ann@example.com")
    second = saved(car, plate="2", owner="waiting@example.com")
    third = saved(car, plate="3", colour="blue")
    rows = f"id,plate,owner\n{second.pk},22,bob@example.com\n{first.pk},2,bob@example.com\n{third.pk},33,\n"
    job = imported(rows, lookup_field="id")
    assert ObjectRecord.objects.filter(person_id=bob.pk).count() == 2
    saved(car, plate="3", colour="another one")
    seen = preview(job)
    assert (seen.deleted, seen.put_back) == (0, 3)
    undone(job)
    # another record has the plate by now
    assert (job.undo["records_put_back"], job.undo["records_kept"]) == (2, {"refused": 1})
    rows = ObjectRecord.objects.filter(pk__in=[first.pk, second.pk]).order_by("pk")
    assert [(row.name, row.person_id) for row in rows] == [("1", ann.pk), ("2", None)]


def test_a_person_who_appears_does_not_hold_a_record(car):  # noqa: F811
    job = imported("plate,owner\nA 1,late@example.com\n")
    make_person(email="late@example.com")
    assert ObjectRecord.objects.get().person_id
    assert preview(job).deleted == 1
    out = StringIO()
    call_command("take_back_import", job.pk, "--reason", "x", "--dry-run", stdout=out, stderr=StringIO())
    assert "1 records deleted, 0 with their former values again." in out.getvalue()
    call_command("take_back_import", job.pk, "--reason", "x", stdout=out, stderr=StringIO())
    assert not ObjectRecord.objects.existing().exists()


def test_rights_and_a_retired_type(car):  # noqa: F811
    job = imported("plate\nA 1\n")
    by = get_user_model().objects.create_user("ida", password="x", is_staff=True)
    names = ("view_objectrecord", "add_objectrecord", "change_objectrecord", "take_back_import", "change_import")
    by.user_permissions.set(Permission.objects.filter(codename__in=names))
    with pytest.raises(NotAllowedError):
        import_undo.preview_import_undo(job, by)
    lifecycle.retire_definition(car, None)
    undone(job)
    assert import_undo.has_failed(job) and "retired" in job.fault
    lifecycle.restore_definition(car, None)
    undone(job)
    assert not import_undo.has_failed(job) and job.undo["records"] == 1 and not job.fault


def test_parts_of_many_records(car, monkeypatch):  # noqa: F811
    monkeypatch.setattr("people.objects.import_undo.PART", 2)
    world(car)
    job = imported(ROWS + "new 3,red,5\n")
    assert PART == 1_000 and preview(job).deleted == 3
    undone(job)
    assert (job.undo["records"], job.undo["records_put_back"]) == (3, 2)
    with pytest.raises(RejectedError):
        import_undo.request_import_undo(Import(), "x", None, queue=False)
