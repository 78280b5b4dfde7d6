"""Copy person fields, activity types, static lists and the history of standard activities from a Marketo instance;
compare the two afterwards.

Needs Python 3.11, nothing else. Both sides speak the same API, so one small client talks to both:

    export MARKETO_HOST=https://123-ABC-456.mktorest.com MARKETO_CLIENT_ID=… MARKETO_CLIENT_SECRET=…
    export HOST=http://127.0.0.1:8000 CLIENT_ID=… CLIENT_SECRET=…
    python docs/examples/copy_from_marketo.py fields|types|history|lists|check

Every step can be run again: what is there already is left as it is. People are told apart by the field
`marketoId`, which `fields` creates; see docs/migrating-from-marketo.md for the order of the steps.
"""

import csv
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

KEY = "marketoId"
EXISTS = {"1017", "709"}
# data types of fields that programs cannot create, and what their values are kept as
KEPT_AS = {"textarea": "text", "formula": "string", "reference": "integer", "lead_function": "string"}
RATE_LIMITED = {"606", "615"}
# visits, forms, links and emails: what Marketo itself recorded, of which the past can be brought along
HISTORY = (1, 2, 3, 6, 7, 8, 9, 10, 11, 27)
HISTORY_FILE = "history.csv"
COLUMNS = ("marketoGUID", "leadId", "activityDate", "activityTypeId", "primaryAttributeValue", "attributes")


