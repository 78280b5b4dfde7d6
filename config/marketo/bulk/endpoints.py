"""Common parts of the bulk API's exports and imports (§5)."""

from collections.abc import Mapping

from django.http import HttpResponse

from config.marketo.wire.responses import MarketoError, invalid_value

FORMATS: Mapping[str, str] = {"csv": ",", "tsv": "\t", "ssv": ";"}  # [I] §5.1: the S of SSV is the semicolon


def requested_format(value: object) -> str:
    """Return the requested format in lower case; CSV by default."""
    text = "csv" if value in (None, "") else value
    if not isinstance(text, str) or text.lower() not in FORMATS:
        raise invalid_value(value, "Format")
    return text.lower()


def unknown_job_error() -> MarketoError:
    """[I] §5: the error for a job that does not exist or belongs to another user."""
    return MarketoError("1013", "Job not found")


def no_file_response() -> HttpResponse:
    """§5: the response for a missing or unfinished file, HTTP 404 with plain text."""
    return HttpResponse("Not Found\n", status=404, content_type="text/plain")
