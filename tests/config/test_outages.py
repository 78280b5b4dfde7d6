"""A database that is away or too slow: answered in each channel's own words, and forgotten as soon as it is back."""

import json
import logging
from unittest.mock import Mock

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, close_old_connections, connection, connections
from django.test import Client
from psycopg import errors

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.observability import outages, slow_queries
from people.core.models import Installation

pytestmark = pytest.mark.django_db(transaction=True)

LEADS = "/rest/v1/leads.json?filterType=email&filterValues=ann@example.com"


@pytest.fixture
def vera():
    Installation.objects.create()
    return get_user_model().objects.create_superuser("vera")


@pytest.fixture
def client(vera):
    found = Client(raise_request_exception=False)
    found.force_login(vera)
    return found


@pytest.fixture
def bearer(vera):
    made = client_editing.create_client("Bank core", vera, None, client_editing.grantable_rights()).client
    return {
        "dialect": {"Authorization": f"Bearer {client_editing.client_token(made).text}"},
        "native": {"Authorization": f"Bearer {tokens.issue_token(made).text}"},
    }


def other_connection():
    known = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    return psycopg.connect(**{name: known[name] for name in names if known.get(name)}, autocommit=True)


def cut_off():
    """End the connection behind Django's back, as a restart of the server does."""
    with other_connection() as other:
        other.execute("select pg_terminate_backend(%s::int)", [connection.connection.info.backend_pid])


@pytest.fixture
def without_health_check(monkeypatch):
    """As when the connection is lost in the middle of a request."""
    monkeypatch.setattr(connections["default"], "close_if_health_check_failed", lambda: None)


@pytest.mark.usefixtures("without_health_check")
def test_each_door_says_that_the_database_is_away_and_the_next_request_heals(client, bearer):
    def ask(path, channel=None):
        return client.get(path, headers=bearer.get(channel, {}))

    for path, channel in (
        ("/admin/people/person/", None),
        (LEADS, "dialect"),
        ("/api/v1/people", "native"),
        ("/healthz", None),
        ("/readyz", None),
    ):
        assert ask(path, channel).status_code == 200
        cut_off()
        reply = ask(path, channel)
        assert reply.status_code == (200 if channel == "dialect" else 503), path
        if channel == "dialect":
            assert reply.json()["errors"] == [{"code": "608", "message": "API Temporarily Unavailable"}]
        elif channel == "native":
            assert (reply.json()["code"], reply["Retry-After"]) == ("unavailable", "5")
        elif path.startswith("/admin"):
            assert "The database cannot be reached just now." in reply.text and reply["Retry-After"] == "5"
        close_old_connections()  # as every server does around a request, and the test's client does not
        assert ask(path, channel).status_code == 200, "it healed by itself"


def test_probes_say_without_the_database_what_an_operator_can_do(client, settings, monkeypatch):
    """A full disk keeps the embedded database away: the reason is found without it, and no other query is sent."""
    settings.METRICS_TOKEN, settings.DATABASE_IS_EMBEDDED = "secret", True
    monkeypatch.setattr("config.operations.doctor.FLOOR_BYTES", 2**62)
    monkeypatch.setattr(connection, "ensure_connection", Mock(side_effect=OperationalError("away")))
    connection.close()
    probe = Client(raise_request_exception=False)
    assert probe.get("/healthz").text == probe.get("/readyz").text == "database unavailable\n"
    reply = probe.get("/readyz", headers={"Authorization": "Bearer secret"})
    assert reply.status_code == 503 and "make room on this disk" in reply.text


def test_no_statement_runs_longer_than_a_user_waits(client, bearer):
    """Another transaction locks the tables that all these requests read."""
    with other_connection() as other, connection.cursor() as cursor:
        other.execute("begin; lock table activity_type, person")
        cursor.execute("set statement_timeout = 100")
        page = client.get("/admin/people/person/", headers={"Accept-Language": "es"})
        native = client.get("/api/v1/people", headers=bearer["native"])
        dialect = client.get("/rest/v1/activities/external/types.json", headers=bearer["dialect"])
    connection.close()
    assert (page.status_code, page["Retry-After"]) == (503, "10") and "Tardó demasiado" in page.text
    assert (native.status_code, native.json()["code"]) == (503, "timeout")
    assert dialect.json()["errors"] == [{"code": "604", "message": "Request timed out"}]


def test_other_faults_have_an_answer_in_every_form_too(client, bearer, monkeypatch):
    monkeypatch.setattr("people.core.installation.current_installation", lambda: 1 / 0)
    page = client.get("/admin/reports/")
    assert page.status_code == 500 and "it was logged" in page.text
    assert client.get("/api/docs/guide").json()["code"] == "error"


def test_slow_statements_are_logged_without_their_values(client, settings, caplog):
    settings.SLOW_QUERY_MS = 0.0
    connection.close()
    with caplog.at_level(logging.WARNING, "config.observability.slow_queries"):
        client.get("/admin/people/person/?q=ann@example.com")
    facts = [record.facts for record in caplog.records if record.name == "config.observability.slow_queries"]
    assert any(fact["route"] == "admin/people/person/" and "person" in fact["statement"] for fact in facts)
    assert "ann@example" not in json.dumps(facts) and "ann@example" not in caplog.text
    settings.SLOW_QUERY_MS = None
    caplog.clear()
    client.get("/admin/people/person/")
    assert not [record for record in caplog.records if record.name == "config.observability.slow_queries"]
    connection.close()


def test_the_drivers_own_errors_count_as_well():
    """Django does not translate what is raised while rows are copied."""
    assert outages.find_outage(psycopg.errors.DiskFull()) is outages.DISK_FULL
    assert outages.find_outage(psycopg.errors.QueryCanceled()) is outages.TIMEOUT
    assert outages.find_outage(psycopg.errors.UniqueViolation()) is outages.find_outage(ValueError()) is None


def test_an_error_while_it_is_watched_stays_that_error(settings):
    settings.SLOW_QUERY_MS = 0.0
    connection.close()
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("set statement_timeout = 20")
        cursor.execute("select pg_sleep(1)")
    assert slow_queries.request.get() is None
    connection.close()


def test_a_full_disk_is_said_as_what_it_is(client, bearer, monkeypatch):
    def full(*_given, **_more):
        raise OperationalError("no space") from errors.DiskFull("could not extend file: No space left on device")

    monkeypatch.setattr("people.persons.upsert.upsert_people", full)
    reply = client.post(
        "/rest/v1/leads.json", {"input": [{"email": "a@example.com"}]}, "application/json", headers=bearer["dialect"]
    )
    assert "disk" in reply.json()["errors"][0]["message"]
    reply = client.post("/api/v1/people", {"email": "a@example.com"}, "application/json", headers=bearer["native"])
    assert (reply.status_code, reply.json()["code"]) == (503, "disk_full") and reply["Retry-After"]
