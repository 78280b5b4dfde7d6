"""The script in Chromium, on pages of a small server; nothing here needs the product or a database."""

import shutil

import pytest

from tests.activities.tracking.script.recording_collector import running_collector
from tests.e2e.conftest import ARGUMENTS, BROWSERS, PATIENCE

# a whole one first: the headless shell has no cache of pages to go back to
WHOLE_FIRST = (*BROWSERS[1:], BROWSERS[0])

OWN_ARGUMENTS = ("--host-resolver-rules=MAP *.test 127.0.0.1", "--disable-features=HttpsUpgrades")


@pytest.fixture
def page_cache():
    """Skips a test that needs pages to stay as they are after they were left, where they do not."""
    if not any(map(shutil.which, BROWSERS[1:])):
        pytest.skip("the headless shell keeps no page that was left (Debian: apt-get install chromium)")


@pytest.fixture(scope="package")
def browser():
    executable = next(filter(None, map(shutil.which, WHOLE_FIRST)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=executable,
            args=[*ARGUMENTS, *OWN_ARGUMENTS],
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def running():
    with running_collector() as server:
        yield server


@pytest.fixture
def collector(running):
    running.reset()
    return running


@pytest.fixture
def new_context(browser, collector):
    """Makes contexts, each a browser of its own visitor; a script error that a test does not expect fails it."""
    contexts, errors = [], []

    def make(site="shop.test", **options):
        context = browser.new_context(base_url=collector.host(site), **options)
        context.set_default_timeout(PATIENCE)
        context.errors = errors
        context.on("weberror", lambda error: errors.append(str(error.error)))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert not errors, errors


@pytest.fixture
def page(new_context):
    return new_context().new_page()
