"""The life of a background job that keeps its state in a row: asked for, claimed, at work, ended, or left behind.

Each model that inherits `Job` is one kind of job; its `LifeCycle` says what its states mean and how a worker holds it.
A claim writes `progressed_at`, and so does every beat; what a worker changes it changes only while its own value is
still there. A worker whose job was cancelled, asked for anew or reclaimed can therefore change nothing more.
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
from people.core.messages import packed, storable
from people.core.messages import sentence as _

MAX_PROBLEM = 2_000
MAX_TRIES = 5  # of the same part of a job that raises; then it fails with the reason
OVERDUE = timedelta(minutes=5)  # until a job that no worker has claimed is queued again: its first one may be lost
EVERY = Q()
J = TypeVar("J", bound="Job")


class JobLostError(Exception):
    """The job is not this worker's any more: it was stopped, asked for anew, or reclaimed."""


@dataclass(frozen=True, slots=True)
class End:
    """The states after a running one: when all is done, and when it cannot be (None: it is tried until it can)."""

    done: str
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """What the states of one kind of job mean."""

    claim: "Claim"
    running: Mapping[str, End]
    waiting: Mapping[str, str] = field(default_factory=dict)  # a state before the claim: the running one after it
    cancelled: Mapping[str, str] = field(default_factory=dict)  # a state that can be cancelled: the one after that
    task: str = ""  # that works on one job, and what it calls the id; no task: a process of its own looks for jobs
    argument: str = ""
    reclaimed: Q = EVERY  # the jobs that a worker can take up; others wait for whoever began them
    given_up: str | Promise = ""  # why a job fails that its worker left; without it the job is queued again
    progress: tuple[str, str] | None = None  # the columns of how much is done, and of how much there is

    @property
    def unended(self) -> Q:
        return Q(state__in=[*self.waiting, *self.running])


