"""Triggers that raise an error hold up no other campaign, are tried so often and no more, and lose nothing."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from activities.models import LogPosition
from config.operations import doctor
from people.core.job_model import MAX_TRIES
from people.core.notifications import Notice
from smartlists.campaigns import diagnostics as campaign_diagnostics
from smartlists.campaigns import dispatcher, triggers
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.running import backlog as campaign_backlog
from smartlists.evaluation import stored as stored_evaluations
from smartlists.evaluation.postgres import statements
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignBacklog, CampaignEffect, CampaignEntry, ListWatch
from tests.factories import approved_type, make_person
from tests.smartlists.campaign_factories import (
    BIG_CHECK,
    add_to_list_step,
    campaign_json,
    make_active_campaign,
    make_static_list,
    record_deposit,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
BROKEN = Sql("1 / (activity_type_id - activity_type_id) = 1")  # the database's own error


@pytest.fixture(autouse=True)
def check_type(db):
    return approved_type()


@pytest.fixture
def breaks(monkeypatch):
    """Let every constraint raise an error in the database until the returned function is called."""
    real = statements.activity_rows_sql
    monkeypatch.setattr(statements, "activity_rows_sql", lambda *_arguments: BROKEN)
    return lambda: monkeypatch.setattr(statements, "activity_rows_sql", real)


def stuck(**more):
    return make_active_campaign(add_to_list_step(make_static_list()), triggers=[BIG_CHECK], **more)


def entered(campaign):
    return list(campaign.entries.order_by("activity_id").values_list("activity_id", "person_id", "state", "reason"))


def try_now():
    for model in (CampaignBacklog, ListWatch):
        model.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_triggers_that_raise_hold_up_no_other_campaign(breaks):
    failing, kept = stuck(), make_active_campaign(add_to_list_step(make_static_list()))
    ids = [record_deposit(make_person().pk, amount=5_000) for _number in range(3)]
    dispatcher.process_all_due_work()
    assert [pk for pk, *_rest in entered(kept)] == ids and not entered(failing)
    assert LogPosition.objects.get(name=campaign_lifecycle.POSITION).last_id >= ids[-1]
    later = record_deposit(make_person().pk, amount=5_000)
    dispatcher.process_all_due_work()
    assert entered(kept)[-1][0] == later


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
@pytest.mark.parametrize("qualification", ["every time", "once"])
def test_what_was_missed_is_made_up_for_exactly(breaks, monkeypatch, batch, qualification):
    """A campaign that failed has the entries of its twin that never did, whatever the size of the parts."""
    failing = stuck(qualification={"how": qualification})
    people = [make_person() for _number in range(3)]
    for number in range(7):
        record_deposit(people[number % 3].pk, amount=5_000 if number % 2 else 5, primary_value=f"No. {number}")
    dispatcher.process_all_due_work()
    breaks()
    monkeypatch.setattr(triggers, "BATCH", batch)
    monkeypatch.setattr(triggers.read_log, "__defaults__", (batch,))
    twin = stuck(qualification={"how": qualification})
    start = failing.periods[0][0]
    twin.periods = [[start, None]]
    twin.save()
    CampaignBacklog.objects.create(campaign=twin, last_id=start)
    try_now()
    dispatcher.process_all_due_work()
    assert entered(failing) == entered(twin) and len(entered(failing)) == 3
    assert not CampaignBacklog.objects.exists()
    after = record_deposit(people[0].pk, amount=6_000)
    dispatcher.process_all_due_work()
    assert entered(failing)[-1][0] == after and entered(failing) == entered(twin)


def test_tries_are_bounded_and_the_owner_is_notified_once(breaks, admin_user):
    failing = stuck(name="Big checks")
    failing.created_by = admin_user
    failing.save()
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    for number in range(2, MAX_TRIES + 3):
        assert not Notice.objects.exists() or number > MAX_TRIES
        dispatcher.process_all_due_work()  # before its time
        try_now()
        dispatcher.process_all_due_work()
        assert CampaignBacklog.objects.get().tries == min(number, MAX_TRIES)
    assert CampaignBacklog.objects.get().due_at > timezone.now() + timedelta(minutes=59)
    assert "Big checks" in str(Notice.objects.get(user=admin_user, kind="campaign_stuck"))


@pytest.mark.parametrize("mend", ["change", "activate"])
def test_a_change_of_the_campaign_is_tried_at_once(breaks, mend):
    failing = stuck()
    ann = make_person()
    record_deposit(ann.pk, amount=5_000)
    dispatcher.process_all_due_work()
    if mend == "change":  # by a definition without the constraint that raises
        campaign_lifecycle.change_campaign(failing, None, value=campaign_json(add_to_list_step(make_static_list())))
    else:
        breaks()
        campaign_lifecycle.activate_campaign(campaign_lifecycle.pause_campaign(failing, None), None)
    dispatcher.process_all_due_work()
    assert [row[1] for row in entered(failing)] == [ann.pk] and not CampaignBacklog.objects.exists()


def test_a_definition_that_cannot_be_read_holds_up_no_other_campaign(monkeypatch):
    failing, kept = (
        make_active_campaign(add_to_list_step(make_static_list())),
        make_active_campaign(add_to_list_step(make_static_list())),
    )
    readable = {kept.version_id: triggers.definition_of_version}
    monkeypatch.setattr(triggers, "definition_of_version", lambda pk: readable[pk](pk))
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    assert entered(kept) and CampaignBacklog.objects.get().campaign_id == failing.pk


def test_the_backlog_of_an_archived_campaign_is_dropped(breaks):
    failing = stuck()
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    assert CampaignBacklog.objects.exists()
    campaign_lifecycle.archive_campaign(campaign_lifecycle.pause_campaign(failing, None), None)
    assert not CampaignBacklog.objects.exists()  # unarchived before its next try it would be read


def test_depths_of_chains_are_kept_for_a_backlog(breaks):
    stuck()
    activity_id = record_deposit(make_person().pk, amount=5_000)
    CampaignEffect.objects.create(activity_id=activity_id, depth=3)
    dispatcher.process_all_due_work()
    assert CampaignEffect.objects.filter(pk=activity_id).exists()
    breaks()
    try_now()
    dispatcher.process_all_due_work()
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    assert not CampaignEffect.objects.filter(pk=activity_id).exists()


def test_an_error_while_catching_up_keeps_what_the_others_do(breaks, monkeypatch):
    stuck()
    kept = make_active_campaign(add_to_list_step(make_static_list()))
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    try_now()
    monkeypatch.setattr(campaign_backlog, "_catch_up_some", lambda _pk: 1 / 0)
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    assert len(entered(kept)) == 2 and CampaignBacklog.objects.get().tries == 2


def test_pages_api_and_doctor_say_what_fails(breaks, admin_client):
    failing = stuck()
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    (problem,) = campaign_diagnostics.trigger_problems(failing)
    assert problem.code == "triggers_fail" and "DataError" in problem.message
    page = admin_client.get(reverse("admin:smartlists_smartcampaign_results", args=[failing.pk])).content.decode()
    assert "triggers are failing: " in page
    health = admin_client.get(f"/api/v1/smart-campaigns/{failing.pk}/health").json()
    assert [item["code"] for item in health["problems"]] == ["triggers_fail"]
    assert "1 campaign" in doctor.check_dispatcher().state
    assert triggers.dispatcher_lag() > 0
    breaks()
    try_now()
    dispatcher.process_all_due_work()
    assert not campaign_diagnostics.trigger_problems(failing)
    assert triggers.dispatcher_lag() == 0


def test_a_change_keeps_what_a_watched_list_has_still_to_trigger():
    everybody = list_editing.create_smart_list("Everybody", {"filters": []}, None)
    joined = {"smart_list": everybody.pk, "change": "joined"}
    campaign = make_active_campaign(add_to_list_step(make_static_list()), triggers=[joined])
    ann = make_person()
    stored_evaluations.evaluate_list(everybody, None)
    campaign_lifecycle.change_campaign(
        campaign, None, value=campaign_json(add_to_list_step(make_static_list()), triggers=[joined])
    )
    dispatcher.process_all_due_work()
    assert list(CampaignEntry.objects.values_list("person_id", flat=True)) == [ann.pk]
