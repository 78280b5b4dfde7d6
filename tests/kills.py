"""Answers to clients while processes were killed beside them, compared with the rows afterwards."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

PATIENCE = 120  # seconds; a machine that does other work at the same time starts a process slowly


class Tally:
    """The rows acknowledged to several clients."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.is_over = threading.Event()

    def __len__(self) -> int:
        return len(self.acknowledged)

    def acknowledge(self, what: str) -> None:
        self.acknowledged.append(what)

    def finish(self, clients: Iterable[threading.Thread]) -> None:
        """End the clients; what they are at the moment of is acknowledged or not."""
        self.is_over.set()
        for client in clients:
            client.join(40)

    def check(self, kept: Sequence[Any], least: int) -> None:
        """Everything acknowledged was kept, and nothing twice."""
        twice = [what for what, number in Counter(kept).items() if number > 1]
        lost = set(self.acknowledged) - set(kept)
        assert not twice and not lost, f"twice: {twice[:5]}; lost: {sorted(lost)[:5]}"
        assert len(self.acknowledged) == len(set(self.acknowledged)) >= least

    def tell(self, capsys: Any, what: str, *kept: Sequence[Any]) -> None:
        """Print the figures, also where pytest keeps what tests print."""
        with capsys.disabled():
            numbers = ", ".join(str(len(rows)) for rows in kept)
            print(f"\n{what}: {len(self)} acknowledged, {numbers} kept, 0 lost, 0 doubled")


def wait_until(is_so: Callable[[], bool], state: Callable[[], Any]) -> None:
    """Wait for something that other processes do; `state` is named where it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, state()
        time.sleep(0.05)
