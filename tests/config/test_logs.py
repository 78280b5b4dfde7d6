"""Logs distinguish requests and jobs, and contain nothing about persons."""

import asyncio
import json
import logging
import sys
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from procrastinate.contrib.django import app
from procrastinate.testing import InMemoryConnector

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.observability.logging import JsonFormatter, LineFormatter, add_job_log_ids
from tests.factories import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(request):
    """The lines logged meanwhile, as the formatter (JSON, unless the test has a parameter) writes them."""
    written = []
    formatter = getattr(request, "param", JsonFormatter)()

    class Keep(logging.Handler):
        def emit(self, record):
            written.append(self.format(record))

    handler, root = Keep(), logging.getLogger()
    handler.setFormatter(formatter)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield written
    root.setLevel(level)
    root.removeHandler(handler)


def test_a_request_has_an_id_in_its_answer_and_its_line(client, lines):
    reply = client.get("/healthz")
    entry = next(found for found in map(json.loads, lines) if found["logger"] == "config.requests")
    assert entry["request"] == reply.headers["X-Request-ID"]
    assert (entry["method"], entry["route"], entry["status"]) == ("GET", "healthz", 200)


@pytest.mark.parametrize(
    ("trusts", "given", "is_kept"), [(True, "abc-1", True), (False, "abc-1", False), (True, "a b\n", False)]
)
def test_only_a_trusted_proxy_gives_ids(client, settings, trusts, given, is_kept):
    settings.TRUST_PROXY = trusts
    reply = client.get("/healthz", headers={"X-Request-ID": given})
    assert (reply.headers["X-Request-ID"] == given) is is_kept


def test_secrets_and_personal_values_stay_out(client, lines):
    make_person(email="hidden@example.com")
    client.get(
        "/rest/v1/leads.json",
        {"access_token": "s3cret-token", "filterType": "email", "filterValues": "hidden@example.com"},
    )
    client.get("/identity/oauth/token", {"client_id": "some-id", "client_secret": "s3cret-token"})
    client.post("/admin/login/", {"username": "hidden@example.com", "password": "s3cret-token"})
    client.get("/admin/people/person/", {"q": "hidden@example.com"})
    assert len(lines) >= 4
    assert not [line for line in lines if "s3cret" in line or "hidden" in line or "some-id" in line]


def test_of_an_exception_the_class_and_the_place_are_logged_not_its_text(lines):
    try:
        raise ValueError("hidden@example.com")
    except ValueError:
        logging.getLogger("some").error("it failed", exc_info=sys.exc_info())
    entry = json.loads(lines[-1])
    assert entry["error"] == "ValueError" and "test_logs.py" in entry["trace"][-1]
    assert "hidden" not in lines[-1]


def test_of_a_job_its_id_and_task_are_logged_not_its_arguments(lines):
    logging.getLogger("procrastinate").info(
        "ran", extra={"job": {"id": 7, "task_name": "erase", "task_kwargs": {"email": "hidden"}}}
    )
    entry = json.loads(lines[-1])
    assert (entry["job"], entry["task"]) == (7, "erase") and "hidden" not in lines[-1]


def entry_of(lines, **facts):
    """The request's own line, and that every line written meanwhile carries these."""
    entries = [json.loads(line) for line in lines]
    (found,) = [entry for entry in entries if entry["logger"] == "config.requests"]
    return found, [entry for entry in entries if facts.items() <= entry.items()]


@pytest.mark.parametrize("channel", ["native", "dialect", "token of either"])
def test_every_line_of_a_call_says_which_client_and_user(client, lines, channel):
    owner = get_user_model().objects.create_superuser("olga")
    made = client_editing.create_client("Bank core", owner, None, client_editing.grantable_rights())
    bank = made.client
    native, dialect = tokens.issue_token(bank).text, client_editing.client_token(bank).text
    lines.clear()
    asked = {
        "native": lambda: client.get("/api/v1/people/999", headers={"Authorization": f"Bearer {native}"}),
        "dialect": lambda: client.get("/rest/v1/lists.json", headers={"Authorization": f"Bearer {dialect}"}),
        "token of either": lambda: client.post(
            "/api/v1/oauth/token",
            {"grant_type": "client_credentials", "client_id": made.client_id, "client_secret": made.client_secret},
        ),
    }
    asked[channel]()
    entry, same = entry_of(lines, client=bank.pk, user=bank.api_user_id)
    assert entry in same and len(same) == len(lines)


def test_who_is_signed_in_is_on_the_line_and_not_on_the_next_one(client, lines):
    vera = get_user_model().objects.create_superuser("vera")
    client.force_login(vera)
    client.get("/admin/")
    assert entry_of(lines)[0]["user"] == vera.pk and "client" not in entry_of(lines)[0]
    lines.clear()
    client.logout()
    client.get("/healthz")
    assert "user" not in entry_of(lines)[0]


def test_lines_written_in_a_job_carry_its_id(lines):
    def work():
        logging.getLogger("some.task").info("half way")

    add_job_log_ids(work, SimpleNamespace(job=SimpleNamespace(id=7, task_name="erase")), None)
    logging.getLogger("some.task").info("idle")
    inside, outside = map(json.loads, lines)
    assert (inside["job"], inside["task"]) == (7, "erase") and "job" not in outside


def test_the_worker_runs_jobs_with_it():
    assert add_job_log_ids in app.worker_defaults["task_middleware"]


def test_paths_that_hold_what_somebody_typed_stay_out(client, lines):
    client.force_login(get_user_model().objects.create_superuser("vera"))
    client.get("/admin/people/person/hidden@example.com/change/")
    client.get("/nowhere/hidden@example.com")
    client.get("/api/v1/person-fields/hidden@example.com")
    client.get("/rest/v1/leads/schema/fields/hidden@example.com.json")
    assert len(lines) >= 4 and not [line for line in lines if "hidden" in line]


both = pytest.mark.parametrize("lines", [JsonFormatter, LineFormatter], indirect=True)


@both
def test_errors_of_requests_hold_no_values_in_either_format(client, lines, monkeypatch):
    def fail(*_arguments, **_options):
        try:
            raise KeyError("hidden@example.com")
        except KeyError as error:
            raise ValueError("of hidden@example.com") from error

    monkeypatch.setattr("config.operations.doctor.readiness_findings", fail)
    client.raise_request_exception = False
    assert client.get("/readyz", {"q": "hidden@example.com"}).status_code == 500
    client.get("/admin/people/person/hidden@example.com/change/")
    assert any("ValueError" in line and "test_logs.py" in line for line in lines)
    assert not [line for line in lines if "hidden" in line]


@both
def test_a_job_that_fails_tells_its_task_and_place_not_its_values(lines):
    connector = InMemoryConnector()
    with app.replace_connector(connector) as working:

        @working.task(name="fails")
        def fails(email):
            raise ValueError(f"cannot write to {email}")

        try:
            fails.defer(email="hidden@example.com")
            asyncio.run(working.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False))
        finally:
            working.tasks.pop("fails")
    assert any("fails[" in line and "ValueError" in line for line in lines), lines
    assert not [line for line in lines if "hidden" in line]


def test_the_settings_write_neither_format_otherwise():
    """Of logging.config: both formatters are ours."""
    assert {found["()"] for found in settings.LOGGING["formatters"].values()} == {
        "config.observability.logging.LineFormatter",
        "config.observability.logging.JsonFormatter",
    }
