"""Logs tell requests and jobs apart, and nothing about persons."""

import json
import logging
import sys

import pytest

from config.logs import JsonFormatter
from tests.making import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines():
    """What is logged meanwhile, as the formatter writes it."""
    written = []

    class Keep(logging.Handler):
        def emit(self, record):
            written.append(self.format(record))

    handler, root = Keep(), logging.getLogger()
    handler.setFormatter(JsonFormatter())
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
    person(email="hidden@example.com")
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
