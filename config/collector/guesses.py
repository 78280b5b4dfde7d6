"""Limits of guesses of links' codes, checked before a code is looked up: further guesses disclose nothing."""

from collections import OrderedDict

from config.collector.windows import CallWindows

MAX_WRONG = 30  # codes in a minute that one caller may get wrong
MAX_RIGHT = 50_000  # right codes of callers that are remembered


class CodeGuesses:
    """Wrong codes of each caller in a minute. Right codes never count, and a caller's earlier ones still work.

    A caller is a network, or the person whose token came with the click.
    """

    def __init__(self) -> None:
        self._wrong = CallWindows()
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()

    def seconds_to_wait(self, caller: str, code: str) -> int:
        """0 where the caller may learn whether there is this code, else the seconds until they may."""
        return 0 if (caller, code) in self._right else self._wrong.seconds_left(caller, MAX_WRONG)

    def note_wrong(self, caller: str) -> int:
        """Count a wrong code; 0 where the caller may learn that it is wrong, else the seconds until they may."""
        return self._wrong.seconds_to_wait(caller, MAX_WRONG)

    def note_right(self, caller: str, code: str) -> None:
        self._right[caller, code] = None
        self._right.move_to_end((caller, code))
        while len(self._right) > MAX_RIGHT:
            self._right.popitem(last=False)
