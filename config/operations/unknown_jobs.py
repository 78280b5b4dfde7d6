"""Jobs that only a neighbouring version knows: while versions change, its worker is beside ours on the same queue."""

from typing import Any

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app, procrastinate_app
from procrastinate.tasks import Task

AGAIN_AFTER, TIMES = 10, 360  # seconds, tries: an hour, then the job has failed


class UnknownTaskError(Exception):
    """This version has no task of that name."""


def leave_to_others() -> None:
    """Put jobs of tasks unknown to this process back into the queue."""
    procrastinate_app.current_app.tasks = _Tasks(app.tasks)


class _Tasks(dict[str, Task]):
    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name) or default or _OTHERS


def _give_back(**_arguments: Any) -> None:
    raise UnknownTaskError


_OTHERS: "Task[..., None, Any]" = Task(
    _give_back,
    blueprint=app,
    queue="default",
    name="of another version",
    retry=RetryStrategy(max_attempts=TIMES, wait=AGAIN_AFTER),
)
