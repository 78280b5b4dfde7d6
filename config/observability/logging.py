"""Logs, as lines or as one JSON object a line: ids of requests and jobs, no personal data.

Query strings, bodies, headers and messages of exceptions are never logged: they contain tokens and personal values.
"""

import json
import logging
import re
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
FRAMES = 30

request_id: ContextVar[str] = ContextVar("request_id", default="")
# ids of the user, the API client (`client`) and the job of the present work
_context: ContextVar[Mapping[str, int | None]] = ContextVar("behind", default=MappingProxyType({}))
# Django's log of requests contains their paths, which can contain user input
_REQUEST_LOGGER = "django.request"
_log = logging.getLogger("config.requests")


class LineFormatter(logging.Formatter):
    """Formats a record as a readable line, an exception by its class and stack, never its message."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _message(record)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        kind, _value, place = ei
        if kind is None:
            return ""
        return "\n".join([kind.__qualname__, *(f"  {step}" for step in _trace(place))])

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # another handler's formatter may have stored the complete text there
        line = super().format(record)
        record.exc_text = None
        return line


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "request": request_id.get(),
            **_context.get(),
            **getattr(record, "facts", {}),
            **_job(record),
            **_error(record),
        }
        return json.dumps({name: value for name, value in entry.items() if value not in ("", None)}, default=str)


def add_log_ids(**numbers: int | None) -> None:
    """Add `user` and `client` to every log line until the request or job ends."""
    _context.set({**_context.get(), **numbers})


def add_job_log_ids(call_next: Callable[[], Any], context: Any, _worker: Any) -> Any:
    """Add the job's id and task to every log line of a job (a middleware of the worker)."""
    mark = _context.set({"job": context.job.id, "task": context.job.task_name})
    try:
        return call_next()
    finally:
        _context.reset(mark)


class RequestLogMiddleware:
    """Gives every request an id, returned as X-Request-ID, and logs its outcome (at level INFO).

    A trusted proxy's X-Request-ID is used instead.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        received = request.headers.get("X-Request-ID", "") if settings.TRUST_PROXY else ""
        number = received if GIVEN_ID.fullmatch(received) else uuid.uuid4().hex[:16]
        # never reset: Django logs the outcome of a request after all middleware, and the next request sets its own
        request_id.set(number)
        _context.set({})
        started = time.perf_counter()
        response = self.get_response(request)
        _log.info("request", extra={"facts": _facts(request, response, started)})
        response.headers["X-Request-ID"] = number
        return response


def _facts(request: HttpRequest, response: HttpResponse, started: float) -> dict[str, Any]:
    """Return the logged facts of a request; the route, not the path, which can contain user input."""
    return {
        "method": request.method,
        "route": request.resolver_match.route if request.resolver_match else None,
        "status": response.status_code,
        "milliseconds": round((time.perf_counter() - started) * 1000, 1),
    }


def _message(record: logging.LogRecord) -> str:
    if record.name == _REQUEST_LOGGER and isinstance(record.args, tuple) and record.args:
        return str(record.args[0])
    message, job = record.getMessage(), getattr(record, "job", None)
    if isinstance(job, dict) and job.get("call_string"):  # "task[7](email='…')" contains the arguments
        message = message.replace(job["call_string"], f"{job.get('task_name')}[{job.get('id')}]")
    return message


def _job(record: logging.LogRecord) -> dict[str, Any]:
    """Return the job of a record of the job queue, never its arguments."""
    job = getattr(record, "job", None)
    return {"job": job.get("id"), "task": job.get("task_name")} if isinstance(job, dict) else {}


def _error(record: logging.LogRecord) -> dict[str, Any]:
    """Return class and stack of a record's exception."""
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    kind, _value, place = record.exc_info
    return {"error": kind.__qualname__, "trace": _trace(place)}


def _trace(place: Any) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(place)[-FRAMES:]]
