"""Imports as jobs: checked, paused, resumed, killed; nothing lost, nothing twice, the report exact."""

import csv
import io
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from django.db import connection
from django.utils import translation

from activities.models import Activity, ActivityKey
from activities.models.quarantine import RefusedActivity
from activities.recording import replay as recording_replay
from activities.recording.file_rows import FIELD
from people.core import job_model
from people.core.errors import NotAllowedError, RejectedError
from people.files.imports import guessing
from people.files.imports import jobs as import_jobs
from people.files.imports import report as import_report
from people.files.imports import runner as import_runner
from people.files.imports import targets as import_targets
from people.files.imports.plan import ExternalId, ImportPlan
from people.files.models import ImportFailure
from people.models import Import, Person
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db
State = Import.State
COLUMNS = {"occurred_at": "when", "primary_value": "check", FIELD + "amount": "amount", FIELD + "pages": "pages"}
HEADER = "email,when,check,amount,pages\n"


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


@pytest.fixture(autouse=True)
def check_type(db):
    return approved_type()


def plan(**changes):
    return ImportPlan(
        **{"columns": COLUMNS, "subject": "depositCheck", "person": "{email}", "create_people": True, **changes}
    )


def uploaded(text, the_plan=None, **known):
    job = import_jobs.upload_file(
        [text.encode() if isinstance(text, str) else text], "checks.csv", "activities", None, **known
    )
    import_jobs.set_plan(job, the_plan or plan(), None)
    return job


