"""On a phone: what is touched in daily tasks is large enough, no choice is cut, and no page scrolls sideways."""

import pytest
from django.urls import reverse

from smartlists.lists import editing as list_editing
from tests.factories import approved_type, make_person, new_activity, record_rows

LEAST = 39.5  # pixels; WCAG 2.5.8 requires 24
SMALL = """(least) => [...document.querySelectorAll(
    "#main :is(.ca-page, .ca-page *) :is(button, .ca-button, select, summary, input:not([type=hidden], [type=checkbox], [type=radio]))"
)].filter((part) => part.checkVisibility({visibilityProperty: true, opacityProperty: true}))
  .map((part) => [part.getBoundingClientRect(), part])
  .filter(([box]) => box.width > 0 && box.height < least)
  .map(([box, part]) => `${part.tagName} ${part.className} ${Math.round(box.height)} ${part.textContent.trim().slice(0, 30)}`)"""

CUT = """() => [...document.querySelectorAll("#main select")].filter((select) => select.checkVisibility({visibilityProperty: true}))
  .filter((select) => {
    const style = getComputedStyle(select), pen = document.createElement("canvas").getContext("2d");
    pen.font = style.font;
    const room = select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return pen.measureText(select.selectedOptions[0]?.text ?? "").width > room + 1;
  }).map((select) => `${select.id} ${Math.round(select.clientWidth)} ${select.selectedOptions[0].text}`)"""


@pytest.fixture
def addresses(superuser):
    """The pages of daily tasks."""
    check, ann = approved_type(), make_person(first_name="Ann", email="ann@example.com")
    record_rows(new_activity(ann.pk))
    made = list_editing.create_smart_list("Everybody", {"version": 1, "match": "all", "filters": []}, None)
    return [
        reverse("admin:people_person_changelist"),
        reverse("admin:activities_timeline", args=[ann.pk]),
        reverse("admin:smartlists_smartlist_changelist"),
        reverse("admin:smartlists_smartlist_templates"),
        reverse("admin:smartlists_smartlist_change", args=[made.pk]),
        reverse("admin:smartlists_smartlist_members", args=[made.pk]),
        reverse("admin:smartlists_smartcampaign_add") + "?template=score",
        reverse("admin:activities_activitytype_change", args=[check.pk]),
        reverse("admin:people_import_add"),
        f"{reverse('reports')}?report=trend&type={check.pk}",
        reverse("audit"),
    ]


def test_daily_pages_fit_a_phone_and_a_finger(new_page, superuser, addresses, language):
    page = new_page(language, superuser, viewport={"width": 390, "height": 844})
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
        assert page.evaluate(SMALL, LEAST) == [], address
        assert page.evaluate(CUT) == [], f"{address}: a choice is cut"
