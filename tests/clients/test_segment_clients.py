"""Segment's own clients, as they are: each event is recorded once, whatever fails on the way.

They are installed into `.cache/clients`, apart from the product's own environment; where that fails the test is skipped.
"""

import http.client
import random
import shutil
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.conf import settings

from activities.models import Activity, VisitorActivity
from activities.sources import editing
from activities.types.definition import ActivityFieldSpec
from activities.visitors import partitions
from people.models import Person
from tests.activities.intake.processing import wait_until_processed
from tests.activities.visitors.factories import dispatch
from tests.factories import approved_type
from tests.server import free_port, running_collector

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
CACHE = Path(settings.BASE_DIR) / ".cache" / "clients"
PYTHON_VERSION, NODE_VERSION, DONE = "2.4.0", "3.1.0", "installed"
EVENTS, USERS = 100, 10
FIELDS = (ActivityFieldSpec("number", "Number", "integer", is_primary=True), ActivityFieldSpec("sku", "SKU"))
PYTHON_PROGRAM = """
import sys
from segment.analytics import Client
key, address, events, users = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
client = Client(key, host=address, gzip=True, upload_size=20, on_error=lambda error, items: print("failed", error))
for number in range(events):
    client.track(f"p-{number % users}", "Item Bought", {"number": number, "sku": "A"})
client.shutdown()
"""
NODE_PROGRAM = """
const { Analytics } = require(process.argv[2]);
const client = new Analytics({ writeKey: process.argv[3], host: process.argv[4], flushAt: 20, maxRetries: 10 });
for (let number = 0; number < Number(process.argv[5]); number++)
  client.track({ userId: `n-${number % Number(process.argv[6])}`, event: "Item Bought", properties: { number, sku: "A" } });
client.closeAndFlush({ timeout: 120000 }).then(() => process.exit(0));
"""


class BadNetwork(ThreadingHTTPServer):
    """A proxy on which requests get lost, and answers, too: so a client sees a failure after a commit."""

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), _Way)
        self.target, self.failures = port, 0
        self._lock, self._dice = threading.Lock(), random.Random(23)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def fate(self):
        with self._lock:
            fate = self._dice.choice(("answered", "answered", "answered", "refused", "lost"))
            self.failures += fate != "answered"
            return fate


class _Way(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body, fate = self.rfile.read(int(self.headers["Content-Length"])), self.server.fate()
        status, answer = (503, b"") if fate == "refused" else self._forward(body)
        if fate == "lost":
            status, answer = 500, b""
        self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _forward(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=30)
        try:
            connection.request("POST", self.path, body, dict(self.headers))
            reply = connection.getresponse()
            return reply.status, reply.read()
        except (OSError, http.client.HTTPException):
            return 502, b""
        finally:
            connection.close()

    def log_message(self, *_what):
        pass


@pytest.fixture
def key():
    partitions.forget_partitions()
    approved_type("Item Bought", "itemBought", FIELDS)
    return editing.create_source("Shop back end", "server", None).write_key


def send_over_bad_network(send):
    """Let a client send while its collector is killed twice, and what is between them fails."""
    port = free_port()
    with_failures = BadNetwork(port)
    sender = threading.Thread(target=send, args=[with_failures.address], daemon=True)
    for kill in range(3):
        with running_collector(port, INTAKE_PROCESSES="1") as collector:
            if kill == 0:
                sender.start()
            sender.join(1.5 if kill < 2 else 150)
            if kill < 2:
                collector.signal(signal.SIGKILL)
            else:
                wait_until_processed()
    assert not sender.is_alive()
    with_failures.shutdown()
    assert with_failures.failures > 1


def check_once(prefix):
    dispatch()
    people = dict(Person.objects.values_list("pk", "fields__userId"))
    assert sorted(people.values()) == sorted(f"{prefix}-{number}" for number in range(USERS))
    rows = list(VisitorActivity.objects.exclude(activity_type_id=None).values_list("primary_value", flat=True))
    assert sorted(map(int, rows)) == list(range(EVENTS)), "each event once, none is missing"
    log = Activity.objects.filter(activity_type_id__gte=100_001)
    assert {(row.primary_value, people[row.person_id]) for row in log} == {
        (str(number), f"{prefix}-{number % USERS}") for number in range(EVENTS)
    }
    assert log.count() == EVENTS


@pytest.fixture
def python_client(key):
    """The folder of the client and of the libraries that it needs, which are older than the product's."""
    folder = CACHE / f"segment-for-python-{PYTHON_VERSION}"
    if not (folder / DONE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        install([*pip, "--target", str(folder), f"segment-analytics-python=={PYTHON_VERSION}"])
        (folder / DONE).touch()
    return folder


@pytest.fixture
def node_client(key):
    """The folder of the client for Node."""
    folder = CACHE / f"segment-node-{NODE_VERSION}"
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    if not (folder / DONE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(["npm", "install", "--silent", "--prefix", str(folder), f"@segment/analytics-node@{NODE_VERSION}"])
        (folder / DONE).touch()
    return folder / "node_modules" / "@segment" / "analytics-node"


def install(command):
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=200)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"the client cannot be installed: {error}")
    if result.returncode:
        pytest.skip(f"the client cannot be installed: {result.stderr[-500:]}")


def test_segment_for_python(key, python_client):
    program = [sys.executable, "-S", "-c", PYTHON_PROGRAM]  # without the product's own libraries
    check_client("p", ["env", f"PYTHONPATH={python_client}", *program], key)


def test_segment_for_node(key, node_client, tmp_path):
    program = tmp_path / "send.cjs"
    program.write_text(NODE_PROGRAM)
    check_client("n", ["node", str(program), str(node_client)], key)


def check_client(prefix, command, key):
    results = []

    def send(address):
        more = [key, address, str(EVENTS), str(USERS)]
        results.append(subprocess.run([*command, *more], capture_output=True, text=True, timeout=200))

    send_over_bad_network(send)
    assert [(result.returncode, result.stdout) for result in results] == [(0, "")], results
    check_once(prefix)
