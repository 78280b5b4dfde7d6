"""Receive webhooks of a booking tool and record them: HOST=… CLIENT_ID=… CLIENT_SECRET=… webhook_receiver.py [PORT]

A hook is JSON like
{"id": "e-17", "email": "ann@example.com", "title": "Friday at noon", "guests": 4, "at": "2026-11-20T10:00:00Z"}.
It is answered 200 only when the activity is committed, so a tool that repeats what was not answered loses nothing;
its id as the external id keeps repeats from being stored twice. Needs Python 3.11 and nothing else.
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = os.environ["HOST"]
_token = {"text": "", "ends": 0.0}


def call(path: str, data: bytes, headers: dict[str, str]) -> Any:
    with urllib.request.urlopen(urllib.request.Request(HOST + path, data, headers), timeout=30) as reply:
        return json.load(reply)


def token() -> str:
    if time.monotonic() > _token["ends"]:
        secret = base64.b64encode(f"{os.environ['CLIENT_ID']}:{os.environ['CLIENT_SECRET']}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/x-www-form-urlencoded"}
        found = call("/api/v1/oauth/token", b"grant_type=client_credentials", headers)
        _token.update(text=found["access_token"], ends=time.monotonic() + found["expires_in"] - 60)
    return str(_token["text"])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        try:
            hook = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            activity = {
                "activity_type": "bookTasting",
                "person": {"email": hook["email"]},
                "create_person": True,
                "occurred_at": hook["at"],
                "primary_value": hook["title"],
                "attributes": {"guests": hook.get("guests")},
                "external_id": hook["id"],
            }
        except (ValueError, KeyError, TypeError) as error:
            return self.answer(400, f"not a hook: {error!r}")
        headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}
        try:
            recorded = call("/api/v1/activities", json.dumps(activity).encode(), headers)
        except urllib.error.HTTPError as error:
            # 4xx will not get better by being repeated; everything else will
            return self.answer(422 if 400 <= error.code < 500 and error.code != 429 else 503, error.read().decode())
        except OSError as error:
            return self.answer(503, str(error))
        return self.answer(200, json.dumps({"activity": recorded["id"]}))

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8200), Receiver).serve_forever()
