"""Search of audit entries by user, action, day and object, and their export as a file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Lower
from django.db.models.lookups import StartsWith
from django.utils import timezone

from people.core import audit
from people.files.csv_lines import BOM, csv_lines

FILE_COLUMNS = ("time", "user", "user_id", "what", "says", "object_type", "object_id", "object", "details")
CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Conditions of a search; empty ones match everything. Days are whole days of the reader's time zone."""

    who: str = ""  # a user name, or its beginning
    what: str = ""  # an action, or several: "created,changed"
    kind: int | None = None  # the content type of the object
    thing: str = ""  # its id, or the beginning of its name
    since: date | None = None
    until: date | None = None


def find_entries(conditions: EntryFilter, before: int | None = None) -> QuerySet[LogEntry]:
    """Return the matching entries, newest first; `before` is the id of the last entry of the previous page."""
    entries = LogEntry.objects.select_related("user", "content_type").order_by("-pk")
    if conditions.who:
        entries = entries.filter(user__username__istartswith=conditions.who)
    if conditions.what:
        entries = entries.alias(action=audit.action_sql()).filter(action__in=conditions.what.split(","))
    if conditions.kind:
        entries = entries.filter(content_type_id=conditions.kind)
    if conditions.thing.isascii() and conditions.thing.isdecimal():
        entries = entries.filter(object_id=conditions.thing)
    elif conditions.thing:
        entries = entries.alias(name=Lower("object_repr")).filter(
            StartsWith(F("name"), Value(conditions.thing.lower()))
        )
    if conditions.since:
        entries = entries.filter(action_time__gte=_midnight(conditions.since))
    if conditions.until:
        entries = entries.filter(action_time__lt=_midnight(conditions.until + timedelta(days=1)))
    return entries.filter(pk__lt=before) if before else entries


def entries_as_csv(entries: QuerySet[LogEntry]) -> Iterator[str]:
    """Yield the entries as lines of a CSV file; spreadsheets read no cell as a formula."""
    texts = ({**row, "details": json.dumps(row["details"])} for row in _rows(entries))
    yield BOM
    yield from csv_lines(chain([FILE_COLUMNS], ([row[name] for name in FILE_COLUMNS] for row in texts)))


def entries_as_ndjson(entries: QuerySet[LogEntry]) -> Iterator[bytes]:
    """Yield the entries as one JSON object a line."""
    for row in _rows(entries):
        yield json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n"


def _rows(entries: QuerySet[LogEntry]) -> Iterator[dict[str, Any]]:
    for entry in entries.iterator(chunk_size=CHUNK):
        details = audit.entry_details(entry)
        yield {
            "time": entry.action_time.astimezone(UTC).isoformat(),
            "user": entry.user.get_username(),
            "user_id": entry.user_id,
            "what": details.pop("action", ""),
            "says": audit.entry_sentence(entry),
            "object_type": entry.content_type.model if entry.content_type else "",
            "object_id": entry.object_id or "",
            "object": entry.object_repr,
            "details": details,
        }


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
