"""Life cycle of a background job with its state in a row: requested, claimed, running, ended, or abandoned.

Each model that inherits `Job` is one kind of job; its `JobLifeCycle` defines its states and how a worker holds it.
A claim writes `progressed_at`, and so does every beat. A worker changes the row only while its own value is
still there, so a worker whose job was cancelled, requested again or reclaimed can change nothing more.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.apps import apps
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise

from people.core import jobs
from people.core.db import locks
from people.core.errors import RejectedError
from people.core.messages import pack_sentences, storable_text
from people.core.messages import sentence as _

MAX_PROBLEM = 2_000
MAX_TRIES = 5  # of a part of a job that raises; then the job fails with the reason
OVERDUE = timedelta(minutes=5)  # age at which an unclaimed job is queued again: its first queue entry may be lost
EVERY = Q()
J = TypeVar("J", bound="Job")


class JobLostError(Exception):
    """This worker has lost the job: it was stopped, requested again, or reclaimed."""


@dataclass(frozen=True, slots=True)
class JobEnd:
    """The states after a running one: on success, and on failure (None: retried until it succeeds)."""

    done: str
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class JobLifeCycle:
    """The meaning of the states of one kind of job."""

    claim: "Claim"
    running: Mapping[str, JobEnd]
    waiting: Mapping[str, str] = field(default_factory=dict)  # state before the claim: running state after it
    cancelled: Mapping[str, str] = field(default_factory=dict)  # state that can be cancelled: state after that
    task: str = ""  # the task for one job; empty where a separate process polls for jobs
    argument: str = ""  # the task's argument for the id
    reclaimed: Q = EVERY  # the jobs that any worker can resume; others wait for the process that started them
    given_up: str | Promise = ""  # the problem of an abandoned job, which fails; if empty, the job is queued again
    progress: tuple[str, str] | None = None  # the columns of the amount done and of the total

    @property
    def unended(self) -> Q:
        return Q(state__in=[*self.waiting, *self.running])


class Job(models.Model):
    """One job of one kind; the kind gives `state` its choices."""

    state = models.CharField(max_length=12)
    problem = models.TextField(blank=True)  # the reason of a failure
    # the last heartbeat of the worker; its exact value identifies that worker's claim
    progressed_at = models.DateTimeField(null=True)

    life: ClassVar[JobLifeCycle]

    class Meta:
        abstract = True

    @classmethod
    def claimed(cls, pk: int) -> AbstractContextManager[Self | None]:
        """Claim the job; yields None if it is not runnable or another worker holds it."""
        return cls.life.claim.acquire(cls, pk)

    @property
    def is_running(self) -> bool:
        return self.state in self.life.running

    @property
    def percent(self) -> int:
        """The progress, from 0 to 100."""
        if any(self.state == end.done for end in self.life.running.values()):
            return 100
        if self.life.progress is None:
            return 0
        done, total = (getattr(self, name) for name in self.life.progress)
        return min(99, done * 100 // total) if total else 0

    def mine(self) -> "models.QuerySet[Self]":
        """The row of this job while this worker's claim is valid; empty once the worker has lost it."""
        is_mine = Q(pk=self.pk, state=self.state)
        if _has(type(self), "progressed_at"):
            is_mine &= Q(progressed_at=self.progressed_at)
        return _rows(type(self)).filter(is_mine)

    def beat(self, only: Q = EVERY, **changes: Any) -> None:
        """Write a heartbeat and the progress; must be the last statement of the transaction that did the work.

        Raises `JobLostError`, also if the row does not satisfy `only`.
        """
        now = timezone.now()
        heartbeat = {"progressed_at": now} if _has(type(self), "progressed_at") else {}
        if not self.mine().filter(only).update(**{"state": self.state} | heartbeat | changes):
            raise JobLostError(f"{type(self).__name__} {self.pk}")
        self.progressed_at = now

    def finish(self, **changes: Any) -> bool:
        """Mark the job as done; return False if this worker had lost it."""
        return self.leave(self.life.running[self.state].done, **changes)

    def fail(self, problem: str, **changes: Any) -> bool:
        """Mark the job as failed; return False if this worker had lost it. `problem` is in the kind's own format."""
        failed = self.life.running[self.state].failed
        assert failed is not None, f"{type(self).__name__} never fails"
        return self.leave(failed, problem=problem, **changes)

    def leave(self, state: str, **changes: Any) -> bool:
        """Release the claim and set `state`; return False if this worker had lost the job."""
        changes = {"state": state} | dict(self.life.claim.release_values(self)) | _end_values(type(self)) | changes
        return self._changed(self.mine().update(**changes), changes)

    def cancel(self, **changes: Any) -> bool:
        """Stop the job, whichever worker holds it; return False if there was nothing to cancel."""
        for after in dict.fromkeys(self.life.cancelled.values()):
            states = [state for state, following in self.life.cancelled.items() if following == after]
            values = {"state": after} | _end_values(type(self)) | changes
            rows = _rows(type(self)).filter(pk=self.pk, state__in=states)
            if self._changed(rows.update(**values), values):
                return True
        return False

    def _changed(self, rows: int, changes: Mapping[str, Any]) -> bool:
        if not rows:
            return False
        for name, value in changes.items():
            if not hasattr(value, "resolve_expression"):
                setattr(self, name, value)
        return True


