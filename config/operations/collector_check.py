"""The doctor's check that the collector runs where it is needed."""

from activities.models import EventSource
from config.observability.collector_heartbeat import collector_state
from config.operations.findings import Finding


def check_collector() -> Finding:
    """Return whether the collector runs; it is missed only where web sites are to send something."""
    state, sites = collector_state(), EventSource.objects.filter(is_on=True, kind=EventSource.Kind.BROWSER).count()
    if state.is_silent and not sites:
        return Finding("collector", "does not run; no web site is set up")
    if state.is_silent:
        since = "" if state.silent_seconds is None else f" since {state.silent_seconds:,.0f} s"
        text = f"{sites} web sites send, and nobody listens{since}"
        return Finding("collector", text, "start it: python manage.py collect (make run does)")
    waiting, requests = state.values.get("waiting", 0), state.values.get("requests", 0)
    return Finding("collector", f"{waiting} hits wait, {requests} requests are in progress")
