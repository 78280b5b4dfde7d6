"""Filters on activities recorded as history: in every form, on every engine, with an explanation."""

import pytest

from activities.log.columns import builder
from activities.recording.recorder import record_activities
from people.core.source import Channel, Source
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.rules import model as rules
from smartlists.rules import sentences
from smartlists.rules.text import language
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.smartlists.rule_factories import activity_filter, field_constraint, parse_filters

pytestmark = pytest.mark.django_db
PAST = Source(Channel.API, is_backfill=True)
HISTORY, LIVE = field_constraint("@backfill", "is", "true"), field_constraint("@backfill", "is", "false")


@pytest.fixture
def people():
    """(a person with an activity recorded as history, one with another activity)."""
    approved_type()
    ann, bob = make_person().pk, make_person().pk
    record_activities([new_activity(ann)], PAST)
    record_rows(new_activity(bob), new_activity(bob))
    return ann, bob


def test_sql_and_columns_agree(people, column_index, own_rows_read):
    ann, bob = people
    expected = {"true": {ann}, "false": {bob}}
    for engine in ("sql", "columns"):
        if engine == "columns":
            builder.build_index()
        for value, found in expected.items():
            answer = evaluator.evaluate_rules(
                parse_filters(activity_filter(field_constraint("@backfill", "is", value)))
            )
            assert (answer.per_filter[0].engine, set(answer.members)) == (engine, found)
    record_activities([new_activity(bob)], PAST)  # after the mark of the index
    assert set(evaluator.evaluate_rules(parse_filters(activity_filter(HISTORY))).members) == {ann, bob}


def test_the_text_form_goes_back_and_forth(people):
    names = Catalogue()
    both = parse_filters(
        activity_filter(HISTORY), activity_filter(LIVE, field_constraint("@recorded_at", "in past", "2 days"))
    )
    text = language.render_rules_text(both, names)
    assert "where recorded as history is true" in text
    assert language.parse_rules_text(text, names) == both
    assert rules.load_rules(rules.dump_rules(both)) == both


def test_the_sentence_says_it(people):
    assert (
        "“recorded as history” is yes"
        in sentences.list_sentence(parse_filters(activity_filter(HISTORY)), Catalogue()).lower()
    )
