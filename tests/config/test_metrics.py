"""Metrics for Prometheus: true numbers, for operators only."""

import json
import threading
import time

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection
from prometheus_client.parser import text_string_to_metric_families

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from people.core import counters, maintenance, metrics
from people.core.source import Channel, Source
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.rules.parsing import parse_rules
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _token(settings):
    settings.METRICS_TOKEN = "a token for operators"


def scraped(client):
    """The numbers by name and values of the labels, in the labels' alphabetical order."""
    reply = client.get("/metrics", headers={"Authorization": "Bearer a token for operators"})
    assert reply.status_code == 200
    families = text_string_to_metric_families(reply.text)
    return {
        (
            sample.name.removeprefix("custom_activities_"),
            *(sample.labels[label] for label in sorted(sample.labels)),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def test_strangers_learn_nothing(client, settings):
    assert client.get("/metrics").status_code == 401
    wrong = client.get("/metrics", headers={"Authorization": "Bearer a token"})
    assert (wrong.status_code, wrong.text) == (401, "a token is needed\n")
    assert client.get("/metrics", headers={"Authorization": "Bearer ä"}).status_code == 401
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_allowed_addresses_and_administrators_need_no_token(client, settings):
    settings.METRICS_ALLOW = ["10.0.0.0/8", "::1"]
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="").status_code == 401, "of a Unix socket"
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.1.2.3"}).status_code == 401, "anybody can write that"
    client.force_login(get_user_model().objects.create_superuser("vera"))
    assert client.get("/metrics").status_code == 200


def test_requests_are_counted_by_route_never_by_address(client):
    client.get("/admin/people/person/501/change/")
    client.get("/admin/people/person/502/change/")
    client.get("/nowhere/ann@example.com")
    client.generic("BREW", "/healthz")
    numbers = scraped(client)
    route = "admin/people/person/<path:object_id>/change/"
    assert numbers["requests_total", "GET", route, "302"] == 2
    assert numbers["requests_total", "GET", "", "404"] == 1
    assert numbers["requests_total", "other", "healthz", "200"] == 1
    assert numbers["request_seconds_count", route] == 2 == numbers["request_seconds_bucket", "+Inf", route]
    assert not any("ann@" in part or "501" in part for name in numbers for part in name)


def test_rows_are_counted_by_type_client_and_outcome_once_they_are_committed(client):
    approved_type()
    ann = make_person()
    bank = get_user_model().objects.create_user("bank")
    source = Source(Channel.MARKETO, bank.pk)
    record_rows(new_activity(ann.pk, external_id="1"), new_activity(ann.pk, amount="much"), source=source)
    record_rows(
        new_activity(ann.pk, external_id="1"), new_activity(ann.pk, "nosuch"), new_activity(ann.pk, [1]), source=source
    )
    numbers = scraped(client)
    assert numbers["rows_total", "bank", "added", "depositCheck"] == 1
    assert numbers["rows_total", "bank", "repeated", "depositCheck"] == 1
    assert numbers["rows_total", "bank", "refused", "depositCheck"] == 1
    assert numbers["rows_total", "bank", "refused", ""] == 2, "types that are not there are no labels"


def test_rows_refused_for_their_structure_are_counted_too(client):
    approved_type()
    owner = get_user_model().objects.create_superuser("olga")
    bank = client_editing.create_client("Bank core", owner, None, client_editing.grantable_rights()).client
    headers = {"Authorization": f"Bearer {tokens.issue_token(bank).text}"}
    bad = {"activity_type": "depositCheck", "person": "ann"}
    rows = [bad, bad, 7, {"activity_type": ["depositCheck"]}, {"activity_type": "nosuch", "other": 1}]
    for address in ("batch", "validate"):
        client.post(f"/api/v1/activities/{address}", {"activities": rows}, "application/json", headers=headers)
    client.post("/api/v1/activities", bad, "application/json", headers=headers)
    lines = b"\n".join([b"no json", *(json.dumps(row).encode() for row in rows)])
    client.post("/api/v1/activities/stream", lines, "application/x-ndjson", headers=headers)
    numbers, who = scraped(client), bank.api_user.username
    assert numbers["rows_total", who, "refused", "depositCheck"] == 2 + 1 + 2
    assert numbers["rows_total", who, "refused", ""] == 3 + 4, "what is no type is no label"


def test_processes_add_up_and_what_cannot_be_written_waits(client, monkeypatch):
    approved_type()
    ann = make_person()
    record_rows(new_activity(ann.pk))
    metrics.flush_metrics()
    record_rows(new_activity(ann.pk))
    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", lambda: (_ for _ in ()).throw(OperationalError("away")))
        metrics.flush_metrics()
    assert scraped(client)["rows_total", "", "added", "depositCheck"] == 2


def test_the_state_of_database_queue_and_log_is_told(client):
    approved_type()
    record_rows(new_activity(make_person().pk))
    evaluator.evaluate_rules(parse_rules({"match": "all", "filters": []}, Catalogue()))
    maintenance.record_maintenance(maintenance.MaintenanceRun.BACKUP, "/backups/tonight")
    with connection.cursor() as cursor:
        cursor.execute("insert into procrastinate_jobs (task_name, queue_name, status) values ('x', 'default', 'todo')")
        cursor.execute("update procrastinate_events set at = now() - interval '20 min'")
    numbers = scraped(client)
    assert numbers["database_up",] == 1
    assert numbers["jobs", "waiting"] == 1 and 1190 < numbers["oldest_job_seconds",] < 1300
    assert numbers["log_mark_lag_ids",] == 0 and numbers["rollup_lag_ids",] == numbers["log_last_id",] > 0
    assert numbers["database_bytes",] > 1_000_000 and numbers["disk_free_bytes",] > 0
    assert numbers["evaluation_seconds_count", "done"] == 1
    assert numbers["backup_age_seconds",] < 60


def test_without_a_database_it_says_so(client, monkeypatch):
    monkeypatch.setattr(metrics, "metric_totals", lambda: (_ for _ in ()).throw(OperationalError("away")))
    assert scraped(client) == {("database_up",): 0}


def test_the_thread_writes_what_was_counted(settings):
    settings.MEASURED_EVERY_SECONDS = 0.05
    sample = metrics.register_counter("sample", "Of this test.", "kind")
    try:
        sample.add("one", number=3)
        deadline = time.monotonic() + 10
        while not metrics.metric_totals()[sample] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert metrics.metric_totals()[sample] == {("one",): {"": 3}}
    finally:
        counters.stop_flusher()
        metrics._measures.pop("sample")
    assert "counters" not in [thread.name for thread in threading.enumerate()]
