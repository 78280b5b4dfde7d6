"""A small server of the tests: the pages of web sites, and a collector that keeps what it is sent.

`*.test` leads here in the browser of these tests, so one server is several sites.
"""

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from activities.tracking.script import files

KEY = "cab_012345678901234567890123"
PATIENCE = 15.0  # seconds


class Collector(ThreadingHTTPServer):
    """`answers`: (status, headers, seconds of waiting) for the next requests to /e; then `answer` for all further."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.changed = threading.Condition()
        self.pages, self.configurations = {}, {}
        self.reset()

    def reset(self):
        with self.changed:
            self.batches, self.requests, self.answers, self.paths = [], [], [], []
            self.answer, self.answer_text = (204, {}, 0), b""
            self.pages.clear()
            self.configurations.clear()
            self.configurations[KEY] = {"consent": "granted"}

    def host(self, name):
        return f"http://{name}:{self.server_port}"

    @property
    def snippet(self):
        return files.queue_tag() + files.script_tag(f"{self.host('track.test')}/_a/s/{KEY}.js")

    def configure(self, **settings):
        self.configurations[KEY] = {"consent": "granted"} | settings

    def add_page(self, path, body="", head=None, **headers):
        """A page of every site; `head` stands in place of the snippet."""
        snippet = self.snippet if head is None else head
        html = f"<!doctype html><html><head><title>{path}</title>{snippet}</head><body>{body}</body></html>"
        self.pages[path] = (html, headers)

    def accepted(self, kind=None):
        """Hits of answered batches in order of arrival, each id once."""
        with self.changed:
            hits = {hit["id"]: hit for batch in self.batches if batch["status"] < 300 for hit in batch["body"]["hits"]}
        return [hit for hit in hits.values() if kind in (None, hit["type"])]

    def wait(self, condition):
        """Wait until `condition(self)` holds, and return what it gave."""
        ends = time.monotonic() + PATIENCE
        while not (value := condition(self)):
            with self.changed:
                self.changed.wait(0.1)
            assert time.monotonic() < ends, [batch["body"] for batch in self.batches]
        return value

    def wait_hits(self, count, kind=None):
        return self.wait(lambda server: len(hits := server.accepted(kind)) >= count and hits)

    def keep(self, where, item):
        with self.changed:
            where.append(item)
            self.changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address = urlsplit(self.path)
        if "/webevents/" in address.path:
            return self.keep_webevent()
        if address.path.startswith("/_a/"):
            return self.serve_script(address)
        html, headers = self.server.pages.get(address.path, ("<!doctype html><title>no page</title>", {}))
        self.reply(200, html.encode(), {"Content-Type": "text/html; charset=utf-8"} | headers)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "/webevents/" in self.path:
            return self.keep_webevent()
        if not self.path.startswith("/_a/e?"):
            return self.reply(200, b"<!doctype html><title>sent</title>", {"Content-Type": "text/html"})
        with self.server.changed:
            status, headers, delay = self.server.answers.pop(0) if self.server.answers else self.server.answer
        batch = {
            "status": status,
            "headers": dict(self.headers),
            "query": self.path.partition("?")[2],
            "size": len(body),
            "body": json.loads(body),
        }
        if delay:
            time.sleep(delay)
            if self.is_given_up():
                return
        self.server.keep(self.server.batches, batch)
        origin = {"Access-Control-Allow-Origin": self.headers.get("Origin", ""), "Vary": "Origin"}
        exposed = {"Access-Control-Expose-Headers": "Retry-After"}
        text = self.server.answer_text.replace(b"%s", batch["body"]["hits"][0]["id"].encode())
        self.reply(status, text if status == 200 else b"", origin | exposed | headers)

    def is_given_up(self):
        """True if the browser has closed the connection meanwhile: such a request counts as lost on its way."""
        try:
            self.close_connection = not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        return self.close_connection

    def do_OPTIONS(self):
        self.server.keep(self.server.requests, ("preflight", self.path))
        self.reply(204, b"", {"Access-Control-Allow-Origin": "*"})

    def serve_script(self, address):
        parts = address.path.removeprefix("/_a/").split("/")
        self.server.keep(self.server.paths, (address.path, address.query))
        self.server.keep(self.server.requests, (address.path, dict(self.headers)))
        kind = {"Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
        if parts[0] == "s" and len(parts) == 3:
            content = files.fixed_file(parts[1], parts[2])
            return self.reply(404 if content is None else 200, content or b"", kind)
        if parts[0] == "s":
            key = parts[1].removesuffix(".js")
            settings = {"key": key, "base": "/_a"} | self.server.configurations[key]
            return self.reply(200, files.configured_file(settings), kind)
        if parts[0] == "munchkin":
            settings = {"key": KEY, "base": "/_a"} | self.server.configurations[KEY]
            return self.reply(200, files.configured_file(settings, "munchkin.js"), kind)
        if parts[0] == "munchkin.js":
            return self.reply(200, files.fixed_file(files.current_version(), "munchkin.js"), kind)
        return self.reply(204, b"", kind)

    def keep_webevent(self):
        address = urlsplit(self.path)
        item = (address.path.rpartition("/")[2], dict(parse_qsl(address.query, keep_blank_values=True)), self.command)
        self.server.keep(self.server.paths, (address.path, address.query))
        self.server.keep(self.server.requests, item)
        self.reply(200, b"OK", {"Content-Type": "text/plain"})

    def reply(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@contextmanager
def running_collector():
    server = Collector()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def fixed_page_tag(base: str, configuration) -> str:
    """The line for the present version with its digest: the page decides when it takes a newer one."""
    settings = json.dumps(configuration, separators=(",", ":"), sort_keys=True)
    quoted = settings.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return (
        f'<script async src="{base}/s/{files.current_version()}/{files.SCRIPT}" integrity="{files.integrity_digest()}" crossorigin="anonymous"'
        f' data-config="{quoted}"></script>'
    )
