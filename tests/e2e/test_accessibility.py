"""Every page of the marketer's day, judged by axe-core in light and dark, and used at phone width and 400 %."""

from datetime import timedelta
from itertools import cycle
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import expect

from activities.links.processing import process_clicks
from activities.sources import editing as source_editing
from activities.sources import usage as source_usage
from config.access.clients import editing as client_editing
from people.core import installation
from people.core.source import Channel, Source
from smartlists.campaigns import dispatcher
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import dashboards, saved_reports
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignTally, StoredEvaluation
from smartlists.webhooks import editing as webhook_editing
from tests.activities.forms.factories import fill_in, make_form
from tests.activities.links.factories import click, make_link
from tests.factories import approved_type, edit_description, make_person, new_activity, record_rows
from tests.hypothesis_profiles import IS_LONG
from tests.smartlists.campaign_factories import BIG_CHECK, make_active_campaign, record_deposit

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
NO_AXE = "axe-core is not installed (make test installs it where npm is)"
# unfold's own dialog of the palette, which we do not draw
FRAME = ["[x-data='searchCommand()']"]
PAGES = {
    "home": "/admin/",
    "types": "/admin/activities/activitytype/",
    "new type": "/admin/activities/activitytype/add/",
    "overview": "/admin/activities/activitytype/{type}/change/?days=90",
    "fields": "/admin/activities/activitytype/{type}/fields/",
    "field": "/admin/activities/activitytype/{type}/fields/amount/",
    "people of a type": "/admin/activities/activitytype/{type}/people/",
    "versions": "/admin/activities/activitytype/{type}/versions/",
    "developers": "/admin/activities/activitytype/{type}/developers/",
    "approve": "/admin/activities/activitytype/{type}/step/approve/",
    "delete": "/admin/activities/activitytype/{type}/step/delete/",
    "import": "/admin/activities/activitytype/import/",
    "timeline": "/admin/activities/activitytype/timeline/{person}/",
    "record": "/admin/activities/activitytype/record/{person}/?type={type}",
    "record again": "/admin/activities/activitytype/record/{person}/?again={activity}",
    "correct": "/admin/activities/activitytype/record/{person}/?correct={activity}",
    "withdraw": "/admin/activities/activitytype/withdraw/{person}/{activity}/",
    "reports": "/admin/reports/?report=people&type={type}",
    "saved reports": "/admin/reports/saved/",
    "saved report": "/admin/reports/?saved={report}",
    "dashboard": "/admin/dashboards/{board}/",
    "dashboard arranged": "/admin/dashboards/{board}/?arrange=1",
    "new dashboard": "/admin/dashboards/add/",
    "notices": "/admin/notices/",
    "lists": "/admin/smartlists/smartlist/",
    "rules": "/admin/smartlists/smartlist/{list}/change/",
    "members": "/admin/smartlists/smartlist/{list}/members/",
    "history": "/admin/smartlists/smartlist/{list}/history/",
    "text": "/admin/smartlists/smartlist/{list}/text/",
    "uses": "/admin/smartlists/smartlist/{list}/used-by/",
    "people": "/admin/people/person/",
    "people filtered": "/admin/people/person/?did={type}&new=country",
    "users": "/admin/access/user/",
    "invite": "/admin/access/user/add/",
    "account": "/account/",
    "person": "/admin/people/person/{person}/change/",
    "form settings": "/admin/activities/form/{form}/change/",
    "form shared": "/admin/activities/form/{form}/share/",
    "submissions": "/admin/activities/form/{form}/submissions/",
    "links": "/admin/activities/trackedlink/",
    "link clicked": "/admin/activities/trackedlink/{link}/change/?machines",
    "link settings": "/admin/activities/trackedlink/{link}/settings/",
    "personal links": "/admin/activities/trackedlink/{link}/people/",
    "where a link led": "/admin/activities/trackedlink/{link}/destinations/",
    "static lists": "/admin/people/staticlist/",
    "deleted types": "/admin/activities/activitytype/deleted/",
    "place": "/admin/activities/activitytype/{type}/place/",
    "used by": "/admin/activities/activitytype/{type}/used-by/",
    "discard": "/admin/activities/activitytype/{type}/step/discard/",
    "retire": "/admin/activities/activitytype/{type}/step/retire/",
    "return": "/admin/activities/activitytype/{type}/step/return/",
    "folders": "/admin/people/staticlist/folders/",
    "upload": "/admin/people/import/add/",
    "tokens": "/admin/tokens/",
    "campaigns": "/admin/smartlists/smartcampaign/",
    "new campaign": "/admin/smartlists/smartcampaign/add/",
    "campaign": "/admin/smartlists/smartcampaign/{campaign}/change/",
    "results": "/admin/smartlists/smartcampaign/{campaign}/results/",
    "trial": "/admin/smartlists/smartcampaign/{campaign}/try/?person={person}",
    "duplicate": "/admin/smartlists/smartcampaign/{campaign}/duplicate/",
    "webhooks": "/admin/smartlists/webhook/",
    "new webhook": "/admin/smartlists/webhook/add/",
    "webhook": "/admin/smartlists/webhook/{webhook}/change/",
    "deliveries": "/admin/smartlists/webhook/{webhook}/deliveries/",
    "event sources": "/admin/activities/eventsource/",
    "new event source": "/admin/activities/eventsource/add/",
    "event source": "/admin/activities/eventsource/{event_source}/change/",
    "clients": "/admin/access/apiclient/",
    "new client": "/admin/access/apiclient/add/",
    "client": "/admin/access/apiclient/{client}/change/",
    "standard types": "/admin/activities/activitytype/?state=standard",
    "picture": "/admin/activities/activitytype/{type}/picture/",
    "consents": "/admin/activities/activitytype/consents/{person}/",
    "new person": "/admin/people/person/add/",
    "merge": "/admin/people/person/{person}/merge/",
    "delete person": "/admin/people/person/{person}/remove/",
    "duplicates": "/admin/people/person/duplicates/",
    "person fields": "/admin/people/personfield/",
    "new person field": "/admin/people/personfield/add/",
    "new static list": "/admin/people/staticlist/add/",
    "new export": "/admin/people/export/add/",
    "rejected": "/admin/activities/refusedactivity/",
    "new retention": "/admin/activities/retention/add/",
    "installation": "/admin/people/installation/",
    "new web site": "/admin/activities/eventsource/website/",
    "install": "/admin/activities/eventsource/{event_source}/install/",
    "live": "/admin/activities/eventsource/{event_source}/live/",
    "visitors": "/admin/activities/visitor/",
    "audit": "/admin/audit/",
    "status": "/admin/status/",
    "password": "/admin/password_change/",
}


