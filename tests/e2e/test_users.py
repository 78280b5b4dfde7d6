"""Inviting a colleague, in a browser: six clicks from the menu to her first page."""

import pytest
from django.core.cache import cache
from playwright.sync_api import expect

from tests.e2e.test_accessibility import AXE
from tests.e2e.test_sign_in import arrive

CLICKS = 6


@pytest.fixture(autouse=True)
def _no_counts_of_other_tests(transactional_db):
    cache.clear()


class Hand:
    """Clicks, counted."""

    def __init__(self):
        self.clicks = 0

    def click(self, element):
        self.clicks += 1
        element.click()


# the search dialog, and the switch of appearance on pages before sign-in
THEMES_OWN = ("[x-data='searchCommand()']", "a[x-on\\:click^=openTheme]")


def judge(page):
    if AXE.exists():
        page.evaluate(AXE.read_text())
        found = page.evaluate("(without) => axe.run({exclude: without})", [[one] for one in THEMES_OWN])["violations"]
        assert not [f"{one['id']} {one['nodes'][0]['html'][:160]}" for one in found]


def test_a_colleague_is_invited_and_signs_in_within_six_clicks(page, new_page, superuser, language):
    hand = Hand()
    page.goto("/admin/")
    hand.click(page.locator("#nav-sidebar a[href='/admin/access/user/']"))
    judge(page)
    hand.click(page.locator("a[href='/admin/access/user/add/']"))
    expect(page.locator("#id_email")).to_be_focused()
    page.keyboard.type("marta@example.com")
    hand.click(page.locator("input[name=role][value=Marketer]"))
    judge(page)
    hand.click(page.locator(".ca-page form button[type=submit]"))
    link = page.locator("[data-copy]").get_attribute("data-copy")
    judge(page)
    colleague = new_page(language)
    colleague.goto(link)
    judge(colleague)
    expect(colleague.locator("#id_username")).to_have_value("marta@example.com")
    hand.click(colleague.locator("#id_password"))
    colleague.keyboard.type("a long phrase of hers")
    hand.click(colleague.locator("form[action='/join/'] button"))
    arrive(colleague, "/admin/")
    expect(
        colleague.get_by_text("Marta", exact=False).or_(colleague.get_by_text("marta@example.com")).first
    ).to_be_attached()
    assert hand.clicks <= CLICKS