def done(job, verb="start"):
    import_jobs.take_step(job, verb, None, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    return job


def counts(job):
    return job.added, job.repeated, job.refused


def rows(number, start=0):
    return "".join(
        f"p{n % 7}@example.com,2026-11-{n % 20 + 1:02},No. {n},{n}.50,{n}\n" for n in range(start, start + number)
    )


def test_a_file_imported_twice_adds_nothing_and_equal_rows_stay_apart():
    text = HEADER + rows(10) + rows(10) + rows(3)
    job = done(uploaded(text))
    assert (job.state, counts(job)) == (State.COMPLETE, (23, 0, 0))
    again = done(uploaded(text))
    assert (again.state, counts(again)) == (State.COMPLETE, (0, 23, 0))
    longer = done(uploaded(text + rows(3) + rows(1, 50)))
    assert counts(longer) == (4, 23, 0)
    assert Activity.objects.filter(activity_type_id__gt=100_000).count() == 27


def test_equal_rows_stay_apart_across_batches_and_stops(monkeypatch):
    monkeypatch.setattr(import_targets.TARGETS["activities"], "batch", 4)
    text = HEADER + rows(3) * 5 + "bad\n" + rows(3) * 2
    job = uploaded(text)
    for verb, position in (("start", 4), ("resume", 8)):
        import_jobs.take_step(job, verb, None, queue=False)
        pauses = iter([position == 4, True])  # in the second run after the batch that is skipped

        def pause(_rows, pauses=pauses):
            if next(pauses, False):
                import_jobs.stop_import(Import.objects.get(pk=job.pk), Import.Wish.PAUSE, None)

        import_runner.run_import(job.pk, track=pause)
        job.refresh_from_db()
        assert (job.state, job.position) == (State.PAUSED, position)
    monkeypatch.setattr(import_targets.TARGETS["activities"], "batch", 5)  # cut elsewhere than before
    done(job, "resume")
    assert (job.state, counts(job)) == (State.COMPLETE, (21, 0, 1))
    keys = ActivityKey.objects.values_list("external_id", flat=True)
    assert sorted(key.rpartition(":")[2] for key in keys) == sorted("1234567" * 3)
    assert counts(done(uploaded(text))) == (0, 21, 1)


def test_the_reading_thread_ends_with_the_run(monkeypatch):
    monkeypatch.setattr(import_targets.TARGETS["activities"], "batch", 2)
    job = uploaded(HEADER + rows(200))
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(
        job.pk, track=lambda _rows: import_jobs.stop_import(Import.objects.get(pk=job.pk), Import.Wish.PAUSE, None)
    )
    assert not [thread for thread in threading.enumerate() if thread.name == "import-reader"]


def test_a_check_counts_what_an_import_would_do_and_keeps_nothing():
    external = plan(columns=COLUMNS | {"external_id": "check"}, external_id=ExternalId.COLUMN)
    bad = "p3@example.com,2026-11-01,No. 3,7,7\n" + "p9@example.com,soon,No. 9,x,1\n"
    job = uploaded(HEADER + rows(5) + rows(5) + bad, external)
    done(job, "check")
    checked = (counts(job), [import_report.problem_sentences(failure) for failure in job.failures.order_by("row")])
    assert job.state == State.CHECKED and not Activity.objects.exists() and not Person.objects.exists()
    done(job)
    assert counts(job) == checked[0] == (5, 5, 2)
    assert [failure.row for failure in job.failures.order_by("row")] == [12, 13]
    assert "external id" in checked[1][0] and "field amount" in checked[1][1]


def test_a_check_remembers_across_batches(monkeypatch):
    monkeypatch.setattr(import_targets.TARGETS["activities"], "batch", 2)
    external = plan(columns=COLUMNS | {"external_id": "check"}, external_id=ExternalId.COLUMN)
    job = done(uploaded(HEADER + rows(5) + rows(5) + "p1@example.com,2026-12-01,No. 1,7,7\n", external), "check")
    assert counts(job) == (5, 5, 1)
    assert counts(done(job)) == (5, 5, 1)


def test_the_report_can_be_corrected_and_imported_again():
    text = "email;when;check;amount;pages\n" + "a@example.com;1/2/2026;A;1,5;x\nb@example.com;3/2/2026;B;2,5;1\nc\n"
    european = plan(date_order="dmy", decimal=",", zone="Europe/Madrid")
    job = done(uploaded(text, european))
    assert counts(job) == (1, 0, 2)
    report = b"".join(import_report.report_lines(job))
    lines = list(csv.reader(io.StringIO(report.decode()), delimiter=";"))
    assert lines[0] == ["email", "when", "check", "amount", "pages", "import_row", "import_problem", "import_key"]
    assert lines[1][:6] == ["a@example.com", "1/2/2026", "A", "1,5", "x", "2"] and "field pages" in lines[1][6]
    assert lines[1][7].startswith("row:") and lines[2][7] == ""
    assert lines[2][:6] == ["c", "", "", "", "", "4"] and "has 1 cells, but the header has 5" in lines[2][6]
    corrected = import_jobs.upload_file([report.replace(b";x;", b";7;")], "again.csv", "activities", None)
    remembered = import_jobs.remembered_plan(corrected)
    assert remembered.date_order == "dmy"
    import_jobs.set_plan(corrected, remembered, None)
    assert counts(done(corrected)) == (1, 0, 1)
    stored = Activity.objects.get(primary_value="A")
    assert (stored.occurred_at.isoformat(), stored.origin_id) == ("2026-01-31T23:00:00+00:00", corrected.pk)


def report_of(job, *corrections):
    text = b"".join(import_report.report_lines(job)).decode()
    for wrong, right in corrections:
        text = text.replace(wrong, right)
    return text


@pytest.mark.parametrize("external_id", [ExternalId.HASH, ExternalId.NONE])
def test_a_refused_row_is_recorded_once_whoever_corrects_it(external_id):
    """In the quarantine, in the report, or in both, to the same or to something else."""
    the_plan = plan(external_id=external_id, create_people=False)
    ann, bob = make_person(email="ann@example.com"), make_person(email="bob@example.com")
    bad = "".join(f"nobody@example.com,2026-11-0{n},No. {n},1,1\n" for n in (1, 2, 3))
    job = done(uploaded(HEADER + bad + "ann@example.com,2026-11-09,No. 9,1,1\n", the_plan))
    assert counts(job) == (1, 0, 3)
    refused = sorted(RefusedActivity.objects.all(), key=lambda row: row.raw[row.raw.index("No. ") :])
    first, second, third = [row.pk for row in refused]
    recording_replay.correct_rows([first], "person", "ann@example.com", None)
    assert recording_replay.replay_rows([first], None) == recording_replay.RefusedRowReplay(1, 0)

    corrected = report_of(job, ("nobody@example.com,2026-11-03", "?,2026-11-03"), ("nobody@", "bob@"))
    again = done(uploaded(corrected, the_plan))
    assert counts(again) == (1, 1, 1)  # the first was replayed, the third is still bad
    assert recording_replay.replay_rows([second], None) == recording_replay.RefusedRowReplay(0, 0)
    found = Activity.objects.filter(activity_type_id__gt=100_000).order_by("occurred_at")
    assert [(row.primary_value, row.person_id) for row in found] == [
        ("No. 1", ann.pk),
        ("No. 2", bob.pk),
        ("No. 9", ann.pk),
    ]

    assert RefusedActivity.objects.filter(state="waiting").values_list("pk", flat=True).get() == third
    recording_replay.correct_rows([third], "person", "bob@example.com", None)
    recording_replay.replay_rows([third], None)
    for earlier in (again, job):
        assert done(uploaded(report_of(earlier, ("?", "bob@example.com"), ("nobody@", "ann@")), the_plan)).added == 0
    assert Activity.objects.filter(activity_type_id__gt=100_000).count() == 4


def test_faults_are_summed_up():
    job = done(uploaded(HEADER + "a@example.com,x,A,1,1\na@example.com,y,A,1,1\na@example.com,2026-11-01,,1,1\n"))
    found = import_report.common_faults(job)
    assert [(fault.count, fault.first_row) for fault in found] == [(2, 2), (1, 4)]
    assert "field occurred_at" in found[0].sentence


def test_what_no_database_takes_is_reported_all_the_same():
    text = (HEADER + "a\0@example.com,2026-11-01,A\0,1,1\n").encode() + b"b@example.com,2026-11-01,\xff\xfe,1,1\n"
    job = done(uploaded(text, encoding="utf-8", format="csv", delimiter=","))
    assert counts(job) == (0, 0, 2)
    assert b"A\0" in b"".join(import_report.report_lines(job)) and b"\xff\xfe" in b"".join(
        import_report.report_lines(job)
    )


def test_a_pause_stops_after_the_batch_and_a_resume_goes_on(monkeypatch):
    monkeypatch.setattr(import_targets.TARGETS["activities"], "batch", 3)
    job = uploaded(HEADER + rows(10) + "bad\n" + rows(4))
    import_jobs.take_step(job, "start", None, queue=False)

    def pause(_rows):
        import_jobs.stop_import(Import.objects.get(pk=job.pk), Import.Wish.PAUSE, None)

    import_runner.run_import(job.pk, track=pause)
    job.refresh_from_db()
    assert (job.state, job.position, job.added, job.wish) == (State.PAUSED, 3, 3, "")
    done(job, "resume")
    assert (job.state, job.position, counts(job)) == (State.COMPLETE, 15, (14, 0, 1))
    with pytest.raises(RejectedError, match="Complete"):
        import_jobs.take_step(job, "resume", None, queue=False)


def test_a_cancelled_import_keeps_what_it_recorded_and_says_so(monkeypatch):
    monkeypatch.setattr(import_targets.TARGETS["activities"], "batch", 3)
    job = uploaded(HEADER + rows(10))
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(
        job.pk, track=lambda _rows: import_jobs.stop_import(Import.objects.get(pk=job.pk), Import.Wish.CANCEL, None)
    )
    job.refresh_from_db()
    assert (job.state, job.added) == (State.CANCELLED, 3)
    assert Activity.objects.filter(origin_id=job.pk, activity_type_id__gt=100_000).count() == 3


def test_a_file_that_breaks_in_the_middle_stops_there_and_goes_on(monkeypatch, tmp_path):
    monkeypatch.setattr(import_targets.TARGETS["activities"], "batch", 4)
    job = uploaded(HEADER + rows(10))
    path = import_jobs.imports_folder() / job.stored_as
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"x" * (9 * 1024 * 1024))
    done(job)
    assert (job.state, job.added) == (State.FAILED, 4) and "longer than" in job.fault
    with translation.override("es"):  # each user reads it in their own language
        assert "una línea" in job.fault.lower()
    job.problem = "told by an older version"
    assert job.fault == job.problem
    path.write_bytes(whole)
    done(job, "resume")
    assert (job.state, counts(job), job.problem) == (State.COMPLETE, (10, 0, 0), "")


