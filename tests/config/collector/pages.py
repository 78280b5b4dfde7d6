"""A web page's browser as the collector sees it."""

import http.client
import json
import secrets
import time
import uuid

SITE = "https://www.example.com"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"


def new_hit(kind="page", data=None, **more):
    values = {"url": f"{SITE}/pricing?utm_source=mail", "title": "Pricing", "referrer": "", "data": data or {}}
    return {"id": str(uuid.uuid4()), "type": kind, "at": int(time.time() * 1000), **values, **more}


def new_batch(*hits, visitor=None, consent="unknown", **more):
    sent = int(time.time() * 1000)
    return {"v": 1, "sent": sent, "visitor": visitor, "consent": consent, "script": "1", "hits": list(hits)} | more


class Browser:
    """One visitor's browser, with a connection that stays open. Status, headers and body of the last answer are kept."""

    def __init__(self, port, key, origin=SITE, agent=CHROME, visitor=None):
        self.port, self.key, self.origin, self.agent = port, key, origin, agent
        self.visitor = visitor or secrets.token_hex(16)
        self._connection = None

    def send(self, *hits, **more):
        """The status of a batch."""
        return self.ask(
            "POST", f"/_a/e?k={self.key}&v=1", json.dumps(new_batch(*hits, **{"visitor": self.visitor, **more}))
        )

    def ask(self, method, path, body=None, **headers):
        sent = {"Content-Type": "text/plain", "User-Agent": self.agent, "Origin": self.origin}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value is not None}
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            self._connection.request(method, path, body, sent)
            reply = self._connection.getresponse()
            self.body, self.headers, self.status = reply.read(), reply.headers, reply.status
        except OSError:
            self.close()
            raise
        except http.client.HTTPException:
            self.close()
            raise
        return self.status

    @property
    def refused(self):
        return {item["id"]: item["code"] for item in json.loads(self.body)["refused"]}

    @property
    def code(self):
        return json.loads(self.body)["error"]["code"]

    def close(self):
        if self._connection is not None:
            self._connection.close()
        self._connection = None
