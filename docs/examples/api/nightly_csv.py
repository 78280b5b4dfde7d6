"""Record a CSV of booked tastings, every night: HOST=… CLIENT_ID=… CLIENT_SECRET=… nightly_csv.py FILE

    15 2 * * *  . /etc/activities.env && /usr/bin/python3 nightly_csv.py /data/bookings.csv

Columns: email, tasting, guests, booked_at. Rows are sent as a stream, so any file fits into little memory. The
external id names the row's content: a file sent twice, or cut off and sent again, doubles nothing. Refused rows are
written beside the file, with their reasons. Needs Python 3.11 and nothing else.
"""

import base64
import csv
import hashlib
import http.client
import json
import os
import sys
import urllib.parse
from collections.abc import Iterator

HOST = urllib.parse.urlsplit(os.environ["HOST"])


def connect() -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if HOST.scheme == "https" else http.client.HTTPConnection
    return kind(HOST.netloc, timeout=600)


def token() -> str:
    secret = base64.b64encode(f"{os.environ['CLIENT_ID']}:{os.environ['CLIENT_SECRET']}".encode()).decode()
    headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/x-www-form-urlencoded"}
    connection = connect()
    connection.request("POST", "/api/v1/oauth/token", "grant_type=client_credentials", headers)
    return json.load(connection.getresponse())["access_token"]


def activities(path: str) -> Iterator[bytes]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            activity = {
                "activity_type": "bookTasting",
                "person": {"email": row["email"]},
                "create_person": True,
                "occurred_at": row["booked_at"],
                "primary_value": row["tasting"],
                "attributes": {"guests": row["guests"]},
                "external_id": hashlib.sha256("\0".join(row.values()).encode()).hexdigest(),
            }
            yield json.dumps(activity).encode() + b"\n"


def main(path: str) -> int:
    connection = connect()
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/x-ndjson"}
    size = sum(len(line) for line in activities(path))
    connection.request("POST", "/api/v1/activities/stream", activities(path), {**headers, "Content-Length": str(size)})
    reply = connection.getresponse()
    if reply.status != 200:
        print(reply.read().decode(), file=sys.stderr)
        return 1
    with open(f"{path}.refused", "w", encoding="utf-8") as refused:
        for line in reply:
            outcome = json.loads(line)
            for error in outcome.get("errors", ()):
                # the first line of the file is its header
                print(f"line {outcome['line'] + 1}: {error.get('path', '')} {error['message']}", file=refused)
    summary = outcome["summary"]
    print(f"{summary['added']} added, {summary['repeated']} there before, {summary['refused']} refused")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
