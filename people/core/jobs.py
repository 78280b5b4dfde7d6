"""Queues background jobs by the name of their task, which avoids importing the module of the tasks."""

from typing import Any

from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued


def defer_job(task_name: str, **arguments: Any) -> None:
    """Queue a job in the current transaction. Raises `TaskNotFound` for an unknown task."""
    app.configure_task(task_name, allow_unknown=False).defer(**arguments)


def defer_job_once(task_name: str, queueing_lock: str, seconds: float = 0, **arguments: Any) -> None:
    """Queue a job unless one with the same lock is waiting, to start no earlier than `seconds` from now."""
    schedule = {"schedule_in": {"seconds": seconds}} if seconds else {}
    deferrer = app.configure_task(task_name, allow_unknown=False, queueing_lock=queueing_lock, **schedule)
    try:
        with transaction.atomic():  # a rejected insert must not abort the caller's transaction
            deferrer.defer(**arguments)
    except AlreadyEnqueued:
        pass


def defer_job_once_committed(task_name: str, queueing_lock: str, **arguments: Any) -> None:
    """Queue a job once the current transaction is committed, unless one with the same lock is waiting."""
    transaction.on_commit(lambda: defer_job_once(task_name, queueing_lock, **arguments))


def unfinished_job_arguments(task_name: str, argument: str) -> set[str]:
    """The values of `argument`, as text, of the task's waiting, running and failed jobs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select args ->> %s from procrastinate_jobs where task_name = %s and status in ('todo', 'doing', 'failed')",
            [argument, task_name],
        )
        return {value for (value,) in cursor.fetchall()}
