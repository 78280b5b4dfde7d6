"""Counters in memory; one thread of the process writes their sums to the database every few seconds."""

import atexit
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import Error, connection, transaction

K = TypeVar("K", bound=tuple[Any, ...])


class CounterBuffer(Generic[K]):
    """Sums by key that one process has not written yet; any thread may add to them.

    `write` adds rows of a key and its number to the database. Only the unwritten sums of a killed process are lost.
    A forked process starts empty.
    """

    def __init__(self, write: Callable[[Sequence[tuple[Any, ...]]], None]) -> None:
        self._write = write
        self.clear()
        _buffers.append(self)

    def clear(self) -> None:
        """Drop the unwritten sums."""
        self._counts: Counter[K] = Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, numbers: Mapping[K, float]) -> None:
        self._add(numbers)
        _start_flusher()

    def flush(self) -> None:
        """Write the sums in one transaction; after a database error they are kept for the next flush."""
        with self._lock:
            counted = dict(self._counts)
            self._counts.clear()
        if not counted:
            return
        try:
            with transaction.atomic():
                # one order in all processes: two of them never deadlock
                self._write([(*key, number) for key, number in sorted(counted.items())])
        except Error:
            self._add(counted)

    def _add(self, numbers: Mapping[K, float]) -> None:
        with self._lock:
            for key, number in numbers.items():
                self._counts[key] += number  # type: ignore[assignment]  # numbers of any kind add up


class CounterFlusher(threading.Thread):
    """Thread that writes the sums of the process until `ended` is set. Its connection is closed after each flush."""

    def __init__(self, seconds: float) -> None:
        super().__init__(name="counters", daemon=True)
        self.seconds = seconds
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(self.seconds):
            if any(_buffers):
                try:
                    flush_counters()
                finally:
                    connection.close()


_buffers: list[CounterBuffer[Any]] = []
_flusher: CounterFlusher | None = None
_starting = threading.Lock()


def flush_counters() -> None:
    """Write all sums of this process."""
    for buffer in _buffers:
        buffer.flush()


def clear_counters() -> None:
    """Drop all unwritten sums of this process."""
    for buffer in _buffers:
        buffer.clear()


def stop_flusher() -> None:
    """Stop the flusher thread, if any, and write the rest; the next count starts another thread."""
    global _flusher
    flusher, _flusher = _flusher, None
    if flusher is not None:
        atexit.unregister(stop_flusher)
        flusher.ended.set()
        flusher.join(5)
    flush_counters()


def _start_flusher() -> None:
    global _flusher
    if _flusher is not None or not settings.MEASURED_EVERY_SECONDS:
        return
    with _starting:
        if _flusher is None:
            _flusher = CounterFlusher(settings.MEASURED_EVERY_SECONDS)
            _flusher.start()
            atexit.register(stop_flusher)


def _reset_after_fork() -> None:
    """Reset after a fork: the child has no flusher thread, and the unwritten sums belong to the parent."""
    global _flusher, _starting
    _flusher, _starting = None, threading.Lock()
    clear_counters()


os.register_at_fork(after_in_child=_reset_after_fork)
