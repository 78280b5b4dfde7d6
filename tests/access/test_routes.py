"""Every route of the product, walked without signing in, as roles and as superuser: who gets in stands in routes.txt."""

import logging
from functools import cache
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client

from config.access.clients import editing as client_editing
from config.access.clients import offered_rights
from config.access.roles import ADMINISTRATOR, ROLES
from config.access.users import asking
from tests import hypothesis_profiles
from tests.access.route_walker import address, build_world, is_let_in, routes

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MARKETO = ("rest/", "bulk/")
JSON = ("api/", *MARKETO)
HIDING = ("metrics",)  # routes that do not exist for those who may not
CALLERS = ("nobody", "no role", *ROLES, ADMINISTRATOR, "superuser")
# bodies for routes that check the body before rights: complete enough to get to them
BODIES = {
    "rest/v1/leads.json": b'{"input":[{"email":"new@example.com"}]}',
    "rest/v1/activities/external/type.json": b'{"apiName":"waveHand","name":"Wave Hand","filterName":"Waved Hand","triggerName":"Waves Hand","primaryAttribute":{"apiName":"hand","name":"Hand","dataType":"string"}}',
    "api/v1/people": b'{"email":"new@example.com"}',
}


def table():
    """Route → method → who."""
    found: dict[str, dict[str, str]] = {}
    for line in Path(__file__).with_name("routes.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            methods, _space, rest = line.partition(" ")
            route, who = rest.rsplit("  ", 1)
            found.setdefault(route, {}).update(dict.fromkeys(methods.split(","), who))
    return found


def test_every_route_is_listed_and_every_listed_route_is_there():
    assert sorted({*table()} ^ {*routes()}) == []


class Caller:
    """A user with a browser, and the program that the user owns."""

    def __init__(self, name):
        self.name, self.user = name, None
        self.client = Client(raise_request_exception=False)
        if name == "nobody":
            return
        make = "create_superuser" if name == "superuser" else "create_user"
        self.user = getattr(get_user_model().objects, make)(name.lower().replace(" ", "-"), is_staff=True, password="x")
        if name in {*ROLES, ADMINISTRATOR}:
            self.user.groups.add(Group.objects.get(name=name))
        program = client_editing.create_client("Program", self.user, None, client_editing.grantable_rights()).client
        self.token = client_editing.client_token(program).text
        self.client.force_login(self.user)
        self.session = self.client.cookies["sessionid"].value

    def ask(self, method, path, route):
        """The answer; whatever it changed is undone."""
        is_json = route.startswith(JSON)
        body = BODIES.get(route, b"{}") if is_json and method != "GET" else b""
        content_type = "application/json" if is_json else "application/x-www-form-urlencoded"
        headers = {"Authorization": f"Bearer {self.token}"} if self.user and route.startswith(MARKETO) else {}
        with transaction.atomic():
            reply = self.client.generic(method, path, body, content_type=content_type, headers=headers)
            if reply.streaming:
                list(reply.streaming_content)
            transaction.set_rollback(True)
        if self.user:
            self.client.cookies["sessionid"] = self.session
        return reply

    def may(self, who, route):
        """True if `who`, a word of the table, includes this caller."""
        if self.user is None or who in {"anyone", "nobody"}:
            return who == "anyone"
        if who in {"signed-in", "staff", "token"}:
            return True
        if who == "superuser":
            return self.user.is_superuser
        return all(any(map(self.user.has_perm, right.split("|"))) for right in who.split())


@pytest.fixture
def quiet(monkeypatch):
    """No lines about refusals, and no pages: only who gets in matters here, and there are thousands."""
    monkeypatch.setattr("django.template.backends.django.Template.render", lambda *_given, **_more: "")
    # rights and their users in refusals change with no request, as each is undone
    users, labels = asking.users_with_right, offered_rights.right_labels
    known_users = cache(lambda right, pk: users(right, get_user_model()(pk=pk)))
    known_labels = cache(labels)
    monkeypatch.setattr(asking, "users_with_right", lambda right, besides: known_users(right, besides.pk))
    monkeypatch.setattr(offered_rights, "right_labels", lambda names: known_labels(tuple(names)))
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def is_walked(name, who):
    """True if a route for `who` is tried as this caller: of those signed in, the two that lie closest on both sides.

    These are the caller with the fewest rights that may enter, and the one with the most rights that may not; for a
    route for every user who is signed in, those with the fewest and the most rights; for one of superusers, all.
    All callers try all routes with LONG_TESTS=1.
    """
    if hypothesis_profiles.IS_LONG or name == "nobody" or who == "superuser":
        return True
    if "." not in who:
        return name in {"no role", "superuser"}
    by_rights = ["no role", *sorted(ROLES, key=lambda role: len(ROLES[role])), ADMINISTRATOR, "superuser"]

    def may(caller):
        if caller in {ADMINISTRATOR, "superuser"}:
            return True
        return all({*right.split("|")} & {*ROLES.get(caller, ())} for right in who.split())

    inside = next(caller for caller in by_rights if may(caller))
    outside = next(caller for caller in reversed(by_rights) if not may(caller))
    return name in {inside, outside}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLERS)
def test_each_caller_gets_in_where_the_table_says_and_nowhere_else(name, quiet, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    caller = Caller(name)
    world = build_world(caller.user)
    wrong = []
    for route, methods in table().items():
        path = address(route, world)
        for method, who in methods.items():
            if not is_walked(name, who):
                continue
            reply = caller.ask(method, path, route)
            opened = is_let_in(reply) and not (route in HIDING and reply.status_code == 404)
            if opened != caller.may(who, route) or reply.status_code >= 500:
                wrong.append(f"{method} {route} ({path}): {reply.status_code}, expected for: {who}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_methods_that_are_not_listed_are_refused(quiet):
    caller = Caller("superuser")
    world, listed = build_world(caller.user), table()
    open_ones = []
    for route, methods in listed.items():
        for method in METHODS:
            is_page = not route.startswith(JSON) and method in {"PUT", "PATCH", "DELETE"}
            if method in methods or is_page:
                continue
            reply = caller.ask(method, address(route, world), route)
            if reply.status_code not in {403, 405} and b'"605"' not in reply.content:
                open_ones.append(f"{method} {route}: {reply.status_code}")
    assert not open_ones, "\n".join(open_ones)
