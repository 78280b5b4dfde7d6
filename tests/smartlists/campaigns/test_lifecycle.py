"""Campaigns as people make them: what is checked, who may, what is protected."""

import pytest

from people.core.errors import ConflictError, NotAllowedError, RejectedError
from people.definitions import drafts, lifecycle
from people.fields import editing as field_editing
from people.lists import static_lists
from people.models import PersonField
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions import parsing as campaign_parsing
from smartlists.lists import editing as list_editing
from smartlists.models import SmartCampaign
from smartlists.webhooks import tokens as webhook_tokens
from tests.factories import approved_type
from tests.smartlists import rule_factories
from tests.smartlists.campaign_factories import (
    BIG_CHECK,
    add_to_list_step,
    campaign_json,
    make_active_campaign,
    make_draft_campaign,
    make_static_list,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]


def refused(work, *arguments, **more):
    with pytest.raises(RejectedError) as found:
        work(*arguments, **more)
    return [(problem.code, problem.path) for problem in found.value.problems]


def whole(hook=None):
    """A definition with a step of every kind."""
    chosen = {
        "when": {"rules": {"match": "all", "filters": [rule_factories.person_field_filter("country", "is", "Spain")]}},
        "steps": [{"do": "wait", "period": "2 hours"}],
    }
    return campaign_json(
        add_to_list_step(make_static_list()),
        {"do": "remove_from_list", "list": make_static_list().pk},
        {"do": "change_field", "field": "title", "to": "{{trigger.check}}"},
        {"do": "change_field", "field": "person_score", "by": "-5"},
        {"do": "record", "type": "depositCheck", "primary": "x", "attributes": {"amount": "{{trigger.amount}}"}},
        {"do": "wait", "until": "{{person.date_of_birth}}"},
        {"do": "choose", "choices": [chosen], "otherwise": [{"do": "wait", "until": "2030-01-01"}]},
        triggers=[BIG_CHECK],
        audience=None,
        qualification={"how": "once in", "number": 2, "unit": "weeks"},
        late_after_hours=48,
    )


def test_a_definition_and_its_json_say_the_same():
    approved_type()
    parsed = campaign_parsing.parse_definition(whole())
    assert campaign_definition.load_definition(campaign_definition.dump_definition(parsed)) == parsed
    assert campaign_parsing.parse_definition(campaign_definition.dump_definition(parsed)) == parsed
    assert (
        campaign_definition.load_definition(campaign_lifecycle.create_campaign("All", None, value=parsed).definition)
        == parsed
    )


