"""Work that the dispatcher does before it reads the log, registered by the apps below it at start."""

from collections.abc import Callable, Sequence

DueWork = Callable[[], int]
_works: list[DueWork] = []


def register_due_work(work: DueWork) -> None:
    """Register `work`, which the dispatcher calls repeatedly; it returns how much it did, 0 when nothing was due."""
    if work not in _works:
        _works.append(work)


def registered_work() -> Sequence[DueWork]:
    return list(_works)
