"""Notifies followers of the log by NOTIFY, seldom enough to cost recorders nothing.

Transactions that notify commit one after another, so a process notifies 20 times a second at most. Followers also
poll: activities without a notification are read a moment later.
"""

from time import monotonic

from django.db import transaction

CHANNEL = "activity_recorded"
NOTIFY_SQL = f"pg_notify('{CHANNEL}', '')"  # delivered once the transaction is committed
AT_MOST_EVERY = 0.05  # seconds


class Notices:
    """The notifications of this process on one channel."""

    def __init__(self) -> None:
        self._last = 0.0

    def is_due(self) -> bool:
        """True where the current transaction is to notify; a caller that gets True must do it, and `note_sent`."""
        return monotonic() - self._last >= AT_MOST_EVERY

    def note_sent(self) -> None:
        """Count the notification once the transaction is committed; at once where none is open."""
        now = monotonic()
        transaction.on_commit(lambda: setattr(self, "_last", now))


_of_activities = Notices()


def is_notify_due() -> bool:
    """True where the current transaction is to notify; a caller that gets True must run `NOTIFY_SQL`."""
    if is_due := _of_activities.is_due():
        _of_activities.note_sent()
    return is_due
