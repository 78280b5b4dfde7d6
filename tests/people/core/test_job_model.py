"""Every kind of job and every transition, between workers with connections of their own."""

import queue
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from activities.inbound import replaying as inbound_replaying
from activities.inbox import replay as inbox_replay
from activities.models import InboundReplay, InboxReplay
from people import tasks
from people.core import job_model
from people.core.job_model import BeatClaim, JobLostError, RowClaim, SessionClaim
from people.core.source import Channel
from people.files.exports import jobs as export_jobs
from people.files.imports import jobs as import_jobs
from people.files.imports.plan import ImportPlan
from people.lists import static_lists
from people.models import BulkAction, Export, Import
from people.persons import bulk
from smartlists.campaigns.running import runs as campaign_runs
from smartlists.campaigns.running import scheduling as campaign_scheduling
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.lists import editing as list_editing
from smartlists.lists import reports as list_reports
from smartlists.models import CampaignRun, ListCopy, StoredEvaluation, StoredReport
from tests.activities.inbound.factories import make_webhook
from tests.activities.inbox.factories import make_sighting
from tests.activities.recording.test_races import InThread
from tests.factories import approved_type, make_person
from tests.smartlists.campaign_factories import add_to_list_step, make_draft_campaign

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()
PATIENCE = 20  # seconds that a worker may take for anything


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


# --- One job of each kind, as the product's verbs make it ---------------------------------------------------------


def new_import():
    job = import_jobs.upload_file([b"email\nann@example.com\n"], "p.csv", "people", None)
    import_jobs.set_plan(job, ImportPlan(columns={"email": "email"}), None)
    import_jobs.take_step(job, "start", None)
    return job


def new_export():
    job = export_jobs.create_export("people", {}, None, Channel.ADMIN)
    export_jobs.enqueue_export(job)
    return job


def new_inbox_replay():
    """Of more events than one part takes: the job does it, not the request."""
    approved_type()
    return inbox_replay.start_replay(make_sighting(kept=inbox_replay.BATCH + 1), None)


def new_list():
    return list_editing.create_smart_list("Everybody", {"filters": []}, None)


def new_copy():
    return list_copies.plan_copy(new_list(), static_lists.create_static_list("Kept", None), None, every_minutes=60)


def new_report():
    question = list_reports.ReportQuestion("trend", (approved_type().pk,), date(2026, 11, 1), date(2026, 11, 30))
    return list_reports.request_report(question, None)


def new_run():
    make_person()
    approved_type()
    return campaign_runs.run_on_list(
        make_draft_campaign(add_to_list_step(static_lists.create_static_list("Kept", None))), new_list(), None, cap=10
    )


@dataclass
class Case:
    make: Callable[[], Any]
    done: dict[str, Any] = field(default_factory=dict)  # columns that the database requires of one that is done
    cancel: Callable[[Any], Any] | None = None
    cancelled: str | None = "cancelled"  # None: the row is deleted
    beats: dict[str, Any] = field(default_factory=dict)  # the arguments of its worker's beat


CASES = {
    Import: Case(
        new_import,
        cancel=lambda job: import_jobs.stop_import(job, Import.Wish.CANCEL, None),
        cancelled="importing",  # until its worker sees what is wished
        beats={"only": Q(wish="")},
    ),
    Export: Case(new_export, cancel=export_jobs.cancel_export),
    BulkAction: Case(
        lambda: bulk.start_bulk_action("delete", [make_person().pk], None),
        cancel=lambda action: bulk.cancel_bulk_action(action, None),
    ),
    ListCopy: Case(
        new_copy,
        {"as_of": NOW, "joined": 0, "left": 0},
        cancel=lambda copy: list_copies.end_copy(copy, None),
        cancelled=None,
    ),
    StoredEvaluation: Case(
        lambda: stored_evaluations.request_evaluation(new_list(), None),
        {"as_of": NOW, "count": 0, "seconds": 0.1},
        cancel=lambda stored: stored_evaluations.cancel_evaluation(stored, None),
        cancelled="failed",
    ),
    StoredReport: Case(new_report),
    InboxReplay: Case(new_inbox_replay),
    InboundReplay: Case(lambda: inbound_replaying.start_replay(make_webhook().source, None)),
    CampaignRun: Case(new_run, cancel=lambda run: campaign_scheduling.cancel_run(run, None)),
}