class Job(models.Model):
    """One job of one kind; the kind gives `state` its choices."""

    state = models.CharField(max_length=12)
    problem = models.TextField(blank=True)  # why it failed
    # the last sign of life of the worker, and by its exact value that worker's claim
    progressed_at = models.DateTimeField(null=True)

    life: ClassVar[LifeCycle]

    class Meta:
        abstract = True

    @classmethod
    def claimed(cls, pk: int) -> AbstractContextManager[Self | None]:
        """The job, held by this worker; None when it is not to be done, or another worker is at it."""
        return cls.life.claim.taken(cls, pk)

    @property
    def is_running(self) -> bool:
        return self.state in self.life.running

    @property
    def percent(self) -> int:
        """How much is done, from 0 to 100."""
        if any(self.state == end.done for end in self.life.running.values()):
            return 100
        if self.life.progress is None:
            return 0
        done, total = (getattr(self, name) for name in self.life.progress)
        return min(99, done * 100 // total) if total else 0

    def mine(self) -> "models.QuerySet[Self]":
        """The row of this job while it is as this worker left it; nothing once it is not the worker's any more."""
        is_mine = Q(pk=self.pk, state=self.state)
        if _has(type(self), "progressed_at"):
            is_mine &= Q(progressed_at=self.progressed_at)
        return _rows(type(self)).filter(is_mine)

    def beat(self, only: Q = EVERY, **changes: Any) -> None:
        """Give a sign of life and keep what was done; the last statement of the transaction that did it.

        Raises `JobLostError`, also where the row does not satisfy `only`.
        """
        now = timezone.now()
        sign = {"progressed_at": now} if _has(type(self), "progressed_at") else {}
        if not self.mine().filter(only).update(**{"state": self.state} | sign | changes):
            raise JobLostError(f"{type(self).__name__} {self.pk}")
        self.progressed_at = now

    def finish(self, **changes: Any) -> bool:
        """All is done; whether the job was still this worker's."""
        return self.leave(self.life.running[self.state].done, **changes)

    def fail(self, problem: str, **changes: Any) -> bool:
        """It cannot be done; whether the job was still this worker's. `problem` as the kind keeps its problems."""
        failed = self.life.running[self.state].failed
        assert failed is not None, f"{type(self).__name__} never fails"
        return self.leave(failed, problem=problem, **changes)

    def leave(self, state: str, **changes: Any) -> bool:
        """End this worker's part, in `state`; whether the job was still the worker's."""
        changes = {"state": state} | dict(self.life.claim.released(self)) | _ended(type(self)) | changes
        return self._changed(self.mine().update(**changes), changes)

    def cancel(self, **changes: Any) -> bool:
        """Have no worker begin or go on, whoever holds the job; whether there was something to cancel."""
        for after in dict.fromkeys(self.life.cancelled.values()):
            states = [state for state, following in self.life.cancelled.items() if following == after]
            written = {"state": after} | _ended(type(self)) | changes
            rows = _rows(type(self)).filter(pk=self.pk, state__in=states)
            if self._changed(rows.update(**written), written):
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
    """How a worker holds a job, and how it is seen that none does."""

    @abstractmethod
    def taken(self, model: type[J], pk: int) -> AbstractContextManager[J | None]:
        """The job, claimed by this worker; or None."""

    @abstractmethod
    def left(self, model: type[J], now: datetime) -> Iterable[J]:
        """The jobs that should be worked on while no worker is at them."""

    def is_waiting(self, job: Job) -> bool:
        """Whether no worker has claimed the job yet."""
        return not job.is_running

    def released(self, job: Job) -> Mapping[str, Any]:
        """What the end of the work writes, besides the state."""
        return {}

    def put_back(self, job: Job, now: datetime) -> Mapping[str, Any]:
        """What a reclaim writes, so that the claim of the worker that is gone holds no more."""
        return {"progressed_at": now}


class SessionClaim(Claim):
    """An advisory lock of the session: the server knows at once that a worker is gone, however long its work takes.

    `started_at` is the column of when work began last, where a kind has one.
    """

    def __init__(self, space: locks.Space, started_at: str = "") -> None:
        self.space = space
        self.started_at = started_at

    @contextmanager
    def taken(self, model: type[J], pk: int) -> Iterator[J | None]:
        with locks.alone(self.space, pk) as is_mine:
            states = _as_they_are(model.life.running) | dict(model.life.waiting)
            yield _start(model, pk, states, started_at=self.started_at) if is_mine else None

    def left(self, model: type[J], now: datetime) -> Iterator[J]:
        for job in _rows(model).filter(model.life.unended, model.life.reclaimed).order_by("pk"):
            with locks.alone(self.space, job.pk) as is_free:
                pass
            if is_free:  # a worker that takes it from here on writes `progressed_at`, and the reclaim does nothing
                yield job


class BeatClaim(Claim):
    """A sign of life now and then: the worker counts as gone when it gave none for longer than `quiet`.

    `asked_at` is the column of when the work was asked for. Where a kind has no waiting state, a running job without
    a sign of life waits.
    """

    def __init__(self, quiet: Callable[[], timedelta], asked_at: str) -> None:
        self.quiet = quiet
        self.asked_at = asked_at

    @contextmanager
    def taken(self, model: type[J], pk: int) -> Iterator[J | None]:
        states = model.life.waiting or _as_they_are(model.life.running)
        yield _start(model, pk, states, self._waiting(model.life))

    def left(self, model: type[J], now: datetime) -> Iterable[J]:
        lost = Q(state__in=[*model.life.running], progressed_at__lt=now - self.quiet())
        overdue = self._waiting(model.life) & Q(**{f"{self.asked_at}__lt": now - OVERDUE})
        return _rows(model).filter(lost | overdue, model.life.reclaimed).order_by("pk")

    def is_waiting(self, job: Job) -> bool:
        return job.progressed_at is None or super().is_waiting(job)

    def released(self, job: Job) -> Mapping[str, Any]:
        return {} if job.life.waiting else {"progressed_at": None}

    def put_back(self, job: Job, now: datetime) -> Mapping[str, Any]:
        before = [state for state, running in job.life.waiting.items() if running == job.state]
        if not before:
            return {"progressed_at": None, self.asked_at: now}
        return {"state": before[0], "progressed_at": now, self.asked_at: now}

    def _waiting(self, life: LifeCycle) -> Q:
        return Q(state__in=[*life.waiting]) if life.waiting else Q(state__in=[*life.running], progressed_at=None)


class RowClaim(Claim):
    """The row's lock, to be taken in the transaction that does one part of the work and writes where it goes on.

    After `quiet` without a part the job is queued again; without `quiet` the one who looks for jobs finds it.
    """

    def __init__(self, quiet: timedelta | None = None) -> None:
        self.quiet = quiet

    @contextmanager
    def taken(self, model: type[J], pk: int) -> Iterator[J | None]:
        yield _rows(model).select_for_update(skip_locked=True).filter(model.life.unended, pk=pk).first()

    def left(self, model: type[J], now: datetime) -> Iterable[J]:
        if self.quiet is None:
            return ()
        lost = model.life.unended & Q(progressed_at__lt=now - self.quiet)
        return _rows(model).filter(lost, model.life.reclaimed).order_by("pk")


def kinds() -> list[type[Job]]:
    """Every kind of job there is."""
    return [model for model in apps.get_models() if issubclass(model, Job)]


def left(model: type[Job], now: datetime | None = None) -> list[int]:
    """The ids of the jobs of one kind that should be worked on while no worker is at them."""
    return [job.pk for job in model.life.claim.left(model, now or timezone.now())]


def reclaim(now: datetime | None = None) -> int:
    """Queue again, or give up, what killed workers left, of every kind; return how many jobs.

    What goes wrong with one keeps no other from it: an `ExceptionGroup` is raised at the end.
    """
    now = now or timezone.now()
    raised: list[Exception] = []
    number = 0
    for model in kinds():
        for job in model.life.claim.left(model, now):
            try:
                number += _reclaim(job, now)
            except Exception as error:
                raised.append(error)
    if raised:
        raise ExceptionGroup("jobs could not be reclaimed", raised)
    return number


def problem_of(error: Exception) -> str:
    """What is kept of an error: the sentences of a refusal; of anything else its name, the log has the rest."""
    return (str(error) if isinstance(error, RejectedError) else type(error).__name__)[:MAX_PROBLEM]


def reason_of(error: Exception, tries: int) -> str:
    """Why a job or one of its tries failed, for its column; `messages.unpacked` reads it in the reader's language."""
    if isinstance(error, RejectedError):
        return packed([problem.message for problem in error.problems], storable)
    said = _("Tried %(count)s times; the last time it failed with: %(error)s. The log of the server has more.")
    return packed([said % {"count": tries, "error": type(error).__name__}], storable)


def no_answer(tries: int) -> str:
    """Why a job failed whose worker was gone before its end at each of its tries."""
    said = _("Tried %(count)s times; each time its worker was gone before the end.")
    return packed([said % {"count": tries}], storable)


@transaction.atomic
def _reclaim(job: Job, now: datetime) -> bool:
    """Whether the job is still as it was found: a worker may have claimed it, or hold its row, by now."""
    life = job.life
    if not life.claim.is_waiting(job):
        if job.mine().select_for_update(skip_locked=True).first() is None:
            return False
        if life.given_up:
            return job.fail(str(life.given_up))
        job.mine().update(**life.claim.put_back(job, now))
    jobs.defer_once(life.task, f"{life.task} {job.pk}", **{life.argument: job.pk})
    return True


def _start(model: type[J], pk: int, states: Mapping[str, str], only: Q = EVERY, started_at: str = "") -> J | None:
    """Claim a job that is in one of `states`, in one guarded update for each: it is in that state's value then."""
    for before, after in states.items():
        now = timezone.now()
        rows = _rows(model).filter(only, pk=pk, state=before)
        if rows.update(state=after, **dict.fromkeys((started_at or "progressed_at", "progressed_at"), now)):
            return _rows(model).filter(pk=pk, state=after, progressed_at=now).first()
    return None


def _as_they_are(states: Iterable[str]) -> dict[str, str]:
    return {state: state for state in states}


def _rows(model: type[J]) -> "models.QuerySet[J]":
    return model._default_manager.all()


def _ended(model: type[Job]) -> dict[str, Any]:
    """When it ended, for the kinds that keep it."""
    return {"finished_at": timezone.now()} if _has(model, "finished_at") else {}


def _has(model: type[Job], name: str) -> bool:
    return any(column.name == name for column in model._meta.concrete_fields)
