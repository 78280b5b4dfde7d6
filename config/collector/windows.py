"""Calls in the current minute, counted by this process; the memory for callers is bounded."""

from collections import OrderedDict
from collections.abc import Hashable
from time import monotonic

MAX_WINDOWS = 10_000
MINUTE = 60.0


class CallWindows:
    """Calls of each caller in its current minute. Of more than `MAX_WINDOWS` callers the latest are remembered."""

    def __init__(self) -> None:
        self._windows: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def seconds_to_wait(self, caller: Hashable, limit: int) -> int:
        """Count a call; 0 where it may pass, else the seconds until the next window."""
        now = monotonic()
        began, number = self._window(caller, now)
        self._windows[caller] = (began, min(number + 1, limit + 1))
        self._windows.move_to_end(caller)
        while len(self._windows) > MAX_WINDOWS:
            self._windows.popitem(last=False)
        return _wait(began, number, limit, now)

    def seconds_left(self, caller: Hashable, limit: int) -> int:
        """The result of `seconds_to_wait`, without counting a call."""
        now = monotonic()
        return _wait(*self._window(caller, now), limit, now)

    def _window(self, caller: Hashable, now: float) -> tuple[float, int]:
        began, number = self._windows.get(caller, (now, 0))
        return (began, number) if now - began < MINUTE else (now, 0)


def _wait(began: float, number: int, limit: int, now: float) -> int:
    return 0 if number < limit else max(1, round(MINUTE - (now - began)))
