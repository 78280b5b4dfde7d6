"""A day of users of every kind, over HTTP: each action is tried, and its result noted."""

import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from tests.system.chaos.clients import TYPE

DONE = "done"
LARGE = 1000  # an amount that the campaign of tests.system.chaos answers
PATIENCE = 90.0  # seconds until a job counts as never done
PAGES = (
    "/admin/",
    "/admin/people/person/",
    "/admin/activities/activitytype/",
    "/admin/smartlists/smartlist/",
    "/admin/smartlists/smartcampaign/",
    "/admin/people/import/",
    "/admin/people/export/",
    "/admin/reports/",
    "/admin/status/",
)
AMOUNT_ABOVE_ONE = {"field": "amount", "operator": "greater than", "values": ["1"]}
RULES = {
    "match": "all",
    "filters": [{"kind": "activity", "did": True, "type": TYPE, "constraints": [AMOUNT_ABOVE_ONE]}],
}


class DayFailedError(Exception):
    """An answer is not the expected one."""


class Day:
    """One turn: `number` keeps its things apart from those of other turns."""

    def __init__(self, address: tuple[str, int], tokens: Mapping[str, str], password: str, number: int) -> None:
        self.address = "http://{}:{}".format(*address)
        self.tokens, self.password, self.number = tokens, password, number
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self.people = [row["id"] for row in self.api("GET", "people?email__startswith=person")["results"]]

    def tries(self) -> dict[str, str]:
        """The result of each action, in order: DONE, or the fault."""
        told = {}
        for name, attempt in TRIES.items():
            try:
                attempt(self)
                told[name] = DONE
            except (DayFailedError, OSError, ValueError, KeyError, IndexError) as error:
                told[name] = f"{type(error).__name__}: {error}"
        return told

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The native API's answer."""
        return json.loads(self._ask(method, f"/api/v1/{path}", body, self.tokens["native"], headers))

    def dialect(self, method: str, path: str, body: Any = None) -> Any:
        """The result of the Marketo API's answer."""
        answer = json.loads(self._ask(method, path, body, self.tokens["dialect"], {}))
        if not answer["success"]:
            raise DayFailedError(answer["errors"])
        return answer.get("result")

    def until(self, look: Callable[[], Any], wanted: Any) -> None:
        """Wait until what is looked up is what is wanted."""
        deadline = time.monotonic() + PATIENCE
        while (found := look()) != wanted:
            if time.monotonic() > deadline:
                raise DayFailedError(f"{found!r} after {PATIENCE:.0f} s, not {wanted!r}")
            time.sleep(0.5)

    def _ask(self, method: str, path: str, body: Any, token: str, headers: Mapping[str, str]) -> bytes:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        known = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | dict(headers)
        request = urllib.request.Request(self.address + path, data, known, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            raise DayFailedError(f"{error.code} {error.read()[:300]!r}") from None

    def page(self, path: str, form: Mapping[str, str] | None = None) -> str:
        data = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.address + path, data, {"Referer": self.address + path})
        try:
            with self.browser.open(request, timeout=60) as reply:
                return reply.read().decode()
        except urllib.error.HTTPError as error:
            raise DayFailedError(f"{path}: {error.code}") from None

    def form(self, path: str, **values: str) -> str:
        """Fetch a page and send its form."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page(path))
        if token is None:
            raise DayFailedError(f"{path} has no form")
        return self.page(path, {"csrfmiddlewaretoken": token[1], **values})


def _record_dialect(day: Day) -> None:
    rows = [
        {
            "leadId": person,
            "activityTypeId": _type_id(day),
            "activityDate": "2026-11-20T10:00:00Z",
            "primaryAttributeValue": "dialect",
            "externalId": f"dialect-{day.number}-{person}",
            "attributes": [{"apiName": "amount", "value": 5}],
        }
        for person in day.people
    ]
    _all(
        {row["status"] for row in day.dialect("POST", "/rest/v1/activities/external.json", {"input": rows})}, {"added"}
    )
    wrong = [rows[0] | {"externalId": f"wrong-{day.number}", "attributes": [{"apiName": "amount", "value": "much"}]}]
    _all(
        {row["status"] for row in day.dialect("POST", "/rest/v1/activities/external.json", {"input": wrong})},
        {"skipped"},
    )


def _type_id(day: Day) -> int:
    (found,) = [row["id"] for row in day.api("GET", f"activity-types?api_name={TYPE}")["results"]]
    return found


def _record_native(day: Day) -> None:
    rows = [
        {
            "activity_type": TYPE,
            "person": person,
            "occurred_at": "2026-11-20T10:00:00Z",
            "primary_value": "native",
            "external_id": f"native-{day.number}-{person}",
            "attributes": {"amount": LARGE},
        }
        for person in day.people
    ]
    wrong = rows[0] | {"external_id": f"bad-{day.number}", "attributes": {"amount": "much"}}
    answer = day.api(
        "POST", "activities/batch", {"activities": [*rows, wrong]}, **{"Idempotency-Key": f"day{day.number}"}
    )
    _all([row["status"] for row in answer["results"]], ["added"] * len(rows) + ["refused"])


def _campaign(day: Day) -> None:
    """The dispatcher gives a point for each large amount."""
    wanted = [day.number + 1] * len(day.people)
    day.until(
        lambda: [row["person_score"] for row in day.api("GET", "people?email__startswith=person")["results"]], wanted
    )


def _list(day: Day) -> None:
    made = day.api("POST", "smart-lists", {"name": f"List {day.number}", "rules": RULES})
    counted = day.api("POST", f"smart-lists/{made['id']}/evaluate", {})["count"]
    _all(counted, len(day.people))
    _all(len(day.api("GET", f"smart-lists/{made['id']}/members")["results"]), len(day.people))


def _import(day: Day) -> None:
    file = f"email,city\nfile{day.number}@example.com,Vigo\nnonsense,Lugo\n".encode()
    made = day.api("POST", f"imports?kind=people&name=people{day.number}.csv", file, **{"Content-Type": "text/csv"})
    address = f"imports/{made['id']}"
    day.api("PUT", f"{address}/plan", {"columns": {"email": "email", "city": "city"}})
    day.api("POST", f"{address}/start", {})
    day.until(lambda: [day.api("GET", address)[name] for name in ("state", "added", "refused")], ["complete", 1, 1])
    _all(len(day.api("GET", f"{address}/failures")["results"]), 1)


def _import_dialect(day: Day) -> None:
    frame, name = "neighbours", f"bulk{day.number}.csv"
    lines = f"email,activityDate,primaryAttributeValue,amount\nperson1@example.com,2026-11-20T10:00:00Z,file {day.number},0\nx,y,z,much"
    body = f'--{frame}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n{lines}\r\n--{frame}--\r\n'
    path = f"/bulk/v1/activities/import.json?activityTypeId={_type_id(day)}&lookupField=email&format=csv"
    sent = {"Content-Type": f"multipart/form-data; boundary={frame}"}
    (made,) = json.loads(day._ask("POST", path, body.encode(), day.tokens["dialect"], sent))["result"]
    status = f"/bulk/v1/activities/import/{made['batchId']}/status.json"
    day.until(lambda: day.dialect("GET", status)[0]["status"], "Complete")


def _export(day: Day) -> None:
    made = day.api("POST", "exports", {"kind": "people", "parameters": {"fields": ["id", "email"]}})
    day.until(lambda: day.api("GET", f"exports/{made['id']}")["state"], "completed")
    text = day._ask("GET", f"/api/v1/exports/{made['id']}/file", None, day.tokens["native"], {})
    if b"person1@example.com" not in text:
        raise DayFailedError(text[:200])


def _export_dialect(day: Day) -> None:
    span = {"startAt": "2026-11-01T00:00:00Z", "endAt": "2026-11-30T00:00:00Z"}
    asked = {"format": "CSV", "filter": {"createdAt": span, "activityTypeIds": [_type_id(day)]}}
    (made,) = day.dialect("POST", "/bulk/v1/activities/export/create.json", asked)
    address = f"/bulk/v1/activities/export/{made['exportId']}"
    day.dialect("POST", f"{address}/enqueue.json", {})
    day.until(lambda: day.dialect("GET", f"{address}/status.json")[0]["status"], "Completed")


def _type(day: Day) -> None:
    """A type is made, approved, changed and approved again, in the Marketo API."""
    name = f"neighbour{day.number}"
    path = "/rest/v1/activities/external/type"
    day.dialect(
        "POST",
        f"{path}.json",
        {
            "apiName": name,
            "name": f"Meet {day.number}",
            "triggerName": f"Meets {day.number}",
            "filterName": f"Met {day.number}",
            "primaryAttribute": {"apiName": "what", "name": "What"},
        },
    )
    day.dialect("POST", f"{path}/{name}/approve.json")
    fields = {"attributes": [{"apiName": "size", "name": "Size", "dataType": "integer"}]}
    day.dialect("POST", f"{path}/{name}/attributes/create.json", fields)
    day.dialect("POST", f"{path}/{name}/approve.json")


def _static_list(day: Day) -> None:
    made = day.api("POST", "static-lists", {"name": f"Static {day.number}"})
    day.api("POST", f"static-lists/{made['id']}/members", {"people": day.people})
    day.until(lambda: len(day.api("GET", f"static-lists/{made['id']}/members")["results"]), len(day.people))


def _pages(day: Day) -> None:
    day.form("/admin/login/", username="neighbour", password=day.password, next="/admin/")
    for path in PAGES:
        if 'name="password"' in day.page(path):
            raise DayFailedError(f"{path} asks for a password")


def _log(day: Day) -> None:
    """A reader of the log gets what either version recorded, once."""
    position = json.loads(
        day._ask(
            "GET",
            "/rest/v1/activities/pagingtoken.json?sinceDatetime=2026-01-01T00:00:00Z",
            None,
            day.tokens["dialect"],
            {},
        )
    )["nextPageToken"]
    seen: list[str] = []
    while True:
        path = f"/rest/v1/activities.json?activityTypeIds={_type_id(day)}&nextPageToken={position}"
        answer = json.loads(day._ask("GET", path, None, day.tokens["dialect"], {}))
        seen += [row["marketoGUID"] for row in answer.get("result", ())]
        position = answer["nextPageToken"]
        if not answer["moreResult"]:
            break
    _all((len(seen), len(set(seen))), ((2 * len(day.people) + 1) * (day.number + 1),) * 2)


def _all(found: Any, wanted: Any) -> None:
    if found != wanted:
        raise DayFailedError(f"{found!r}, not {wanted!r}")


TRIES: Mapping[str, Callable[[Day], None]] = {
    "record, Marketo API": _record_dialect,
    "record, native API": _record_native,
    "campaign": _campaign,
    "smart list": _list,
    "static list": _static_list,
    "import people": _import,
    "import activities, Marketo API": _import_dialect,
    "export people": _export,
    "export activities, Marketo API": _export_dialect,
    "approve a type": _type,
    "read the log": _log,
    "admin pages": _pages,
}