class Worker(threading.Thread):
    """Claims a job on a connection of its own, and does with it what the test commands."""

    def __init__(self, model, pk):
        super().__init__(daemon=True)
        self.model, self.pk = model, pk
        self.orders, self.answers = queue.Queue(), queue.Queue()
        self.start()

    def run(self):
        try:
            in_part = isinstance(self.model.life.claim, RowClaim)
            with transaction.atomic() if in_part else nullcontext(), self.model.claimed(self.pk) as job:
                self.answers.put(job)
                while order := self.orders.get():
                    try:
                        self.answers.put(order(job))
                    except Exception as error:
                        self.answers.put(error)
        except (DatabaseError, InterfaceError):
            pass  # its connection was ended
        finally:
            connection.close()

    def claimed(self):
        return self.answers.get(timeout=PATIENCE)

    def does(self, order):
        self.orders.put(order)
        answer = self.answers.get(timeout=PATIENCE)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self):
        self.orders.put(None)
        self.join(PATIENCE)
        assert not self.is_alive()

    def is_killed(self):
        """Its server process ends, as it does when the worker's host fails."""
        pid = self.does(lambda _job: connection.connection.info.backend_pid)
        with connection.cursor() as cursor:
            cursor.execute("select pg_terminate_backend(%s, 10000)", [pid])


def at_work(model):
    job = CASES[model].make()
    worker = Worker(model, job.pk)
    assert worker.claimed() is not None
    return job, worker


def state_of(job):
    return type(job).objects.values_list("state", flat=True).filter(pk=job.pk).first()


def done_state(model):
    return {end.done for end in model.life.running.values()}


def lose(job, worker):
    """End the job's worker in the way that its kind notices; the worker of a `BeatClaim` lives on."""
    if not isinstance(job.life.claim, BeatClaim):
        worker.is_killed()
    if not isinstance(job.life.claim, SessionClaim) and job.life.task:
        type(job).objects.filter(pk=job.pk).update(progressed_at=timezone.now() - timedelta(days=1))


def queued(job):
    return ProcrastinateJob.objects.filter(
        task_name=job.life.task, args={job.life.argument: job.pk}, queueing_lock__isnull=False, status="todo"
    ).count()


# --- The transitions ----------------------------------------------------------------------------------------------


def is_claimed_by_one_of_two(model):
    job = CASES[model].make()
    workers = [Worker(model, job.pk) for _ in range(2)]
    claims = [worker.claimed() for worker in workers]
    assert sorted(claim is None for claim in claims) == [False, True]
    assert job_model.abandoned_job_ids(model) == [] and job_model.reclaim_jobs() == 0
    holder = workers[claims.index(None) - 1]
    holder.does(lambda held: held.beat(**CASES[model].beats))
    assert holder.does(lambda held: held.finish(**CASES[model].done))
    for worker in workers:
        worker.end()
    assert state_of(job) in done_state(model)
    latest = model.objects.get(pk=job.pk)
    assert latest.percent == 100 and not latest.is_running
    late = Worker(model, job.pk)
    assert late.claimed() is None  # a job that is done is not done again
    late.end()


def is_lost_without_a_sign_of_life(model):
    job, worker = at_work(model)
    assert job_model.abandoned_job_ids(model) == []
    lose(job, worker)
    expected = [job.pk] if job.life.task else []  # without a task the dispatcher finds it
    assert job_model.abandoned_job_ids(model) == expected
    worker.end()
    assert job_model.abandoned_job_ids(model) == expected


def fails(model):
    job, worker = at_work(model)
    assert worker.does(lambda held: held.fail("The disk is full."))
    worker.end()
    failed = model.objects.get(pk=job.pk)
    assert failed.state in {end.failed for end in model.life.running.values()}
    assert failed.problem == "The disk is full." and not failed.is_running
    late = Worker(model, job.pk)
    assert late.claimed() is None
    late.end()
    assert job_model.abandoned_job_ids(model) == []


def is_reclaimed(model):
    job, worker = at_work(model)
    lose(job, worker)
    before = queued(job) if job.life.task else 0
    tasks.resume_abandoned_jobs(0)
    if job.life.given_up:
        assert state_of(job) == "failed" and queued(job) == before
        assert model.objects.get(pk=job.pk).problem == str(job.life.given_up)
    elif job.life.task:
        assert queued(job) == before + 1
        tasks.resume_abandoned_jobs(0)
        assert queued(job) == before + 1  # one is enough
    worker.end()
    if not job.life.given_up:
        heir = Worker(model, job.pk)
        assert heir.claimed() is not None
        assert heir.does(lambda held: held.finish(**CASES[model].done))
        heir.end()
        assert state_of(job) in done_state(model)


