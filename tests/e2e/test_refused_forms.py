"""A form that comes back has the focus on what was wrong with it: in a summary whose links lead to the fields."""

import pytest
from django.urls import reverse
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from smartlists.lists import editing as list_editing

RULES = {"version": 1, "match": "all", "filters": []}


@pytest.fixture
def summary(page):
    return page.locator(".ca-refused")


def test_a_summary_has_the_focus_and_leads_to_each_field(page, summary, language):
    page.goto(reverse("admin:activities_eventsource_add"))
    page.locator("#id_origins").fill("https://www.example.com")
    page.locator("#id_name").press("Enter")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text(_("Check what you entered"))
    expect(page.locator("#id_origins")).to_have_value("https://www.example.com")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wrong = page.locator("#id_name")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_attribute("aria-invalid", "true")
    described = wrong.get_attribute("aria-describedby").split()
    assert any(page.locator(f"#{name} .ca-error, #{name}.ca-error").count() for name in described)


def test_a_form_of_one_field_has_the_focus_in_it(page, summary, language, superuser):
    made = list_editing.create_smart_list("Everybody", RULES, None)
    page.goto(reverse("admin:smartlists_smartlist_remove", args=[made.pk]))
    page.locator("form[method=post] .ca-button--danger").press("Enter")
    expect(page.locator("form[method=post] input.ca-input, form[method=post] input[type=text]").first).to_be_focused()
    expect(summary).to_have_count(0)


def test_builders_and_messages_have_it_too(page, summary, language, superuser):
    page.goto(reverse("admin:smartlists_smartlist_add"))
    page.locator("button[name=do][value=save]").press("Enter")
    expect(summary).to_be_focused()
    page.goto(reverse("admin:people_staticlist_folders"))
    adding = page.locator("#main form[method=post]").filter(has=page.locator("input[name=name]")).first
    adding.evaluate("form => { form.noValidate = true; }")
    adding.locator("button").first.press("Enter")
    expect(page.locator(".ca-message--bad")).to_be_focused()
