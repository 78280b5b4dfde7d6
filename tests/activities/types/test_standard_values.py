"""Values of the web that are longer than the fields which always held them."""

import pytest

from activities.recording.recorder import record_activities
from activities.recording.rows import NewActivity
from activities.types.standard_values import clip_values
from people.core.source import SYSTEM
from tests.factories import make_person

pytestmark = pytest.mark.django_db
LONG = "https://example.com/" + "é" * 3_000
QUERY = "a=" + "ü" * 20_000


def test_long_values_are_kept_in_the_new_fields_and_cut_in_the_old_ones():
    attributes = [("url", LONG[:2_000]), ("query", "b=" + "x" * 9_000), ("query_parameters", "b=" + "x" * 9_000)]
    primary, clipped = clip_values(1, LONG, attributes)
    assert primary == LONG[:255]
    assert dict(clipped) == {"url": LONG[:2_000], "query": "b=" + "x" * 9_000, "query_parameters": "b=" + "x" * 253}


def test_what_is_cut_is_never_rejected_for_its_length():
    values = [
        ("url", LONG),
        ("query", QUERY),
        ("user_agent", "Mozilla " * 99),
        ("referrer_url", LONG),
        ("is_bot", True),
    ]
    primary, clipped = clip_values(1, " \u200b" + "e\u0301" * 400, values)
    row = NewActivity(make_person().pk, 1, "2026-11-20T10:00:00Z", primary, clipped, None)
    (outcome,) = record_activities([row], SYSTEM, may_record=frozenset({row.activity_type}))
    assert not outcome.problems and outcome.activity_id
    assert dict(clipped)["is_bot"] is True and len(dict(clipped)["url"]) == 2_000


def test_what_is_no_text_or_of_no_field_is_left_to_the_recorder():
    assert clip_values(1, 12, [("webpage_id", "7" * 300), ("nothing", LONG)]) == (
        12,
        [("webpage_id", "7" * 300), ("nothing", LONG)],
    )
