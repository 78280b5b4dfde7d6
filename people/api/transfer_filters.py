"""Filters of the native API's lists of imports, their refused rows, and exports."""

from django.db.models import Q

from people.core.source import Channel
from people.files.models import Export, Import, ImportFailure
from people.rest.filters import NUMBER_KEY, Column, Filters, WordsFilter

CHANNELS = {channel.word: Q(channel=channel) for channel in Channel}


class ImportFilters(Filters):
    class Meta:
        model = Import
        fields = ()

    source = WordsFilter(CHANNELS, "The channel it came in through.")
    state = WordsFilter({str(state): Q(state=state) for state in Import.State})
    typed = {
        "id": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "kind": Column("string", is_nullable=False, operators=("", "in")),
        "name": Column("string", is_nullable=False),
        "user": Column("string", "user__username", operators=("", "in", "isempty")),
        "added": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "updated": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "repeated": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "refused": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "created": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "size": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "created_at": Column("datetime", is_nullable=False),
        "started_at": Column("datetime"),
        "finished_at": Column("datetime"),
    }
    unfiltered = {
        "channel": "filtered by its word: source",
        **dict.fromkeys(("stored_as", "shape", "shape_key", "plan", "wish"), "how the file is read, not what it is"),
        **dict.fromkeys(("position", "bytes_done", "progressed_at", "first_id", "last_id"), "how far the work is"),
        "problem": "a sentence for people",
        "undo": "shown as taken_back; found by the state",
    }


class FailureFilters(Filters):
    class Meta:
        model = ImportFailure
        fields = ()

    typed = {"row": Column("integer", is_nullable=False, operators=NUMBER_KEY)}
    unfiltered = {
        "of": "stands in the address",
        "raw": "the row as it came",
        "key": "by which a corrected report finds the row again; the report has it",
        "problems": "shown with the row; sums of them are in the import's report",
    }


class ExportFilters(Filters):
    class Meta:
        model = Export
        fields = ()

    source = WordsFilter(CHANNELS, "The channel it was asked for through.")
    state = WordsFilter({str(state): Q(state=state) for state in Export.State})
    typed = {
        "id": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "kind": Column("string", is_nullable=False, operators=("", "in")),
        "title": Column("string", is_nullable=False),
        "format": Column("string", is_nullable=False, operators=("", "in")),
        "user": Column("string", "user__username", operators=("", "in", "isempty")),
        "rows": Column("integer"),
        "size": Column("integer"),
        "created_at": Column("datetime", is_nullable=False),
        "started_at": Column("datetime"),
        "finished_at": Column("datetime"),
    }
    unfiltered = {
        "channel": "filtered by its word: source",
        "key": "stands in the address of the Marketo API only",
        "parameters": "a whole, not something to look an export up by",
        "checksum": "to check a file with, not to find it by",
        "problem": "a sentence for people",
        **dict.fromkeys(("queued_at", "progressed_at"), "a moment before or after started_at"),
    }
