"""`/metrics`: what Prometheus, or whoever speaks its format, reads; for operators only.

Every web process answers for the whole installation: what is counted lies in the database (people/core/metrics.py), the
rest is looked up when asked.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from activities.models import ActivityType
from config.observability import access as observability_access
from config.observability import probes, slow_queries
from people.core import metrics
from people.core.metrics import SUM, Labels, Measure

PREFIX = "custom_activities"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = metrics.counter("requests", "Requests by route and status.", "method", "route", "status")
REQUEST_SECONDS = metrics.histogram(
    "request_seconds", "From the request to the first byte of its answer, by route.", "route"
)


class MetricsMiddleware:
    """Counts every request with its route (the pattern, never the address), which slow statements are told, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        mark = slow_queries.request.set(request)
        try:
            response = self.get_response(request)
        finally:
            slow_queries.request.reset(mark)
        route = request.resolver_match.route if request.resolver_match else ""
        method = request.method if request.method in METHODS else "other"
        REQUESTS.add(method, route, response.status_code)
        REQUEST_SECONDS.observe(time.perf_counter() - started, route)
        return response


def page(request: HttpRequest) -> HttpResponse:
    """All numbers, in the format that is asked for. While the database is away, only that it is."""
    refusal = observability_access.refusal(request)
    if refusal is not None:
        return refusal
    registry = CollectorRegistry()
    registry.register(Numbers())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


class Numbers(Collector):
    """Everything that is told, read anew."""

    def collect(self) -> Iterator[Metric]:
        try:
            families = [*_counted(), *_looked_up()]
        except DatabaseError:
            connection.close()
            families = []
        yield GaugeMetricFamily(f"{PREFIX}_database_up", "Whether the database answers.", bool(families))
        yield from families

    def describe(self) -> Iterator[Metric]:
        return iter(())


def _counted() -> Iterator[Metric]:
    metrics.flush()
    names = _names()
    for measure, by_labels in metrics.totals().items():
        family = HistogramMetricFamily if measure.bounds else CounterMetricFamily
        metric: Any = family(f"{PREFIX}_{measure.name}", measure.says, labels=measure.labels)
        for labels, parts in sorted(by_labels.items()):
            shown = _named(measure, labels, names)
            if measure.bounds:
                metric.add_metric(shown, _buckets(measure, parts), parts.get(SUM, 0.0))
            else:
                metric.add_metric(shown, parts.get("", 0.0))
        yield metric


def _buckets(measure: Measure, parts: dict[str, float]) -> list[tuple[str, float]]:
    """(bound, how many were no larger), as the format wants it."""
    buckets, total = [], 0.0
    for place, bound in enumerate([*map(str, measure.bounds), "+Inf"]):
        total += parts.get(str(place), 0.0)
        buckets.append((bound, total))
    return buckets


def _names() -> dict[str, dict[str, str]]:
    """What ids in labels stand for."""
    types = ActivityType.objects.values_list("pk", "api_name")
    users = get_user_model().objects.values_list("pk", "username")
    return {"type": {str(pk): name for pk, name in types}, "client": {str(pk): name for pk, name in users}}


def _named(measure: Measure, labels: Labels, names: dict[str, dict[str, str]]) -> list[str]:
    return [names.get(label, {}).get(value, value) for label, value in zip(measure.labels, labels, strict=True)]


def _looked_up() -> Iterator[Metric]:
    for name, (says, label, look) in probes.GAUGES.items():
        gauge = GaugeMetricFamily(f"{PREFIX}_{name}", says, labels=[label] if label else [])
        for value, number in look().items():
            gauge.add_metric([value] if label else [], number)
        yield gauge
