"""Browser tests: Chromium of the system, driven by Playwright, against the product on a port of its own."""

import json
import os
import shutil
import zlib
from collections import defaultdict

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import translation

from people.core.models import Installation
from tests import hypothesis_profiles
from tests.e2e.clicks import Clicks

# Playwright's loop runs in the thread of the tests, which also makes the data
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

# the first one draws pages and nothing else: it takes a third of the processor time that a whole Chromium does
BROWSERS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
)
LANGUAGES = ("en", "es")
IN_BOTH_LANGUAGES = {"test_day", "test_campaigns", "test_setup", "test_users", "test_web_sites"}
PATIENCE = 10_000  # milliseconds


def pytest_collection_modifyitems(items):
    """Every browser test needs the live server, which needs committed data.

    One that fails runs once more and the summary names it: Chromium now and then loses an event on a busy machine.
    """
    for item in items:
        if "/e2e/" in item.nodeid.replace(os.sep, "/"):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.django_db(transaction=True))
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="package")
def browser():
    """One browser for all tests; they are skipped, with the reason, where there is none."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield launched
        launched.close()


def pytest_generate_tests(metafunc):
    """`language`: both for the tasks of a day; for what is in no page's words one, chosen by the test's name.

    With LONG_TESTS=1 every test runs in both.
    """
    if "language" not in metafunc.fixturenames:
        return
    is_in_both = metafunc.module.__name__.rpartition(".")[2] in IN_BOTH_LANGUAGES or hypothesis_profiles.IS_LONG
    chosen = LANGUAGES[zlib.crc32(metafunc.function.__name__.encode()) % len(LANGUAGES)]
    metafunc.parametrize("language", LANGUAGES if is_in_both else (chosen,), indirect=True)


@pytest.fixture
def language(request):
    """The language of the interface in a test."""
    with translation.override(request.param):
        yield request.param


@pytest.fixture
def superuser(transactional_db):
    Installation.objects.create()  # else the first page is the setup
    return get_user_model().objects.create_superuser("vera", password="a long password")


@pytest.fixture(scope="package")
def used_contexts(browser):
    """Contexts by their options, for later tests: a new one would load scripts, styles and fonts again."""
    return defaultdict(list)


@pytest.fixture
def new_page(browser, live_server, used_contexts):
    """Makes pages, each of a context of its own; a script error or a missing file on any of them fails the test."""
    contexts, complaints = [], []

    def make(language="en", user=None, **options):
        locale = {"en": "en-GB", "es": "es-ES"}[language]
        options = {"base_url": live_server.url, "locale": locale, "timezone_id": "UTC"} | options
        key = json.dumps(options, sort_keys=True)
        context = used_contexts[key].pop() if used_contexts[key] else browser.new_context(**options)
        contexts.append((key, context))
        context.set_default_timeout(PATIENCE)
        opened = context.new_page()
        forget_storage(opened, live_server.url)
        if user is not None:
            client = Client()
            client.force_login(user)
            session = client.cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        opened.on("pageerror", lambda error: complaints.append(f"script error: {error}"))
        opened.on("console", lambda line: complaints.append(f"console: {line.text}") if line.type == "error" else None)
        return opened

    yield make
    for key, context in contexts:
        for opened in context.pages:
            opened.close()
        context.clear_cookies()
        context.unroute_all()
        used_contexts[key].append(context)
    assert not complaints, complaints


def forget_storage(page, origin):
    """Empty what earlier pages of the context stored; the cache of files stays."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "local_storage,indexeddb"})
    devtools.detach()


@pytest.fixture
def page(new_page, superuser, request):
    """A page of the superuser, in the language of the test (`language`), else in English."""
    chosen = request.getfixturevalue("language") if "language" in request.fixturenames else "en"
    return new_page(chosen, superuser)


@pytest.fixture
def clicks(page):
    """The clicks on `page`; tasks have a budget of them."""
    return Clicks(page)