def test_paths_lead_through_choices():
    approved_type()
    steps = campaign_parsing.parse_definition(whole()).steps
    assert [path for path, _step in campaign_definition.walk_steps(steps)] == [
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "6.0.0",
        "6.1.0",
    ]
    assert campaign_definition.following_path(steps, "5") == "6"
    assert campaign_definition.following_path(steps, "6.0.0") == campaign_definition.following_path(steps, "6") == ""


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"triggers": [{"type": "nonsense"}]}, "unknown_type", ("triggers", 0, "type")),
        (
            {"triggers": [BIG_CHECK | {"constraints": [rule_factories.field_constraint("amount", "is", "x")]}]},
            "wrong_type",
            ("triggers", 0, "constraints", 0, "values", 0),
        ),
        ({"triggers": [{"smart_list": 99}]}, "unknown_list", ("triggers", 0, "list")),
        ({"triggers": "all"}, "wrong_type", ("triggers",)),
        ({"nonsense": 1}, "unknown_key", ("nonsense",)),
        ({"audience": {"smart_list": 99}}, "unknown_list", ("audience", "list")),
        ({"audience": {}}, "missing_value", ("audience",)),
        (
            {"audience": {"rules": {"filters": [{"kind": "x"}]}}},
            "unknown_kind",
            ("audience", "rules", "filters", 0, "kind"),
        ),
        ({"qualification": {"how": "often"}}, "unknown_word", ("qualification", "how")),
        ({"qualification": {"how": "once in", "number": 0, "unit": "days"}}, "wrong_type", ("qualification", "number")),
        ({"late_after_hours": -1}, "wrong_type", ("late_after_hours",)),
        ({"version": 2}, "unknown_version", ("version",)),
        ({"steps": [{"do": "dance"}]}, "unknown_step", ("steps", 0, "do")),
        ({"steps": [{"do": "add_to_list", "list": 99}]}, "unknown_list", ("steps", 0, "list")),
        ({"steps": [{"do": "change_field", "field": "titel", "to": "x"}]}, "unknown_field", ("steps", 0, "field")),
        (
            {"steps": [{"do": "change_field", "field": "created_at", "to": "x"}]},
            "read_only_field",
            ("steps", 0, "field"),
        ),
        ({"steps": [{"do": "change_field", "field": "title", "by": "1"}]}, "wrong_type", ("steps", 0, "by")),
        ({"steps": [{"do": "change_field", "field": "person_score", "to": "many"}]}, "wrong_type", ("steps", 0, "to")),
        (
            {"steps": [{"do": "change_field", "field": "title", "to": "{{trigger.amont}}"}]},
            "unknown_token",
            ("steps", 0, "to"),
        ),
        (
            {"steps": [{"do": "change_field", "field": "title", "to": "{{person.title"}]},
            "bad_token",
            ("steps", 0, "to"),
        ),
        (
            {"steps": [{"do": "change_field", "field": "title", "to": "{% now %}{{ settings.SECRET_KEY }}"}]},
            "unknown_token",
            ("steps", 0, "to"),
        ),
        ({"steps": [{"do": "change_field", "field": "title", "to": "a\0b"}]}, "wrong_type", ("steps", 0, "to")),
        ({"steps": [{"do": "record", "type": "newPerson"}]}, "standard_type", ("steps", 0, "type")),
        ({"steps": [{"do": "record", "type": "depositCheck"}]}, "missing_value", ("steps", 0, "primary")),
        (
            {"steps": [{"do": "record", "type": "depositCheck", "primary": "x", "attributes": {"amont": "1"}}]},
            "unknown_field",
            ("steps", 0, "attributes", "amont"),
        ),
        ({"steps": [{"do": "wait", "period": "3 days", "until": "2030-01-01"}]}, "missing_value", ("steps", 0)),
        ({"steps": [{"do": "wait", "period": "4 hrs"}]}, "wrong_type", ("steps", 0, "period")),
        ({"steps": [{"do": "wait", "until": "{{person.title}}"}]}, "wrong_type", ("steps", 0, "until")),
        ({"steps": [{"do": "wait", "until": "soon"}]}, "wrong_type", ("steps", 0, "until")),
        ({"steps": [{"do": "alert", "to": ["a@elsewhere.com"], "subject": "x"}]}, "not_allowed", ("steps", 0, "to", 0)),
        ({"steps": [{"do": "alert", "to": [], "subject": "x"}]}, "missing_value", ("steps", 0, "to")),
        ({"steps": [{"do": "webhook", "webhook": 99}]}, "unknown_webhook", ("steps", 0, "webhook")),
        ({"steps": [{"do": "choose", "choices": []}]}, "missing_value", ("steps", 0, "choices")),
        ({"steps": [{"do": "wait", "period": "1 day"}] * 101}, "too_many_steps", ("steps",)),
    ],
)
def test_what_cannot_be_a_campaign_is_refused_at_its_place(change, code, path):
    approved_type()
    found = refused(campaign_lifecycle.create_campaign, "Bad", None, value=campaign_json(triggers=[BIG_CHECK]) | change)
    assert found[0] == (code, path)
    assert not SmartCampaign.objects.exists()


def test_every_problem_is_told_at_once():
    approved_type()
    bad = campaign_json({"do": "dance"}, {"do": "wait"}, triggers=[{"type": "x"}])
    assert [code for code, _path in refused(campaign_lifecycle.create_campaign, "Bad", None, value=bad)] == [
        "unknown_type",
        "unknown_step",
        "missing_value",
    ]


def test_choices_lie_three_deep_at_most():
    inside: list = []
    for _level in range(5):
        inside = [{"do": "choose", "choices": [{"when": {"rules": {"filters": []}}, "steps": inside}]}]
    assert "too_deep" in [
        code
        for code, _path in refused(
            campaign_lifecycle.create_campaign, "Deep", None, value=campaign_json(*inside, triggers=[])
        )
    ]


def test_a_campaign_needs_a_trigger_and_a_step_to_be_activated():
    empty = campaign_lifecycle.create_campaign("Empty", None)
    assert refused(campaign_lifecycle.activate_campaign, empty, None) == [
        ("no_trigger", ("triggers",)),
        ("no_step", ("steps",)),
    ]


