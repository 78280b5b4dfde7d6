"""Work that the dispatcher does before it reads the log: registered by the apps below it when they start."""

from collections.abc import Callable, Sequence

DueWork = Callable[[], int]
_works: list[DueWork] = []


def register_due_work(work: DueWork) -> None:
    """Have the dispatcher call `work` again and again; it returns how much it did, 0 when nothing was due."""
    if work not in _works:
        _works.append(work)


def registered_work() -> Sequence[DueWork]:
    return list(_works)
