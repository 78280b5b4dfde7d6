"""Programs that send to a public form, fifty a second, while people do: people pass, and what is kept is bounded."""

import http.client
import itertools
import threading
import time
from collections import Counter
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities.forms.reading import HONEYPOT
from activities.models import FormSubmission
from config.access import call_limits
from config.forms import bounds
from config.forms.bounds import MAX_SPAM
from people.models import Person
from tests.activities.forms.factories import AGENT, make_form
from tests.server import running_web_server

FORM_TYPE = "application/x-www-form-urlencoded"
A_SECOND, SECONDS = 50, 4


def submit(port, form, address, *, agent=AGENT, **values):
    """The status of a submission from a network address."""
    sent = {"Content-Type": FORM_TYPE, "User-Agent": agent, "X-Forwarded-For": address}
    connected = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connected.request("POST", f"/f/{form.key}/", urlencode({"first_name": "Ada", **values}), sent)
        reply = connected.getresponse()
        reply.read()
        return reply.status
    finally:
        connected.close()


class Bots(threading.Thread):
    """One of several senders: all of one address, or each of another; they fill in everything, or seem to be people."""

    numbers = itertools.count(1)

    def __init__(self, port, form, kinds):
        super().__init__(daemon=True)
        self.port, self.form, self.kinds = port, form, kinds
        self.statuses = Counter()
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.is_set():
            started, number = time.monotonic(), next(self.numbers)
            kind = self.kinds[number % len(self.kinds)]
            values = {"email": f"bot{number}@example.com"} | ({HONEYPOT: "http://spam"} if kind == "honeypot" else {})
            address = "198.51.100.1" if kind == "person" else f"203.0.{number // 250 % 250}.{number % 250}"
            agent = "python-requests/2.32" if kind == "program" else AGENT
            self.statuses[kind, submit(self.port, self.form, address, agent=agent, **values)] += 1
            self.is_over.wait(max(0, 5 / A_SECOND - (time.monotonic() - started)))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_people_pass_while_programs_send_fifty_a_second():
    form = make_form(people_an_hour=100_000)
    with running_web_server(TRUST_PROXY="1") as server:
        bots = [Bots(server.port, form, ("honeypot", "program", "person")) for _sender in range(5)]
        began = time.monotonic()
        for bot in bots:
            bot.start()
        statuses, waits, until = Counter(), [], time.monotonic() + SECONDS
        for number in itertools.count():
            if number % 2 == 0 and time.monotonic() > until and sum(map(flooded, bots)):
                break
            started = time.monotonic()
            way = {"_own": "1"} if number % 2 else {}
            statuses[
                submit(server.port, form, f"192.0.2.{number % 200}", email=f"guest{number // 8}@example.com", **way)
            ] += 1
            waits.append(time.monotonic() - started)
        for bot in bots:
            bot.is_over.set()
        for bot in bots:
            bot.join(30)
    sent = sum((bot.statuses for bot in bots), Counter())
    assert set(statuses) == {303}, (statuses, sent)
    minutes = int((time.monotonic() - began) / 60) + 2  # that the test has touched
    kept = Counter(FormSubmission.objects.values_list("state", flat=True))
    assert MAX_SPAM <= kept["spam"] <= minutes * MAX_SPAM
    assert Person.objects.filter(email__startswith="bot").count() <= minutes * 60
    assert sorted(waits)[len(waits) * 95 // 100] < 10, "seconds, beside all other tests"


def flooded(bot):
    return bot.statuses["honeypot", 429] + bot.statuses["program", 429]


@pytest.mark.django_db
def test_a_submission_beyond_a_limit_is_little_work(client, settings, monkeypatch):
    """The statements of a refused submission of any sender: the form, and one count for each limit."""
    settings.FORM_SUBMISSIONS_PER_ADDRESS = 1
    monkeypatch.setattr(bounds, "MAX_SPAM", 2)
    monkeypatch.setattr(call_limits, "time", SimpleNamespace(time=lambda: 1_796_000_000))  # one minute
    form = make_form()
    client.defaults["HTTP_USER_AGENT"] = AGENT

    def statements(address, **values):
        with CaptureQueriesContext(connection) as queries:
            reply = client.post(
                f"/f/{form.key}/", {"email": "a@example.com", "first_name": "A", **values}, REMOTE_ADDR=address
            )
        return reply.status_code, len(queries)

    statements("192.0.2.1")
    status, of_sender = statements("192.0.2.1", company="x" * 2_000)
    assert status == 429 and of_sender <= 4
    for number in range(3):
        status, of_spam = statements(f"192.0.3.{number}", **{HONEYPOT: "x"}, company=str(number))
    assert status == 429 and of_spam <= 12 and FormSubmission.objects.filter(state="spam").count() == 2
    assert statements("192.0.4.1", email="person@example.com")[0] == 303
