"""A marketer's day in the browser, in both languages: home, drafts, reports, notices, imports, tokens."""

import re
from datetime import date, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from playwright.sync_api import expect

from activities.log import rollup
from activities.models import Activity, ActivityType
from activities.types.definition import ACTIVITY_TYPES, ActivityFieldSpec, TypeNames
from config.access.clients import editing as client_editing
from config.access.models import ApiClient, ApiToken
from people.core.notifications import Notice, NoticeSwitch
from people.definitions import lifecycle
from people.files.imports import runner as import_runner
from people.models import Import, Person
from smartlists.lists import editing as list_editing
from tests.factories import approved_type, draft_type, edit_description, make_person, new_activity, record_rows


def button(page, label):
    return page.get_by_role("button", name=_(label), exact=True)


@pytest.fixture
def somebody(superuser):
    """A function that makes a user with roles: (name, *roles)."""

    def make(name, *roles):
        user = get_user_model().objects.create_user(name, is_staff=True)
        user.groups.set(Group.objects.filter(name__in=roles))
        return user

    return make


def test_a_draft_goes_back_to_its_editor_with_a_reason(new_page, somebody, language):
    editor, approver = somebody("edith", "Type editor"), somebody("arno", "Approver")
    draft = draft_type()
    draft.draft.editors.add(editor)
    page = new_page(language, approver)
    page.goto("/admin/")
    page.get_by_role("link", name=f"{_('Review')} Deposit Check").click()
    page.locator("summary").filter(has_text=_("Not right yet? Return the draft with a reason")).click()
    page.get_by_label(_("Reason")).fill("Amount <in> which currency? ñ 🎉")
    button(page, "Return with a reason").click()
    expect(page.get_by_text("Amount <in> which currency? ñ 🎉")).to_be_visible()

    page = new_page(language, editor)
    page.goto("/admin/")
    returned = page.get_by_role("region", name=_("Returned to you"))
    expect(returned).to_contain_text("Amount <in> which currency? ñ 🎉")
    page.goto("/admin/notices/")
    expect(page.get_by_role("listitem").filter(has_text="Amount <in> which currency? ñ 🎉")).to_be_visible()
    page.get_by_role("button", name=_("Change the draft")).click()
    expect(page).to_have_url(re.compile(r"/activitytype/\d+/"))
    assert not Notice.objects.filter(user__username="edda", read_at=None).exists(), "opening it reads it"


@pytest.mark.parametrize(
    ("role", "shown", "hidden"),
    [
        ("Marketer", "Your activities", "Drafts awaiting approval"),
        ("Approver", "Drafts awaiting approval", "Status"),
        ("Developer", "API clients", "Status"),
        ("Administrator", "Status", "Returned to you"),
    ],
)
def test_home_has_what_waits_for_each_role(new_page, somebody, language, role, shown, hidden):
    edit_description(approved_type(), "changed")
    page = new_page(language, somebody("rosa", role))
    page.goto("/admin/")
    expect(page.get_by_role("heading", name=_(shown))).to_be_visible()
    expect(page.get_by_role("heading", name=_(hidden))).to_have_count(0)


def test_the_first_steps_lead_on_and_go_when_they_are_done(new_page, superuser, somebody, language):
    draft = draft_type()
    steps = "ol.ca-steps"
    page = new_page(language, somebody("rosa", "Viewer"))
    page.goto("/admin/")
    expect(page.locator(steps)).to_contain_text(_("Approve it"))
    expect(page.locator(f"{steps} a")).to_have_count(0)  # a viewer may do none of it
    page = new_page(language, superuser)
    page.goto("/admin/")
    expect(page.locator(f"{steps} .ca-steps__done")).to_have_count(1)
    page.get_by_role("link", name=_("Approve it")).click()
    button(page, "Approve").click()
    expect(page.get_by_text(_("Approved"), exact=True).first).to_be_visible()
    client_editing.create_client("Bank core", superuser, None)
    list_editing.create_smart_list("Everybody", {"version": 1, "match": "all", "filters": []}, None)
    record_rows(new_activity(make_person().pk, draft.pk))
    page.goto("/admin/")
    expect(page.get_by_role("heading", name=_("Your activities"))).to_be_visible()
    expect(page.locator(steps)).to_have_count(0)


