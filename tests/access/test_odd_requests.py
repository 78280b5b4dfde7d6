"""Requests that no client should send, at every address: refused with a sentence, never a fault of ours."""

import re
from itertools import product
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from activities.models import ActivityType
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.api.idempotency import METHODS
from people.admin.exports import ExportForm
from people.core.numerals import whole_number
from tests.access.route_walker import PLACE, address, build_world
from tests.access.test_routes import table
from tests.api.conftest import Api

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]
SOURCES = [path for folder in ("people", "activities", "smartlists", "config") for path in Path(folder).rglob("*.py")]


@pytest.fixture
def superuser():
    return get_user_model().objects.create_superuser("olga")


@pytest.fixture
def browser(superuser):
    client = Client(raise_request_exception=False)
    client.force_login(superuser)
    return client


@pytest.fixture
def program(superuser):
    made = client_editing.create_client("Program", superuser, None, client_editing.grantable_rights()).client
    return Api(Client(raise_request_exception=False), tokens.issue_token(made).text)


def test_every_resource_names_its_methods(program, superuser):
    world, wrong = build_world(superuser), []
    for route, methods in table().items():
        if not route.startswith("api/v1/") or not set(methods) - {"POST"}:
            continue
        reply = program("OPTIONS", address(route, world).removeprefix("/api/v1/"))
        named = {word.strip() for word in reply.headers.get("Allow", "").split(",")}
        if reply.status_code >= 500 or (reply.status_code < 400 and not set(methods) <= named):
            wrong.append(f"{route}: {reply.status_code}, {named}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.usefixtures("undrawn")
def test_a_method_that_a_resource_does_not_take_is_405_before_its_key_and_body_are_looked_at(program, superuser):
    world, wrong, walked = build_world(superuser), [], 0
    made = program.post("static-lists", {"name": "Seeds"}, Idempotency_Key="used")
    assert made.status_code == 201, made.content
    odd = ({"Idempotency_Key": "used"}, {"Idempotency_Key": "no key"}, {"Content_Encoding": "br"})
    for route, methods in table().items():
        if not route.startswith("api/v1/") or route.endswith("openapi.json"):
            continue
        for method, headers in product(sorted(METHODS - set(methods)), odd):
            reply = program(method, address(route, world).removeprefix("/api/v1/"), {"a": 1}, **headers)
            walked += 1
            if reply.status_code != 405 or set(methods) & METHODS - {*reply.headers["Allow"].split(", ")}:
                wrong.append(f"{method} {route}: {reply.status_code} with {headers}")
    assert walked > 500 and not wrong, "\n".join(wrong)


class BrokenBody:
    """A body whose end never comes, as a connection that was cut."""

    def read(self, *_size):
        raise OSError("the connection was cut")

    readline = read


@pytest.mark.usefixtures("undrawn")
def test_a_body_that_breaks_off_is_refused_at_every_address(browser, program, superuser):
    world, wrong = build_world(superuser), []
    for route, methods in table().items():
        if "POST" not in methods:
            continue
        headers = program.headers if route.startswith(("api/", "rest/", "bulk/")) else {}
        chunked = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
        for content_type, more in product(("multipart/form-data; boundary=x", "application/json"), ({}, chunked)):
            reply = browser.generic(
                "POST",
                address(route, world),
                b"x" * 100,
                content_type=content_type,
                headers=headers,
                **{"wsgi.input": BrokenBody(), **more},
            )
            if reply.status_code >= 500 or b'"611"' in getattr(reply, "content", b""):
                wrong.append(f"{route}: {reply.status_code}, {content_type} {more}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_number_or_name_that_is_none_in_an_address_is_nobodys(browser, program, superuser):
    names, wrong = build_world(superuser).keys(), []
    routes = [route for route, methods in table().items() if PLACE.search(route) and "GET" in methods]
    for route, odd in product(routes, ("²", "9" * 400, "٣", "-1", "%00", "a%00b")):
        path = address(route, dict.fromkeys(names, odd))
        client = program.client if route.startswith("api/") else browser
        reply = client.get(path, headers=program.headers if route.startswith("api/") else {})
        if reply.status_code >= 500:
            wrong.append(f"{path}: {reply.status_code}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_a_form_from_a_session_is_refused_by_every_resource(kind, superuser):
    """The check of a session's requests reads a form, before the resource does."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(superuser)
    client.cookies["csrftoken"] = "a" * 32
    world, wrong = build_world(superuser), []
    for route, methods in table().items():
        if route.startswith("api/v1/") and "POST" in methods:
            reply = client.post(address(route, world), b"a=1&" * 3_000, content_type=kind)
            if reply.status_code >= 500 or reply.status_code < 400:
                wrong.append(f"{route}: {reply.status_code}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_at_the_end_of_the_calendar_is_out_of_range(day, browser, superuser):
    """Days whose end, week, period before or midnight in UTC is in no calendar."""
    world = build_world(superuser)
    pages = {
        "admin/reports/": {"type": ActivityType.objects.approved()[0].pk, "compare": "on"},
        "admin/audit/": {},
        "admin/activities/activitytype/timeline/<int:person_id>/": {},
        "admin/activities/activitytype/timeline/<int:person_id>/export/": {},
    }
    for route, more in pages.items():
        reply = browser.get(address(route, world), more | {"since": day, "until": day, "at": day})
        assert reply.status_code == 200, route
    form = ExportForm({"contents": "x", "format": "csv", "since": day, "until": day}, user=superuser)
    assert {"since", "until"} <= set(form.errors)


def test_an_unknown_ordering_is_refused_by_every_list(program, superuser):
    world, wrong = build_world(superuser), []
    for route, methods in table().items():
        if route.startswith("api/v1/") and "GET" in methods and "openapi" not in route:
            path = address(route, world).removeprefix("/api/v1/")
            if program.get(path).status_code == 200 and program.get(f"{path}?ordering=moon").status_code == 200:
                wrong.append(route)
    assert not wrong, "\n".join(wrong)


# RFC 6749 §3.2: what is not known is ignored; where there is nothing
TAKES_ANYTHING = {"api/v1/oauth/token", "api/v1/[\\s\\S]*$"}
READS = {"format": {"api/v1/openapi.json", "api/v1/exports", "api/v1/webhooks"}}


def test_a_parameter_that_nobody_reads_or_given_twice_is_refused_by_every_route(program, superuser):
    world, wrong = build_world(superuser), []
    queries = ("moon=1", "format=xml", "fields=id&fields=name")
    for query, (route, methods) in product(queries, table().items()):
        name = query.partition("=")[0]
        if not route.startswith("api/v1/") or route in TAKES_ANYTHING | READS.get(name, set()):
            continue
        for method in methods:
            path = f"{address(route, world).removeprefix('/api/v1/')}?{query}"
            reply = program(method, path, None if method == "GET" else {})
            fault = reply.json() if reply.content else {}
            if reply.status_code != 400 or fault["errors"][0].get("parameter") != name:
                wrong.append(f"{method} {route}?{query}: {reply.status_code} {fault.get('code')}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("condition", ["", " ", "nonsense", '"1-99"'])
def test_a_condition_that_does_not_hold_stops_every_change(condition, program, superuser):
    world, stopped = build_world(superuser), 0
    for name, path in (
        ("webhook", "webhooks"),
        ("event_source", "event-sources"),
        ("static_list", "static-lists"),
        ("smart_list", "smart-lists"),
        ("campaign", "smart-campaigns"),
        ("ann", "people"),
        ("client", "api-clients"),
    ):
        reply = program(
            "DELETE" if name != "client" else "PATCH",
            f"{path}/{world[name]}",
            {} if name == "client" else None,
            If_Match=condition,
        )
        assert reply.status_code == 412, (path, reply.status_code)
        stopped += 1
    assert stopped == 7


def test_a_length_that_is_no_number_is_no_fault_of_ours(program):
    for path, token in (("/api/v1/people", program.headers), ("/rest/v1/leads.json", program.headers)):
        reply = program.client.post(path, b"{}", content_type="application/json", headers=token, CONTENT_LENGTH="²")
        assert reply.status_code < 500


@pytest.mark.parametrize("text", ["", "²", "٣", "-1", "1.0", " 1", "1" * 19])
def test_what_stands_for_no_whole_number(text):
    assert whole_number(text, otherwise=-7) == -7


def test_no_code_takes_isdigit_for_a_number():
    """`"²".isdigit()` is true and `int("²")` raises: `isdigit` stands beside `isascii` or not at all."""
    lines = [
        f"{path}: {line.strip()}"
        for path in SOURCES
        for line in path.read_text().splitlines()
        if re.search(r"\.isdigit\(\)", line) and "isascii()" not in line
    ]
    assert not lines, "\n".join(lines)
