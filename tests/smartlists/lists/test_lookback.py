"""Filters that look back further than activities are kept are marked wherever the list or campaign is."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from activities.log import retention
from smartlists.campaigns import diagnostics as campaign_diagnostics
from smartlists.campaigns.definitions import parsing as campaign_parsing
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.lists import editing as list_editing
from smartlists.rules.periods import Clock
from tests.factories import approved_type
from tests.smartlists.campaign_factories import make_draft_campaign
from tests.smartlists.form_client import builder_url, press_button
from tests.smartlists.rule_factories import (
    activity_filter,
    field_constraint,
    parse_filters,
    person_field_filter,
    sequence_filter,
)

pytestmark = pytest.mark.django_db
CLOCK = Clock(datetime(2026, 11, 24, 12, tzinfo=UTC), ZoneInfo("Europe/Madrid"))
LONG = activity_filter(field_constraint("@occurred_at", "in past", "24 months"))


@pytest.fixture
def check():
    found = approved_type()
    retention.set_retention(found, 12, None)
    return found


@pytest.fixture
def admin(admin_client):
    return admin_client


def told(*filters):
    found = list_diagnostics.filter_problems(parse_filters(*filters), clock=CLOCK)
    assert {problem.code for problem in found} <= {"kept_shorter"}
    return [problem.path for problem in found]


@pytest.mark.parametrize(
    ("operator", "values", "is_told"),
    [
        ("in past", ["12 months"], False),
        ("in past", ["1 year"], False),
        ("in past", ["366 days"], True),
        ("in past", ["24 months"], True),
        ("in time frame", ["this year"], False),
        ("in time frame", ["last year"], True),
        ("on or after", ["2025-11-25"], False),
        ("on or after", ["2025-11-24"], True),
        ("before", ["2026-11-01"], True),
        ("between", ["2024-01-01", "2026-11-20"], True),
        ("is", ["2026-11-20", "2024-01-01"], True),
        ("is not", ["2026-11-20"], True),
        ("is not empty", [], True),
        ("in past before", ["3 days"], True),
    ],
)
def test_a_window_is_told_when_it_is_longer_than_what_is_kept(check, operator, values, is_told):
    assert told(activity_filter(field_constraint("@occurred_at", operator, *values))) == [("filters", 0)] * is_told
    # whatever the other constraints of the row, did or did not
    narrowed = activity_filter(
        field_constraint("@occurred_at", operator, *values), field_constraint("amount", "at least", "5"), did=False
    )
    assert told(narrowed) == [("filters", 0)] * is_told


def test_without_a_window_everything_is_meant(check):
    assert told(activity_filter(), activity_filter(field_constraint("@recorded_at", "in past", "3 days"))) == [
        ("filters", 0),
        ("filters", 1),
    ]
    assert (
        told(
            activity_filter(
                field_constraint("@occurred_at", "before", "2026-11-01"),
                field_constraint("@occurred_at", "in past", "3 months"),
            )
        )
        == []
    )
    retention.set_retention(check, None, None)
    assert told(activity_filter(), LONG) == []


def test_a_step_of_a_sequence_looks_no_further_than_those_around_it_let_it(check):
    recent = [field_constraint("@occurred_at", "in past", "6 months")]
    step, late = {"type": "depositCheck"}, {"type": "depositCheck", "constraints": recent}
    assert told(sequence_filter(late, step)) == []
    assert told(sequence_filter(step, {**late, "within_days": 30})) == []
    assert told(sequence_filter(step, late)) == [("filters", 0, "steps", 0)]
    assert told(sequence_filter(step, {**late, "within_days": 300})) == [("filters", 0, "steps", 0)]
    assert told(sequence_filter(step, {**late, "within_days": 30, "not": True})) == [("filters", 0, "steps", 0)]
    assert told(sequence_filter(step, step)) == [("filters", 0, "steps", 0), ("filters", 0, "steps", 1)]


def test_pages_tell_it_of_what_is_saved_and_of_what_is_typed(admin, check):
    made = list_editing.create_smart_list("Faithful", {"filters": [LONG]}, None)
    sentence = "“Deposit Check” is kept for 12 months, and this looks back to"
    page = admin.get(builder_url("change", made.pk))
    assert page.text.count(sentence) == 1
    typed = press_button(admin, page, "count")
    assert typed.text.count(sentence) == 1  # in the head already
    assert (
        sentence
        in admin.get(
            builder_url(
                "change",
                list_editing.create_smart_list(
                    "Outer", {"filters": [{"kind": "smart_list", "list": made.pk, "member": True}]}, None
                ).pk,
            )
        ).text
    )
    new = press_button(admin, admin.get(builder_url("add")), "add", **{"choice:add": "activity:depositCheck"})
    counted = press_button(admin, new, "count")
    assert "is kept for 12 months, and this looks back without limit" in counted.text
    assert "se conservan durante" in admin.get(builder_url("change", made.pk), headers={"accept-language": "es"}).text


def test_a_campaign_tells_it_of_its_audience_and_its_choices(admin, check):
    rules = {"rules": {"filters": [LONG]}}
    value = {
        "triggers": [{"type": "depositCheck"}],
        "audience": rules,
        "steps": [
            {
                "do": "choose",
                "otherwise": [],
                "choices": [
                    {
                        "when": {"rules": {"filters": [person_field_filter("country", "is", "Spain")]}},
                        "steps": [
                            {
                                "do": "choose",
                                "otherwise": [],
                                "choices": [{"when": rules, "steps": [{"do": "wait", "period": "1 day"}]}],
                            }
                        ],
                    }
                ],
            }
        ],
    }
    found = campaign_diagnostics.campaign_problems(
        campaign_parsing.parse_definition(value), list_diagnostics.Catalogue()
    )
    assert [problem.path for problem in found] == [
        ("audience", "rules", "filters", 0),
        ("steps", 0, "choices", 0, "steps", 0, "choices", 0, "when", "rules", "filters", 0),
    ]
    made = make_draft_campaign(*value["steps"], audience=rules)
    page = admin.get(reverse("admin:smartlists_smartcampaign_change", args=[made.pk]))
    assert page.text.count("is kept for 12 months, and this looks back to") == 1
