"""What the bulk API's exports and imports have in common (§5)."""

from collections.abc import Mapping

from django.http import HttpResponse

from config.marketo.wire.responses import MarketoError, invalid

FORMATS: Mapping[str, str] = {"csv": ",", "tsv": "\t", "ssv": ";"}  # [I] §5.1: the S of SSV is the semicolon


def format_of(given: object) -> str:
    """CSV unless another one is asked for, in any case."""
    text = "csv" if given in (None, "") else given
    if not isinstance(text, str) or text.lower() not in FORMATS:
        raise invalid(given, "Format")
    return text.lower()


def unknown_job() -> MarketoError:
    """[I] §5: who asks for a job that is not theirs."""
    return MarketoError("1013", "Job not found")


def no_file() -> HttpResponse:
    """§5: a file that is not there, or not yet, is HTTP 404 with plain text."""
    return HttpResponse("Not Found\n", status=404, content_type="text/plain")
