"""The senders that need no user: web pages, programs, other products, people who click or fill in a form.

Each sends one thing after the other, each again until it is acknowledged. A refusal has to be one that scripts, SDKs
and products answer with another try; a click has to lead on, whatever fails.
"""

import http.client
import json
import threading
import time
from abc import ABC, abstractmethod
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from tests.config.collector.pages import CHROME, SITE, new_batch, new_hit
from tests.kills import wait_until

TIMEOUT = 20.0
PAUSE = 0.05
LARGE = 3_000  # characters of a text: a full disk is noticed where a table needs another page
EVENT, CODE, DESTINATION = "Chaos Happened", "chaos-sale", "https://www.example.com/sale"
NO_ANSWER = 0
Fetch = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses: keys of a web site, a program and a webhook, and the key of a form's page."""

    site: str
    program: str
    webhook: str
    form: str


def make_addresses() -> Addresses:
    """The sources, forms and links that senders need, made in the present database. Django has to be set up."""
    from activities.inbound import editing as inbound
    from activities.sources import editing as sources
    from tests.activities.forms.factories import make_form
    from tests.activities.links.factories import make_link

    site = sources.create_source("Chaos site", "browser", None, origins=[SITE])
    program = sources.create_source("Chaos program", "server", None)
    webhook = inbound.create_webhook("Chaos webhook", "other", None, calls_a_minute=10_000)
    make_link("Chaos link", DESTINATION, code=CODE)
    form = make_form("Chaos form", people_an_hour=100_000)
    return Addresses(site.write_key, program.write_key, webhook.write_key, form.key)


