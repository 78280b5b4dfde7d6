"""Wakes whoever follows the log, by NOTIFY: seldom enough to cost recorders nothing.

Transactions that notify commit one after another, so a process does it 20 times a second at most. Followers look by
themselves, too: what is not told of is found a moment later.
"""

from time import monotonic

from django.db import connection

CHANNEL = "activity_recorded"
AT_MOST_EVERY = 0.05  # seconds
_told_at = 0.0


def wake() -> None:
    """Have followers look at the log once this transaction is committed."""
    global _told_at
    now = monotonic()
    if now - _told_at >= AT_MOST_EVERY:
        _told_at = now
        with connection.cursor() as cursor:
            cursor.execute(f"notify {CHANNEL}")
