"""The product's scripts: modules that find each other under hashed names, and what every page has of them."""

import os
import re
import subprocess
import sys

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import expect

from tests.factories import approved_type
from tests.server import running_web_server

HASHED = re.compile(r"/static/js/(pages|parts)/[a-z-]+\.[0-9a-f]{12}\.js$")
BUILDER = "/admin/smartlists/smartlist/add/"


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """The environment of a process that serves static files as an installation does."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.e2e.hashed_static_settings",
        "COLLECTED_STATIC": str(tmp_path_factory.mktemp("static")),
        "EMBEDDED_POSTGRES_ATTACH": "1",
    }
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        cwd=settings.BASE_DIR,
        env=os.environ | environment,
        check=True,
        timeout=300,
    )
    return environment


@pytest.mark.slow
def test_modules_import_each_other_under_hashed_names(new_page, superuser, collected):
    """A name without hash would be an older copy of the module, which the browser keeps for a year."""
    approved_type()
    page = new_page("en", superuser)
    scripts = []
    page.on("response", lambda reply: scripts.append((reply.status, reply.url)) if "/static/js/" in reply.url else None)
    with running_web_server(**collected) as server:
        page.goto(f"http://localhost:{server.port}{BUILDER}")
        page.get_by_role("combobox", name="Add a filter").click()
        expect(page.get_by_role("tree")).to_be_visible()
        names = {url.rsplit("/", 1)[1].split(".")[0] for _status, url in scripts}
        assert {"every", "builder", "builder-form", "search-tree", "elements", "unsaved-changes"} <= names
        assert all(status == 200 and HASHED.search(url) for status, url in scripts), scripts
        page.goto("about:blank")


def test_no_script_leaves_a_global(page):
    page.goto(BUILDER)
    expect(page.get_by_role("combobox", name="Add a filter")).to_be_visible()
    assert page.evaluate("['searchToAdd', 'pickValues'].filter((name) => name in window)") == []


def leave(page, answers):
    """Follow a link of the menu; answer the browser's question, if there is one, and note it in `answers`."""

    def answer(dialog):
        answers.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", answer)
    page.locator("#nav-sidebar a[href$='/people/staticlist/']").click(no_wait_after=True)


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (BUILDER, "#id_name"),
        ("/admin/smartlists/smartcampaign/add/", "#id_name"),
        ("/admin/activities/activitytype/add/", "#id_name"),
        ("/admin/people/person/add/", "input[name=email]"),
        ("/admin/people/staticlist/add/", "#id_name"),
    ],
)
def test_a_page_with_unsaved_changes_asks_before_it_is_left(page, address, field):
    page.goto(address)
    page.locator(field).first.press_sequentially("ana@example.com")
    asked = []
    leave(page, asked)
    expect(page.locator(field).first).to_have_value("ana@example.com")
    page.wait_for_function("true")
    assert asked == ["beforeunload"]
    assert page.url.endswith(address)


def test_a_page_whose_changes_were_undone_or_saved_is_left_without_a_question(page):
    page.goto("/admin/people/staticlist/add/")
    name = page.locator("#id_name")
    name.press_sequentially("Guests")
    name.fill("")
    asked = []
    leave(page, asked)
    page.wait_for_url(f"**{reverse('admin:people_staticlist_changelist')}")
    page.goto("/admin/people/staticlist/add/")
    page.locator("#id_name").press_sequentially("Guests")
    page.locator("#id_name").press("Enter")
    page.wait_for_url(re.compile(r"/staticlist/\d+/"))
    assert asked == []


def test_a_filter_of_a_list_is_no_unsaved_change(page):
    page.goto("/admin/people/person/")
    page.locator("input[type=search], input[name=q]").first.press_sequentially("ana")
    asked = []
    leave(page, asked)
    page.wait_for_url("**/staticlist/")
    assert asked == []
