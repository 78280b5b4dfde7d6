"""Daily tasks by keyboard alone: every stop is seen, none is a trap, and the focus stays where the work is.

Fields of types, smart lists, reports and dashboards, the palette and invitations have theirs beside their other tests.
"""

from django.urls import reverse
from django.utils.translation import gettext as _
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import expect

from activities.models import Activity, ActivityType
from people.files.imports import runner as import_runner
from people.models import Import, Person
from tests.factories import approved_type, make_person, new_activity, record_rows

MOST_STOPS = 120
# the fault of the stop that has the focus: not seen, without a ring, under something else; None past the last one
STOP = """() => {
    const part = document.activeElement, box = part.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2;
    if (part === document.body) return null;
    window.stops ??= new Map();
    if (!window.stops.has(part)) window.stops.set(part, window.stops.size);
    const rings = (one) => one && getComputedStyle(one).outlineStyle !== "none" && parseFloat(getComputedStyle(one).outlineWidth) >= 2;
    const shadowed = (one) => one && /0px 0px 0px [1-9]/.test(getComputedStyle(one).boxShadow);
    const seen = [part, part.parentElement, ...(part.labels ?? [])].some((one) => rings(one) || shadowed(one));
    const over = document.elementFromPoint(x, y), wrong = [];
    if (box.width < 2 || box.height < 2) wrong.push("not seen");
    const hasParts = part.matches("[type=date], [type=datetime-local], [type=time]"); // drawn by the browser
    if (!seen && !hasParts && !part.closest("#nav-sidebar")) wrong.push("no ring");
    if (over && !part.contains(over) && !over.contains(part) && !part.closest("#nav-sidebar")) wrong.push("covered");
    return [window.stops.get(part), wrong.map((word) => `${word}: ${part.outerHTML.slice(0, 150)}`), hasParts];
}"""


