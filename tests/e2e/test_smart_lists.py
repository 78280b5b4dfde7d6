"""A marketer's first smart list in the browser: built, counted while it changes, saved, explained."""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from smartlists.models import SmartList
from tests.making import activity, approved_type, person, recorded


def people():
    approved_type()
    now = timezone.now()
    ann = person(first_name="Ann", country="Spain", email="ann@example.com")
    bob = person(first_name="Bob", country="Chile", email="bob@example.com")
    cas = person(first_name="Cas", country="spain", email="cas@example.com")
    recorded(
        *(activity(one.pk, occurred_at=now - timedelta(days=n), amount=600 + n) for one in (ann, bob) for n in (1, 2)),
        activity(cas.pk, occurred_at=now - timedelta(days=3), amount=900),
        activity(cas.pk, occurred_at=now - timedelta(days=200), amount=900),
    )


def choose(page, name, value):
    page.locator(f"[id='{name}']").select_option(value)


def test_a_first_smart_list(page, language):
    people()
    page.goto("/admin/")
    page.locator("#nav-sidebar").get_by_role("link", name=_("Smart lists")).click()
    page.locator("a[href*='/smartlist/add/']").first.click()
    page.get_by_label(_("Name"), exact=True).fill("Big depositors")
    count = page.locator("#panel .ca-stat")
    expect(count).to_have_text("3")
    page.get_by_label(_("Add a filter")).select_option("activity:depositCheck")
    choose(page, "filters.0.new", "amount")
    choose(page, "filters.0.constraints.0.operator", "greater than")
    page.locator("[id='filters.0.constraints.0.values']").fill("500")
    choose(page, "filters.0.new", "@occurred_at")
    choose(page, "filters.0.constraints.1.operator", "in past")
    page.locator("[id='filters.0.constraints.1.amount']").fill("90")
    choose(page, "filters.0.count.operator", "at least")
    page.locator("[id='filters.0.count.values']").fill("2")
    expect(count).to_have_text("2")
    page.get_by_label(_("Add a filter")).select_option("person_field:country")
    page.locator("[id='filters.1.lines']").fill("Spain")
    expect(count).to_have_text("1")
    expect(page.locator("#panel")).to_contain_text("ann@example.com")

    page.get_by_role("button", name=_("Save"), exact=True).click()
    expect(page.get_by_text(_("Saved."), exact=True)).to_be_visible()
    page.get_by_label(_("Test a person")).fill("cas@example.com")
    page.get_by_role("button", name=_("Test"), exact=True).click()
    expect(page.locator("#explanation")).to_contain_text(_("not in this list"))
    expect(page.locator("#explanation .ca-verdict--no")).to_have_count(1)
    page.get_by_role("link", name=_("Members"), exact=True).click()
    expect(page.get_by_role("link", name="Ann", exact=True)).to_be_visible()
    assert SmartList.objects.get().current.count == 1


def test_cards_are_moved_removed_and_brought_back(page):
    people()
    page.goto("/admin/smartlists/smartlist/add/")
    page.get_by_label("Add a filter").select_option("person_field:country")
    page.locator("[id='filters.0.lines']").fill("Spain")
    page.get_by_label("Add a filter").select_option("person_field:first_name")
    page.locator("[id='filters.1.lines']").fill("Ann")
    expect(page.locator("#panel .ca-stat")).to_have_text("1")
    page.locator("#card-2").get_by_role("button", name="Move up").click()
    expect(page.locator("[id='filters.0.lines']")).to_have_value("Ann")
    page.locator("#card-1").get_by_role("button", name="Remove this filter").click()
    expect(page.locator("#card-2")).to_have_count(0)
    expect(page.locator("#panel .ca-stat")).to_have_text("2")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[id='filters.1.lines']")).to_have_value("Spain")
    expect(page.locator("#panel .ca-stat")).to_have_text("1")
