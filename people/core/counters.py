"""Counters in memory, whose sums are written to the database at intervals."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.db import Error, transaction

K = TypeVar("K", bound=tuple[Any, ...])


class Buffer(Generic[K]):
    """Numbers that one process has added up by key and nobody has written yet; any thread may count.

    What a killed process had not written is lost, and nothing else. A forked one begins with nothing.
    """

    def __init__(self) -> None:
        self.clear()
        os.register_at_fork(after_in_child=self.clear)

    def clear(self) -> None:
        self._counts: Counter[K] = Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, numbers: Mapping[K, float]) -> None:
        with self._lock:
            for key, number in numbers.items():
                self._counts[key] += number  # type: ignore[assignment]  # numbers of any kind add up

    def flush(self, write: Callable[[Sequence[tuple[Any, ...]]], None]) -> None:
        """Register `write`, which adds the counts to the database: rows of a key and its number, in one transaction.

        What cannot be written now is kept for the next time.
        """
        with self._lock:
            counted = dict(self._counts)
            self._counts.clear()
        if not counted:
            return
        try:
            with transaction.atomic():
                # one order for everybody: two processes never wait for each other crosswise
                write([(*key, number) for key, number in sorted(counted.items())])
        except Error:
            self.add(counted)