def go_to(page, wanted):
    """Tab on until `wanted` has the focus: it can be reached."""
    for _stop in range(MOST_STOPS):
        if wanted.evaluate("part => part === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"not reached by Tab: {wanted}")


def press(page, wanted, key="Enter"):
    go_to(page, wanted)
    page.keyboard.press(key)


def button(page, label):
    return page.locator("#main").get_by_role("button", name=_(label), exact=True).first


def skip_to_main(page):
    page.keyboard.press("Tab")
    expect(page.locator(".ca-skip")).to_be_focused()
    page.keyboard.press("Enter")


def test_every_stop_is_seen_and_left_again(page, superuser):
    check, ann = approved_type(), make_person(first_name="Ann", last_name="Núñez")
    record_rows(new_activity(ann.pk))
    wrong = []
    for name, *parts in (
        ("admin:index",),
        ("admin:activities_activitytype_add",),
        ("admin:activities_activitytype_change", check.pk),
        ("admin:activities_timeline", ann.pk),
        ("admin:people_person_change", ann.pk),
        ("admin:people_person_changelist",),
        ("admin:people_import_add",),
        ("admin:activities_trackedlink_add",),
    ):
        page.goto(reverse(name, args=parts))
        page.evaluate("document.activeElement.blur()")
        last = -1
        for _stop in range(MOST_STOPS):
            page.keyboard.press("Tab")
            stop = page.evaluate(STOP)
            if stop is None or stop[0] < last:
                break
            number, faults, has_parts = stop
            wrong += [f"{name} {fault}" for fault in faults]
            if number == last and not has_parts:
                wrong.append(f"{name}: stop {number} is not left")
                break
            last = number
        assert last > 10, f"{name}: Tab reaches {last + 1} places"
    assert not wrong, "\n".join(wrong)


def test_a_type_is_defined_and_approved(page, language):
    page.goto(reverse("admin:activities_activitytype_add"))
    go_to(page, page.locator("#id_name"))
    page.keyboard.type("Buy Car")
    press(page, button(page, "Next"))
    press(page, button(page, "Next"))
    go_to(page, page.locator("#id_primary-name"))
    page.keyboard.type("Model")
    press(page, button(page, "Save draft"))
    press(page, page.locator("#main").get_by_role("link", name=_("Approve"), exact=True))
    press(page, button(page, "Approve"))
    expect(page.get_by_text(_("Approved"), exact=True).first).to_be_visible()
    assert ActivityType.objects.get(is_standard=False).live is not None


def test_an_activity_is_recorded_and_a_fact_edited_in_place(page, language):
    approved_type()
    ann = make_person(first_name="Ann", last_name="Núñez", city="San José")
    page.goto(reverse("admin:activities_timeline", args=[ann.pk]))
    skip_to_main(page)
    menu = page.locator("summary").filter(has_text=_("Record an activity"))
    press(page, menu)
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    expect(page.locator("header.ca-head .ca-menu[open]")).to_have_count(0)

    press(page, page.locator("#fact-city a"))
    entry = page.locator("#fact-city input:not([type=hidden])")
    expect(entry).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Zaragoza")
    page.keyboard.press("Enter")
    expect(page.locator("#fact-city bdi")).to_have_text("Zaragoza")
    expect(page.locator("#fact-city a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(entry).to_be_focused()
    press(page, page.locator("#fact-city").get_by_role("button", name=_("Cancel"), exact=True))
    expect(page.locator("#fact-city a")).to_be_focused()

    press(page, page.locator("#fact-email a"))
    wrong = page.locator("#fact-email input:not([type=hidden])")
    expect(wrong).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("no address")
    page.keyboard.press("Enter")
    expect(page.locator("#fact-email .ca-error")).to_be_visible()
    expect(wrong).to_be_focused()
    expect(wrong).to_have_value("no address")
    expect(page.locator("#fact-city bdi")).to_have_text("Zaragoza")

    page.goto(
        reverse("admin:activities_record", args=[ann.pk]) + f"?type={ActivityType.objects.get(is_standard=False).pk}"
    )
    go_to(page, page.get_by_label("Check", exact=True))
    page.keyboard.type("No. 17")
    press(page, button(page, "Record"))
    expect(page.locator("#entries .ca-moment").filter(has_text="No. 17")).to_be_visible()
    assert Activity.objects.filter(person_id=ann.pk, primary_value="No. 17").exists()


def test_two_people_are_found_and_merged(page, language):
    ann, double = make_person(first_name="Ann", last_name="Núñez"), make_person(first_name="Anna", last_name="Núñez")
    page.goto(reverse("admin:people_person_merge_with", args=[ann.pk]))
    go_to(page, page.locator("#find-person"))
    page.keyboard.type("anna n")
    page.get_by_role("option", name="Anna Núñez").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#chosen-people").get_by_role("checkbox", name="Anna Núñez")).to_be_checked()
    press(page, button(page, "Compare"))
    press(page, page.locator("button[name=merge]"))
    expect(page.locator(".ca-message--good")).to_be_visible()
    assert Person.objects.get(pk=double.pk).state != Person.State.LIVE


def choose_file(page, file):
    """Open the dialog of the focused field by a key. Chromium at times opens none right after the page has loaded."""
    for patience in (2_000, 10_000):
        try:
            with page.expect_file_chooser(timeout=patience) as chooser:
                page.keyboard.press("Space")
        except PlaywrightTimeoutError:
            if patience == 10_000:
                raise
            continue
        return chooser.value.set_files(str(file))


def test_a_file_is_imported(page, language, settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"
    file = tmp_path / "people.csv"
    file.write_text("Correo;Apellidos\nann@example.com;Núñez\nno address;<b>\n", encoding="utf-8")
    page.goto(reverse("admin:people_import_add"))
    chosen = page.locator("input[type=file]")
    go_to(page, chosen)
    choose_file(page, file)
    press(page, button(page, "Upload"))
    go_to(page, page.locator("[name=starts_campaigns]"))
    page.keyboard.press("End")
    press(page, button(page, "Show a preview"))
    expect(page.locator("#preview")).to_be_visible()
    press(page, button(page, "Check the whole file"))
    progress = page.locator("#import-progress")
    expect(progress).to_be_visible()
    import_runner.run_import(Import.objects.get().pk)
    expect(progress).to_contain_text(_("to be added"))
    press(page, button(page, "Import the valid rows"))
    expect(progress).not_to_contain_text(_("to be added"))
    import_runner.run_import(Import.objects.get().pk)
    expect(progress.locator("[role=status], [aria-live]").or_(progress).first).to_be_visible()
    assert Person.objects.get().last_name == "Núñez"