def test_a_plan_is_checked_part_by_part():
    job = import_jobs.upload_file([(HEADER + rows(1)).encode()], "f.csv", "activities", None)
    wrong = ImportPlan(
        columns={"occurred_at": "when", FIELD + "amount": "amount", FIELD + "pages": "amount", "nothing": "check"},
        subject="depositCheck",
        person="{nobody}",
        lookup_field="shoe_size",
        zone="Mars",
        date_order="xyz",
        decimal="?",
    )
    with pytest.raises(RejectedError) as caught:
        import_jobs.set_plan(job, wrong, None)
    found = {(problem.code, problem.path) for problem in caught.value.problems}
    assert found == {
        ("unknown_field", ("columns", "nothing")),
        ("missing_value", ("columns", "primary_value")),
        ("unknown_zone", ("zone",)),
        ("wrong_type", ("date_order",)),
        ("wrong_type", ("decimal",)),
        ("unknown_lookup_field", ("lookup_field",)),
        ("unknown_column", ("person",)),
    }


def test_columns_are_guessed_and_what_is_open_is_asked(check_type):
    text = 'E-Mail,Occurred At,Check,Amount,Deposited On\nann@example.com,3/4/2026 10:00,A,"1,234",3/4/2026\n'
    job = import_jobs.upload_file([text.encode()], "f.csv", "activities", None)
    guess = guessing.guess_plan(job, "depositCheck", "Europe/Madrid", import_jobs.sample_rows(job))
    assert guess.plan.columns == {
        "occurred_at": "Occurred At",
        "primary_value": "Check",
        FIELD + "amount": "Amount",
        FIELD + "deposited_on": "Deposited On",
    }
    assert (guess.plan.person, guess.plan.lookup_field) == ("{E-Mail}", "email")
    assert guess.questions == {"date_order", "decimal", "zone"} and guess.plan.external_id == "hash"


