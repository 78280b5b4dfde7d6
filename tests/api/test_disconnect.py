"""A client that hangs up in the middle of a stream, over a real socket."""

import http.client
import json
import socket
import time
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model

from activities.models import Activity
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/activities/stream"
ROWS = 2_500
PATIENCE = 30  # seconds


@pytest.fixture
def headers():
    owner = get_user_model().objects.create_superuser("olga", password="x")
    client = client_editing.create_client("Bank core", owner, None).client
    return {
        "Authorization": f"Bearer {tokens.issue_token(client).text}",
        "Content-Type": "application/x-ndjson",
        "Idempotency-Key": "nightly-7",
    }


def body(person_id):
    rows = (
        {"activity_type": "depositCheck", "person": person_id, "occurred_at": "2026-11-01", "primary_value": f"No. {i}"}
        for i in range(ROWS)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def hang_up(server, sent, whole, headers):
    """Send a part of the body, up to the middle of a line, and disconnect."""
    head = [f"POST {PATH} HTTP/1.1", f"Host: {server.netloc}", f"Content-Length: {len(whole)}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((server.hostname, server.port)) as connected:
        connected.sendall("\r\n".join([*head, "", ""]).encode() + whole[:sent])


def wait_for(reached):
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, "the server did not come to it"
        time.sleep(0.05)


def test_what_was_committed_stays_and_a_repeat_completes_it_without_doubles(live_server, headers):
    check, ann = approved_type(), make_person()
    server, whole = urlsplit(live_server.url), body(ann.pk)
    of_check = Activity.objects.filter(activity_type_id=check.pk)
    lines = whole.splitlines(keepends=True)
    sent = len(b"".join(lines[:1_700])) + 40  # a chunk, a part of one, and a part of a line
    hang_up(server, sent, whole, headers)
    wait_for(lambda: of_check.count() >= 1_000)
    connection = http.client.HTTPConnection(server.hostname, server.port, timeout=PATIENCE)
    connection.request("POST", PATH, whole, headers)
    outcomes = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    connection.close()
    summary = outcomes.pop()["summary"]
    assert len(outcomes) == summary["lines"] == ROWS and summary["refused"] == 0
    assert summary["repeated"] >= 1_000 and summary["added"] + summary["repeated"] == ROWS
    assert of_check.count() == ROWS
    assert set(of_check.values_list("primary_value", flat=True)) == {f"No. {i}" for i in range(ROWS)}
