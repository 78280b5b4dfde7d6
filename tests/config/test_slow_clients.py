"""Slow clients hold no thread, and a request has bounds before anything of it is believed."""

import contextlib
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model

from activities.models import Activity
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.server.framing import Bounds, Incoming, RefusedRequestError
from people.models import Import
from tests.factories import approved_type, make_person
from tests.server import running_web_server

HEAD = b"POST /identity/oauth/token HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BODY = HEAD + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 50000\r\n\r\n" + b"a" * 100
CHUNKS = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
BOUNDS = Bounds(line=200, head=400, body=1_000)


@contextlib.contextmanager
def connections(port, number, sent, received=None):
    """So many connections on which `sent` was sent and nothing follows."""
    with contextlib.ExitStack() as opened:
        found = []
        for _number in range(number):
            connected = opened.enter_context(socket.socket())
            if received:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
            connected.settimeout(20)
            connected.connect(("127.0.0.1", port))
            connected.sendall(sent)
            found.append(connected)
        yield found


def answer(port, request):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connected:
        with contextlib.suppress(OSError):
            connected.sendall(request)
        text = b""
        with contextlib.suppress(OSError):
            while piece := connected.recv(65_536):
                text += piece
    return text


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_forty_slow_clients_keep_two_threads_from_nobody():
    with running_web_server(WEB_THREADS="2", WEB_HEAD_SECONDS="60") as server:
        large = b"GET /static/admin/js/vendor/jquery/jquery.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        stream = b"POST /api/v1/activities/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\n"
        for sent in (b"", HEAD, BODY, stream):
            with connections(server.port, 40, sent):
                assert [server.get("/healthz")[0] for _request in range(5)] == [200] * 5, sent
        with connections(server.port, 40, large, received=4_096):
            assert [server.get("/healthz")[0] for _request in range(5)] == [200] * 5


ROW = '{"activity_type": "depositCheck", "person": %d, "occurred_at": "2026-11-20", "primary_value": "No. 1"}'


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_body_that_ends_too_early_is_never_taken_for_a_whole_one():
    """The received part ends in a whole row: only the framing shows that more was to come."""
    check, ann = approved_type(), make_person()
    owner = get_user_model().objects.create_superuser("olga")
    token = tokens.issue_token(client_editing.create_client("Bank core", owner, None).client).text
    with running_web_server() as server:
        for path in ("imports?kind=people&name=f.csv", "activities/stream"):
            for framing in ("length", "chunks"):
                reply = answer_to_a_part(server.port, token, ann, path, framing)
                sample = (path, framing, reply)
                assert reply.startswith(b"HTTP/1.1 400") and b'"incomplete_body"' in reply, sample
                assert not Import.objects.exists(), sample
                assert not Activity.objects.filter(activity_type_id=check.pk).exists(), sample


def answer_to_a_part(port, token, ann, path, framing):
    is_import = path.startswith("imports")
    body = b"email\nbob@example.com" if is_import else (ROW % ann.pk).encode()
    head = f"POST /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Type: {'text/csv' if is_import else 'application/x-ndjson'}\r\n"
    sent = f"{head}Content-Length: {len(body) + 1}\r\n\r\n".encode() + body
    if framing == "chunks":
        sent = f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connected:
        connected.sendall(sent)
        connected.shutdown(socket.SHUT_WR)
        reply = b""
        while piece := connected.recv(65_536):
            reply += piece
    return reply


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_beside_slow_clients_a_killed_process_is_replaced_and_a_reload_keeps_nobody_waiting():
    with running_web_server(WEB_THREADS="2", WEB_HEAD_SECONDS="60", WEB_BODY_SECONDS="60") as server:
        for number in (signal.SIGKILL, signal.SIGHUP):
            with connections(server.port, 20, HEAD), connections(server.port, 20, BODY):
                (before,) = processes(server)
                if number == signal.SIGKILL:
                    os.kill(before, number)
                else:
                    server.signal(number)
                deadline = time.monotonic() + 30
                while before in processes(server) or not processes(server):
                    assert time.monotonic() < deadline, "the process is still there, or none took its place"
                    time.sleep(0.1)
                assert [server.get("/healthz")[0] for _request in range(5)] == [200] * 5


