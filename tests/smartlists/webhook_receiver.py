"""A receiver of webhooks: a real HTTP server on this machine that keeps what it was sent."""

import http.server
import threading
from contextlib import contextmanager


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps (path, headers, body) of every call; answers with the next of `replies`, else 200."""

    daemon_threads = True

    def __init__(self, replies=(), handler=None):
        super().__init__(("127.0.0.1", 0), handler or Handler)
        self.calls, self.replies, self.lock = [], list(replies), threading.Lock()

    @property
    def host(self):
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self):
        return f"http://{self.host}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.calls.append((self.path, dict(self.headers), body))
            status, headers, text = (*(self.server.replies.pop(0) if self.server.replies else (200,)), {}, b"")[:3]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_arguments):
        pass


@contextmanager
def receiver(replies=(), handler=None):
    server = Receiver(replies, handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
