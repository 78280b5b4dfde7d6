"""`/metrics` in Prometheus' format; for operators only.

Every web process reports the whole installation: counters are in the database (people/core/metrics.py), gauges are
read at each request.
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

REQUESTS = metrics.register_counter("requests", "Requests by route and status.", "method", "route", "status")
REQUEST_SECONDS = metrics.register_histogram(
    "request_seconds", "From the request to the first byte of its answer, by route.", "route"
)


class MetricsMiddleware:
    """Counts requests by route (the pattern, never the address), which the log of slow statements uses, too."""

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


def metrics_response(request: HttpRequest) -> HttpResponse:
    """Return all metrics in the requested format. While the database is unavailable, only this fact."""
    refusal = observability_access.operator_refusal(request)
    if refusal is not None:
        return refusal
    registry = CollectorRegistry()
    registry.register(MetricsCollector())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


class MetricsCollector(Collector):
    """All metrics, read at each collection."""

    def collect(self) -> Iterator[Metric]:
        try:
            families = [*_stored_metrics(), *_gauges()]
        except DatabaseError:
            connection.close()
            families = []
        yield GaugeMetricFamily(f"{PREFIX}_database_up", "Whether the database answers.", bool(families))
        yield from families

    def describe(self) -> Iterator[Metric]:
        return iter(())


def _stored_metrics() -> Iterator[Metric]:
    metrics.flush_metrics()
    names = _names()
    for measure, by_labels in metrics.metric_totals().items():
        family = HistogramMetricFamily if measure.bounds else CounterMetricFamily
        metric: Any = family(f"{PREFIX}_{measure.name}", measure.description, labels=measure.labels)
        for labels, parts in sorted(by_labels.items()):
            label_values = _label_values(measure, labels, names)
            if measure.bounds:
                metric.add_metric(label_values, _buckets(measure, parts), parts.get(SUM, 0.0))
            else:
                metric.add_metric(label_values, parts.get("", 0.0))
        yield metric


def _buckets(measure: Measure, parts: dict[str, float]) -> list[tuple[str, float]]:
    """Return (bound, number of values up to it) pairs, as the format requires."""
    buckets, total = [], 0.0
    for place, bound in enumerate([*map(str, measure.bounds), "+Inf"]):
        total += parts.get(str(place), 0.0)
        buckets.append((bound, total))
    return buckets


def _names() -> dict[str, dict[str, str]]:
    """Return the names of the ids in labels."""
    types = ActivityType.objects.values_list("pk", "api_name")
    users = get_user_model().objects.values_list("pk", "username")
    return {"type": {str(pk): name for pk, name in types}, "client": {str(pk): name for pk, name in users}}


def _label_values(measure: Measure, labels: Labels, names: dict[str, dict[str, str]]) -> list[str]:
    return [names.get(label, {}).get(value, value) for label, value in zip(measure.labels, labels, strict=True)]


def _gauges() -> Iterator[Metric]:
    for name, (help_text, label, read) in probes.GAUGES.items():
        gauge = GaugeMetricFamily(f"{PREFIX}_{name}", help_text, labels=[label] if label else [])
        for value, number in read().items():
            gauge.add_metric([value] if label else [], number)
        yield gauge