class Sender(threading.Thread, ABC):
    """One sender. `acknowledged`: the numbers of its things; `refusals`: other answers, by status."""

    kind: ClassVar[str]
    to_web: ClassVar[bool] = False
    acknowledges: ClassVar[int] = 200

    def __init__(self, ports: Mapping[bool, int], addresses: Addresses, rest: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.port, self.addresses, self.rest = ports[self.to_web], addresses, rest
        self.number = 0
        self.acknowledged: list[int] = []
        self.refusals: Counter[int] = Counter()
        self.texts: set[str] = set()  # of refusals
        self.faults: list[str] = []
        self.slowest = 0.0  # seconds of an answer
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.wait(self.rest):
            if self._is_taken():
                self.acknowledged.append(self.number)
                self.number += 1
            else:
                self.ending.wait(PAUSE)

    def _is_taken(self) -> bool:
        started = time.monotonic()
        try:
            status, headers, text = self.ask(*self.thing(self.number))
        except (OSError, http.client.HTTPException):
            status, headers, text = NO_ANSWER, {}, ""
        self.slowest = max(self.slowest, time.monotonic() - started)
        if status == self.acknowledges:
            return True
        self.refusals[status] += 1
        self.texts.add(text)
        if status != NO_ANSWER and (status != 503 or int(headers.get("Retry-After", 0)) < 1):
            self.faults.append(f"{self.kind} {self.number} was answered with {status}, {dict(headers)}: {text[:200]}")
        return False

    @abstractmethod
    def thing(self, number: int) -> tuple[str, str, str | None, dict[str, str]]:
        """Method, path, body and headers of a request, the same for one number each time."""

    def ask(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, {"User-Agent": CHROME, **headers})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read().decode()
        finally:
            connection.close()


class Pages(Sender):
    """A browser whose pages send a hit each, with a large text."""

    kind = "hit"

    def thing(self, number):
        hit = new_hit(title="Prices", data={"text": "x" * LARGE}) | {"id": _uuid(number)}
        body = json.dumps(new_batch(hit, visitor="ab" * 16))
        return "POST", f"/_a/e?k={self.addresses.site}&v=1", body, {"Content-Type": "text/plain", "Origin": SITE}


class Programs(Sender):
    """A program with a client of Segment's API, which sends batches of two."""

    kind = "Segment batch"

    def thing(self, number):
        key = b64encode(f"{self.addresses.program}:".encode()).decode()
        track = {"type": "track", "event": EVENT, "userId": "nobody", "properties": {"text": "y" * LARGE}}
        batch = [{**track, "messageId": f"chaos-{number}-{part}"} for part in "ab"]
        return "POST", "/v1/batch", json.dumps({"batch": batch}), {"Authorization": f"Basic {key}"}


class Products(Sender):
    """Another product that calls a webhook."""

    kind = "call"

    def thing(self, number):
        body = json.dumps({"number": f"chaos-{number}", "text": "z" * LARGE})
        return "POST", f"/_a/w/{self.addresses.webhook}", body, {"Content-Type": "application/json"}


class Readers(Sender):
    """Readers of a leaflet with a link; each click is another reader's, and leads on whatever fails."""

    kind = "click"
    acknowledges = 302

    def thing(self, number):
        return "GET", f"/l/{CODE}", None, {"Cookie": f"_ca={number:032x}"}


class Guests(Sender):
    """People who fill in a form on our own page."""

    kind = "form"
    to_web = True
    acknowledges = 303

    def thing(self, number):
        values = {"email": f"chaos{number}@example.com", "first_name": "Ada", "_own": "1"}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return "POST", f"/f/{self.addresses.form}/", urlencode(values), headers


SENDERS: Sequence[type[Sender]] = (Pages, Programs, Products, Readers, Guests)
LIMITS = dict.fromkeys(
    ("FORM_SUBMISSIONS_PER_ADDRESS", "FORM_SUBMISSIONS_PER_FORM", "LINK_CLICKS_PER_ADDRESS"), "1000000"
)
# the stored rows of each kind, as the texts that its numbers stand for
KEPT: Mapping[str, tuple[str, Callable[[int], Sequence[str]]]] = {
    "hit": (
        "select message_id from visitor_activity where left(message_id, 6) <> 'chaos-'",
        lambda number: [_uuid(number)],
    ),
    "Segment batch": (
        f"select message_id from waiting_event where strpos(raw, '{EVENT}') > 0",
        lambda number: [f"chaos-{number}-{part}" for part in "ab"],
    ),
    "call": ("select body::json->>'number' from inbound_call", lambda number: [f"chaos-{number}"]),
    "form": ("select \"values\"->>'email' from form_submission", lambda number: [f"chaos{number}@example.com"]),
}


def start_senders(ports: Mapping[bool, int], addresses: Addresses, rest: float = 0.0) -> list[Sender]:
    """One sender of each kind; `ports` of the collector (False) and of the web process (True)."""
    senders = [make(ports, addresses, rest) for make in SENDERS]
    for sender in senders:
        sender.start()
    return senders


def end_senders(senders: Sequence[Sender]) -> None:
    for sender in senders:
        sender.ending.set()
    for sender in senders:
        sender.join(TIMEOUT + 10)


def judge_senders(senders: Sequence[Sender], fetch: Fetch) -> Iterator[str]:
    """Every fault, as a sentence: what was acknowledged has to be there once, everything else once or not at all.

    Requests of programs are processed first.
    """
    waiting = partial(fetch, "select count(*), min(error) from intake_request")
    wait_until(lambda: waiting()[0][0] == 0, waiting)
    for sender in senders:
        yield from sender.faults[:5]
        if sender.kind not in KEPT:
            continue
        statement, names = KEPT[sender.kind]
        stored = Counter(name for (name,) in fetch(statement))
        told = {name for number in sender.acknowledged for name in names(number)}
        if lost := told - set(stored):
            yield f"{sender.kind}: {len(lost)} acknowledged ones are not there, such as {min(lost)}"
        if twice := [name for name, times in stored.items() if times > 1]:
            yield f"{sender.kind}: {len(twice)} are there more than once, such as {min(twice)}"
        if others := set(stored) - told - set(names(sender.number)):
            yield f"{sender.kind}: {len(others)} are there that were never sent, such as {min(others)}"


def tally_of(senders: Sequence[Sender]) -> dict[str, Any]:
    return {sender.kind: {"taken": len(sender.acknowledged), "refused": dict(sender.refusals)} for sender in senders}


def _uuid(number: int) -> str:
    return str(UUID(int=number, version=4))
