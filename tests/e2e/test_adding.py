"""The search box of what can be added: its list lies over the page, and the arrows go through the choices alone."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.factories import approved_type

BUILDERS = ("smartcampaign", "smartlist")
SEEN = """part => {
    const box = part.getBoundingClientRect(), over = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return box.left >= 0 && box.right <= innerWidth && part.contains(over);
}"""


def part(page, name):
    return page.locator(f"[id='{name}']")


@pytest.fixture
def open_builder(new_page, superuser):
    approved_type()

    def build(model, **size):
        page = new_page("en", superuser)
        page.set_viewport_size({"width": 1280, "height": 720} | size)
        page.goto(reverse(f"admin:smartlists_{model}_add"))
        expect(part(page, "id_new.search")).to_be_visible()
        return page

    return build


@pytest.mark.parametrize("model", BUILDERS)
def test_arrows_stay_on_the_only_hit_and_enter_adds_it(open_builder, model):
    page = open_builder(model)
    search, chosen = part(page, "id_new.search"), part(page, "id_new.tree").locator("[aria-selected=true]")
    search.press_sequentially("deposit")
    expect(part(page, "id_new.tree").locator("[data-value]")).to_have_count(1)
    for key in ("ArrowDown", "ArrowUp", "ArrowDown"):
        search.press(key)
        expect(chosen).to_have_attribute("data-value", "activity:depositCheck")
    search.press("Enter")
    expect(part(page, "filters.0.type")).to_have_value("depositCheck")


@pytest.mark.parametrize("model", BUILDERS)
def test_arrows_come_to_every_choice_and_to_no_heading(open_builder, model):
    page = open_builder(model)
    search, tree = part(page, "id_new.search"), part(page, "id_new.tree")
    search.press("ArrowDown")
    values = tree.locator("[data-value]").evaluate_all("all => all.map(one => one.dataset.value)")
    seen = []
    for _step in values:
        search.press("ArrowDown")
        expect(tree.locator("[aria-selected=true]")).to_be_visible()
        seen.append(tree.locator("[aria-selected=true]").get_attribute("data-value"))
    assert seen == values
    search.press("ArrowDown")
    expect(tree.locator("[aria-selected=true]")).to_have_attribute("data-value", values[0])


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("model", BUILDERS)
def test_the_open_list_moves_nothing_and_is_seen(open_builder, model, width):
    page = open_builder(model, width=width)
    search, tree = part(page, "id_new.search"), part(page, "id_new.tree")
    search.scroll_into_view_if_needed()
    place = "() => [document.documentElement.scrollTop, ...[...document.querySelectorAll('#builder ~ *, #builder > *, .ca-actions, #panel')]"
    place += ".map(one => one.getBoundingClientRect().top)]"
    before = page.evaluate(place)
    search.click()
    expect(tree).to_be_visible()
    assert page.evaluate(place) == before and len(before) > 3
    assert tree.evaluate(SEEN) and tree.locator("[data-value]").first.evaluate(SEEN)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
