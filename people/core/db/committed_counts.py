"""Counts of a process, in memory, of what its transactions did: rolled back work is not counted."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection, transaction


class CommittedCounts:
    """Numbers by key, handed to `settle` once their transaction is committed; until then they are pending."""

    def __init__(self, settle: Callable[[Mapping[Any, float]], None]) -> None:
        self._settle = settle

    def note(self, numbers: Mapping[Any, float]) -> None:
        """Settle the numbers when the transaction is committed; at once where none is open."""
        if numbers:
            transaction.on_commit(_Noted(self, numbers))

    def pending(self) -> Counter[Any]:
        """Return the numbers noted in the present transaction, without those of savepoints that were rolled back."""
        total: Counter[Any] = Counter()
        for entry in connection.run_on_commit:
            function = entry[1]
            if isinstance(function, _Noted) and function.counts is self:
                total.update(function.numbers)
        return total

    def settle(self, numbers: Mapping[Any, float]) -> None:
        self._settle(numbers)


class _Noted:
    def __init__(self, counts: CommittedCounts, numbers: Mapping[Any, float]) -> None:
        self.counts, self.numbers = counts, numbers

    def __call__(self) -> None:
        self.counts.settle(self.numbers)
