"""Files are deleted when their time is over, and when a person whom they name is erased."""

import gzip
import os
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from people.core.source import SYSTEM, Channel
from people.files import cleanup as file_cleanup
from people.files.exports import jobs as export_jobs
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.files.imports.plan import ImportPlan
from people.files.models import ImportFailure
from people.models import Export, Import
from people.privacy import erasure
from people.privacy import search as privacy_search
from tests.factories import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


def exported(**parameters):
    job = export_jobs.create_export("people", parameters, None, Channel.ADMIN)
    export_jobs.enqueue_export(job)
    export_jobs.run_export(job.pk)
    return Export.objects.get(pk=job.pk)


def imported(content, columns=None, **plan):
    job = import_jobs.upload_file([content], "p.csv", "people", None)
    import_jobs.set_plan(job, ImportPlan(columns=columns or {"email": "email"}, **plan), None)
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    return job


def names():
    return {
        path.name
        for folder in (import_jobs.imports_folder(), export_jobs.exports_folder())
        for path in folder.iterdir()
    }


def test_files_go_after_their_days_and_counts_stay():
    job, export = imported(b"email\na@example.com\nno\n"), exported()
    assert len(names()) == 2 and file_cleanup.remove_old_files() == 0
    old = timezone.now() - timedelta(days=8)
    Import.objects.update(finished_at=old)
    Import.objects.create(kind="people", state=Import.State.CHECKING, progressed_at=old, channel=Channel.COMMAND)
    Export.objects.update(finished_at=old)
    assert file_cleanup.remove_old_files() == 2
    job.refresh_from_db(), export.refresh_from_db()
    assert Import.objects.get() == job
    assert not names() and not ImportFailure.objects.exists()
    assert (job.added, job.refused, export.state) == (1, 1, Export.State.EXPIRED)


def test_files_that_nothing_refers_to_go_once_they_are_old():
    for folder in (import_jobs.imports_folder(), export_jobs.exports_folder()):
        for name, age in (("old", 7200), ("new", 0)):
            (folder / name).write_text("x")
            os.utime(folder / name, (time.time() - age, time.time() - age))
    assert file_cleanup.remove_old_files() == 2 and names() == {"new"}


def test_an_erase_takes_the_files_and_refused_rows_that_name_the_person():
    ann, bob = make_person(email="zoe@example.com"), make_person(email="bob@example.com")
    first = imported(b"email,city\nZOE@example.com,x\nzoe@example.com bad,y\n")
    second = imported(gzip.compress(b"email\nzoe@example.com\n"))
    kept = imported(b"email\nbob@example.com\nno address\n")
    by_id = imported(f"id,city\n{ann.pk},Rome\n".encode(), {"id": "id", "city": "city"}, lookup_field="id")
    export, empty = exported(), exported(static_list=None, fields=["email"])
    identity = erasure.erase_people([ann.pk], None, SYSTEM)
    assert names() == {kept.stored_as}
    assert list(ImportFailure.objects.values_list("of_id", flat=True)) == [kept.pk]
    for job in (first, second, by_id):
        job.refresh_from_db()
        assert job.stored_as == "" and job.state == Import.State.COMPLETE
    for one in (export, empty):
        one.refresh_from_db()
        assert one.state == Export.State.EXPIRED
    assert privacy_search.find_traces(identity) == []
    assert bob.pk
