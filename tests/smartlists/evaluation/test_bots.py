"""Bots in filters, steps and triggers: in every form, on every engine, with an explanation."""

import pytest

from activities.log.columns import builder
from activities.models import ActivityType
from people.core.errors import RejectedError
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions import parsing as campaign_parsing
from smartlists.campaigns.definitions import sentences as campaign_sentences
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator, explanation
from smartlists.lists import diagnostics
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignEntry, SmartListUse
from smartlists.rules import model as rules
from smartlists.rules import sentences
from smartlists.rules.text import language
from tests.factories import CHECK_FIELDS, ActivityFieldSpec, approved_type, make_person, new_activity, record_rows
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    make_active_campaign,
    make_static_list,
    process_due_work,
    record_deposit,
)
from tests.smartlists.rule_factories import (
    activity_filter,
    aggregate_condition,
    count_condition,
    field_constraint,
    parse_filters,
    sequence_filter,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    """Ann, a bot with her address, and a person with rows of both; one row is not marked."""
    approved_type(fields=(*CHECK_FIELDS, ActivityFieldSpec("is_bot", "Is Bot", "boolean")))
    approved_type("Rate Film", "rateFilm")
    ann, bot, both, unsaid = (make_person().pk for _person in range(4))
    record_rows(
        new_activity(ann, is_bot=False, amount=1),
        new_activity(bot, is_bot=True, amount=2),
        new_activity(both, is_bot=True, amount=4),
        new_activity(both, is_bot=False, amount=8),
        new_activity(unsaid, amount=16),
        *(new_activity(person, "rateFilm", "2026-11-21T10:00:00Z") for person in (ann, bot, both, unsaid)),
    )
    return {"ann": ann, "bot": bot, "both": both, "unsaid": unsaid}


SUM = aggregate_condition("sum", "amount", "at least", "8")
CASES = [
    (activity_filter(), {"ann", "bot", "both", "unsaid"}),
    (activity_filter(bots="include"), {"ann", "bot", "both", "unsaid"}),
    (activity_filter(bots="exclude"), {"ann", "both", "unsaid"}),
    (activity_filter(bots="only"), {"bot", "both"}),
    (activity_filter(bots="exclude", did=False), {"bot"}),
    (activity_filter(bots="only", did=False), {"ann", "unsaid"}),
    (activity_filter(count=count_condition("exactly", "2")), {"both"}),
    (activity_filter(bots="exclude", count=count_condition("exactly", "1")), {"ann", "both", "unsaid"}),
    (activity_filter(bots="only", count=count_condition("exactly", "0")), {"ann", "unsaid"}),
    (activity_filter(bots="exclude", aggregate=SUM), {"both", "unsaid"}),
    (activity_filter(bots="only", aggregate=SUM), set()),
    (activity_filter(field_constraint("@occurred_at", "before", "2026-11-22"), bots="only"), {"bot", "both"}),
    (sequence_filter({"type": "depositCheck", "bots": "exclude"}, {"type": "rateFilm"}), {"ann", "both", "unsaid"}),
    (sequence_filter({"type": "depositCheck", "bots": "only"}, {"type": "rateFilm"}), {"bot", "both"}),
]


def test_sql_and_columns_agree_on_what_bots_did(people, column_index, own_rows_read):
    for engine in ("sql", "columns"):
        if engine == "columns":
            builder.build_index()
        for item, expected in CASES:
            answer = evaluator.evaluate_rules(parse_filters(item))
            assert (answer.per_filter[0].engine, set(answer.members)) == (engine, {people[name] for name in expected})


def test_text_and_json_go_back_and_forth(people):
    names = Catalogue()
    parsed = parse_filters(*(item for item, _expected in CASES))
    text = language.render_rules_text(parsed, names)
    assert 'did "Deposited Check" without bots exactly 1 time' in text
    assert 'sequence "Deposited Check" bots only then "Rateed Film"' in text
    assert language.parse_rules_text(text, names) == parsed
    assert rules.load_rules(rules.dump_rules(parsed)) == parsed
    assert "bots" not in str(rules.dump_rules(parse_filters(*(item for item, _expected in CASES[:2]))))
    with pytest.raises(RejectedError, match="without bots") as refused:
        language.parse_rules_text('1: did "Deposited Check" excluding bots', names)
    assert refused.value.problems[0].path == ("line", 1, "column", 26)


def test_a_type_that_does_not_mark_bots_cannot_be_asked(people):
    for bots in ("exclude", "only", "some"):
        with pytest.raises(RejectedError) as refused:
            parse_filters(activity_filter(type="rateFilm", bots=bots))
        assert [problem.path for problem in refused.value.problems] == [("filters", 0, "bots")]
    steps = sequence_filter({"type": "depositCheck"}, {"type": "rateFilm", "bots": "only"})
    with pytest.raises(RejectedError) as refused:
        parse_filters(steps)
    assert refused.value.problems[0].path == ("filters", 0, "steps", 1, "bots")
    assert refused.value.problems[0].code == "unexpected_value"
    parse_filters(activity_filter(type="rateFilm", bots="include"))


def test_the_sentence_says_it(people):
    spoken = [sentences.list_sentence(parse_filters(item), Catalogue()) for item, _expected in CASES]
    assert spoken[2] == "Has at least 1 activity “Deposited Check” (without bots)."
    assert spoken[3] == "Has at least 1 activity “Deposited Check” (bots only)."
    assert "“Deposited Check” (bots only); after that" in spoken[-1]


def test_the_explanation_names_the_bots(people):
    def miss(item, name):
        return explanation.explain_membership(parse_filters(item), people[name]).verdicts[0].miss

    assert miss(activity_filter(bots="exclude"), "bot").text == "only bots did this"
    assert miss(activity_filter(bots="only"), "ann").code == "no_bots"
    assert miss(CASES[-1][0], "ann").text == "“Deposited Check”: no bot did this"
    near = activity_filter(field_constraint("amount", "greater than", "2"), bots="exclude")
    assert miss(near, "ann").code == "too_low"
    assert miss(near, "bot").code == "too_few"  # the bot's row is no near miss of a human
    verdict = explanation.explain_membership(parse_filters(activity_filter(bots="only")), people["both"]).verdicts[0]
    assert (verdict.holds, verdict.times) == (True, 1)


def test_a_contradiction_is_noticed_and_the_field_is_in_use(people, admin_user):
    never = activity_filter(field_constraint("is_bot", "is", "true"), bots="exclude")
    assert [problem.code for problem in diagnostics.filter_problems(parse_filters(never))] == ["never_matches"]
    value = {"version": 1, "filters": [activity_filter(bots="exclude")]}
    made = list_editing.create_smart_list("Humans", value, admin_user)
    fields = SmartListUse.objects.filter(smart_list=made, approved_field__isnull=False)
    assert [use.approved_field.api_name for use in fields] == ["is_bot"]


def test_a_trigger_starts_for_whom_it_says(people, own_rows_read):
    expected = {"include": {"ann", "bot", "unsaid"}, "exclude": {"ann", "unsaid"}, "only": {"bot"}}
    names = Catalogue()
    made = {}
    for bots in expected:
        trigger = {"type": "depositCheck", "constraints": [], "bots": bots}
        parsed = campaign_parsing.parse_definition({"triggers": [trigger], "steps": []}, names, {})
        assert campaign_definition.load_definition(campaign_definition.dump_definition(parsed)) == parsed
        spoken = {"include": "", "exclude": " (without bots)", "only": " (bots only)"}[bots]
        assert campaign_sentences.trigger_sentence(parsed.triggers[0], names) == f"Deposits Check{spoken}"
        made[bots] = make_active_campaign(add_to_list_step(make_static_list()), triggers=[trigger])
    for name, values in (("ann", {"is_bot": False}), ("bot", {"is_bot": True}), ("unsaid", {})):
        record_deposit(people[name], **values)
    process_due_work()
    for bots, entered in expected.items():
        entries = CampaignEntry.objects.filter(campaign=made[bots]).exclude(state="skipped")
        assert set(entries.values_list("person_id", flat=True)) == {people[name] for name in entered}


def test_standard_types_of_the_web_and_of_emails_mark_bots(db):
    types = Catalogue().types.values()
    assert {activity_type.id for activity_type in types if activity_type.marks_bots} == {1, 2, 3, 9, 10, 11}
    assert ActivityType.objects.filter(pk=11).exists()