class Side:
    """One of the two instances."""

    def __init__(self, prefix: str) -> None:
        self.host = os.environ[f"{prefix}HOST"].rstrip("/")
        asked = {
            "grant_type": "client_credentials",
            "client_id": os.environ[f"{prefix}CLIENT_ID"],
            "client_secret": os.environ[f"{prefix}CLIENT_SECRET"],
        }
        address = f"{self.host}/identity/oauth/token?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(address, timeout=60) as reply:
            self.token = json.load(reply)["access_token"]

    def ask(self, path: str, body: object = None, form: dict | None = None, **query: object) -> dict:
        """The reply to a GET, or a POST with a JSON body or a form; errors as they come, but for limits."""
        address = f"{self.host}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        data, kind = (None, "") if body is None else (json.dumps(body).encode(), "application/json")
        if form is not None:
            data, kind = urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Content-Type": kind} if kind else {})
        while True:
            with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=120) as reply:
                found = json.load(reply)
            if found["success"] or found["errors"][0]["code"] not in RATE_LIMITED:
                return found
            time.sleep(5)

    def ask_natively(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> dict:
        """The reply of the native API, of which the target alone has one."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        request = urllib.request.Request(f"{self.host}/api/v1/{path}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=3600) as reply:
            return json.load(reply)

    def get(self, path: str, **query: object) -> list[dict]:
        """All rows, page after page."""
        rows: list[dict] = []
        while True:
            found = self.ask(path, **query)
            if not found["success"]:
                raise SystemExit(f"{self.host}{path}: {found['errors']}")
            rows += found.get("result", [])
            if "nextPageToken" not in found or found.get("moreResult") is False:
                return rows
            query["nextPageToken"] = found["nextPageToken"]


def done(reply: dict, what: str) -> str:
    """created, there already, or an end with the reason."""
    if reply["success"]:
        return "created"
    error = reply["errors"][0]
    if error["code"] in EXISTS:
        return "there already"
    raise SystemExit(f"{what}: {error['code']} {error['message']}")


def fields(source: Side, target: Side) -> None:
    """Fields of people that are not here yet, and the field that keeps Marketo's id of each; what was left is named."""
    path = "/rest/v1/leads/schema/fields.json"
    known = {row["name"] for row in target.get(path)}
    rows = source.get(path)
    wanted = [{"name": KEY, "displayName": "Marketo Id", "dataType": "integer", "isUnique": True}]
    wanted += [row for row in rows if row["name"] not in known | {KEY, "id"}]
    left = []
    for row in wanted:
        told = "there already" if row["name"] in known else made_field(target, path, row)
        print(f"field {row['name']}: {told}")
        left += [row["name"]] if told not in ("created", "there already") else []
    here = sum(row["name"] in known for row in rows)
    print(f"{here} fields of Marketo were here already; left: {', '.join(left) or '-'}")


def made_field(target: Side, path: str, row: dict) -> str:
    """created, there already, or why the field was left."""
    kept = {name: row[name] for name in ("name", "displayName", "description", "isHidden", "isUnique") if row.get(name)}
    data_type = KEPT_AS.get(row["dataType"], row["dataType"])
    (outcome,) = target.ask(path, {"input": [kept | {"dataType": data_type}]})["result"]
    reason = outcome.get("reasons", [{"code": ""}])[0]
    if reason["code"] in EXISTS:
        return "left: its label or its name in another spelling is taken here"
    return f"left: {reason['message']}" if reason["code"] else "created"


def types(source: Side, target: Side) -> None:
    """Approved activity types with their attributes; drafts are left for people to finish."""
    base = "/rest/v1/activities/external/type"
    known = {row["apiName"] for row in target.get(f"{base}s.json")}
    for row in source.get(f"{base}s.json"):
        if not row["status"].startswith("approved"):
            print(f"type {row['apiName']}: {row['status']}, left out")
            continue
        (found,) = source.get(f"{base}/{row['apiName']}/describe.json")
        members = ("apiName", "name", "description", "triggerName", "filterName", "primaryAttribute")
        told = done(
            target.ask(f"{base}.json", {name: found[name] for name in members if name in found}), row["apiName"]
        )
        if told == "created":
            if found.get("attributes"):
                done(
                    target.ask(f"{base}/{row['apiName']}/attributes/create.json", {"attributes": found["attributes"]}),
                    "attributes",
                )
            done(target.ask(f"{base}/{row['apiName']}/approve.json", {}), "approve")
        elif row["apiName"] not in known:
            told = "its API name belonged to a type that was deleted here, and is never given again"
        print(f"type {row['apiName']}: {told}")


def history(source: Side, target: Side) -> None:
    """Marketo's standard activities since SINCE, into a file, and from there as history: no campaign starts.

    The client needs the permission to import the history of standard activities, and people have to be there.
    """
    since, count = os.environ.get("SINCE", "2000-01-01"), 0
    token = source.ask("/rest/v1/activities/pagingtoken.json", sinceDatetime=since)["nextPageToken"]
    with open(HISTORY_FILE, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        has_more = True
        while has_more:
            page = source.ask(
                "/rest/v1/activities.json", nextPageToken=token, activityTypeIds=",".join(map(str, HISTORY))
            )
            if not page["success"]:
                raise SystemExit(f"activities: {page['errors']}")
            for row in page.get("result", []):
                values = {pair["name"]: pair["value"] for pair in row["attributes"]}
                row = {**row, "attributes": json.dumps(values), "marketoGUID": row.get("marketoGUID", row["id"])}
                out.writerow([row.get(column, "") for column in COLUMNS])
                count += 1
            token, has_more = page["nextPageToken"], page["moreResult"]
    print(f"history: {count} activities of Marketo in {HISTORY_FILE}")
    if count:
        imported(target)


def imported(target: Side) -> None:
    """Import the file, and wait until that is done."""
    with open(HISTORY_FILE, "rb") as file:
        job = target.ask_natively("POST", f"imports?kind=activities&name={HISTORY_FILE}", file.read(), "text/csv")
    plan = {
        "columns": {
            "occurred_at": "activityDate",
            "activity_type": "activityTypeId",
            "primary_value": "primaryAttributeValue",
            "attributes": "attributes",
            "external_id": "marketoGUID",
        },
        "person": "{leadId}",
        "lookup_field": KEY,
        "external_id": "column",
        "backfill": True,
    }
    target.ask_natively("PUT", f"imports/{job['id']}/plan", json.dumps(plan).encode())
    job = target.ask_natively("POST", f"imports/{job['id']}/start")
    while job["state"] == "importing":
        time.sleep(2)
        job = target.ask_natively("GET", f"imports/{job['id']}")
    counts = ", ".join(f"{job[name]} {name}" for name in ("added", "repeated", "refused"))
    print(f"history: import {job['id']} {job['state']}, {counts}")


def lists(source: Side, target: Side) -> None:
    """Static lists and who is on them; people have to be there."""
    for row in source.get("/rest/v1/lists.json"):
        form = {"name": row["name"], "folder": '{"id":1,"type":"Folder"}', "description": row.get("description", "")}
        told = done(target.ask("/rest/asset/v1/staticLists.json", form=form), row["name"])
        (ours,) = target.get("/rest/v1/lists.json", name=row["name"])
        wanted, added = members(source, row["id"]), 0
        for start in range(0, len(wanted), 300):
            part = wanted[start : start + 300]
            people = target.get("/rest/v1/leads.json", filterType=KEY, filterValues=",".join(part), fields="id")
            if people:
                target.ask(f"/rest/v1/lists/{ours['id']}/leads.json", {"input": [{"id": one["id"]} for one in people]})
            added += len(people)
        print(f"list {row['name']}: {told}, {added} of {len(wanted)} members")


def check(source: Side, target: Side) -> None:
    """Count activities of each custom type and members of each list on both sides; end with 1 when any differ.

    Set SINCE to leave out what is older on both sides, as Marketo itself does after 25 months, and UNTIL (UTC, like
    2026-11-24T13:55) to leave out what happened from then on, as programs record here already.
    """
    types_path = "/rest/v1/activities/external/types.json"
    ours = {row["apiName"]: row["id"] for row in target.get(types_path)}
    pairs = [
        (f"type {row['apiName']}", activities(source, row["id"]), activities(target, ours.get(row["apiName"])))
        for row in source.get(types_path)
        if row["status"].startswith("approved")
    ]
    for row in source.get("/rest/v1/lists.json"):
        found = target.get("/rest/v1/lists.json", name=row["name"])
        here = members(target, found[0]["id"]) if found else []
        pairs.append((f"list {row['name']}", len(members(source, row["id"])), len(here)))
    for what, there, here in pairs:
        print(f"{what}: {there} there, {here} here" + ("" if there == here else "  <-- differ"))
    sys.exit(any(there != here for _what, there, here in pairs))


def activities(side: Side, type_id: int | None) -> int:
    if type_id is None:
        return 0
    since, until = os.environ.get("SINCE", "2000-01-01"), os.environ.get("UNTIL", "9999-12-31")
    token = side.ask("/rest/v1/activities/pagingtoken.json", sinceDatetime=since)["nextPageToken"]
    rows = side.get("/rest/v1/activities.json", nextPageToken=token, activityTypeIds=type_id)
    return sum(row["activityDate"] < until for row in rows)


def members(side: Side, list_id: int) -> list[str]:
    return [str(lead["id"]) for lead in side.get(f"/rest/v1/lists/{list_id}/leads.json", fields="id")]


if __name__ == "__main__":
    steps = {step.__name__: step for step in (fields, types, history, lists, check)}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        sys.exit(f"one of: {', '.join(steps)}")
    steps[sys.argv[1]](Side("MARKETO_"), Side(""))
