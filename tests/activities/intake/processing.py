"""Requests kept as the collector keeps them, and processed in the test's own process."""

import json

from django.utils import timezone

from activities.intake.keeping import KeptRequest, keep_requests
from activities.intake.processing import process_intake
from activities.intake.state import intake_state
from tests.kills import wait_until


def kept(source, *messages, call="batch", received=None, **envelope):
    """The request of some messages, or of one for another call than a batch."""
    received = received or timezone.now()
    envelope.setdefault("sentAt", received.isoformat())
    body = {**envelope, "batch": list(messages)} if call == "batch" else {**envelope, **messages[0]}
    text = json.dumps(body).encode()
    return KeptRequest(source.pk, received, call, "", False, len(messages), len(text), text)


def keep(source, *messages, **how):
    keep_requests([kept(source, *messages, **how)])


def process_all():
    """Process what waits; return the number of requests."""
    number = 0
    while done := process_intake():
        number += done
    return number


def wait_until_processed():
    """Wait for a process that works on the intake."""
    wait_until(lambda: not intake_state().requests, intake_state)
