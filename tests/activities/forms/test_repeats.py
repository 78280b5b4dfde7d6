"""Two submissions with one content at the same moment, over two connections."""

import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, transaction

from activities.forms import submitting
from activities.models import FormSubmission
from tests.activities.forms.factories import fill_in, make_form
from tests.config.test_outages import other_connection

pytestmark = pytest.mark.django_db(transaction=True)
TURN = datetime(2026, 11, 30, 12, tzinfo=UTC)  # of a period in which the same content counts once


def test_a_double_click_at_the_turn_of_a_period_counts_once(monkeypatch):
    form, clock = make_form(), {}
    now = SimpleNamespace(now=lambda: clock[threading.get_ident()])
    monkeypatch.setattr(submitting, "timezone", now)
    outcomes = []

    def click_again():
        clock[threading.get_ident()] = TURN + timedelta(milliseconds=1)
        try:
            outcomes.append(fill_in(form))
        finally:
            connection.close()

    clock[threading.get_ident()] = TURN - timedelta(milliseconds=1)
    second = threading.Thread(target=click_again)
    with other_connection() as other, transaction.atomic():
        first = fill_in(form)
        second.start()
        deadline = time.monotonic() + 30
        while not is_waiting(other):
            assert time.monotonic() < deadline and second.is_alive(), "it does not see the first one"
    second.join(30)
    assert outcomes[0].is_repeat and outcomes[0].submission.pk == first.submission.pk
    assert FormSubmission.objects.count() == 1


def is_waiting(other):
    rows = other.execute(
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )
    return rows.fetchone() is not None