def does_not_win_after_a_reclaim(model):
    job, worker = at_work(model)
    stale = worker.does(lambda held: held)
    lose(job, worker)
    job_model.reclaim_jobs()
    heir = Worker(model, job.pk)
    assert (heir.claimed() is None) == bool(job.life.given_up)
    state = state_of(job)
    if isinstance(job.life.claim, BeatClaim):  # it lives, and wakes up
        assert not worker.does(lambda held: held.finish(**CASES[model].done))
        assert not worker.does(lambda held: held.fail("late"))
        with pytest.raises(JobLostError):
            worker.does(lambda held: held.beat())
    else:  # its last transaction is lost with its connection
        with pytest.raises((DatabaseError, InterfaceError)):
            worker.does(lambda held: held.finish(**CASES[model].done))
    if job.life.task:  # nor does it win on a new connection
        assert not stale.finish(**CASES[model].done) and not stale.fail("late")
    assert state_of(job) == state
    worker.end()
    if not job.life.given_up:
        assert heir.does(lambda held: held.finish(**CASES[model].done))
    heir.end()
    assert state_of(job) in ({state} if job.life.given_up else done_state(model))


def is_cancelled_while_running(model):
    case = CASES[model]
    job, worker = at_work(model)
    cancelling = InThread(lambda: case.cancel(model.objects.get(pk=job.pk)))
    if isinstance(job.life.claim, RowClaim):  # the part under way is finished first
        assert cancelling.is_waiting()
        worker.does(lambda held: held.beat())
    else:
        cancelling.result()
        with pytest.raises(JobLostError):
            worker.does(lambda held: held.beat(**case.beats))
        if model is not Import:  # of which every row is in, whatever was wished meanwhile
            assert not worker.does(lambda held: held.finish(**case.done))
    worker.end()
    cancelling.result()
    assert state_of(job) == case.cancelled
    if model is not Import:
        late = Worker(model, job.pk)
        assert late.claimed() is None
        late.end()
        assert job_model.abandoned_job_ids(model) == []


TRANSITIONS = {
    is_claimed_by_one_of_two: lambda model: True,
    is_lost_without_a_sign_of_life: lambda model: True,
    fails: lambda model: any(end.failed for end in model.life.running.values()),
    is_reclaimed: lambda model: True,
    does_not_win_after_a_reclaim: lambda model: True,
    is_cancelled_while_running: lambda model: CASES[model].cancel,
}
WALK = [
    pytest.param(model, transition, id=f"{model.__name__}-{transition.__name__}")
    for model in CASES
    for transition, has in TRANSITIONS.items()
    if has(model)
]


@pytest.mark.parametrize(("model", "transition"), WALK)
def test_every_kind_of_job(model, transition):
    transition(model)


def test_every_kind_is_walked():
    assert set(CASES) == set(job_model.job_models())


@pytest.mark.parametrize("model", [ListCopy, StoredEvaluation, StoredReport], ids=lambda model: model.__name__)
def test_what_waits_is_queued_again_when_its_first_job_got_lost(model):
    job = CASES[model].make()
    assert job_model.abandoned_job_ids(model) == [] and queued(job) == 0
    later = timezone.now() + timedelta(minutes=6)
    assert job_model.abandoned_job_ids(model, later) == [job.pk]
    assert job_model.reclaim_jobs(later) == 1 and job_model.reclaim_jobs(later) == 1
    assert queued(job) == 1 and job.state == state_of(job)


def test_a_worker_that_wakes_up_after_it_was_cancelled_shows_nothing(monkeypatch):
    smart_list = new_list()
    stored = stored_evaluations.request_evaluation(smart_list, None)
    evaluate = stored_evaluations.evaluator.evaluate_rules

    def evaluated_and_cancelled(*arguments, **more):
        found = evaluate(*arguments, **more)
        InThread(lambda: stored_evaluations.cancel_evaluation(stored, None)).result()
        return found

    monkeypatch.setattr(stored_evaluations.evaluator, "evaluate_rules", evaluated_and_cancelled)
    with pytest.raises(stored_evaluations.RejectedError, match="cancelled"):
        stored_evaluations.run_evaluation(stored.pk)
    stored.refresh_from_db()
    smart_list.refresh_from_db()
    assert (stored.state, stored.count, smart_list.current) == ("failed", None, None)


def test_a_copy_that_is_ended_meanwhile_stops(monkeypatch):
    smart_list, kept = new_list(), static_lists.create_static_list("Kept", None)
    for _ in range(4):
        make_person()
    monkeypatch.setattr(static_lists, "MAX_BATCH", 2)
    copy = list_copies.plan_copy(smart_list, kept, None)
    add = static_lists.add_members

    def added_and_ended(*arguments):
        InThread(lambda: list_copies.end_copy(copy, None)).result()
        return add(*arguments)

    monkeypatch.setattr(static_lists, "add_members", added_and_ended)
    assert list_copies.run_copy(copy.pk) is None
    assert not ListCopy.objects.exists() and kept.members.count() < 4
