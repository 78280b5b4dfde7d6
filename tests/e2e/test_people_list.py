"""The list of people in the browser: a filter, a view, a list of all that is shown, and the next person."""

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from people.models import BulkAction, PeopleView
from tests.factories import make_person


def test_people_are_filtered_kept_as_a_view_and_put_on_a_list(page, language):
    for name, country in (("Ann", "Spain"), ("Bob", "Peru"), ("Carl", "Spain")):
        make_person(first_name=name, country=country)
    page.goto("/admin/people/person/")
    page.get_by_label(_("Add a filter")).select_option("country")
    page.get_by_label(_("Value"), exact=True).fill("Spain")
    page.keyboard.press("Enter")
    rows = page.locator(".ca-table--people tbody tr")
    expect(rows).to_have_count(2)
    expect(page.locator("#people-count")).to_have_text("2")

    page.locator("summary").filter(has_text=_("Save as a view")).click()
    page.get_by_label(_("Name of the view")).fill("Spaniards")
    page.get_by_role("button", name=_("Save view")).click()
    expect(page.get_by_role("link", name="Spaniards")).to_have_attribute("aria-current", "page")
    assert PeopleView.objects.get().name == "Spaniards"

    bar = page.get_by_role("group", name=_("What to do with the chosen people"))
    expect(bar).to_be_hidden()
    page.get_by_label(_("All on this page")).focus()
    page.keyboard.press("Space")
    expect(bar).to_be_visible()
    expect(bar.locator("[data-chosen-count]")).to_have_text("2")
    page.get_by_role("button", name=_("Make a static list…")).click()
    page.get_by_label(_("Name of the list")).fill("Spain")
    page.get_by_role("button", name=_("Make a static list"), exact=True).click()
    page.wait_for_url("**/bulk/**")
    assert BulkAction.objects.get().total == 2

    page.goto("/admin/people/person/?f=country:is:Spain")
    page.get_by_role("link", name="Carl").click()
    page.get_by_role("link", name="Ann").click()
    expect(page.locator("h1.ca-row")).to_contain_text("Ann")
    expect(page.locator("nav [rel=next]")).to_have_count(0)
    page.locator("nav [rel=prev]").click()
    expect(page.locator("h1.ca-row")).to_contain_text("Carl")


def test_the_list_fits_a_phone(page, language):
    make_person(first_name="Ann", email="a-very-long-address-of-somebody@department.example.com", company="C" * 60)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/admin/people/person/")
    for summary in (_("Columns"), _("Save as a view")):
        page.locator("summary").filter(has_text=summary).click()
        panel = page.locator(".ca-menu[open] .ca-menu__panel")
        box = panel.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390, (summary, box)
        page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