def test_the_palette_leads_anywhere_with_the_keyboard_alone(page, language):
    check = approved_type()
    page.goto("/admin/")
    box = page.locator("#search-input-command")
    button(page, "Search").click()
    expect(box).to_be_focused()
    box.press("Escape")
    expect(box).to_be_hidden()
    page.locator("body").press("Control+k")
    expect(box).to_be_focused()
    box.press_sequentially("deposit")
    expect(page.locator("#command-results-list li").filter(has_text="Deposit Check")).to_be_visible()
    box.press("ArrowDown")
    expect(page.locator("#command-results-list li.active")).to_contain_text("Deposit Check")
    box.press("Enter")
    expect(page).to_have_url(re.compile(f"/activitytype/{check.pk}/change/$"))


def test_notices_are_read_and_switched_off(new_page, somebody, language):
    approver = somebody("arno", "Approver")
    lifecycle.create_definition(ACTIVITY_TYPES, *_names_and_fields(), get_user_model().objects.get(username="vera"))
    page = new_page(language, approver)
    page.goto("/admin/notices/")
    expect(page.locator(".ca-badge", has_text=_("new"))).to_have_count(1)
    button(page, "Mark all as read").click()
    expect(page.locator(".ca-badge", has_text=_("new"))).to_have_count(0)
    assert Notice.objects.get(user=approver).read_at is not None
    page.locator("summary").filter(has_text=_("Notification settings")).click()
    waits = page.get_by_role("checkbox", name=f"{_('A draft is waiting for your approval')}: {_('Here')}")
    waits.uncheck()
    button(page, "Save").click()
    page.locator("summary").filter(has_text=_("Notification settings")).click()
    expect(waits).not_to_be_checked()
    assert not NoticeSwitch.objects.get(user=approver, kind="draft_waits").in_product


def _names_and_fields():

    return TypeNames("buyCar", "Buy Car", "Bought Car", "Buys Car"), [
        ActivityFieldSpec("model", "Model", is_primary=True)
    ]


def test_a_report_is_asked_for_and_its_numbers_lead_on(page, language):
    check, ann = approved_type(), make_person(first_name="Ann", last_name="Núñez")
    day = date.today() - timedelta(days=3)
    record_rows(
        *(new_activity(ann.pk, occurred_at=f"{day}T10:00:00Z", branch=branch) for branch in ("Lyon", "Lyon", "Sol"))
    )
    rollup.catch_up_rollup()
    page.goto("/admin/")
    page.locator("a[href='/admin/reports/']").first.click()
    page.get_by_role("link", name=_("Breakdown"), exact=True).click()
    page.get_by_label(_("Activity type"), exact=True).select_option(str(check.pk))
    fields = page.get_by_label(_("Broken down by"))
    expect(fields.get_by_role("option", name="Branch")).to_have_count(1)
    fields.select_option(label="Branch")
    expect(page.locator("tbody tr").first).to_contain_text("Lyon")
    expect(page.locator("tbody tr").first).to_contain_text("2")
    with page.expect_download() as download:
        page.get_by_role("link", name=_("Export (CSV)")).click()
    assert "Lyon" in download.value.path().read_text()
    page.get_by_role("navigation", name=_("Reports")).get_by_role("link").nth(2).click()
    page.get_by_label(_("Activity type"), exact=True).select_option(str(check.pk))
    page.get_by_role("link", name="Ann Núñez").click()
    expect(page.locator("#entries .ca-moment").first).to_be_visible()


