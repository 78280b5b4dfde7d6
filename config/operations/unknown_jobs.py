"""Jobs of tasks that only another version has: during an upgrade workers of two versions share the queue."""

from typing import Any

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app, procrastinate_app
from procrastinate.tasks import Task

AGAIN_AFTER, TIMES = 10, 360  # seconds, attempts: after an hour the job fails


class UnknownTaskError(Exception):
    """This version has no task with that name."""


def requeue_unknown_jobs() -> None:
    """Return jobs of tasks unknown to this process to the queue."""
    procrastinate_app.current_app.tasks = _KnownOrRetriedTasks(app.tasks)


class _KnownOrRetriedTasks(dict[str, Task]):
    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name) or default or _UNKNOWN_TASK


def _raise_unknown_task(**_arguments: Any) -> None:
    raise UnknownTaskError


_UNKNOWN_TASK: "Task[..., None, Any]" = Task(
    _raise_unknown_task,
    blueprint=app,
    queue="default",
    name="of another version",
    retry=RetryStrategy(max_attempts=TIMES, wait=AGAIN_AFTER),
)
