"""Structured logs: one JSON object a line, with what tells requests and jobs apart and nothing about persons.

Query strings, bodies, headers and the texts of exceptions never get in: they hold tokens and personal values.
"""

import json
import logging
import re
import time
import traceback
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
FRAMES = 30

request_id: ContextVar[str] = ContextVar("request_id", default="")
_log = logging.getLogger("config.requests")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request": request_id.get(),
            **getattr(record, "facts", {}),
            **_job(record),
            **_error(record),
        }
        return json.dumps({name: value for name, value in entry.items() if value not in ("", None)}, default=str)


class RequestLogMiddleware:
    """Gives every request an id, in the answer as X-Request-ID, and logs what became of it (at level INFO).

    A trusted proxy's X-Request-ID is kept.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "") if settings.TRUST_PROXY else ""
        number = given if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex[:16]
        mark = request_id.set(number)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            _log.info("request", extra={"facts": _facts(request, response, started)})
        finally:
            request_id.reset(mark)
        response.headers["X-Request-ID"] = number
        return response


def _facts(request: HttpRequest, response: HttpResponse, started: float) -> dict[str, Any]:
    """The route, not the path: a path can hold what somebody typed."""
    user = getattr(request, "user", None)
    return {
        "method": request.method,
        "route": request.resolver_match.route if request.resolver_match else None,
        "status": response.status_code,
        "milliseconds": round((time.perf_counter() - started) * 1000, 1),
        "user": user.pk if user is not None and user.is_authenticated else None,
    }


def _job(record: logging.LogRecord) -> dict[str, Any]:
    """Of a record of the job queue: which job, never its arguments."""
    job = getattr(record, "job", None)
    return {"job": job.get("id"), "task": job.get("task_name")} if isinstance(job, dict) else {}


def _error(record: logging.LogRecord) -> dict[str, Any]:
    """Of a record with an exception: its class and where it came from."""
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    kind, _value, place = record.exc_info
    frames = traceback.extract_tb(place)[-FRAMES:]
    return {"error": kind.__qualname__, "trace": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}
