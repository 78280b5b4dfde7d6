"""Values that no form sends, for every parameter that a page reads: refused or ignored, never a fault of ours.

Every request of a page has all parameters, each with another value, so that few requests try many pairs of them. With
LONG_TESTS=1 every page gets every parameter with every value.
"""

import re
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client

from tests.access.route_walker import address, build_world
from tests.access.test_routes import table
from tests.hypothesis_profiles import IS_LONG

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]
READS = re.compile(
    r"""(?:GET|POST|parameters|query|data)(?:\.get(?:list)?\(|\[)\s*"([a-z_]+)"|^    ([a-z_]+) = (?:forms\.\w+|\w+)Field\(""",
    re.MULTILINE,
)
SURFACES = [
    path
    for folder in ("people", "activities", "smartlists", "config")
    for path in Path(folder).rglob("*.py")
    if {"admin", "pages", "access"} & set(path.parts) and "migrations" not in path.parts
]
# out of range as a number of 32 and of 64 bits, as a decimal, as a date or its day in a zone, and as a text of the
# database; what is a digit, a float or a number and yet no id
ODD = ("9" * 40, "1e999999999", "9999-12-31", "a\0b", "", "-1", "9" * 12, "NaN", "0001-01-01T00:00", "²")
# addresses of Django's own pages and of the one of components, which read no parameter, and the one that ends the session
READ_NOTHING = ("<path:object_id>/delete/", "<path:object_id>/history/", "<path:object_id>/", "logout/", "components/")
FORM = "application/x-www-form-urlencoded"
ROUNDS = range(len(ODD)) if IS_LONG else range(1)


def parameter_names():
    return sorted({first or second for path in SURFACES for first, second in READS.findall(path.read_text())})


def test_the_names_are_found():
    assert {"before", "apart", "people", "smart_list", "occurred_at", "with_demo"} <= set(parameter_names())


def fault_of(reply):
    """The fault of an answer; None for one that a page may give."""
    if reply.status_code >= 500:
        return f"{reply.status_code} {getattr(reply, 'exc_info', ('',))[:2]}"
    place = urlsplit(reply.headers.get("Location", ""))
    return f"leads to {place.netloc}" if place.netloc not in ("", "testserver") else None


@pytest.mark.slow
def test_no_page_fails_by_an_odd_value(monkeypatch):
    # the client would copy the context of each template of each page, and encode 150 values as parts of a body
    monkeypatch.setattr("django.test.client.store_rendered_templates", lambda *_given, **_more: None)
    each_context, frame = admin.site.each_context, {}  # the navigation, made anew for some pages: it reads values, too
    monkeypatch.setattr(
        admin.site, "each_context", lambda request: {**(frame or frame.update(each_context(request)) or frame)}
    )
    superuser = get_user_model().objects.create_superuser("olga")
    world, names, wrong = build_world(superuser), parameter_names(), []
    client = Client(raise_request_exception=False)
    client.force_login(superuser)
    session = client.cookies["sessionid"].value
    pages = [
        (route, method)
        for route, methods in table().items()
        for method in sorted({"GET", "POST"} & set(methods))
        if route.startswith(("admin/", "account/", "setup", "join/")) and not route.endswith(READ_NOTHING)
    ]
    for number, (route, method) in enumerate(pages):
        for start in ROUNDS:
            if number % len(ODD) == 0:  # each odd value in each name once, by the rounds
                frame.clear()
            values = {name: ODD[(number + place + start) % len(ODD)] for place, name in enumerate(names)}
            with transaction.atomic():
                client.cookies["sessionid"] = session
                where, sent = address(route, world), urlencode(values)
                fault = fault_of(client.post(where, sent, FORM) if method == "POST" else client.get(f"{where}?{sent}"))
                transaction.set_rollback(True)
            if fault:
                wrong.append(f"{method} {route} {start}: {fault}")
    assert not wrong, "\n".join(wrong)