class Claim(ABC):
    """The way a worker holds a job, and the detection of abandoned jobs."""

    @abstractmethod
    def acquire(self, model: type[J], pk: int) -> AbstractContextManager[J | None]:
        """Claim the job for this worker; yields None if that fails."""

    @abstractmethod
    def abandoned(self, model: type[J], now: datetime) -> Iterable[J]:
        """The jobs that should run but that no worker holds."""

    def is_waiting(self, job: Job) -> bool:
        """Return True if no worker has claimed the job yet."""
        return not job.is_running

    def release_values(self, job: Job) -> Mapping[str, Any]:
        """The values written at the end of the work, besides the state."""
        return {}

    def reset_values(self, job: Job, now: datetime) -> Mapping[str, Any]:
        """The values written by a reclaim, which invalidate the claim of the dead worker."""
        return {"progressed_at": now}


class SessionClaim(Claim):
    """Claim by an advisory lock of the session: the server releases it as soon as the worker's connection ends.

    `started_at` is the column for the last start of the work, where a kind has one.
    """

    def __init__(self, space: locks.LockSpace, started_at: str = "") -> None:
        self.space = space
        self.started_at = started_at

    @contextmanager
    def acquire(self, model: type[J], pk: int) -> Iterator[J | None]:
        with locks.try_session_lock(self.space, pk) as is_mine:
            states = _unchanged_states(model.life.running) | dict(model.life.waiting)
            yield _start(model, pk, states, started_at=self.started_at) if is_mine else None

    def abandoned(self, model: type[J], now: datetime) -> Iterator[J]:
        for job in _rows(model).filter(model.life.unended, model.life.reclaimed).order_by("pk"):
            with locks.try_session_lock(self.space, job.pk) as is_free:
                pass
            if is_free:  # a later claim changes `progressed_at`, and the reclaim does nothing
                yield job


class BeatClaim(Claim):
    """Claim by heartbeats: a worker without one for longer than `quiet` counts as dead.

    `asked_at` is the column for the time of the request. Where a kind has no waiting state, a running job without
    a heartbeat is waiting.
    """

    def __init__(self, quiet: Callable[[], timedelta], asked_at: str) -> None:
        self.quiet = quiet
        self.asked_at = asked_at

    @contextmanager
    def acquire(self, model: type[J], pk: int) -> Iterator[J | None]:
        states = model.life.waiting or _unchanged_states(model.life.running)
        yield _start(model, pk, states, self._waiting(model.life))

    def abandoned(self, model: type[J], now: datetime) -> Iterable[J]:
        lost = Q(state__in=[*model.life.running], progressed_at__lt=now - self.quiet())
        overdue = self._waiting(model.life) & Q(**{f"{self.asked_at}__lt": now - OVERDUE})
        return _rows(model).filter(lost | overdue, model.life.reclaimed).order_by("pk")

    def is_waiting(self, job: Job) -> bool:
        return job.progressed_at is None or super().is_waiting(job)

    def release_values(self, job: Job) -> Mapping[str, Any]:
        return {} if job.life.waiting else {"progressed_at": None}

    def reset_values(self, job: Job, now: datetime) -> Mapping[str, Any]:
        before = [state for state, running in job.life.waiting.items() if running == job.state]
        if not before:
            return {"progressed_at": None, self.asked_at: now}
        return {"state": before[0], "progressed_at": now, self.asked_at: now}

    def _waiting(self, life: JobLifeCycle) -> Q:
        return Q(state__in=[*life.waiting]) if life.waiting else Q(state__in=[*life.running], progressed_at=None)


