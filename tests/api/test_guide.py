"""The guide and the examples are true: they are run against a server."""

import json
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model

from config.access.clients import editing as client_editing
from tests.api.test_activities import custom

pytestmark = pytest.mark.django_db(transaction=True)
EXAMPLES = settings.BASE_DIR / "docs" / "examples" / "api"


class Parts(HTMLParser):
    """The parts of the page that can be run, by name."""

    def __init__(self, page):
        super().__init__()
        self.found, self.part = {}, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.part = dict(attributes).get("data-part") if tag == "pre" else self.part

    def handle_endtag(self, tag):
        self.part = None if tag == "pre" else self.part

    def handle_data(self, data):
        if self.part:
            self.found[self.part] = self.found.get(self.part, "") + data


@pytest.fixture
def environment(live_server):
    owner = get_user_model().objects.create_superuser("olga", password="x")
    credentials = client_editing.create_client("Guide", owner, None)
    return {
        **os.environ,
        "HOST": live_server.url,
        "CLIENT_ID": credentials.client_id,
        "CLIENT_SECRET": credentials.client_secret,
    }


@pytest.fixture
def parts(client, environment):
    client.force_login(
        get_user_model().objects.get(username="olga"), backend="config.access.backends.EffectiveRightsBackend"
    )
    return Parts(client.get("/api/docs/guide").content.decode()).found


def run(environment, *command, source=None):
    done = subprocess.run(command, input=source, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not there")
def test_the_guide_does_what_it_says(parts, environment):
    assert set(parts) == {"setting", "curl", "python", "javascript", "stream"}
    shown = run(environment, "bash", "-e", source=parts["curl"])
    assert '"attributes":{"guests":4}' in shown and '"next":null' in shown
    assert custom().count() == 1
    assert run(environment, sys.executable, "-", source=parts["python"]) == "3 recorded, 0 refused\n"
    assert run(environment, sys.executable, "-", source=parts["python"]) == "3 recorded, 0 refused\n"
    assert custom().count() == 4
    if shutil.which("node"):
        read = run(environment, "node", "--input-type=module", "-", source=parts["javascript"])
        assert read.count("Friday at noon") == 4 and "&cursor=" in read


def test_the_examples_do_what_they_say(parts, environment, tmp_path):
    run(environment, "bash", "-e", source=parts["curl"])
    file = tmp_path / "bookings.csv"
    file.write_text("email,tasting,guests,booked_at\nbob@example.com,Bread,30,2026-11-20T10:00:00Z\nx,Bread,a,b\n")
    nightly = run(environment, sys.executable, str(EXAMPLES / "nightly_csv.py"), str(file))
    assert nightly == "1 added, 0 there before, 1 refused\n"
    assert "line 3" in (tmp_path / "bookings.csv.refused").read_text()
    assert (
        run(environment, sys.executable, str(EXAMPLES / "nightly_csv.py"), str(file))
        == "0 added, 1 there before, 1 refused\n"
    )
    if shutil.which("node"):
        followed = run({**environment, "CURSOR_FILE": str(tmp_path / "cursor")}, "node", str(EXAMPLES / "follow.mjs"))
        assert followed.count("bookTasting") == 2
        assert run({**environment, "CURSOR_FILE": str(tmp_path / "cursor")}, "node", str(EXAMPLES / "follow.mjs")) == ""


def test_a_postman_collection_is_generated_from_the_document(db, tmp_path):
    from django.core.management import call_command

    file = tmp_path / "collection.json"
    call_command("postman", str(file))
    collection = json.loads(file.read_text())
    assert "schema.getpostman.com" in collection["info"]["schema"]
    requests = [item["request"] for folder in collection["item"] for item in folder["item"]]
    addresses = [(request["method"], request["url"]["raw"]) for request in requests]
    assert addresses.count(("POST", "{{host}}/api/v1/activities")) == 1
