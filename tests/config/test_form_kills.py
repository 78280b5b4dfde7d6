"""Web processes killed while people submit forms: no acknowledged submission is lost, none counts twice.

`make kills` does it a hundred times.
"""

import http.client
import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest

from activities.forms.kiosk_links import kiosk_secret
from activities.models import Activity, FormSubmission
from people.models import Person
from tests.activities.forms.factories import AGENT, make_form
from tests.hypothesis_profiles import examples
from tests.kills import Tally, wait_until
from tests.server import running_web_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
KILLS = examples(2, 100, "KILLS")
GUESTS = 4
FORM_TYPE, JSON_TYPE = "application/x-www-form-urlencoded", "application/json"


class Guests(threading.Thread):
    """One person after the other, each sending a form until it is acknowledged: our page, another site's, a kiosk."""

    def __init__(self, port, form, first, tally):
        super().__init__(daemon=True)
        self.port, self.form, self.number, self.tally = port, form, first, tally

    def run(self):
        while not self.tally.is_over.is_set():
            values = {"email": f"guest{self.number}@example.com", "first_name": "Ada"}
            way = ("page", "html", "kiosk")[self.number % 3]
            try:
                is_taken = self.is_taken(way, values)
            except (OSError, http.client.HTTPException):
                is_taken = False
            if is_taken:
                self.tally.acknowledge(values["email"])
                self.number += GUESTS
            else:
                time.sleep(0.05)

    def is_taken(self, way, values):
        if way != "kiosk":
            sent = {**values, **({"_own": "1"} if way == "page" else {})}
            return self.post(f"/f/{self.form.key}/", urlencode(sent), FORM_TYPE)[0] == 303
        now = int(time.time() * 1000)
        item = {"id": f"guest-{self.number:08d}", "at": now, "values": values}
        status, text = self.post(
            f"/k/{kiosk_secret(self.form)}/", json.dumps({"sent": now, "items": [item]}), JSON_TYPE
        )
        return status == 200 and json.loads(text)["results"][0]["status"] in ("added", "repeated")

    def post(self, path, body, content_type):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", path, body, {"Content-Type": content_type, "User-Agent": AGENT})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()


def test_kills_lose_and_double_no_submission(capsys):
    form, tally = make_form(people_an_hour=100_000, event="Fair"), Tally()
    limits = {"FORM_SUBMISSIONS_PER_ADDRESS": "100000", "FORM_SUBMISSIONS_PER_FORM": "100000"}
    with running_web_server("--preload", WEB_WORKERS="2", **limits) as server:
        guests = [Guests(server.port, form, number, tally) for number in range(GUESTS)]
        for guest in guests:
            guest.start()
        for _kill in range(KILLS):
            goal = len(tally) + 10
            wait_until(lambda goal=goal: len(tally) >= goal, lambda: len(tally))
            time.sleep(random.random() / 10)
            os.kill(random.choice(workers_of(server)), signal.SIGKILL)  # gunicorn begins another one
        tally.finish(guests)
    kept = list(FormSubmission.objects.values_list("values__email", flat=True))
    people = list(Person.objects.values_list("email", flat=True))
    filled = Activity.objects.filter(activity_type_id=2).values_list("person_id", flat=True)
    attended = Activity.objects.filter(activity_type_id=90_001).values_list("person_id", flat=True)
    tally.check(kept, KILLS * 10)
    tally.check(people, KILLS * 10)
    assert sorted(filled) == sorted(Person.objects.values_list("pk", flat=True))
    assert len(attended) == len(set(attended)) == FormSubmission.objects.filter(way="kiosk").count()
    assert set(FormSubmission.objects.values_list("state", flat=True)) == {"recorded"}
    assert set(FormSubmission.objects.values_list("way", flat=True)) == {"page", "html", "kiosk"}
    tally.tell(capsys, f"{KILLS} kills of web processes", kept, people, filled)


def workers_of(server):
    """The processes that gunicorn has forked, waited for where it is just starting one."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: bool(children.read_text().split()), lambda: "no worker")
    return [int(child) for child in children.read_text().split()]
