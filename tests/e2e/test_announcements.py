"""Changes that a page makes by itself, as a screen reader hears them: in the one region, and not more often than they can be read."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from tests.factories import approved_type, make_person, new_activity, record_rows

HEARD = """() => {
    window.heard = [];
    const region = document.getElementById("announced");
    new MutationObserver(() => window.heard.push(region.textContent)).observe(region, {childList: true});
}"""
ARRIVES = """text => {
    const made = document.createElement("p");
    made.dataset.announced = text;
    document.getElementById("entries").append(made);
    htmx.process(made);
    made.dispatchEvent(new CustomEvent("htmx:load", {bubbles: true}));
}"""


def test_a_new_entry_of_the_timeline_is_said_once_and_the_list_is_not_read_out(page, language):
    approved_type()
    ann = make_person()
    record_rows(new_activity(ann.pk, primary_value="No. 1", occurred_at=timezone.now() - timedelta(hours=2)))
    page.clock.install()
    page.goto(reverse("admin:activities_timeline", args=[ann.pk]))
    page.evaluate(HEARD)
    expect(page.locator("#announced")).to_be_empty()
    record_rows(new_activity(ann.pk, primary_value="No. 2", occurred_at=timezone.now()))
    with page.expect_response(lambda reply: "/timeline/" in reply.url):
        page.clock.fast_forward(31_000)
    expect(page.locator("#announced")).to_contain_text("No. 2")
    with page.expect_response(lambda reply: "/timeline/" in reply.url):
        page.clock.fast_forward(31_000)
    expect(page.locator("#entries .ca-moment").first).to_contain_text("No. 2")
    assert len(page.evaluate("heard")) == 1
    assert page.locator("#entries").get_attribute("aria-live") is None


def test_of_changes_in_quick_succession_the_last_is_said(page):
    approved_type()
    page.clock.install()
    page.goto(reverse("admin:activities_timeline", args=[make_person().pk]))
    page.evaluate(HEARD)
    for number in range(20):
        page.evaluate(ARRIVES, f"{number} %")
    assert page.evaluate("heard") == ["0 %"]
    page.clock.fast_forward(5_000)
    expect(page.locator("#announced")).to_have_text("19 %")
    assert page.evaluate("heard") == ["0 %", "19 %"]
