"""Audit entries: searched by who, what, when and object, and taken out as a file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from defusedcsv import csv
from django.contrib.admin.models import LogEntry
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Lower
from django.db.models.lookups import StartsWith
from django.utils import timezone

from people.core import audit

FILE_COLUMNS = ("time", "user", "user_id", "what", "says", "object_type", "object_id", "object", "details")
CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; empty is everything. Days are whole days of the reader's time zone."""

    who: str = ""  # a user name, or how it begins
    what: str = ""  # an action, or several: "created,changed"
    kind: int | None = None  # the content type of the object
    thing: str = ""  # its number, or how its name begins
    since: date | None = None
    until: date | None = None


def find(wanted: Wanted, before: int | None = None) -> QuerySet[LogEntry]:
    """The entries, newest first; `before` is the number of the last one of the page before."""
    found = LogEntry.objects.select_related("user", "content_type").order_by("-pk")
    if wanted.who:
        found = found.filter(user__username__istartswith=wanted.who)
    if wanted.what:
        found = found.alias(action=audit.action_sql()).filter(action__in=wanted.what.split(","))
    if wanted.kind:
        found = found.filter(content_type_id=wanted.kind)
    if wanted.thing.isascii() and wanted.thing.isdecimal():
        found = found.filter(object_id=wanted.thing)
    elif wanted.thing:
        found = found.alias(name=Lower("object_repr")).filter(StartsWith(F("name"), Value(wanted.thing.lower())))
    if wanted.since:
        found = found.filter(action_time__gte=_midnight(wanted.since))
    if wanted.until:
        found = found.filter(action_time__lt=_midnight(wanted.until + timedelta(days=1)))
    return found.filter(pk__lt=before) if before else found


def as_csv(entries: QuerySet[LogEntry]) -> Iterator[bytes]:
    """The entries as lines of a file that spreadsheets open without taking a cell for a formula."""
    yield "\ufeff".encode()
    writer = csv.writer(Echo())
    yield writer.writerow(FILE_COLUMNS)
    for row in _rows(entries):
        yield writer.writerow([row[name] if name != "details" else json.dumps(row[name]) for name in FILE_COLUMNS])


def as_ndjson(entries: QuerySet[LogEntry]) -> Iterator[bytes]:
    """The entries as one JSON object a line."""
    for row in _rows(entries):
        yield json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n"


class Echo:
    """A file that gives back what is written to it, for a writer of lines that are streamed."""

    def write(self, line: str) -> bytes:
        return line.encode()


def _rows(entries: QuerySet[LogEntry]) -> Iterator[dict[str, Any]]:
    for entry in entries.iterator(chunk_size=CHUNK):
        details = audit.details(entry)
        yield {
            "time": entry.action_time.astimezone(UTC).isoformat(),
            "user": entry.user.get_username(),
            "user_id": entry.user_id,
            "what": details.pop("action", ""),
            "says": audit.sentence(entry),
            "object_type": entry.content_type.model if entry.content_type else "",
            "object_id": entry.object_id or "",
            "object": entry.object_repr,
            "details": details,
        }


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