def test_a_file_is_uploaded_mapped_checked_imported_and_reported(page, clicks, language, settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"
    file = tmp_path / "people.csv"
    file.write_text("Correo;Apellidos\nann@example.com;Núñez\nno address;<b>\n", encoding="utf-8")
    page.goto("/admin/people/import/add/")
    page.locator("input[type=file]").set_input_files(str(file))
    button(page, "Upload").click()
    page.locator("[name=starts_campaigns]").select_option("no")
    button(page, "Show a preview").click()
    expect(page.locator("#preview")).to_be_visible()
    expect(page.locator("table").last).to_contain_text("ann@example.com")
    button(page, "Check the whole file").click()
    progress = page.locator("#import-progress")
    expect(progress).to_be_visible()
    import_runner.run_import(Import.objects.get().pk)
    expect(progress).to_contain_text(_("to be added"))
    assert not Person.objects.exists()
    button(page, "Import the valid rows").click()
    expect(progress).not_to_contain_text(_("to be added"))
    import_runner.run_import(Import.objects.get().pk)
    assert clicks.number <= 8, "two more lead here from the menu"
    expect(page.get_by_role("link", name=_("Download the rejected rows"))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name=_("Download the rejected rows")).click()
    assert "no address" in download.value.path().read_text(encoding="utf-8-sig")
    assert Person.objects.get().last_name == "Núñez"


def test_a_type_is_duplicated(page, language):
    check = approved_type()
    page.goto(f"/admin/activities/activitytype/{check.pk}/change/")
    page.locator(".ca-head__steps summary").click()
    page.get_by_role("link", name=_("Duplicate"), exact=True).click()
    name = page.locator("#id_name")
    expect(name).to_have_value(_("%(name)s copy") % {"name": "Deposit Check"})
    name.fill("Cash Check")
    button(page, "Next").click()
    button(page, "Next").click()
    expect(page.locator("#id_primary-name")).to_have_value("Check")
    expect(page.locator("#id_fields-0-name")).to_have_value("Amount")
    button(page, "Save draft").click()
    expect(page.get_by_role("heading", name="Cash Check", exact=True)).to_be_visible()
    copy = ActivityType.objects.exclude(pk=check.pk).get(is_standard=False)
    assert copy.draft.fields.count() == check.live.fields.count()
    assert not Activity.objects.filter(activity_type_id=copy.pk).exists()


def test_a_token_is_made_copied_and_ended(page, language):
    page.goto("/admin/tokens/")
    page.get_by_label(_("What is it for?")).fill("Nightly script")
    page.locator("summary").filter(has_text=_("Only these permissions")).click()
    page.locator("input[name=rights][value='people.view_person']").check()
    button(page, "Create token").click()
    shown = page.locator("code").filter(has_text="cap_")
    expect(shown).to_be_visible()
    page.get_by_role("button", name=f"{_('Copy')} Nightly script").click()
    expect(page.locator("[data-copied]").first).to_have_text(_("Copied."))
    assert ApiToken.objects.get().scopes == ["people.view_person"]
    page.goto("/admin/tokens/")
    expect(shown).to_have_count(0)
    page.get_by_role("button", name=f"{_('Revoke')} Nightly script").click()
    expect(page.get_by_text(_("You have no tokens."))).to_be_visible()
    assert not ApiToken.objects.exists()


def test_a_client_is_made_given_a_new_secret_and_revoked(page, language):
    page.goto("/admin/access/apiclient/add/")
    page.get_by_label(_("Name"), exact=True).fill("Bank core")
    button(page, "Create API client").click()
    first = page.locator("dd code").nth(1).inner_text()
    page.get_by_role("link", name=_("Go to the client")).click()
    expect(page.get_by_text(pgettext("API client", "Active"), exact=True)).to_be_visible()
    page.get_by_label(_("The old one ends")).select_option("1")
    button(page, "New secret").click()
    expect(page.locator("dd code").nth(1)).not_to_have_text(first)
    page.get_by_role("link", name=_("Go to the client")).click()
    page.locator("summary").filter(has_text=_("Revoke…")).click()
    button(page, "Revoke").click()
    expect(page.locator(".ca-badge", has_text=_("Revoked"))).to_be_visible()
    assert ApiClient.objects.get().is_revoked
