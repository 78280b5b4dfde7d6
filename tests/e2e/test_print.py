"""Printed pages: without buttons, light whatever the screen has, and as wide as the sheet."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from activities.log import rollup
from smartlists.campaigns import dispatcher
from smartlists.evaluation import stored
from smartlists.lists import dashboards, saved_reports
from smartlists.lists import editing as list_editing
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.people.objects import world as objects
from tests.smartlists.campaign_factories import BIG_CHECK, make_active_campaign, record_deposit

A4 = {"width": 718, "height": 1050}  # pixels within the margins
PRESSED = """() => [...document.querySelectorAll("#nav-sidebar, #header-inner, button, .ca-button, .ca-tick, input[type=checkbox]")]
    .filter((part) => part.checkVisibility({visibilityProperty: true}) && part.getBoundingClientRect().height > 1).map((part) => part.outerHTML.slice(0, 120))"""
# text without contrast on paper: a background that is dark, or writing that is light without one
DARK = """() => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const light = (colour) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, alpha] = canvas.getImageData(0, 0, 1, 1).data;
        return alpha < 20 ? null : (0.299 * r + 0.587 * g + 0.114 * b) / 255;
    };
    const on = (part) => part ? (light(getComputedStyle(part).backgroundColor) ?? on(part.parentElement)) : 1;
    const own = (part) => [...part.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    return [...document.querySelectorAll("#main *")].filter((part) => own(part) && part.checkVisibility({visibilityProperty: true})
        && !part.closest(".ca-picture, .ca-avatar, .ca-hidden, .ca-rule__number, [aria-hidden]") && part.getBoundingClientRect().width > 1
        && (on(part) < 0.6 || light(getComputedStyle(part).color) > 0.6)).map((part) => part.outerHTML.slice(0, 120));
}"""
EMPTY = """() => [...document.querySelectorAll("#main :is(.ca-field, textarea)")].filter((part) => part.checkVisibility()
    && (part.matches(".ca-field") ? part.querySelector(":scope > :is(input:not([type=checkbox]), textarea)") : part)?.value === "").map((part) => part.outerHTML.slice(0, 120))"""
# a moment that is right on the day of printing only
RELATIVE = """() => [...document.querySelectorAll("#main time[title]")].filter((part) => part.checkVisibility() && parseFloat(getComputedStyle(part).fontSize) > 0)
    .map((part) => part.outerHTML.slice(0, 120))"""
WIDE = """() => [...document.querySelectorAll("#main *")].filter((part) => part.checkVisibility()
    && part.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(part).position !== "absolute").map((part) => part.outerHTML.slice(0, 120))"""


FAULTS = (
    ("pressed", PRESSED),
    ("without contrast", DARK),
    ("wider than the sheet", WIDE),
    ("empty", EMPTY),
    ("relative", RELATIVE),
)


@pytest.fixture
def addresses(superuser):
    """The pages that people print, each with something on it."""
    check = approved_type()
    people = [
        make_person(
            first_name="Ann",
            last_name="Núñez",
            email=f"a.rather.long.name{n}@example.com",
            company="Some Engineering & Sons",
            country="United Kingdom",
        )
        for n in range(3)
    ]
    record_rows(
        *(new_activity(people[0].pk, branch="Lyon", occurred_at=timezone.now() - timedelta(days=n)) for n in range(9))
    )
    rollup.catch_up_rollup()
    made = list_editing.create_smart_list("Everybody", {"version": 1, "match": "all", "filters": []}, None)
    stored.evaluate_list(made, None)
    campaign = make_active_campaign({"do": "change_field", "field": "person_score", "by": "1"}, triggers=[BIG_CHECK])
    record_deposit(people[0].pk, amount=5_000)
    dispatcher.process_all_due_work()
    trend = {"report": "trend", "type": str(check.pk), "days": "30"}
    board = dashboards.create_dashboard("Board", superuser)
    dashboards.pin_report(board, saved_reports.save_report("Checks", trend, superuser), superuser)
    car = objects.approved_type()
    record = objects.changed(
        objects.saved(car, plate="1234 KLM", owner=people[0].email, colour="blue"),
        colour="a rather long word of colours",
    )
    return [
        reverse("admin:people_objectrecord_change", args=[record.pk]),
        reverse("admin:people_objectrecord_of_type", args=[car.pk]),
        reverse("admin:people_objecttype_changelist"),
        reverse("admin:activities_consents", args=[people[0].pk]),
        reverse("admin:activities_activitytype_change", args=[check.pk]),
        reverse("admin:people_person_change", args=[people[0].pk]),
        reverse("admin:activities_timeline", args=[people[0].pk]),
        reverse("admin:people_person_changelist"),
        f"{reverse('reports')}?report=trend&type={check.pk}",
        f"{reverse('reports')}?report=breakdown&type={check.pk}",
        reverse("dashboard", args=[board.pk]),
        reverse("admin:smartlists_smartcampaign_results", args=[campaign.pk]),
        reverse("admin:smartlists_smartlist_members", args=[made.pk]),
        reverse("admin:smartlists_smartlist_changelist"),
    ]


def test_paper_has_what_is_read_in_light_colours_and_within_its_width(new_page, superuser, addresses, language):
    page = new_page(language, superuser, color_scheme="dark")
    page.emulate_media(media="print")
    page.set_viewport_size(A4)
    wrong = []
    for address in addresses:
        page.goto(address, wait_until="networkidle")
        assert "dark" in page.locator("html").get_attribute("class"), "else there is nothing to prove"
        if not page.locator("#main :is(h1, h2):visible").count():
            wrong.append(f"{address}: no heading")
        for fault, script in FAULTS:
            wrong += [f"{address} {fault}: {part}" for part in page.evaluate(script)]
    assert not wrong, "\n".join(wrong)


def test_a_chart_is_drawn_in_light_colours_and_for_the_sheet_while_it_is_printed(new_page, superuser, addresses):
    page = new_page("en", superuser, color_scheme="dark")
    page.goto(next(address for address in addresses if "trend" in address))
    chart = page.locator("[data-chart] .u-wrap")
    before = chart.bounding_box()["width"]
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert chart.bounding_box()["width"] == 620
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert chart.bounding_box()["width"] == before
