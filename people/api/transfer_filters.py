"""Filters of the native API's lists of imports, their refused rows, and exports."""

from django.db.models import Q

from people.core.source import Channel
from people.files.models import Export, Import, ImportFailure
from people.rest.filters import NUMBER_KEY, FilterColumn, StrictFilterSet, WordsFilter

CHANNELS = {channel.word: Q(channel=channel) for channel in Channel}


class ImportFilterSet(StrictFilterSet):
    class Meta:
        model = Import
        fields = ()

    source = WordsFilter(CHANNELS, "The channel through which it was received.")
    state = WordsFilter({str(state): Q(state=state) for state in Import.State})
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "kind": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "name": FilterColumn("string", is_nullable=False),
        "user": FilterColumn("string", "user__username", operators=("", "in", "isempty")),
        "added": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "updated": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "repeated": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "refused": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "not_kept": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "created": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "size": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "started_at": FilterColumn("datetime"),
        "finished_at": FilterColumn("datetime"),
    }
    unfiltered = {
        "channel": "filtered by its word: source",
        **dict.fromkeys(("stored_as", "shape", "shape_key", "plan", "wish"), "how the file is read, not what it is"),
        **dict.fromkeys(("position", "bytes_done", "progressed_at", "first_id", "last_id"), "how far the work is"),
        "problem": "a sentence for people",
        "undo": "shown as taken_back; found by the state",
    }


class ImportFailureFilterSet(StrictFilterSet):
    class Meta:
        model = ImportFailure
        fields = ()

    typed = {"row": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY)}
    unfiltered = {
        "of": "stands in the address",
        "raw": "the row as it came",
        "key": "by which a corrected report finds the row again; the report has it",
        "problems": "shown with the row; sums of them are in the import's report",
    }


class ExportFilterSet(StrictFilterSet):
    class Meta:
        model = Export
        fields = ()

    source = WordsFilter(CHANNELS, "The channel through which it was requested.")
    state = WordsFilter({str(state): Q(state=state) for state in Export.State})
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "kind": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "title": FilterColumn("string", is_nullable=False),
        "format": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "user": FilterColumn("string", "user__username", operators=("", "in", "isempty")),
        "rows": FilterColumn("integer"),
        "size": FilterColumn("integer"),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "started_at": FilterColumn("datetime"),
        "finished_at": FilterColumn("datetime"),
    }
    unfiltered = {
        "channel": "filtered by its word: source",
        "key": "stands in the address of the Marketo API only",
        "parameters": "a whole, not something to look an export up by",
        "checksum": "to check a file with, not to find it by",
        "problem": "a sentence for people",
        **dict.fromkeys(("queued_at", "progressed_at"), "a moment before or after started_at"),
    }
