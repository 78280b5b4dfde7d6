"""Values that no form sends, for every parameter that a page reads: refused or ignored, never a fault of ours."""

import re
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client

from tests.access.route_walker import address, build_world
from tests.access.test_routes import table

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
# out of range as a number of 32 and of 64 bits, as a decimal, as a date, and as a text of the database
ODD = ("9" * 40, "1e999999999", "9999-12-31", "a\0b")


def parameter_names():
    return sorted({first or second for path in SURFACES for first, second in READS.findall(path.read_text())})


def test_the_names_are_found():
    assert {"before", "apart", "people", "smart_list", "occurred_at", "with_demo"} <= set(parameter_names())


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD, ids=("large", "exponent", "last day", "NUL"))
def test_no_page_fails_by_an_odd_value(odd):
    superuser = get_user_model().objects.create_superuser("olga")
    world, wrong = build_world(superuser), []
    values = dict.fromkeys(parameter_names(), odd)
    # a query has no room for long values
    query = values if len(odd) < 50 else {}
    for route, methods in table().items():
        if not route.startswith(("admin/", "account/", "setup", "join/")) or "logout" in route:
            continue
        for method in {"GET", "POST"} & set(methods):
            with transaction.atomic():
                client = Client(raise_request_exception=False)
                client.force_login(superuser)
                path = address(route, world)
                reply = client.get(path, query) if method == "GET" else client.post(path, values)
                if reply.status_code >= 500:
                    wrong.append(f"{method} {route}: {reply.status_code} {getattr(reply, 'exc_info', ('',))[:2]}")
                transaction.set_rollback(True)
    assert not wrong, "\n".join(wrong)
