"""Liveness and readiness endpoints."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse

from config.observability import access as observability_access
from config.operations import collector_check, doctor

NO_DATABASE = "database unavailable\n"


def healthz(_request: HttpRequest) -> HttpResponse:
    """Return 200 `ok` if the database responds, else 503; without any details."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError:
        return _plain(NO_DATABASE, 503)
    return _plain("ok\n")


def readyz(request: HttpRequest) -> HttpResponse:
    """Return 200 `ready` if requests can be served, else 503; with reasons for operators only.

    A collector that is missed is named, too, and does not make this process less ready.
    """
    try:
        findings = doctor.readiness_findings()
        collector = collector_check.check_collector()
        may_know = not (collector.is_well and not findings) and observability_access.is_operator(request)
    except DatabaseError:
        return _plain(f"{NO_DATABASE}{_why_away(request)}", 503)
    note = f"{collector.check}: {collector.state}; {collector.advice}\n" if may_know and not collector.is_well else ""
    if not findings:
        return _plain(f"ready\n{note}")
    reasons = "".join(f"{finding.check}: {finding.state}; {finding.advice}\n" for finding in findings)
    return _plain(f"not ready\n{reasons if may_know else ''}{note}", 503)


def _why_away(request: HttpRequest) -> str:
    """The reason why the database is away, if it can be found without it, for operators: its disk may be full."""
    room = doctor.check_room() if observability_access.is_watcher(request) else None
    return f"{room.check}: {room.state}; {room.advice}\n" if room and not room.is_well else ""


def _plain(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain")