class RowClaim(Claim):
    """Claim by the row's lock, taken in the transaction that does one part of the work and stores its position.

    After `quiet` without a part the job is queued again; without `quiet` the process that polls for jobs finds it.
    """

    def __init__(self, quiet: timedelta | None = None) -> None:
        self.quiet = quiet

    @contextmanager
    def acquire(self, model: type[J], pk: int) -> Iterator[J | None]:
        yield _rows(model).select_for_update(skip_locked=True).filter(model.life.unended, pk=pk).first()

    def abandoned(self, model: type[J], now: datetime) -> Iterable[J]:
        if self.quiet is None:
            return ()
        lost = model.life.unended & Q(progressed_at__lt=now - self.quiet)
        return _rows(model).filter(lost, model.life.reclaimed).order_by("pk")


def job_models() -> list[type[Job]]:
    """Every kind of job."""
    return [model for model in apps.get_models() if issubclass(model, Job)]


def abandoned_job_ids(model: type[Job], now: datetime | None = None) -> list[int]:
    """The ids of the jobs of one kind that should run but that no worker holds."""
    return [job.pk for job in model.life.claim.abandoned(model, now or timezone.now())]


def reclaim_jobs(now: datetime | None = None) -> int:
    """Queue again, or fail, the jobs that killed workers abandoned, of every kind; return their number.

    An error with one job does not stop the others: an `ExceptionGroup` is raised at the end.
    """
    now = now or timezone.now()
    errors: list[Exception] = []
    number = 0
    for model in job_models():
        for job in model.life.claim.abandoned(model, now):
            try:
                number += _reclaim(job, now)
            except Exception as error:
                errors.append(error)
    if errors:
        raise ExceptionGroup("jobs could not be reclaimed", errors)
    return number


def error_text(error: Exception) -> str:
    """The text stored for an error: the sentences of a `RejectedError`; else the class name, details are in the log."""
    return (str(error) if isinstance(error, RejectedError) else type(error).__name__)[:MAX_PROBLEM]


def failure_reason(error: Exception, tries: int) -> str:
    """The stored reason why a job or a try failed; `messages.unpack_sentences` translates it for the reader."""
    if isinstance(error, RejectedError):
        return pack_sentences([problem.message for problem in error.problems], storable_text)
    message = _("Tried %(count)s times; the last time it failed with: %(error)s. The log of the server has more.")
    return pack_sentences([message % {"count": tries, "error": type(error).__name__}], storable_text)


def lost_worker_reason(tries: int) -> str:
    """The stored reason of a job whose worker was lost at each try."""
    message = _("Tried %(count)s times; each time its worker was gone before the end.")
    return pack_sentences([message % {"count": tries}], storable_text)


@transaction.atomic
def _reclaim(job: Job, now: datetime) -> bool:
    """Reclaim one job; return False if it has changed since it was read: a worker may have claimed it meanwhile."""
    life = job.life
    if not life.claim.is_waiting(job):
        if job.mine().select_for_update(skip_locked=True).first() is None:
            return False
        if life.given_up:
            return job.fail(str(life.given_up))
        job.mine().update(**life.claim.reset_values(job, now))
    jobs.defer_job_once(life.task, f"{life.task} {job.pk}", **{life.argument: job.pk})
    return True


def _start(model: type[J], pk: int, states: Mapping[str, str], only: Q = EVERY, started_at: str = "") -> J | None:
    """Claim a job in one of the `states`, by one guarded update for each: state before the claim → state after it."""
    for before, after in states.items():
        now = timezone.now()
        rows = _rows(model).filter(only, pk=pk, state=before)
        if rows.update(state=after, **dict.fromkeys((started_at or "progressed_at", "progressed_at"), now)):
            return _rows(model).filter(pk=pk, state=after, progressed_at=now).first()
    return None


def _unchanged_states(states: Iterable[str]) -> dict[str, str]:
    return {state: state for state in states}


def _rows(model: type[J]) -> "models.QuerySet[J]":
    return model._default_manager.all()


def _end_values(model: type[Job]) -> dict[str, Any]:
    """The time of the end, for the kinds with a column for it."""
    return {"finished_at": timezone.now()} if _has(model, "finished_at") else {}


def _has(model: type[Job], name: str) -> bool:
    return any(column.name == name for column in model._meta.concrete_fields)
