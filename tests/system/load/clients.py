"""Clients that do one kind of call after the other, at their own pace, and keep the time."""

import http.client
import itertools
import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BATCH = 300
PATIENCE = 60
WARMING, UNDISTURBED, BESIDE_SLOW_CLIENTS, BESIDE_BOTS = "warming", "undisturbed", "beside slow clients", "beside bots"


@dataclass(frozen=True, slots=True)
class Target:
    """The installation to call: its address, ids of types and of a smart list, and the range of people's ids."""

    address: tuple[str, int]
    types: Mapping[str, int]
    people: range
    smart_list: int


@dataclass(frozen=True, slots=True)
class Login:
    """One client's ways in."""

    dialect: str
    native: str
    session: str


@dataclass
class Times:
    """Seconds of each kind of call, and what failed."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    phases: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # seconds of calls of all kinds
    phase: str = WARMING
    recorded: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Client(threading.Thread):
    """One client with one connection."""

    numbers = itertools.count(1)

    def __init__(self, target: Target, login: Login, times: Times, pause: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.target, self.login, self.times, self.pause = target, login, times, pause
        self.chance = random.Random(seed)
        self.ending = threading.Event()
        self.connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        kinds: Sequence[str] = [name for name, (weight, _call) in CALLS.items() for _share in range(weight)]
        while not self.ending.wait(self.pause * self.chance.uniform(0.5, 1.5)):
            name = self.chance.choice(kinds)
            phase = self.times.phase
            started = time.perf_counter()
            error = self._try(CALLS[name][1])
            taken = time.perf_counter() - started
            with self.times.lock:
                self.times.seconds[name].append(taken)
                self.times.phases[phase].append(taken)
                if error:
                    self.times.errors[name].append(error)

    def _try(self, call: Callable[["Client"], None]) -> str:
        try:
            call(self)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            if self.connection is not None:
                self.connection.close()
                self.connection = None
            return f"{type(error).__name__}: {error}"
        return ""

    def person(self) -> int:
        return self.chance.choice(self.target.people)

    def page(self, path: str) -> None:
        self.ask("GET", path, {"Cookie": f"sessionid={self.login.session}", "Accept-Language": "en"})

    def api(self, method: str, path: str, token: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        answer = json.loads(self.ask(method, path, headers, None if body is None else json.dumps(body).encode()))
        if answer.get("success") is False:
            raise ValueError(answer["errors"][0]["message"])
        return answer

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
        if self.connection is None:
            self.connection = http.client.HTTPConnection(*self.target.address, timeout=PATIENCE)
        self.connection.request(method, path, body, dict(headers))
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise ValueError(f"{reply.status} {text[:200]!r}")
        return text


def _record_dialect(client: Client) -> None:
    rows = [
        {
            "leadId": client.person(),
            "activityTypeId": client.target.types["check"],
            "activityDate": "2026-11-20T10:00:00Z",
            "primaryAttributeValue": f"Check {number}",
            "externalId": f"load-{next(client.numbers)}",
            "attributes": [
                {"apiName": "amount", "value": number + 0.5},
                {"apiName": "branch", "value": f"Branch {number % 50}"},
            ],
        }
        for number in range(BATCH)
    ]
    answer = client.api("POST", "/rest/v1/activities/external.json", client.login.dialect, {"input": rows})
    _count(client, sum(one["status"] == "added" for one in answer["result"]))


def _record_native(client: Client) -> None:
    rows = [
        {
            "activity_type": "benchListCheck",
            "person": client.person(),
            "occurred_at": "2026-11-20T10:00:00Z",
            "primary_value": f"Check {number}",
            "external_id": f"load-{next(client.numbers)}",
            "attributes": {"amount": number + 0.5, "branch": f"Branch {number % 50}"},
        }
        for number in range(BATCH)
    ]
    answer = client.api("POST", "/api/v1/activities/batch", client.login.native, {"activities": rows})
    _count(client, sum(one["status"] == "added" for one in answer["results"]))


def _count(client: Client, added: int) -> None:
    with client.times.lock:
        client.times.recorded += added
    if added != BATCH:
        raise ValueError(f"{added} of {BATCH} were recorded")


def _count_list(client: Client) -> None:
    amount = str(client.chance.randrange(100, 900))
    constraint = {"field": "amount", "operator": "greater than", "values": [amount]}
    card = {"kind": "activity", "did": True, "type": "benchListCheck", "constraints": [constraint]}
    rules = {
        "match": "all",
        "filters": [card, {"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]}],
    }
    client.api("POST", "/api/v1/smart-lists/evaluate", client.login.native, {"rules": rules})


def _read_log(client: Client) -> None:
    token = client.api(
        "GET", "/rest/v1/activities/pagingtoken.json?sinceDatetime=2026-06-01T00:00:00Z", client.login.dialect
    )
    path = f"/rest/v1/activities.json?activityTypeIds={client.target.types['check']}&nextPageToken={token['nextPageToken']}"
    client.api("GET", path, client.login.dialect)


# name: (weight among all, function)
CALLS: Mapping[str, tuple[int, Callable[[Client], None]]] = {
    "record 300, Marketo API": (4, _record_dialect),
    "record 300, native API": (4, _record_native),
    "token and first page of the log": (2, _read_log),
    "count a smart list": (2, _count_list),
    "timeline, native API": (
        4,
        lambda client: (
            client.api("GET", f"/api/v1/activities?person={client.person()}&ordering=-occurred_at", client.login.native)
            and None
        ),
    ),
    "page: timeline": (5, lambda client: client.page(f"/admin/activities/activitytype/timeline/{client.person()}/")),
    "page: person": (2, lambda client: client.page(f"/admin/people/person/{client.person()}/change/")),
    "page: people by a name": (2, lambda client: client.page("/admin/people/person/?q=last+49")),
    "page: home": (1, lambda client: client.page("/admin/")),
    "page: activity type": (
        1,
        lambda client: client.page(f"/admin/activities/activitytype/{client.target.types['check']}/change/"),
    ),
    "page: members of a smart list": (
        1,
        lambda client: client.page(f"/admin/smartlists/smartlist/{client.target.smart_list}/members/"),
    ),
}
