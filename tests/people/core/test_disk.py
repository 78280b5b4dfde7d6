"""Disks that fill up: uploads and exports leave room for recording, and name the disk."""

from collections import namedtuple

import pytest
from django.core.exceptions import RequestDataTooBig

from config.operations import doctor
from config.postgres.server import FLOOR_BYTES, EmbeddedPostgres
from people.core import disk
from people.core.errors import RejectedError
from people.files.exports import jobs as export_jobs
from people.files.imports import jobs as import_jobs
from people.models import Import

MEGABYTE = 1024**2
Usage = namedtuple("Usage", "total used free")
HEAD = b"email\n"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"
    return import_jobs.imports_folder()


@pytest.fixture
def free(monkeypatch):
    """A function that sets the free bytes of disks; returns the list of the disks looked at."""
    looks = []

    def have(amount):
        monkeypatch.setattr("shutil.disk_usage", lambda place: looks.append(place) or Usage(10**12, 0, amount))
        return looks

    return have


def endless(read):
    while True:
        read.append(MEGABYTE)
        yield b"a@example.com\n" * (MEGABYTE // 14)


@pytest.mark.django_db
def test_an_upload_ends_where_one_file_may_be_no_larger(settings, folder):
    settings.UPLOAD_MAX_BYTES = 5 * MEGABYTE
    read = []
    with pytest.raises(RejectedError, match="5 MB") as refusal:
        import_jobs.upload_file(endless(read), "f.csv", "people", None)
    assert refusal.value.code == "file_too_large" and len(read) <= 7
    assert not list(folder.iterdir()) and not Import.objects.exists()


@pytest.mark.django_db
def test_all_uploads_together_have_a_limit(settings, folder):
    settings.UPLOADS_MAX_BYTES = 5 * MEGABYTE
    (folder / "old").write_bytes(b"x" * 4 * MEGABYTE)
    read = []
    with pytest.raises(RejectedError, match=str(folder)) as refusal:
        import_jobs.upload_file(endless(read), "f.csv", "people", None)
    assert refusal.value.code == "no_space" and len(read) <= 3
    import_jobs.upload_file([HEAD + b"a@example.com\n"], "small.csv", "people", None)


@pytest.mark.django_db
def test_an_upload_leaves_the_reserve_free_and_names_the_disk(settings, folder, free):
    settings.DISK_RESERVE_BYTES = 100 * MEGABYTE
    looks = free(99 * MEGABYTE)
    read = []
    with pytest.raises(RejectedError, match=str(folder)) as refusal:
        import_jobs.upload_file(endless(read), "f.csv", "people", None)
    assert refusal.value.code == "no_space" and not read and looks
    # and one that is under way ends as soon as the disk is found too full
    free(101 * MEGABYTE)
    with pytest.raises(RejectedError):
        for number, chunk in enumerate(disk.bounded_chunks(endless(read), folder)):
            assert chunk
            if number == 3:
                free(50 * MEGABYTE)
    assert len(read) <= disk.LOOK_EVERY // MEGABYTE + 2


def test_an_export_leaves_the_reserve_free(settings, free, tmp_path):
    settings.DISK_RESERVE_BYTES = 100 * MEGABYTE
    free(200 * MEGABYTE)
    written = []
    file = type("File", (), {"write": lambda self, data: written.append(data) or len(data)})()
    guarded = disk.GuardedFile(file, export_jobs.exports_folder())
    guarded.write(b"x" * MEGABYTE)
    free(90 * MEGABYTE)
    with pytest.raises(RejectedError, match="90 MB free"):
        for _number in range(100):
            guarded.write(b"x" * MEGABYTE)
    assert len(written) <= disk.LOOK_EVERY // MEGABYTE + 2


def test_a_form_with_a_file_is_read_no_further_than_an_upload_may_be(settings, rf, free):
    settings.UPLOAD_MAX_BYTES, settings.DISK_RESERVE_BYTES = 20 * MEGABYTE, 100 * MEGABYTE
    for amount, limit in ((10**12, 21), (50 * MEGABYTE, 17)):
        free(amount)
        handler = disk.BoundedUpload(rf.post("/"))
        taken = 0
        with pytest.raises(RequestDataTooBig):
            while True:
                assert handler.receive_data_chunk(b"x" * MEGABYTE, taken)
                taken += 1
        assert taken <= limit


@pytest.mark.django_db
def test_nobody_is_told_ready_while_nothing_can_be_recorded(settings, free, client, django_user_model):
    if not settings.DATABASE_IS_EMBEDDED:
        pytest.skip("the database's disk is another server's")
    free(FLOOR_BYTES - 1)
    assert [finding.check for finding in doctor.readiness_findings()] == ["room"]
    reply = client.get("/readyz")
    assert reply.status_code == 503 and b"MB" not in reply.content
    client.force_login(django_user_model.objects.create_superuser("olga", password="x"))
    assert EmbeddedPostgres(settings.DATA_DIR).location.data.encode() in client.get("/readyz").content
    free(FLOOR_BYTES)
    assert client.get("/readyz").status_code == 200


def test_the_embedded_database_waits_for_room_instead_of_starting_over_and_over(tmp_path, free, monkeypatch, capsys):
    free(FLOOR_BYTES - 1)
    server = EmbeddedPostgres(tmp_path)
    starts, slept = [], []
    monkeypatch.setattr(server, "_initialise_and_start", lambda: starts.append(1))
    monkeypatch.setattr(server, "_end", lambda: None)
    handlers = {}
    monkeypatch.setattr(
        "config.postgres.server.signal.signal", lambda number, handler: handlers.update({number: handler})
    )

    def sleep(seconds):
        slept.append(seconds)
        assert not starts or len(slept) > 5
        if len(slept) == 5:
            free(FLOOR_BYTES)
        if len(slept) == 6:
            next(iter(handlers.values()))(15, None)

    monkeypatch.setattr("config.postgres.server.time.sleep", sleep)
    server.run()
    said = capsys.readouterr().out
    assert len(starts) == 1 and said.count("not started") == 1 and str(tmp_path) in said
