"""A marketer's first smart list in the browser: built, counted while it changes, saved, explained."""

import re
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from people.lists import static_lists
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from tests.factories import approved_type, make_person, new_activity, record_rows


def people():
    approved_type()
    now = timezone.now()
    ann = make_person(first_name="Ann", country="Spain", email="ann@example.com")
    bob = make_person(first_name="Bob", country="Chile", email="bob@example.com")
    cas = make_person(first_name="Cas", country="spain", email="cas@example.com")
    record_rows(
        *(
            new_activity(one.pk, occurred_at=now - timedelta(days=n), amount=600 + n)
            for one in (ann, bob)
            for n in (1, 2)
        ),
        new_activity(cas.pk, occurred_at=now - timedelta(days=3), amount=900),
        new_activity(cas.pk, occurred_at=now - timedelta(days=200), amount=900),
    )


def choose(page, name, value):
    page.locator(f"[id='{name}']").select_option(value)


def add(page, words, place="id_new"):
    """Add what is called `words` by typing it into the search box of `place`."""
    box = page.locator(f"[id='{place}.search']")
    box.fill(words)
    page.locator(f"[id='{place}.tree']").get_by_text(words, exact=True).first.click()


def fill_in(page, name, *values):
    entry = page.locator(f"[id='{name}.lines.entry']")
    for value in values:
        entry.fill(value)
        entry.press("Enter")
    expect(page.locator(".ca-token").filter(has_text=values[-1]).first).to_be_visible()


def test_a_first_smart_list(page, clicks, language):
    people()
    page.goto("/admin/")
    page.locator("#nav-sidebar").get_by_role("link", name=_("Smart lists")).click()
    page.locator("a[href*='/smartlist/add/']").first.click()
    page.get_by_label(_("Name"), exact=True).fill("Big depositors")
    count = page.locator("#panel .ca-stat")
    expect(count).to_have_text("3")
    add(page, "Deposited Check")
    add(page, "Amount", "filters.0.new")
    choose(page, "filters.0.constraints.0.operator", "greater than")
    page.locator("[id='filters.0.constraints.0.values']").fill("500")
    add(page, _("Date of activity"), "filters.0.new")
    choose(page, "filters.0.constraints.1.operator", "in past")
    page.locator("[id='filters.0.constraints.1.amount']").fill("90")
    choose(page, "filters.0.count.operator", "at least")
    page.locator("[id='filters.0.count.values']").fill("2")
    expect(count).to_have_text("2")
    add(page, _("Country"))
    fill_in(page, "filters.1", "Spain")
    expect(count).to_have_text("1")
    expect(page.locator("#panel")).to_contain_text("ann@example.com")

    page.get_by_role("button", name=_("Save"), exact=True).click()
    expect(page.get_by_text(_("Saved."), exact=True)).to_be_visible()
    assert clicks.number <= 18
    page.get_by_label(_("Test a person")).press_sequentially("cas")
    page.get_by_role("option").filter(has_text="cas@example.com").click()
    page.get_by_role("button", name=_("Test"), exact=True).click()
    expect(page.locator("#explanation")).to_contain_text(_("not in this list"))
    expect(page.locator("#explanation .ca-verdict--no")).to_have_count(1)
    page.get_by_role("link", name=_("Members"), exact=True).click()
    expect(page.get_by_role("link", name="Ann", exact=True)).to_be_visible()
    assert SmartList.objects.get().current.count == 1


def test_cards_are_moved_removed_and_brought_back(page, language):
    people()
    page.goto("/admin/smartlists/smartlist/add/")
    count, first = page.locator("#panel .ca-stat"), page.locator("#card-1")
    add(page, _("Country"))
    fill_in(page, "filters.0", "Spain")
    add(page, _("First Name"))
    fill_in(page, "filters.1", "Ann")
    expect(count).to_have_text("1")
    page.locator("#card-2").get_by_role("button", name=_("Move up"), exact=True).click()
    expect(first.locator(".ca-token")).to_contain_text("Ann")
    first.locator(".ca-menu summary").click()
    first.get_by_role("button", name=_("Change to the opposite")).click()
    expect(page.locator("[id='filters.0.operator']")).to_have_value("is not")
    expect(page.locator("[id='filters.0.menu']")).to_be_focused()
    expect(count).to_have_text("1")
    first.get_by_role("button", name=_("Collapse"), exact=True).click()
    expect(page.locator("[id='filters.0.operator']")).to_be_hidden()
    expect(first.locator(".ca-rule__said")).to_contain_text("Ann")
    first.get_by_role("button", name=_("Expand"), exact=True).click()
    first.get_by_role("button", name=_("Remove this filter")).click()
    expect(page.locator("#card-2")).to_have_count(0)
    expect(count).to_have_text("2")
    page.get_by_role("button", name=_("Undo"), exact=True).click()
    expect(page.locator("#card-2 .ca-token")).to_contain_text("Spain")
    expect(count).to_have_text("1")


