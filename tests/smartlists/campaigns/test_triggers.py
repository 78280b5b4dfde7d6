"""People whose activities make them enter campaigns: once each, in order, from activation on, and why not."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction

from activities.models import LogPosition
from people.core.source import SYSTEM
from people.lists import static_lists
from people.persons import deletion, upsert
from people.persons import merge as person_merge
from smartlists.campaigns import dispatcher, triggers
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.running import runs as campaign_runs
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignEffect, CampaignEntry, SmartCampaign
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_by_our_clock, record_rows
from tests.smartlists import rule_factories
from tests.smartlists.campaign_factories import (
    BIG_CHECK,
    CHECK,
    add_to_list_step,
    entry_states,
    list_member_ids,
    make_active_campaign,
    make_draft_campaign,
    make_static_list,
    process_due_work,
    record_deposit,
    step_outcomes,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]


def test_a_campaign_acts_on_what_satisfies_its_trigger():
    approved_type()
    rich = make_static_list()
    ann, bob = make_person(), make_person()
    make_active_campaign(add_to_list_step(rich), triggers=[BIG_CHECK])
    record_deposit(ann.pk, amount=5000)
    record_deposit(bob.pk, amount=999)
    assert process_due_work() == [(ann.pk, "done", "")]
    assert list_member_ids(rich) == {ann.pk}
    assert step_outcomes() == [("0", "add_to_list", "done", "")]


def test_each_activity_is_processed_once_however_often_the_log_is_read():
    approved_type()
    make_active_campaign(add_to_list_step(make_static_list()))
    ann = make_person()
    record_deposit(ann.pk)
    process_due_work()
    LogPosition.objects.filter(name=campaign_lifecycle.POSITION).update(last_id=0)
    assert process_due_work() == [(ann.pk, "done", "")]


def test_the_database_refuses_a_second_entry_and_a_second_outcome():
    approved_type()
    make_active_campaign(add_to_list_step(make_static_list()))
    record_deposit(make_person().pk)
    process_due_work()
    entry = CampaignEntry.objects.get()
    outcome = entry.outcomes.get()
    for twin in (outcome, entry):
        twin.pk = None
        with pytest.raises(IntegrityError), transaction.atomic():
            twin.save(force_insert=True)


def test_activation_starts_at_that_moment():
    approved_type()
    ann = make_person()
    made = make_draft_campaign(add_to_list_step(make_static_list()))
    record_deposit(ann.pk)
    campaign_lifecycle.activate_campaign(made, None)
    assert process_due_work() == []
    record_deposit(ann.pk)
    assert process_due_work() == [(ann.pk, "done", "")]


def test_activities_of_a_pause_are_skipped_also_when_the_dispatcher_comes_late():
    approved_type()
    ann = make_person()
    made = make_active_campaign(add_to_list_step(make_static_list()))
    record_deposit(ann.pk)
    campaign_lifecycle.pause_campaign(made, None)
    record_deposit(ann.pk)
    campaign_lifecycle.activate_campaign(made, None)
    record_deposit(ann.pk)
    assert process_due_work() == [(ann.pk, "done", ""), (ann.pk, "skipped", "paused"), (ann.pk, "done", "")]


def test_what_is_recorded_long_after_it_happened_does_not_trigger():
    approved_type()
    ann = make_person()
    make_active_campaign(add_to_list_step(make_static_list()))
    record_deposit(ann.pk, occurred_at=datetime.now(UTC) - timedelta(hours=25))
    record_deposit(ann.pk, occurred_at=datetime.now(UTC) - timedelta(hours=23))
    assert process_due_work() == [(ann.pk, "skipped", "past"), (ann.pk, "done", "")]


def test_lateness_is_each_campaigns_own():
    approved_type()
    ann = make_person()
    make_active_campaign(add_to_list_step(make_static_list()), late_after_hours=None)
    make_active_campaign(add_to_list_step(make_static_list()), late_after_hours=1)
    record_deposit(ann.pk, occurred_at=datetime.now(UTC) - timedelta(days=300))
    assert process_due_work() == [(ann.pk, "done", ""), (ann.pk, "skipped", "past")]


def test_triggers_are_or_ed():
    approved_type()
    approved_type("Buy Car", "buyCar")
    ann = make_person()
    make_active_campaign(add_to_list_step(make_static_list()), triggers=[BIG_CHECK, {"type": "buyCar"}])
    record_rows(new_activity(ann.pk, "buyCar", datetime.now(UTC)))
    record_deposit(ann.pk, amount=1)
    record_deposit(ann.pk, amount=2000)
    assert [one.trigger for one in CampaignEntry.objects.order_by("pk")] == []
    process_due_work()
    assert [one.trigger for one in CampaignEntry.objects.order_by("pk")] == [1, 0]


def test_only_the_audience_enters():
    approved_type()
    ann, bob = make_person(country="Spain"), make_person(country="Chile")
    rules = {"match": "all", "filters": [rule_factories.person_field_filter("country", "is", "Spain")]}
    make_active_campaign(add_to_list_step(make_static_list()), audience={"rules": rules})
    record_deposit(ann.pk)
    record_deposit(bob.pk)
    assert process_due_work() == [(ann.pk, "done", ""), (bob.pk, "skipped", "audience")]


def test_a_smart_list_as_audience():
    approved_type()
    ann, bob = make_person(country="Spain"), make_person(country="Chile")
    spain = list_editing.create_smart_list(
        "Spain", {"filters": [rule_factories.person_field_filter("country", "is", "Spain")]}, None
    )
    make_active_campaign(add_to_list_step(make_static_list()), audience={"smart_list": spain.pk})
    record_deposit(bob.pk)
    record_deposit(ann.pk)
    assert process_due_work() == [(bob.pk, "skipped", "audience"), (ann.pk, "done", "")]


@pytest.mark.parametrize(
    ("qualification", "wanted"),
    [
        ({"how": "once"}, ["done", "skipped", "skipped"]),
        ({"how": "every time"}, ["done", "done", "done"]),
        ({"how": "once in", "number": 3, "unit": "days"}, ["done", "skipped", "done"]),
        ({"how": "once in", "number": 30, "unit": "hours"}, ["done", "skipped", "done"]),
        ({"how": "once in", "number": 1, "unit": "months"}, ["done", "skipped", "skipped"]),
    ],
)
def test_how_often_a_person_may_enter(qualification, wanted, monkeypatch):
    record_by_our_clock(monkeypatch)
    approved_type()
    ann = make_person()
    make_active_campaign(add_to_list_step(make_static_list()), qualification=qualification)
    start = datetime.now(UTC)
    for days in (0, 1, 3):
        with time_machine.travel(start + timedelta(days=days), tick=False):
            record_rows(new_activity(ann.pk, occurred_at=start + timedelta(days=days)))
    assert [state for _pk, state, _reason in process_due_work()] == wanted


def test_qualification_counts_within_one_batch_too():
    approved_type()
    ann, bob = make_person(), make_person()
    make_active_campaign(add_to_list_step(make_static_list()), qualification={"how": "once"})
    for one in (ann, bob, ann, ann):
        record_deposit(one.pk)
    assert process_due_work() == [
        (ann.pk, "done", ""),
        (bob.pk, "done", ""),
        (ann.pk, "skipped", "once"),
        (ann.pk, "skipped", "once"),
    ]


def test_standard_activities_trigger_person_created_field_changed_list_joined():
    target, source = make_static_list(), make_static_list()
    changed = {"field": "attribute_name", "operator": "is", "values": ["country"]}
    joined = {"field": "list_id", "operator": "is", "values": [str(source.pk)]}
    make_active_campaign(add_to_list_step(target), name="created", triggers=[{"type": "newPerson"}])
    make_active_campaign(
        add_to_list_step(target), name="changed", triggers=[{"type": "changeDataValue", "constraints": [changed]}]
    )
    make_active_campaign(
        add_to_list_step(target), name="joined", triggers=[{"type": "addToList", "constraints": [joined]}]
    )
    ann = make_person()
    upsert.update_person(ann, {"country": "Spain", "city": "Lugo"}, MARKETO)
    static_lists.add_members(source, [ann.pk], MARKETO)
    process_due_work()
    assert [one.campaign.name for one in CampaignEntry.objects.order_by("pk")] == ["created", "changed", "joined"]
    assert list_member_ids(target) == {ann.pk}


def test_campaigns_that_set_each_other_off_are_cut(settings):
    settings.CAMPAIGN_MAX_DEPTH = 3
    approved_type()
    again = {"do": "record", "type": "depositCheck", "primary": "again"}
    make_active_campaign(again)
    record_deposit(make_person().pk)
    found = process_due_work()
    assert [state for _pk, state, _reason in found] == ["done"] * 4 + ["skipped"]
    assert found[-1][2] == "loop"
    assert not CampaignEffect.objects.exists()  # read that far


def test_a_loop_is_told_to_whose_campaign_it_is(settings, django_user_model):
    settings.CAMPAIGN_MAX_DEPTH = 0
    approved_type()
    vera = django_user_model.objects.create_superuser("vera")
    made = campaign_lifecycle.create_campaign(
        "Round",
        vera,
        value={
            "triggers": [CHECK],
            "qualification": {"how": "every time"},
            "steps": [{"do": "record", "type": "depositCheck", "primary": "again"}],
        },
    )
    campaign_lifecycle.activate_campaign(made, vera)
    record_deposit(make_person().pk)
    process_due_work()
    assert [str(notice) for notice in vera.notices.all()] == [
        "Round was stopped for some people: campaigns trigger each other in a loop."
    ]


def test_who_is_deleted_before_the_dispatcher_comes_does_not_enter():
    approved_type()
    make_active_campaign(add_to_list_step(make_static_list()))
    ann = make_person()
    record_deposit(ann.pk)
    deletion.delete_people([ann.pk], None, SYSTEM)
    assert process_due_work() == [(ann.pk, "skipped", "gone")]


def test_who_is_merged_before_the_dispatcher_comes_enters_as_the_winner():
    approved_type()
    checked = make_static_list()
    make_active_campaign(add_to_list_step(checked))
    ann, bob = make_person(), make_person()
    record_deposit(ann.pk)
    person_merge.merge_people(bob.pk, [ann.pk], None, SYSTEM)
    assert process_due_work() == [(bob.pk, "done", "")]
    assert list_member_ids(checked) == {bob.pk}


def test_a_batch_costs_statements_a_campaign_not_an_activity(django_assert_max_num_queries):
    approved_type()
    people = [make_person().pk for _number in range(30)]
    for _number in range(5):
        make_active_campaign(add_to_list_step(make_static_list()), triggers=[BIG_CHECK])
    process_due_work()
    record_rows(*(new_activity(pk, occurred_at=datetime.now(UTC), amount=5000) for pk in people))
    with django_assert_max_num_queries(30):
        assert triggers.process_log_batch().entered == 150


def test_a_batch_that_fails_is_done_again_whole(monkeypatch):
    approved_type()
    make_active_campaign(add_to_list_step(make_static_list()))
    ann = make_person()
    record_deposit(ann.pk)
    with monkeypatch.context() as patched, pytest.raises(RuntimeError), transaction.atomic():
        patched.setattr(triggers, "move_position", lambda *_arguments: (_ for _ in ()).throw(RuntimeError))
        triggers.process_log_batch()
    assert entry_states() == []
    assert process_due_work() == [(ann.pk, "done", "")]


def test_joining_and_leaving_a_smart_list_triggers():
    spain = list_editing.create_smart_list(
        "Spain", {"filters": [rule_factories.person_field_filter("country", "is", "Spain")]}, None
    )
    ann, bob, cas = make_person(country="Spain"), make_person(country="Chile"), make_person(country="Spain")
    stored_evaluations.evaluate_list(spain, None)
    came, left = make_static_list(), make_static_list()
    make_active_campaign(add_to_list_step(came), triggers=[{"smart_list": spain.pk, "change": "joined"}])
    make_active_campaign(add_to_list_step(left), triggers=[{"smart_list": spain.pk, "change": "left"}])
    upsert.update_person(bob, {"country": "Spain"}, MARKETO)
    upsert.update_person(cas, {"country": "Chile"}, MARKETO)
    stored_evaluations.evaluate_list(spain, None)
    process_due_work()
    stored_evaluations.evaluate_list(spain, None)
    process_due_work()
    assert (list_member_ids(came), list_member_ids(left)) == ({bob.pk}, {cas.pk})
    assert CampaignEntry.objects.count() == 2
    assert ann.pk not in list_member_ids(came)


def test_a_run_once_takes_everybody_on_a_list_who_is_in_the_audience():
    approved_type()
    spain = list_editing.create_smart_list(
        "Spain", {"filters": [rule_factories.person_field_filter("country", "is", "Spain")]}, None
    )
    ann, _bob, cas = (
        make_person(country="Spain"),
        make_person(country="Chile"),
        make_person(country="Spain", city="Lugo"),
    )
    target = make_static_list()
    rules = {"match": "all", "filters": [rule_factories.person_field_filter("city", "is empty")]}
    made = make_draft_campaign(add_to_list_step(target), audience={"rules": rules}, qualification={"how": "once"})
    assert campaign_runs.preview_run(made, spain, None).count == 1
    with pytest.raises(campaign_runs.RejectedError) as refused:
        campaign_runs.run_on_list(made, spain, None, cap=0)
    assert refused.value.code == "wrong_type"
    run = campaign_runs.run_on_list(made, spain, None, cap=10)
    process_due_work()
    run.refresh_from_db()
    assert (run.state, run.entered, list_member_ids(target)) == ("done", 1, {ann.pk})
    assert cas.pk not in list_member_ids(target)
    campaign_runs.run_on_list(made, spain, None, cap=10)
    assert process_due_work()[-1] == (ann.pk, "skipped", "once")


def test_a_run_over_its_cap_does_nothing():
    approved_type()
    everybody = list_editing.create_smart_list("Everybody", {"filters": []}, None)
    make_person()
    make_person()
    made = make_draft_campaign(add_to_list_step(make_static_list()))
    with pytest.raises(campaign_runs.RejectedError) as refused:
        campaign_runs.run_on_list(made, everybody, None, cap=1)
    assert refused.value.code == "over_cap"
    assert process_due_work() == []


def test_without_campaigns_the_dispatcher_keeps_up_with_the_log():
    approved_type()
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    assert triggers.dispatcher_lag() == 0
    make_active_campaign(add_to_list_step(make_static_list()))
    record_deposit(make_person().pk)
    assert triggers.dispatcher_lag() > 0


def test_a_retired_type_under_an_active_campaign_does_no_harm():
    from people.definitions import lifecycle

    check = approved_type()
    made = make_active_campaign(add_to_list_step(make_static_list()))
    lifecycle.retire_definition(check, None)
    assert process_due_work() == []
    campaign_lifecycle.pause_campaign(made, None)
    with pytest.raises(campaign_lifecycle.RejectedError) as refused:
        campaign_lifecycle.activate_campaign(made, None)
    assert refused.value.code == "retired_type"
    assert SmartCampaign.objects.get().state == "paused"


def test_tallies_count_what_became_of_people():
    approved_type()
    made = make_active_campaign(add_to_list_step(make_static_list()), qualification={"how": "once"})
    ann = make_person()
    record_deposit(ann.pk)
    record_deposit(ann.pk)
    process_due_work()
    with connection.cursor() as cursor:
        cursor.execute("select what, count from smart_campaign_tally where campaign_id = %s order by 1", [made.pk])
        assert cursor.fetchall() == [("done", 1), ("entered", 1), ("skipped:once", 1)]
