"""Counters in memory, whose sums one thread of the process writes to the database every few seconds."""

import atexit
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import Error, connection, transaction

K = TypeVar("K", bound=tuple[Any, ...])


class Buffer(Generic[K]):
    """Numbers that one process has added up by key and nobody has written yet; any thread may count.

    `write` adds rows of a key and its number to the database. What a killed process had not written is lost, and
    nothing else. A forked one begins with nothing.
    """

    def __init__(self, write: Callable[[Sequence[tuple[Any, ...]]], None]) -> None:
        self._write = write
        self.clear()
        _buffers.append(self)

    def clear(self) -> None:
        """Forget what was counted and is not written."""
        self._counts: Counter[K] = Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, numbers: Mapping[K, float]) -> None:
        self._add(numbers)
        _start_flusher()

    def flush(self) -> None:
        """Write what was counted, in one transaction; what cannot be written now is kept for the next time."""
        with self._lock:
            counted = dict(self._counts)
            self._counts.clear()
        if not counted:
            return
        try:
            with transaction.atomic():
                # one order for everybody: two processes never wait for each other crosswise
                self._write([(*key, number) for key, number in sorted(counted.items())])
        except Error:
            self._add(counted)

    def _add(self, numbers: Mapping[K, float]) -> None:
        with self._lock:
            for key, number in numbers.items():
                self._counts[key] += number  # type: ignore[assignment]  # numbers of any kind add up


class Flusher(threading.Thread):
    """Writes what the process counts, until it is told to end. The connection it needs is closed each time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(name="counters", daemon=True)
        self.seconds = seconds
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(self.seconds):
            if any(_buffers):
                try:
                    flush()
                finally:
                    connection.close()


_buffers: list[Buffer[Any]] = []
_flusher: Flusher | None = None
_starting = threading.Lock()


def flush() -> None:
    """Write everything that this process has counted."""
    for buffer in _buffers:
        buffer.flush()


def clear() -> None:
    """Forget everything that this process has counted and not written."""
    for buffer in _buffers:
        buffer.clear()


def end() -> None:
    """End the thread that writes, where there is one, and write the rest; counting again starts another."""
    global _flusher
    flusher, _flusher = _flusher, None
    if flusher is not None:
        atexit.unregister(end)
        flusher.ended.set()
        flusher.join(5)
    flush()


def _start_flusher() -> None:
    global _flusher
    if _flusher is not None or not settings.MEASURED_EVERY_SECONDS:
        return
    with _starting:
        if _flusher is None:
            _flusher = Flusher(settings.MEASURED_EVERY_SECONDS)
            _flusher.start()
            atexit.register(end)


def _begin_anew() -> None:
    """A forked process has no thread, and what its parent counted is its parent's."""
    global _flusher, _starting
    _flusher, _starting = None, threading.Lock()
    clear()


os.register_at_fork(after_in_child=_begin_anew)