def test_the_sentence_under_a_filter_says_what_the_filter_says(page, language):
    people()
    invited = static_lists.create_static_list("Invited", None)
    check = {"kind": "activity", "did": True, "type": "depositCheck", "constraints": []}
    amount = {"field": "amount", "operator": "greater than", "values": ["30"]}
    filters = [
        check | {"constraints": [amount], "count": {"operator": "at least", "values": ["2"]}},
        {"kind": "static_list", "list": invited.pk, "member": True},
        {"kind": "person_field", "field": "country", "operator": "is not", "values": ["Chile"]},
    ]
    saved = list_editing.create_smart_list("Said", {"version": 1, "match": "all", "filters": filters}, None)
    page.goto(f"/admin/smartlists/smartlist/{saved.pk}/change/")

    def says(card, text):
        expect(page.locator(f"#card-{card} p[data-sentence]")).to_contain_text(text)
        expect(page.locator("#builder")).not_to_have_class(re.compile("ca-stale"))

    choose(page, "filters.1.member", "false")
    says(2, _("Is not on the static list “%(name)s”") % {"name": "Invited"})
    page.locator("[id='filters.0.constraints.0.values']").fill("99")
    says(1, "99")
    page.locator("[id='filters.0.count.values']").fill("7")
    says(1, "7")
    negative = page.locator("#card-1 p[data-sentence]").inner_text()
    choose(page, "filters.0.did", "false")
    expect(page.locator("#card-1 p[data-sentence]")).not_to_have_text(negative)
    before = page.locator("#card-3 p[data-sentence]").inner_text()
    choose(page, "filters.2.empty", "exclude")
    expect(page.locator("#card-3 p[data-sentence]")).not_to_have_text(before)
    page.locator("[id='filters.0.constraints.0.values']").fill("")
    expect(page.locator("#card-1 p[data-sentence]")).to_be_hidden()
    page.locator("[id='filters.0.constraints.0.values']").fill("50")
    says(1, "50")
    shown = page.locator("p[data-sentence]").all_inner_texts()
    page.get_by_role("button", name=_("Save"), exact=True).click()
    expect(page.get_by_text(_("Saved."), exact=True)).to_be_visible()
    assert page.locator("p[data-sentence]").all_inner_texts() == shown, "as the saved list is said"


def test_what_was_undone_is_redone_until_something_new_is_done(page, language):
    people()
    page.goto("/admin/smartlists/smartlist/add/")
    count, cards = page.locator("#panel .ca-stat"), page.locator(".ca-rule")
    undo = page.get_by_role("button", name=_("Undo"), exact=True)
    redo = page.get_by_role("button", name=_("Redo"), exact=True)
    name = page.get_by_label(_("Name"), exact=True)
    name.fill("First")
    name.press("Tab")
    add(page, _("Country"))
    expect(cards).to_have_count(1)
    fill_in(page, "filters.0", "Spain")
    expect(count).to_have_text("2")
    expect(redo).to_be_hidden()
    undo.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".ca-token")).to_have_count(0)
    expect(undo).to_be_focused()
    page.keyboard.press("Enter")
    expect(cards).to_have_count(0)
    page.keyboard.press("Enter")
    expect(name).to_have_value("")
    expect(redo).to_be_focused()  # nothing is left to be undone, and its button has disappeared
    expect(undo).to_be_hidden()
    for key in ("Enter", "Control+y", "Control+Shift+Z"):
        with page.expect_response("**/smartlist/add/"):
            page.keyboard.press(key)
    expect(page.locator("#card-1 .ca-token")).to_contain_text("Spain")
    expect(name).to_have_value("First")
    expect(count).to_have_text("2")
    expect(redo).to_be_hidden()
    page.keyboard.press("Control+z")
    expect(redo).to_be_visible()
    add(page, _("First Name"))
    expect(cards).to_have_count(2)
    expect(redo).to_be_hidden()


