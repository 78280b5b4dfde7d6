"""Reports on activities of all people or of a list: computed at once where few activities are read, else by a job.

The answer of a job is kept for a day and shown with its time. Figures are exact as of then, never estimated; a
request after `FRESH` returns the last figures and queues newer ones.
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.log.reports import ReportScope
from activities.rights import VIEW_ACTIVITY, VIEW_ACTIVITYTYPE
from people.core import job_model, jobs
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission
from people.datatypes.canonical import ExactDecoder, dump_json
from people.models import StaticListMember
from people.rights import VIEW_PERSON, VIEW_STATICLIST
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import report_answers
from smartlists.lists.report_questions import ReportQuestion
from smartlists.models import SmartList, StoredReport
from smartlists.models.reports import JOB_SECONDS
from smartlists.rights import VIEW_SMARTLIST

AT_ONCE = 10_000  # limit of activities, and of people of a list, that a page may read
PATIENCE = 5  # time limit in seconds of a synchronous statement, as even few rows can be slow to read
FRESH = timedelta(hours=1)
RETRY = timedelta(minutes=1)
KEPT = timedelta(days=1)
RIGHTS = (VIEW_ACTIVITY, VIEW_ACTIVITYTYPE, VIEW_PERSON)
LIST_RIGHTS = {"smart": VIEW_SMARTLIST, "static": VIEW_STATICLIST}
State = StoredReport.State
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """Rows as described at `report_answers.ANSWERS`, their moment, and that of the evaluation of the list, if any."""

    rows: list[list[Any]]
    as_of: datetime
    people_as_of: datetime | None
    seconds: float


@dataclass(frozen=True, slots=True)
class ReportReply:
    """The last answer, if any; since when a newer one is being computed; the problem of the last computation."""

    answer: ReportAnswer | None
    is_stored: bool = False
    asked_at: datetime | None = None
    problem: str = ""


def answer_question(question: ReportQuestion, by: Any) -> ReportReply:
    """Answer at once when few activities have to be read, else with a stored answer; queue the job when needed.

    Raises `RejectedError` (`out_of_range`, `unknown_list`), `NotAllowedError`.
    """
    _require_rights(question, by)
    stored = StoredReport.objects.filter(question=question.dump()).first()
    if stored is None and (answer := _at_once(question)):
        return ReportReply(answer)
    return _stored_reply(stored, question, by)


def answer_kept(question: ReportQuestion, by: Any) -> ReportReply:
    """Answer with a stored answer; the first one is computed at once when few activities have to be read, and stored.

    For pages that many open: each opening reads one row. Raises as `answer_question` does.
    """
    _require_rights(question, by)
    stored = StoredReport.objects.filter(question=question.dump()).first()
    return _stored_reply(stored or _store_at_once(question), question, by)


def _stored_reply(stored: StoredReport | None, question: ReportQuestion, by: Any) -> ReportReply:
    """The reply with the stored answer; queues a newer one when it is due."""
    if stored is None or (not stored.is_running and _is_old(stored)):
        stored = request_report(question, by)
    answer = None
    if stored.rows is not None and stored.as_of:
        answer = ReportAnswer(stored.rows, stored.as_of, stored.people_as_of, stored.seconds or 0)
    return ReportReply(answer, True, stored.asked_at if stored.is_running else None, stored.problem)


def _store_at_once(question: ReportQuestion) -> StoredReport | None:
    """Compute and store the first answer; None if that would block the page for too long.

    The row is inserted before the activities are read, so that an erasure in between deletes it.
    """
    now = timezone.now()
    values = {"asked_at": now, "progressed_at": now}
    stored, is_new = StoredReport.objects.get_or_create(question=question.dump(), defaults=values)
    if not is_new:
        return stored
    try:
        answer = _at_once(question)
    except RejectedError:
        stored.mine().delete()
        raise
    if answer is None:
        stored.mine().delete()
        return None
    _finish(stored, answer)
    return stored


def _finish(stored: StoredReport, answer: ReportAnswer) -> None:
    """Store the answer of a claimed report, unless an erasure has deleted the report."""
    with transaction.atomic():
        # an erasure deletes all reports: figures read before it must not be stored after it
        locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
        stored.finish(
            problem="", rows=answer.rows, as_of=answer.as_of, seconds=answer.seconds, people_as_of=answer.people_as_of
        )


@transaction.atomic
def request_report(question: ReportQuestion, by: Any) -> StoredReport:
    """Queue the computation of the answer, unless one runs. Raises `NotAllowedError`."""
    _require_rights(question, by)
    now = timezone.now()
    stored, is_new = StoredReport.objects.get_or_create(question=question.dump(), defaults={"asked_at": now})
    stored = StoredReport.objects.select_for_update().get(pk=stored.pk)
    if is_new or not stored.is_running:
        stored.state, stored.asked_at, stored.problem = State.RUNNING, now, ""
        stored.save(update_fields=["state", "asked_at", "problem"])
        jobs.defer_job("smartlists.work_out_report", report_id=stored.pk)
    return stored


def run_report(report_id: int) -> None:
    """Compute a requested report; safe to run twice. An error is stored with the report."""
    with StoredReport.claimed(report_id) as stored:
        if stored is None:
            return
        try:
            answer = _answer(ReportQuestion.load(stored.question), JOB_SECONDS)
        except Exception as error:
            stored.fail(problem := job_model.error_text(error))
            if not isinstance(error, RejectedError):
                raise
            logger.warning("report %s: %s", report_id, problem)
            return
        _finish(stored, answer)


def delete_old_reports() -> int:
    """Delete answers that were not requested again for a day; return how many."""
    return StoredReport.objects.filter(asked_at__lt=timezone.now() - KEPT).delete()[0]


def _require_rights(question: ReportQuestion, by: Any) -> None:
    kind = question.people.partition(":")[0]
    for right in (*RIGHTS, *([LIST_RIGHTS[kind]] if kind else [])):
        require_permission(by, right)


def _is_old(stored: StoredReport) -> bool:
    """True if newer figures are due; a refused computation is not repeated before `FRESH`, either.

    One that failed for an unforeseen error is repeated after a minute: a worker of the version before cannot answer
    all questions, and ends soon.
    """
    if stored.state == State.FAILED:
        is_unforeseen = stored.problem.isidentifier()  # `job_model.error_text`: the name of a class
        return stored.asked_at < timezone.now() - (RETRY if is_unforeseen else FRESH)
    return stored.as_of is None or stored.as_of < timezone.now() - FRESH


def _at_once(question: ReportQuestion) -> ReportAnswer | None:
    """The answer, or None if computing it would block the page for too long."""
    scope = ReportScope(question.since, question.until)
    is_from_rollup = question.report == "trend" and not question.people
    if not is_from_rollup and report_answers.count_activities_to_read(question, scope) > AT_ONCE:
        return None
    try:
        return _answer(question, PATIENCE, AT_ONCE)
    except RejectedError as refusal:
        if any(problem.code in {Code.TIMEOUT, Code.TOO_MANY} for problem in refusal.problems):
            return None
        raise


def _answer(question: ReportQuestion, seconds: float, most: int | None = None) -> ReportAnswer:
    """Compute the answer from the log.

    Raises `RejectedError` (`timeout`, `unknown_list`; `too_many` for a list of more than `most` people).
    """
    started, as_of = time.monotonic(), timezone.now()
    people, people_as_of = _people(question.people, most)
    rows = report_answers.ANSWERS[question.report](
        question, ReportScope(question.since, question.until, people, seconds, question.without_bots)
    )
    # the same types as after storing and reading, so that a page shows both alike
    plain = json.loads(dump_json(rows), cls=ExactDecoder)
    return ReportAnswer(plain, as_of, people_as_of, time.monotonic() - started)


def _people(people: str, most: int | None) -> tuple[Sequence[int] | None, datetime | None]:
    """The member ids of the chosen list and the moment of its evaluation, or None for all people."""
    kind, _colon, number = people.partition(":")
    if kind == "smart":
        smart_list = SmartList.objects.filter(pk=int(number)).first()
        if smart_list is None:
            raise RejectedError(Problem(Code.UNKNOWN_LIST, _("The smart list no longer exists."), ("people",)))
        stored = (
            stored_evaluations.current_evaluation(smart_list)
            if most
            else stored_evaluations.current_or_new_evaluation(smart_list, None)
        )
        if stored is None or (most and (stored.count or 0) > most):
            raise _too_many()
        return list(stored.person_ids), stored.as_of
    if kind == "static":
        members = StaticListMember.objects.of_list(int(number)).values_list("person_id", flat=True)
        ids = list(members[: most + 1] if most else members)
        if most and len(ids) > most:
            raise _too_many()
        return ids, None
    return None, None


def _too_many() -> RejectedError:
    return RejectedError(Problem(Code.TOO_MANY, _("The list is long."), ("people",)))