def processes(server):
    """The ids of the server's processes that answer requests."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if "gunicorn" in Path(f"/proc/{pid}/cmdline").read_text()]


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_request_is_bounded_in_bytes_and_seconds_and_the_answer_says_how():
    with running_web_server(WEB_HEAD_SECONDS="1", WEB_BODY_SECONDS="2") as server:
        long = b"GET /api/v1/people?q=" + b"a" * 80_000
        assert answer(server.port, long).startswith(b"HTTP/1.1 414") and b"problem+json" in answer(server.port, long)
        assert answer(server.port, HEAD + b"X: " + b"a" * 200_000).startswith(b"HTTP/1.1 431")
        started = time.monotonic()
        assert answer(server.port, HEAD).startswith(b"HTTP/1.1 408"), "a head has its seconds"
        assert answer(server.port, BODY).startswith(b"HTTP/1.1 408"), "so has a body"
        assert time.monotonic() - started < 15
        many = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: 1\r\n" * 500 + b"\r\n"
        assert answer(server.port, many).startswith(b"HTTP/1.1 431")


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_requests_in_a_row_bodies_in_chunks_and_expectations_are_answered():
    ask = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with running_web_server() as server:
        both = answer(server.port, ask + b"\r\n" + ask + b"Connection: close\r\n\r\n")
        assert both.count(b"HTTP/1.1 200") == 2
        form = HEAD + b"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
        chunks = b"Transfer-Encoding: chunked\r\n\r\n" + b"d\r\ngrant_type=no\r\n0\r\n\r\n"
        assert b"unsupported_grant_type" in answer(server.port, form + chunks)
        with connections(server.port, 1, form + b"Expect: 100-continue\r\nContent-Length: 13\r\n\r\n") as (waiting,):
            assert waiting.recv(100).startswith(b"HTTP/1.1 100")
            waiting.sendall(b"grant_type=no")
            assert waiting.recv(1_000).startswith(b"HTTP/1.1 400")
        two = answer(server.port, HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")
        assert two.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_a_request_ends_where_it_ends_however_it_is_cut(size):
    sized = b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
    for request in (CHUNKS, sized, b"GET / HTTP/1.1\r\n\r\n"):
        incoming = Incoming(BOUNDS)
        data = request + b"GET /next"
        for at in range(0, len(data), size):
            if not incoming.is_complete:
                incoming.feed(data[at : at + size])
        incoming.hand_over()
        assert incoming.is_complete and b"GET /next".startswith(incoming.rest)
        assert b"".join(iter(lambda known=incoming: known.recv(3), b"")) == request


def test_what_is_larger_than_is_collected_is_a_stream():
    for request in (
        b"POST /x HTTP/1.1\r\nContent-Length: 1001\r\n\r\n",
        b"POST /api/v1/imports?kind=people HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
    ):
        incoming = Incoming(BOUNDS)
        incoming.feed(request)
        assert incoming.is_stream and not incoming.is_complete
    incoming = Incoming(BOUNDS)
    incoming.feed(b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n500\r\n" + b"a" * 1_100)
    assert incoming.is_stream


@pytest.mark.parametrize(
    ("text", "status"), [(b"GET /" + b"a" * 300, 414), (b"GET / HTTP/1.1\r\nX: " + b"a" * 500, 431)]
)
def test_bounds_hold_before_the_end_is_there(text, status):
    incoming = Incoming(BOUNDS)
    with pytest.raises(RefusedRequestError) as error:
        for at in range(len(text)):
            incoming.feed(text[at : at + 1])
    assert error.value.status == status


MALFORMED_SIZES = ["0x10", "+5", "-1", " 5", "5_0", "", "５", "g", "5 x", "1" * 16]


@pytest.mark.parametrize("size", MALFORMED_SIZES)
def test_the_size_of_a_chunk_is_hexadecimal_digits_alone(size):
    text = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + size.encode() + b"\r\nhello\r\n0\r\n\r\n"
    for step in (1, len(text)):
        incoming = Incoming(BOUNDS)
        with pytest.raises(RefusedRequestError) as error:
            for at in range(0, len(text), step):
                incoming.feed(text[at : at + step])
        assert error.value.status == 400


@pytest.mark.parametrize("size", ["5", "05", "5;name=value", "5 ; name"])
def test_sizes_may_have_extensions(size):
    incoming = Incoming(BOUNDS)
    incoming.feed(b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\nhello\r\n0\r\n\r\n" % size.encode())
    assert incoming.is_complete


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_malformed_chunks_are_400_on_every_surface_without_credentials():
    get_user_model().objects.create_superuser("olga")
    paths = (
        *("api/v1/people", "api/v1/activities/batch", "api/v1/activities/stream", "api/v1/imports", "api/v1/none"),
        *("rest/v1/leads.json", "bulk/v1/leads.json", "identity/oauth/token", "admin/login/", "forms/x/", "healthz"),
    )
    with running_web_server() as server:
        for path in paths:
            head = f"POST /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n".encode()
            head += b"Transfer-Encoding: chunked\r\n\r\n"
            for size in MALFORMED_SIZES:
                sent = head + size.encode() + b"\r\nhello\r\n0\r\n\r\n"
                assert answer(server.port, sent).startswith(b"HTTP/1.1 400"), (path, size)
            for body in (
                b"5\r\nhelloXX0\r\n\r\n",
                b'5;"\r\nhello\r\n0\r\n\r\n',
                b"5\r\nhello\r\n0\r\nbad header\r\n\r\n",
            ):
                status = answer(server.port, head + body)[:12]
                assert status.startswith(b"HTTP/1.1 ") and status[9:10] != b"5", (path, body, status)