def test_a_list_is_built_with_the_keyboard_alone(page):
    people()
    page.goto("/admin/smartlists/smartlist/add/")
    page.locator("#id_name").fill("By keys")
    search = page.locator("[id='id_new.search']")
    search.focus()
    page.keyboard.press("ArrowDown")
    expect(search).to_have_attribute("aria-expanded", "true")
    search.press_sequentially("countr")
    expect(page.locator("[aria-selected=true]")).to_have_text("Country")
    page.keyboard.press("Enter")
    entry = page.locator("[id='filters.0.lines.entry']")
    expect(entry).to_be_focused()
    with page.expect_response("**/suggest/*q=sp*"):
        entry.press_sequentially("sp")
    expect(page.get_by_role("option", name="Spain")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".ca-token")).to_contain_text("Spain")
    expect(page.locator("#panel .ca-stat")).to_have_text("2")
    with page.expect_response("**/panel/"):
        entry.press("Backspace")
    expect(page.locator(".ca-token")).to_have_count(0)
    page.context.clear_cookies()  # the session ends: what is proposed is the sign-in page, and no script fails by it
    box = page.locator("#panel [data-people]")
    with page.expect_response("**/admin/login/**"):
        box.press_sequentially("ann")
    expect(box).to_have_attribute("aria-expanded", "false")


def test_a_pasted_column_becomes_values(page, language):
    people()
    page.goto("/admin/smartlists/smartlist/add/")
    add(page, _("Country"))
    paste = """text => { const data = new DataTransfer(); data.setData('text', text);
        document.activeElement.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})) }"""
    entry = page.locator("[id='filters.0.lines.entry']")
    entry.focus()
    page.evaluate(paste, "Spain\r\n \r\nأحمد 🎉\r\n<b>Chile</b>\tSpain\r\nChile")
    expect(page.locator(".ca-token")).to_have_count(4)
    expect(page.locator("#panel .ca-stat")).to_have_text("3")
    page.get_by_role("button", name=_("Edit as lines")).click()
    expect(page.locator("[id='filters.0.lines']")).to_have_value("Spain\nأحمد 🎉\n<b>Chile</b>\nChile")
    page.locator("[id='filters.0.lines']").fill("Chile")
    expect(page.locator("#panel .ca-stat")).to_have_text("1")


def test_two_people_edit_one_list_and_one_deletes_it(page, language):
    people()
    saved = list_editing.create_smart_list("Shared", {"filters": []}, None)
    page.goto(f"/admin/smartlists/smartlist/{saved.pk}/change/")
    page.locator("#id_description").fill("mine")
    list_editing.rename_smart_list(saved, "Theirs", None)
    page.get_by_role("button", name=_("Save"), exact=True).click()
    expect(page.get_by_role("alert").filter(has=page.get_by_role("link", name=_("Discard mine")))).to_be_visible()
    page.get_by_role("button", name=_("Overwrite with mine")).click()
    expect(page.get_by_text(_("Saved."), exact=True)).to_be_visible()
    assert SmartList.objects.get().name == "Shared"
    list_editing.delete_smart_list(saved, None)
    add(page, _("Country"))
    fill_in(page, "filters.0", "Chile")
    expect(page.locator("#panel")).to_contain_text(
        _("This list was deleted in the meantime. Saving creates a new one from what you typed.")
    )
    page.get_by_role("button", name=_("Save"), exact=True).click()
    expect(page.get_by_text(_("This list was deleted while you were editing it."))).to_be_visible()
    page.get_by_role("button", name=_("Save"), exact=True).click()
    expect(page.get_by_text(_("Saved."), exact=True)).to_be_visible()
    assert SmartList.objects.get().rules["filters"][0]["values"] == ["Chile"]


def test_members_with_other_columns_become_a_view(page, language):
    people()
    make_person(first_name="<i>أحمد</i> 🎉", city="Zürich", email="ahmed@example.com")
    saved = list_editing.create_smart_list("All", {"filters": []}, None)
    page.goto(f"/admin/smartlists/smartlist/{saved.pk}/members/")
    page.locator("summary").filter(has_text=_("Columns and order")).click()
    page.get_by_label(_("City"), exact=True).check()
    page.get_by_label(_("Order"), exact=True).select_option("city")
    page.get_by_role("button", name=_("Show"), exact=True).click()
    first = page.locator("table tbody tr").first
    expect(first).to_contain_text("<i>أحمد</i> 🎉")
    expect(first).to_contain_text("Zürich")
    page.locator("summary").filter(has_text=_("Columns and order")).click()
    page.get_by_label(_("Save what is shown now as a view named")).fill("Cities")
    page.get_by_role("button", name=_("Save view"), exact=True).click()
    expect(page.get_by_text(_("The view was saved."))).to_be_visible()
    page.get_by_role("link", name=_("Usual columns")).click()
    expect(page.get_by_role("columnheader", name=_("City"))).to_have_count(0)
    page.get_by_role("link", name="Cities", exact=True).click()
    page.get_by_role("columnheader", name=_("City")).get_by_role("link").click()
    expect(page.get_by_role("columnheader", name=_("City"))).to_have_attribute("aria-sort", "descending")