def counted_list(rules):
    """A list with a history of a few days, which its charts show."""
    saved, now = list_editing.create_smart_list("Depositors", rules, None), timezone.now()
    for days in (9, 5, 2, 0):
        row = stored_evaluations.evaluate_list(saved, None)
        StoredEvaluation.objects.filter(pk=row.pk).update(as_of=now - timedelta(days=days))
    return saved.pk


@pytest.fixture
def where(superuser):
    installation.clear_installation_cache()
    check, ann = approved_type(), make_person(first_name="Ann", last_name="أحمد 🎉")
    record_rows(*(new_activity(ann.pk, primary_value=f"No. {i}", branch="Lyon") for i in range(3)))
    vera = get_user_model().objects.get(username="vera")
    by_hand = Source(Channel.ADMIN, vera.pk)
    (mine,) = record_rows(new_activity(ann.pk, amount=5_000), source=by_hand)
    edit_description(check, "changed")
    rules = {
        "version": 1,
        "match": "all",
        "filters": [
            {
                "kind": "activity",
                "did": True,
                "type": "depositCheck",
                "constraints": [{"field": "amount", "operator": "at least", "values": ["5"]}],
            },
            {"kind": "person_field", "field": "country", "operator": "is not", "values": ["Spain", "Chile"]},
            {
                "kind": "sequence",
                "steps": [{"type": "depositCheck"}, {"type": "newPerson", "within_days": 7, "not": True}],
            },
        ],
    }
    hook = webhook_editing.create_webhook("CRM", None, url="https://example.com/hook")[0]
    spanish = {"filters": [{"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]}]}
    campaign = make_active_campaign(
        {"do": "change_field", "field": "person_score", "by": "1"},
        {"do": "webhook", "webhook": hook.pk},
        {"do": "record", "type": "depositCheck", "primary": "{{trigger.check}}"},
        {
            "do": "choose",
            "otherwise": [],
            "choices": [{"when": {"rules": spanish}, "steps": [{"do": "wait", "period": "1 day"}]}],
        },
        {"do": "wait", "period": "3 days"},
        triggers=[BIG_CHECK],
        name="Big depositors",
    )
    record_deposit(ann.pk, amount=5_000)
    dispatcher.process_all_due_work()
    yesterday = timezone.now().date() - timedelta(days=1)
    CampaignTally.objects.create(campaign=campaign, day=yesterday, what="entered", count=7)
    client = client_editing.create_client("Bank core", get_user_model().objects.create_user("olga"), None).client
    shop = source_editing.create_source("Shop", "browser", None, origins=["https://www.example.com"]).key.source
    source_usage.note_uses({shop.pk: source_usage.Use(1, 1_500, 3, 1)})
    form = make_form(event="Fair 2026")
    fill_in(form, company="Engines")
    link = make_link(website=shop)
    click(link, ann.pk), click(link, agent="curl/8"), click(link, who="nobody known")
    process_clicks()
    reported = {"report": "trend", "type": str(check.pk), "days": "30"}
    report = saved_reports.save_report("Checks", reported, vera, is_shared=True)
    board = dashboards.create_dashboard("Board", vera)
    dashboards.pin_report(board, report, vera)
    return {
        "report": report.pk,
        "board": board.pk,
        "type": check.pk,
        "person": ann.pk,
        "activity": mine.activity_id,
        "list": counted_list(rules),
        "client": client.pk,
        "campaign": campaign.pk,
        "webhook": hook.pk,
        "event_source": shop.pk,
        "form": form.pk,
        "link": link.pk,
    }


THEMES = ("light", "dark")
NARROW = {"a phone": 390, "400 % zoom": 320}
ROOM = "400 % zoom"  # the least, in which every page is looked at
# axe-core on the page in each theme; its text is evaluated, as a script tag would go against the content security policy
JUDGED = """async ({frame, themes, ofTheme}) => {
    const found = [];
    for (const [number, theme] of themes.entries()) {
        Alpine.$data(document.documentElement).switchTheme(theme);
        await Alpine.nextTick();
        for (const one of document.getAnimations()) if (one instanceof CSSTransition) one.finish();
        if (!document.documentElement.classList.contains(theme)) throw new Error(`the page is not ${theme}`);
        const asked = number ? {runOnly: {type: "rule", values: ofTheme}} : {};
        const {violations} = await axe.run({exclude: frame}, {resultTypes: ["violations"], ...asked});
        for (const {id, impact, nodes} of violations) found.push([theme, id, impact, nodes[0].html.slice(0, 160)]);
    }
    return found;
}"""
OF_THEME = ("color-contrast", "link-in-text-block")  # the rules that look at colours


def faults(page, what, themes=THEMES):
    """The faults of the page as it is, minor ones too: all rules in the first theme, those of colours in the others."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(JUDGED, {"frame": [[one] for one in FRAME], "themes": themes, "ofTheme": OF_THEME})
    return [f"{what}, {theme}: {rule} ({impact}) {html}" for theme, rule, impact, html in found]


def too_wide(page, what):
    """The pixels that the page scrolls sideways where there is little room."""
    found = []
    for room, width in (NARROW if IS_LONG else {ROOM: NARROW[ROOM]}).items():
        page.set_viewport_size({"width": width, "height": 640})
        page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )  # charts follow in the next
        if (over := page.evaluate("document.documentElement.scrollWidth - window.innerWidth")) > 1:
            found.append(f"{what} on {room} by {over} px")
    return found


@pytest.mark.slow
def test_no_page_has_a_fault_or_scrolls_sideways(new_page, superuser, where):
    """Each page in one of the themes by turns, as colours are those of the parts that pages share; in both with LONG_TESTS=1."""
    page = new_page("en", superuser, color_scheme="light")
    found = []
    for (name, address), theme in zip(PAGES.items(), cycle(THEMES), strict=False):
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto(address.format(**where))
        found += faults(page, name, THEMES if IS_LONG else [theme]) if AXE.exists() else []
        found += too_wide(page, name)
    assert not found, "\n".join(found)
    if not AXE.exists():
        pytest.skip(f"only widths were looked at: {NO_AXE}")


@pytest.mark.skipif(not AXE.exists(), reason=NO_AXE)
def test_the_builder_at_work_has_no_fault(new_page, superuser, where):
    page = new_page("en", superuser, color_scheme="light")
    page.goto(PAGES["rules"].format(**where))
    expect(page.locator("#panel .ca-stat")).to_be_visible()
    found = []
    page.locator("#card-1 .ca-menu summary").click()
    found += faults(page, "menu")
    page.locator("[id='id_new.search']").fill("name")
    expect(page.locator("[id='id_new.tree'] [aria-selected=true]")).to_be_visible()
    found += faults(page, "tree")
    entry = page.locator("[id='filters.1.lines.entry']")
    with page.expect_response("**/suggest/**"):
        entry.click()
    found += faults(page, "values")
    page.locator("#card-2").get_by_role("button", name="Collapse", exact=True).click()
    expect(page.locator("#card-2 .ca-rule__said")).to_be_visible()
    found += faults(page, "folded")
    assert not found, "\n".join(found)


def test_the_menu_of_a_type_is_used_with_the_keyboard_alone(new_page, superuser, where):
    page = new_page("en", superuser)
    page.goto(PAGES["versions"].format(**where))
    menu = page.locator(".ca-head__steps summary")
    menu.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Change", exact=True)).to_be_focused()


def test_icons_are_no_part_of_the_names_of_the_menu(new_page, superuser):
    """Links and buttons around the page are called by their words: the name of an icon is text to a screen reader."""
    page = new_page("en", superuser)
    page.goto(PAGES["home"])
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 720})
        if width == 390:
            page.get_by_role("button", name="Show or hide the menu", exact=True).click()
        menu = page.locator("#nav-sidebar")
        for label in ("Home", "Custom Activities", "Activity types", "People"):
            expect(menu.get_by_role("link", name=label, exact=True)).to_have_count(1)
        expect(menu.get_by_role("link", name="Home", exact=True)).to_have_attribute("aria-current", "page")
    icons = ":is(#nav-sidebar, #header-inner) .material-symbols-outlined"
    read = page.locator(icons).evaluate_all(
        "all => all.filter(one => !one.closest('[aria-hidden=true]')).map(one => one.textContent.trim())"
    )
    assert read == []
