"""Wakes whoever follows the log, by NOTIFY: seldom enough to cost recorders nothing.

Transactions that notify commit one after another, so a process does it 20 times a second at most. Followers look by
themselves, too: what is not told of is found a moment later.
"""

from time import monotonic

CHANNEL = "activity_recorded"
TELLING = f"pg_notify('{CHANNEL}', '')"  # followers hear it once the transaction is committed
AT_MOST_EVERY = 0.05  # seconds
_told_at = 0.0


def is_due() -> bool:
    """Whether the transaction under way is to tell followers; whoever asks does so, with `TELLING`."""
    global _told_at
    now = monotonic()
    if now - _told_at < AT_MOST_EVERY:
        return False
    _told_at = now
    return True