def test_states_follow_each_other():
    approved_type()
    made = make_active_campaign(add_to_list_step(make_static_list()))
    assert refused(campaign_lifecycle.activate_campaign, made, None) == [("wrong_state", ("state",))]
    assert refused(campaign_lifecycle.archive_campaign, made, None) == [("wrong_state", ("state",))]
    assert refused(campaign_lifecycle.delete_campaign, made, None) == [("wrong_state", ("state",))]
    campaign_lifecycle.pause_campaign(made, None)
    campaign_lifecycle.archive_campaign(made, None)
    assert campaign_lifecycle.unarchive_campaign(made, None).state == "paused"
    campaign_lifecycle.archive_campaign(made, None)
    campaign_lifecycle.delete_campaign(made, None)
    assert not SmartCampaign.objects.exists()


def test_names_are_unique_and_a_stale_change_is_a_conflict():
    approved_type()
    first = make_draft_campaign(name="Welcome")
    assert refused(campaign_lifecycle.create_campaign, "welcome", None) == [("name_taken", ("name",))]
    campaign_lifecycle.change_campaign(first, None, expected_revision=1, description="new")
    with pytest.raises(ConflictError):
        campaign_lifecycle.change_campaign(first, None, expected_revision=1, description="newer")


def test_what_a_campaign_names_stays():
    check = approved_type()
    used = make_static_list()
    spain = list_editing.create_smart_list(
        "Spain", {"filters": [rule_factories.person_field_filter("country", "is", "Spain")]}, None
    )
    field = field_editing.create_person_field("Card", "string", None, api_name="card")
    make_draft_campaign(
        add_to_list_step(used),
        {"do": "change_field", "field": "card", "to": "{{trigger.branch}}"},
        triggers=[BIG_CHECK],
        audience={"smart_list": spain.pk},
        name="Welcome",
    )
    for work in (
        lambda: static_lists.delete_static_list(used, None),
        lambda: list_editing.delete_smart_list(spain, None),
        lambda: lifecycle.delete_definition(check, None),
        lambda: field_editing.delete_person_field(PersonField.objects.get(pk=field.pk), None),
    ):
        with pytest.raises(RejectedError) as found:
            work()
        assert found.value.code == "in_use" and "“Welcome”" in str(found.value)
    drafts.remove_draft_fields(check, ["branch"], None)
    with pytest.raises(RejectedError) as found:
        lifecycle.approve_draft(check, None)
    assert "“Welcome”" in str(found.value)


@pytest.mark.parametrize(
    "verb", ["create", "change", "duplicate", "move", "activate", "pause", "archive", "unarchive", "delete"]
)
def test_every_verb_asks_for_a_right(verb, django_user_model):
    approved_type()
    nobody = django_user_model.objects.create_user("nobody")
    made = make_draft_campaign(add_to_list_step(make_static_list()))
    arguments = {"create": ("x", nobody), "duplicate": (made, "x", nobody), "move": (made, None, nobody)}
    with pytest.raises(NotAllowedError):
        getattr(campaign_lifecycle, f"{verb}_campaign")(*arguments.get(verb, (made, nobody)))


def test_changes_leave_entries_in_the_audit():
    from django.contrib.admin.models import LogEntry

    from people.core import audit

    approved_type()
    made = make_draft_campaign(add_to_list_step(make_static_list()), name="Welcome")
    campaign_lifecycle.activate_campaign(made, None)
    campaign_lifecycle.pause_campaign(made, None)
    campaign_lifecycle.change_campaign(made, None, name="Hello")
    told = [
        audit.entry_sentence(entry)
        for entry in LogEntry.objects.filter(content_type__model="smartcampaign").order_by("pk")
    ]
    assert told == ["Created", "Activated", "Paused", "Renamed from Welcome"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Hello {{person.first_name}}!", "Hello Ann!"),
        ("{{ person.first_name }}", "Ann"),
        ("{{person.city:default=somewhere}}", "somewhere"),
        ("{{person.city}}", ""),
        ("100 % {plain} {%raw%}", "100 % {plain} {%raw%}"),
    ],
)
def test_tokens_are_filled(text, wanted):
    assert webhook_tokens.render_template(text, {"person.first_name": "Ann", "person.city": None}) == wanted


@pytest.mark.parametrize(
    "text", ["{{", "}}", "{{person}}", "{{person.a.b}}", "{{person.first_name|safe}}", "{{person.__class__()}}"]
)
def test_what_is_no_token_is_refused(text):
    with pytest.raises(webhook_tokens.BadTemplateError):
        webhook_tokens.parse_template(text)


def test_a_value_is_never_read_as_a_template_again():
    assert (
        webhook_tokens.render_template("{{person.first_name}}", {"person.first_name": "{{person.email}}"})
        == "{{person.email}}"
    )
