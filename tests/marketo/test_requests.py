"""Before any view: addresses, lengths, override, compression, and the token in all its places; with a real server."""

import gzip
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from urllib.parse import urlencode

import pytest
from django.conf import global_settings
from django.conf import settings as product
from django.db import connection
from django.test import RequestFactory

from config.access.clients import editing as client_editing
from config.marketo.wire.middleware import MarketoMiddleware
from tests.marketo.conftest import code, result

TYPES = "/rest/v1/activities/types.json"
EXTERNAL = "/rest/v1/activities/external.json"


@pytest.mark.parametrize(
    "path",
    [
        "/rest/../rest/v1/activities/types.json",
        "/rest/v1/./activities/types.json",
        "/rest//v1/activities//types.json",
        "/bulk/%2e%2e/rest/v1/activities/types.json",
    ],
)
def test_dot_segments_are_normalised(path):
    seen = []
    MarketoMiddleware(lambda request: seen.append(request.path_info) or _Reply())(RequestFactory().get(path))
    assert seen == [TYPES]


class _Reply:
    streaming = True


def test_paths_of_pages_are_left_alone():
    seen = []
    MarketoMiddleware(lambda request: seen.append(request.path_info) or _Reply())(
        RequestFactory().get("/admin//x/../y")
    )
    assert seen == ["/admin//x/../y"]


def test_lengths(dialect):
    assert dialect.get("/rest/v1/nothing.json", x="y" * 9_000).status_code == 414
    assert dialect.get("/rest/asset/v1/staticLists.json", x="y" * 9_000).status_code == 200
    assert dialect.get("/rest/asset/v1/staticLists.json", x="y" * 66_000).status_code == 414
    assert dialect.post("/rest/v1/nothing.json", b"x" * 1_048_577).status_code == 413
    assert dialect.post("/rest/v1/activities/external.json", b"x" * 1_048_576).status_code == 200


def test_the_method_in_query_or_form(dialect):
    assert result(dialect.post(f"{TYPES}?_method=GET"))
    assert result(dialect.form(TYPES, _method="get"))
    assert result(dialect.request("get", TYPES)) and code(dialect.post(TYPES)) == "605"
    assert dialect.get(f"{TYPES}?_method=PATCH").json()["errors"] == [
        {"code": "605", "message": "Request method 'PATCH' not supported"}
    ]
    # a GET that carries a form, as a public client sends it
    reply = dialect.client.generic(
        "GET",
        TYPES,
        "_method=GET&batchSize=5",
        content_type="application/x-www-form-urlencoded",
        headers=dialect.headers,
    )
    assert result(reply)


def test_large_replies_are_compressed_for_those_who_can_read_them(dialect):
    plain = dialect.get(TYPES)
    packed = dialect.client.get(TYPES, headers=dialect.headers | {"Accept-Encoding": "gzip, deflate"})
    assert packed["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain
    assert json.loads(gzip.decompress(packed.content))["result"] == plain.json()["result"]
    small = dialect.client.get("/rest/v1/lead/999.json", headers=dialect.headers | {"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small


def test_the_token_in_every_place(client, credentials, settings):
    token = client_editing.client_token(credentials.client).text
    multipart = {"access_token": token, "_method": "GET"}
    asks = [
        lambda: client.get(f"{TYPES}?access_token={token}"),
        lambda: client.post(TYPES, urlencode(multipart), content_type="application/x-www-form-urlencoded"),
        lambda: client.post(TYPES, multipart),
    ]
    assert all(ask().json()["success"] for ask in asks)
    both = client.get(f"{TYPES}?access_token=nonsense", headers={"Authorization": f"bearer {token}"})
    assert both.json()["success"]
    settings.DIALECT_TOKEN_IN_QUERY = False
    assert {ask().json()["errors"][0]["code"] for ask in asks} == {"601"}


def test_a_token_request_in_every_form(client, credentials):
    fields = {
        "grant_type": "client_credentials",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
    }
    url = "/identity/oauth/token"
    replies = [
        client.get(url, fields),
        client.post(f"{url}?{urlencode(fields)}"),
        client.post(url, fields),
        client.post(url, urlencode(fields), content_type="application/x-www-form-urlencoded"),
        client.get(url, fields | {"partner_id": "x"}),
    ]
    assert len({reply.json()["access_token"] for reply in replies}) == 1
    assert client.post("/rest/identity/oauth/token", fields).json()["errors"][0]["code"] == "610"
    for bad in (
        {"client_id": "\ud800".encode("utf-8", "surrogatepass")},
        {"client_id": "a\0b"},
        {"grant_type": "x" * 500},
    ):
        reply = client.post(url, fields | bad)
        assert reply.status_code in {400, 401} and set(reply.json()) == {"error", "error_description"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_real_server_keeps_tokens_and_secrets_out_of_its_log(settings, owner):
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS  # those of the server
    credentials = client_editing.create_client("Bank core", owner, None)
    token = client_editing.client_token(credentials.client).text
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "WEB_PORT": str(port),
        "WEB_WORKERS": "1",
        "ACCESS_LOG": "on",
        "EMBEDDED_POSTGRES_ATTACH": "1",
        "DATA_DIR": str(product.DATA_DIR),
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
        "BIND": "127.0.0.1",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py", "config.wsgi"],
        env=environment,
        cwd=product.BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait_for(port)
        asked = urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret,
            }
        )
        assert json.loads(_send(port, "GET", f"/identity/oauth/token?{asked}"))["access_token"] == token
        assert json.loads(_send(port, "GET", f"{TYPES}?access_token={token}"))["success"]
        normalised = json.loads(
            _send(port, "POST", "/rest/../rest/v1/lists.json?_method=GET", headers={"Authorization": f"Bearer {token}"})
        )
        assert normalised["result"] == []
        chunked = json.loads(
            _send(
                port,
                "POST",
                "/rest/v1/leads.json",
                iter([b'{"input": [{"ema', b'il": "a@example.com"}]}']),
                {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
        )
        assert chunked["result"][0]["status"] == "created"
        assert b"Too Large" in _send(
            port, "POST", "/rest/v1/leads.json", iter([b"x" * 65_536] * 17), {"Authorization": f"Bearer {token}"}
        )
        assert b"Too Long" in _send(port, "GET", f"{TYPES}?x={'y' * 65_536}")
        assert b"Too Long" in _send(port, "GET", f"/rest/asset/v1/staticLists.json?x={'y' * 65_536}")
        for target in (f"{TYPES}?since=2026-11-20 10:00&access_token={token}", f"{TYPES}?access_token={token}&x=\0"):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
                line.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                assert line.recv(100).startswith(b"HTTP/1.1 400")
    finally:
        server.terminate()
        said = server.communicate(timeout=30)[0]
    assert said.count("Invalid request from ip=127.0.0.1: Invalid HTTP") == 2
    assert f"GET {TYPES} 200" in said and "GET /identity/oauth/token 200" in said
    assert token not in said and credentials.client_secret not in said and credentials.client_id not in said
    assert not re.search("Traceback|access_token", said)


def _send(port, method, path, body=None, headers=None):
    host = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    host.request(method, path, body, headers or {}, encode_chunked=body is not None)
    return host.getresponse().read()


def _wait_for(port):
    for _attempt in range(200):
        try:
            return _send(port, "GET", "/healthz")
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")