def test_who_may_not_record_may_not_import(django_user_model):
    viewer = django_user_model.objects.create_user("vera")
    with pytest.raises(NotAllowedError):
        import_jobs.upload_file([b"a,b\n1,2\n"], "f.csv", "activities", viewer)


def test_a_disk_that_is_full_keeps_no_half_file(monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("people.files.imports.jobs.os.fsync", full)
    with pytest.raises(RejectedError, match="No space left"):
        import_jobs.upload_file([b"a,b\n1,2\n"], "f.csv", "activities", None)
    assert not list(import_jobs.imports_folder().iterdir()) and not Import.objects.exists()


def test_a_marketo_bulk_extract_is_imported_as_it_is(check_type):
    ann = make_person()
    text = (
        "marketoGUID,leadId,activityDate,activityTypeId,campaignId,primaryAttributeValueId,primaryAttributeValue,attributes\n"
        f'900017,{ann.pk},2026-11-20T10:00:00Z,{check_type.pk},null,null,Intro,"{{""Amount"":2.5,""Is Foreign"":true}}"\n'
        f'900018,{ann.pk},2026-11-20T10:01:00Z,{check_type.pk},null,null,"Rye, advanced",{{}}\n'
        f"900019,{ann.pk},2026-11-20T10:01:00Z,{check_type.pk},null,null,Bad,[1]\n"
        f"900020,{ann.pk},2026-11-20T10:01:00Z,1,null,null,Visit,null\n"
    )
    from activities.recording.import_target import is_marketo_extract, marketo_plan
    from people.files.tabular import FileShape

    job = import_jobs.upload_file([text.encode()], "bulk.csv", "activities", None)
    assert is_marketo_extract(FileShape.from_json(job.shape))
    import_jobs.set_plan(job, marketo_plan(), None)
    done(job)
    assert counts(job) == (2, 0, 2)
    stored = Activity.objects.get(primary_value="Intro")
    assert stored.attributes == {"amount": 2.5, "is_foreign": True}
    assert ActivityKey.objects.get(activity_id=stored.pk).external_id == "900017"


RUN = """
import sys, django
django.setup()
from people.files.imports import runner
from people.files.imports.targets import TARGETS
TARGETS["activities"].batch = 200
print("ready", flush=True)
runner.run_import(int(sys.argv[1]), track=lambda rows: print("batch", flush=True))
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_kill_9_in_the_middle_loses_nothing_and_doubles_nothing(settings, tmp_path):
    """Three times killed at some batch; rows without a key of their own, so that nothing but the position helps."""
    approved_type("Open Account", "openAccount")
    number, bad = 6_000, 30
    body = [row for n, row in enumerate(rows(number).splitlines(keepends=True))]
    for place in range(bad):
        body.insert(place * 199, "only one cell\n")
    job = uploaded(HEADER + "".join(body), plan(external_id=ExternalId.NONE))
    import_jobs.take_step(job, "start", None, queue=False)
    environment = {
        **os.environ,
        "FILES_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
        "EMBEDDED_POSTGRES_ATTACH": "1",
        "DATA_DIR": str(settings.DATA_DIR),
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    for batches in (3, 7, 5):
        worker = subprocess.Popen(
            [sys.executable, "-c", RUN, str(job.pk)], stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(batches + 1):
            worker.stdout.readline()
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    job.refresh_from_db()
    assert job.state == State.IMPORTING and 0 < job.position < number
    deadline = time.monotonic() + 10
    while job.pk not in job_model.abandoned_job_ids(Import) and time.monotonic() < deadline:
        time.sleep(0.1)  # the server has yet to notice that the process has ended
    assert job_model.abandoned_job_ids(Import) == [job.pk]
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    assert (job.state, job.position, counts(job)) == (State.COMPLETE, number + bad, (number, 0, bad))
    stored = Activity.objects.filter(origin_id=job.pk, activity_type_id__gt=100_000)
    assert sorted(stored.values_list("primary_value", flat=True)) == sorted(f"No. {n}" for n in range(number))
    assert ImportFailure.objects.filter(of=job).count() == bad
    # between them lies what was recorded, the people's own entries with it
    of_import = Activity.objects.filter(origin_id=job.pk).values_list("pk", flat=True)
    assert job.first_id <= min(of_import) and job.last_id == max(of_import)
