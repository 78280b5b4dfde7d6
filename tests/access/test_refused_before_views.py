"""Refusals before or beside any view: each API answers in its own form, whatever is wrong."""

import pytest
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFilesSent,
)
from django.http.multipartparser import MultiPartParserError
from django.middleware.common import CommonMiddleware
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
MANY = "&".join(f"a{number}=1" for number in range(1_100))
NATIVE = ("/api/v1/people", "/api/v1/activities/batch", "/api/v1/openapi.json", "/api/v1/nothing", "/api/v1", "/api/x")
MARKETO = (
    *("/rest/v1/leads.json", "/rest/asset/v1/folders.json", "/rest/nothing", "/bulk/v1/leads.json", "/bulk"),
    *("/userservice/management/v1/users/allusers.json", "/identity/nothing"),
)
TOKENS = ("/identity/oauth/token", "/api/v1/oauth/token")


def foreign_host(client, path, _monkeypatch):
    return client.get(path, headers={"Host": "evil.example"})


def malformed_host(client, path, _monkeypatch):
    return client.post(path, b"{}", content_type="application/json", headers={"Host": "a b"})


def many_parameters(client, path, _monkeypatch):
    return client.get(f"{path}?{MANY}")


def many_fields(client, path, _monkeypatch):
    return client.post(path, MANY, content_type=FORM)


def broken_multipart(client, path, _monkeypatch):
    return client.post(path, b"--x\r\nnonsense", content_type=MULTIPART)


def bad_multipart_length(client, path, _monkeypatch):
    return client.post(path, b"--x--", content_type="multipart/form-data")


def broken_text(client, path, _monkeypatch):
    return client.generic("GET", f"{path}?a=%ff%fe%00")


def unknown_method(client, path, _monkeypatch):
    return client.generic("BREW", path)


def raised(error):
    """By a middleware, as a check of Django's own could."""

    def ask(client, path, monkeypatch):
        def refuse(_middleware, _request):
            raise error

        monkeypatch.setattr(CommonMiddleware, "process_request", refuse)
        return client.post(path, b"{}", content_type="application/json")

    ask.__name__ = f"raised_{type(error).__name__}"
    return ask


CONDITIONS = (
    *(foreign_host, malformed_host, many_parameters, many_fields, broken_multipart, bad_multipart_length),
    *(broken_text, unknown_method),
    *map(raised, (SuspiciousOperation("x"), BadRequest("x"), RequestDataTooBig("x"), TooManyFilesSent("x"))),
    *map(raised, (MultiPartParserError("x"), PermissionDenied("x"))),
)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.__name__)
@pytest.mark.parametrize("path", [*NATIVE, *MARKETO, *TOKENS])
def test_it_is_answered_in_the_form_of_the_api(condition, path, monkeypatch):
    reply = condition(Client(raise_request_exception=False), path, monkeypatch)
    said = f"{reply.status_code} {reply.headers['Content-Type']} {reply.content[:200]}"
    if path in TOKENS:
        ok = reply.status_code in range(400, 500) and set(reply.json()) >= {"error", "error_description"}
    elif path in NATIVE:
        ok = reply.headers["Content-Type"] == "application/problem+json" and reply.status_code in range(400, 500)
        ok = ok and reply.json()["status"] == reply.status_code and reply.json()["code"]
    elif reply.status_code == 413:
        ok = reply.headers["Content-Type"].startswith("text/plain")
    else:
        ok = reply.status_code == 200 and reply.json()["success"] is False and reply.json()["errors"][0]["code"]
    assert ok, said


def test_a_foreign_host_is_told_as_what_it_is():
    reply = Client().get("/api/v1/people", headers={"Host": "evil.example"})
    assert reply.json()["errors"][0]["parameter"] == "Host"
    assert (
        "host name"
        in Client().get("/rest/v1/leads.json", headers={"Host": "evil.example"}).json()["errors"][0]["message"]
    )


@pytest.mark.parametrize("path", ["/admin/", "/api/docs/", "/nothing"])
def test_pages_stay_pages(path):
    reply = Client(raise_request_exception=False).get(path, headers={"Host": "evil.example"})
    assert (reply.status_code, reply.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
