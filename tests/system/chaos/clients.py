"""Programs that use the product meanwhile, and remember the answers."""

import http.client
import json
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.system.chaos.world import World

TYPE = "chaosEvent"
PATIENCE = 20.0  # seconds until a program takes an answer for lost
HISTORY = 0.2  # of the batches are back-fill, which no campaign answers
SINCE = "2026-01-01T00:00:00Z"


@dataclass(slots=True)
class Sent:
    """One activity that was sent, and the id in its answer, if there was one."""

    person: int
    amount: int
    is_good: bool
    id: int | None = None
    is_history: bool = False


@dataclass
class Tally:
    """The counts of all programs."""

    sent: dict[str, Sent] = field(default_factory=dict)
    calls: int = 0
    failed_calls: int = 0
    contradictions: list[str] = field(default_factory=list)  # two ids for one external id, an id for a bad row
    approved: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    read: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class CallFailedError(Exception):
    """There was no answer that could be taken for one."""


class Program(threading.Thread, ABC):
    """One program with one connection, which it opens again when it breaks."""

    def __init__(self, world: World, tally: Tally, token: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.world, self.tally, self.token = world, tally, token
        self.random = random.Random(seed)
        self.ending = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                self.step()
                if self.world.rest:
                    self.ending.wait(self.random.uniform(0, self.world.rest))
            except CallFailedError:
                self.ending.wait(self.random.uniform(0.05, 0.3))

    @abstractmethod
    def step(self) -> None:
        """One call, or a few that belong together. Raises `CallFailedError`."""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of the answer. Raises Failed for everything that is not a yes."""
        with self.tally.lock:
            self.tally.calls += 1
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(*self.world.address, timeout=PATIENCE)
            sent = json.dumps(body).encode() if body is not None else None
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            known = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            self._connection.request(method, path, sent, known | named)
            reply = self._connection.getresponse()
            text = reply.read()
            answer = json.loads(text)
            if reply.status >= 400 or answer.get("success") is False:
                raise CallFailedError(text[:200])
            return answer
        except (OSError, http.client.HTTPException, ValueError, CallFailedError) as error:
            with self.tally.lock:
                self.tally.failed_calls += 1
            if self._connection is not None and not isinstance(error, CallFailedError):
                self._connection.close()
                self._connection = None
            raise CallFailedError(str(error)) from None


class Writer(Program):
    """Records batches under external ids of its own; of those without an answer it sends half again until it has one."""

    def __init__(self, world: World, tally: Tally, token: str, seed: int, people: Sequence[int], channel: str) -> None:
        super().__init__(world, tally, token, seed)
        self.people, self.channel, self.number, self.seed = people, channel, 0, seed
        self.send: Callable[[dict[str, Sent], bool], dict[str, int | None]] = {
            "dialect": self._dialect,
            "native": self._native,
        }[channel]

    def step(self) -> None:
        batch = {}
        is_history = self.random.random() < HISTORY
        for _row in range(self.random.randint(1, 30)):
            self.number += 1
            is_good = self.random.random() > 0.05
            batch[f"{self.channel}-{self.seed}-{self.number}"] = Sent(
                self.random.choice(self.people), self.number, is_good, is_history=is_history
            )
        with self.tally.lock:
            self.tally.sent.update(batch)
        goes_on = self.random.random() < 0.5
        while True:
            try:
                self._note(batch, self.send(batch, goes_on))
                return
            except CallFailedError:
                if not goes_on or self.ending.wait(self.random.uniform(0.05, 0.4)):
                    raise

    def _note(self, batch: dict[str, Sent], told: dict[str, int | None]) -> None:
        with self.tally.lock:
            for key, number in told.items():
                row = batch[key]
                if (number is not None) != row.is_good or row.id not in (None, number):
                    self.tally.contradictions.append(f"{key}: told {number}, before {row.id}, good {row.is_good}")
                row.id = number

    def _dialect(self, batch: dict[str, Sent], _goes_on: bool) -> dict[str, int | None]:
        rows = [
            {
                "leadId": row.person,
                "activityTypeId": self.type_id,
                "activityDate": "2026-11-20T10:00:00Z",
                "primaryAttributeValue": key,
                "externalId": key,
                "attributes": [{"apiName": "amount", "value": row.amount if row.is_good else "much"}],
            }
            for key, row in batch.items()
        ]
        answer = self.call("POST", f"/rest/v1/activities/external.json{_flag(batch)}", {"input": rows})
        return {
            key: one.get("id") if one["status"] == "added" else None
            for key, one in zip(batch, answer["result"], strict=True)
        }

    def _native(self, batch: dict[str, Sent], goes_on: bool) -> dict[str, int | None]:
        rows = [
            {
                "activity_type": TYPE,
                "person": row.person,
                "occurred_at": "2026-11-20T10:00:00Z",
                "primary_value": key,
                "external_id": key,
                "attributes": {"amount": row.amount if row.is_good else "much"},
            }
            for key, row in batch.items()
        ]
        named = {"Idempotency_Key": next(iter(batch))} if goes_on else {}
        answer = self.call("POST", f"/api/v1/activities/batch{_flag(batch)}", {"activities": rows}, **named)
        return {key: one.get("id") for key, one in zip(batch, answer["results"], strict=True)}

    type_id = 0


def _flag(batch: Mapping[str, Sent]) -> str:
    """The query of a call, whose rows are all history or none."""
    return "?backfill=true" if next(iter(batch.values())).is_history else ""


class Reader(Program):
    """Follows the log by paging tokens; repeats a request with the same token when an answer is lost."""

    position = ""
    type_id = 0

    def step(self) -> None:
        if not self.position:
            answer = self.call("GET", f"/rest/v1/activities/pagingtoken.json?sinceDatetime={SINCE}")
            self.position = answer["nextPageToken"]
        if not self.read_page():
            self.ending.wait(0.1)

    def read_page(self) -> bool:
        path = f"/rest/v1/activities.json?activityTypeIds={self.type_id}&nextPageToken={self.position}"
        answer = self.call("GET", path)
        self.tally.read += [row["id"] for row in answer.get("result", ())]
        self.position = answer["nextPageToken"]
        return answer["moreResult"]


class Approver(Program):
    """Makes types and approves them."""

    number = 0

    def step(self) -> None:
        self.number += 1
        name = f"chaosType{self.number}"
        path = "/rest/v1/activities/external/type"
        self.call(
            "POST",
            f"{path}.json",
            {
                "apiName": name,
                "name": f"Make {self.number}",
                "triggerName": f"Makes {self.number}",
                "filterName": f"Made {self.number}",
                "primaryAttribute": {"apiName": "what", "name": "What"},
            },
        )
        self.tally.created.add(name)
        fields = {"attributes": [{"apiName": "size", "name": "Size", "dataType": "integer"}]}
        self.call("POST", f"{path}/{name}/attributes/create.json", fields)
        self.call("POST", f"{path}/{name}/approve.json")
        self.tally.approved.add(name)
        self.ending.wait(0.2)
