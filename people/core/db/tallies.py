"""Numbers that a process counts in memory of its transactions; those that are rolled back count nothing."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection, transaction


class Tally:
    """Numbers by key that are settled once their transaction is committed; until then they are its pending ones."""

    def __init__(self, settle: Callable[[Mapping[Any, float]], None]) -> None:
        self._settle = settle

    def note(self, numbers: Mapping[Any, float]) -> None:
        """Settle the numbers when the transaction is committed; at once where none is open."""
        if numbers:
            transaction.on_commit(_Noted(self, numbers))

    def pending(self) -> Counter[Any]:
        """The sums of the present transaction, without those that its savepoints rolled back."""
        total: Counter[Any] = Counter()
        for entry in connection.run_on_commit:
            function = entry[1]
            if isinstance(function, _Noted) and function.tally is self:
                total.update(function.numbers)
        return total

    def settle(self, numbers: Mapping[Any, float]) -> None:
        self._settle(numbers)


class _Noted:
    def __init__(self, tally: Tally, numbers: Mapping[Any, float]) -> None:
        self.tally, self.numbers = tally, numbers

    def __call__(self) -> None:
        self.tally.settle(self.numbers)
