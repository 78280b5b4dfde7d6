"""Notifies followers of the log by NOTIFY, seldom enough to cost recorders nothing.

Transactions that notify commit one after another, so a process notifies 20 times a second at most. Followers also
poll: activities without a notification are read a moment later.
"""

from time import monotonic

CHANNEL = "activity_recorded"
NOTIFY_SQL = f"pg_notify('{CHANNEL}', '')"  # delivered once the transaction is committed
AT_MOST_EVERY = 0.05  # seconds


class Notices:
    """The notifications of this process on one channel."""

    def __init__(self) -> None:
        self._last = 0.0

    def is_due(self) -> bool:
        """True where the current transaction is to notify; a caller that gets True must do it."""
        now = monotonic()
        if now - self._last < AT_MOST_EVERY:
            return False
        self._last = now
        return True


_of_activities = Notices()


def is_notify_due() -> bool:
    """True where the current transaction is to notify; a caller that gets True must run `NOTIFY_SQL`."""
    return _of_activities.is_due()
