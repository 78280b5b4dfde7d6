"""Counts of received rows, for metrics."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from activities.recording import sql as recording_sql
from activities.recording.rows import RecordStatus
from people.core import metrics
from people.core.source import Source
from people.definitions import checks

ROWS = metrics.register_counter(
    "rows", "Received activities, by type, client and outcome.", "type", "client", "outcome"
)


def count_refused(references: Sequence[Any], source: Source) -> None:
    """Count rows that a channel refused for their structure; `references` are their activity types as sent."""
    if not references:
        return
    words = [word for word in references if isinstance(word, str) and checks.API_NAME.fullmatch(word)]
    ids = recording_sql.ids_of_types(words) if words else {}
    client = "" if source.user_id is None else source.user_id
    counts = Counter(ids.get(word, "") if isinstance(word, str) else "" for word in references)
    for type_id, number in counts.items():
        ROWS.add(type_id, client, RecordStatus.REFUSED, number=number)
