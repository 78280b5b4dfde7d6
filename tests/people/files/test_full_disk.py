"""A disk that is really full, where one may be made: nothing half written, and a clear message."""

import subprocess
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from people.core.errors import RejectedError
from people.core.source import Channel
from people.files.exports import jobs as export_jobs
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import ExportColumn, ExportKind, ExportStatement
from people.files.imports import jobs as import_jobs
from people.models import Export, Import
from tests.factories import make_person

pytestmark = pytest.mark.django_db
MEGABYTE = 1 << 20


@pytest.fixture
def disk(settings, tmp_path):
    """A file system of one megabyte, where the files of imports and exports are."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mounting, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a file system is not allowed here")
    settings.FILES_DIR = folder
    yield folder
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=True)


@pytest.fixture
def large():
    columns = [ExportColumn("n", "repeat('x', 1000)", "text")]
    export_kinds.register_export_kind(
        ExportKind("large", "large", (), lambda _parameters: ExportStatement(columns, "generate_series(1, 3000) n"))
    )
    yield
    del export_kinds.KINDS["large"]


def test_an_upload_that_does_not_fit_is_refused_and_leaves_nothing(disk):
    with pytest.raises(RejectedError, match="No space left"):
        import_jobs.upload_file([b"email\n", *[b"x" * MEGABYTE] * 2], "f.csv", "people", None)
    assert not list(import_jobs.imports_folder().iterdir()) and not Import.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_export_that_does_not_fit_fails_and_leaves_nothing(disk, large):
    job = export_jobs.create_export("large", {}, None, Channel.ADMIN)
    export_jobs.enqueue_export(job)
    export_jobs.run_export(job.pk)
    job.refresh_from_db()
    assert (job.state, job.problem) == (Export.State.FAILED, "No space left on device")
    assert not list(export_jobs.exports_folder().iterdir())


def test_a_command_that_exports_to_a_full_disk_says_so_and_leaves_nothing(disk):
    make_person(first_name="Ann")
    with pytest.raises(OSError), (disk / "filler").open("wb") as filler:
        filler.write(b"x" * 2 * MEGABYTE)
    with pytest.raises(CommandError, match="No space left"):
        call_command("export_people", str(disk / "out.csv"), stdout=StringIO())
    assert [path.name for path in disk.iterdir()] == ["filler"]
