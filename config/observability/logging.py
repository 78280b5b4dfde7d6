"""Logs, as lines or as one JSON object a line: what tells requests and jobs apart, and nothing about persons.

Query strings, bodies, headers and the texts of exceptions never get in: they hold tokens and personal values.
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
# who is behind what is being done, by number: user, client (API client), job
_behind: ContextVar[Mapping[str, int | None]] = ContextVar("behind", default=MappingProxyType({}))
# what Django logs of requests names their paths, which can hold what somebody typed
_PATHLESS = "django.request"
_log = logging.getLogger("config.requests")


class LineFormatter(logging.Formatter):
    """A record as a line to read, and of an exception its class and the places, never its text."""

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
        record.exc_text = None  # another handler's formatter may have kept the whole text there
        said = super().format(record)
        record.exc_text = None
        return said


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "request": request_id.get(),
            **_behind.get(),
            **getattr(record, "facts", {}),
            **_job(record),
            **_error(record),
        }
        return json.dumps({name: value for name, value in entry.items() if value not in ("", None)}, default=str)


def name(**numbers: int | None) -> None:
    """Add `user` and `client` to every log line until the request or job ends."""
    _behind.set({**_behind.get(), **numbers})


def name_job(call_next: Callable[[], Any], context: Any, _worker: Any) -> Any:
    """Add the job's id and task to every log line of a job (a middleware of the worker)."""
    mark = _behind.set({"job": context.job.id, "task": context.job.task_name})
    try:
        return call_next()
    finally:
        _behind.reset(mark)


class RequestLogMiddleware:
    """Gives every request an id, in the answer as X-Request-ID, and logs what became of it (at level INFO).

    A trusted proxy's X-Request-ID is kept.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "") if settings.TRUST_PROXY else ""
        number = given if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex[:16]
        # never taken back: Django logs what became of a request after all middleware, and the next one sets its own
        request_id.set(number)
        _behind.set({})
        started = time.perf_counter()
        response = self.get_response(request)
        _log.info("request", extra={"facts": _facts(request, response, started)})
        response.headers["X-Request-ID"] = number
        return response


def _facts(request: HttpRequest, response: HttpResponse, started: float) -> dict[str, Any]:
    """The route, not the path: a path can hold what somebody typed."""
    return {
        "method": request.method,
        "route": request.resolver_match.route if request.resolver_match else None,
        "status": response.status_code,
        "milliseconds": round((time.perf_counter() - started) * 1000, 1),
    }


def _message(record: logging.LogRecord) -> str:
    if record.name == _PATHLESS and isinstance(record.args, tuple) and record.args:
        return str(record.args[0])
    said, job = record.getMessage(), getattr(record, "job", None)
    if isinstance(job, dict) and job.get("call_string"):  # "task[7](email='…')": with the arguments
        said = said.replace(job["call_string"], f"{job.get('task_name')}[{job.get('id')}]")
    return said


def _job(record: logging.LogRecord) -> dict[str, Any]:
    """Of a record of the job queue: which job, never its arguments."""
    job = getattr(record, "job", None)
    return {"job": job.get("id"), "task": job.get("task_name")} if isinstance(job, dict) else {}


def _error(record: logging.LogRecord) -> dict[str, Any]:
    """Of a record with an exception: its class and where it came from."""
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    kind, _value, place = record.exc_info
    return {"error": kind.__qualname__, "trace": _trace(place)}


def _trace(place: Any) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(place)[-FRAMES:]]
