"""A step that raises an error at every try: bounded, visible, tried again by hand; people who wait there continue."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone

from config.operations import doctor
from people.core.job_model import MAX_TRIES
from people.core.notifications import Notice
from smartlists.campaigns import diagnostics as campaign_diagnostics
from smartlists.campaigns import dispatcher
from smartlists.campaigns import engine as campaign_engine
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.models import CampaignEntry, FailingStep
from tests.factories import approved_type, make_person
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    list_member_ids,
    make_active_campaign,
    make_static_list,
    record_deposit,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]


@pytest.fixture
def reached(db):
    approved_type()
    return make_static_list("Reached")


@pytest.fixture
def campaign(reached, admin_user):
    """A campaign whose second step is to fail."""
    steps = [add_to_list_step(make_static_list("Before")), add_to_list_step(reached)]
    campaign = make_active_campaign(*steps, name="Broken")
    campaign.created_by = admin_user
    campaign.save()
    return campaign


@pytest.fixture
def tries(campaign, monkeypatch):
    """Let the second step of `campaign` raise until `mend` is called; `calls` counts how often it was tried."""
    real = campaign_engine._step

    class Tries:
        calls, error, is_mended = 0, ZeroDivisionError, False

        def mend(self):
            self.is_mended = True

    tries = Tries()

    def step(definition, path, entries, effect):
        is_of_campaign = entries[0].campaign_id == campaign.pk and path == "1"
        if is_of_campaign and not tries.is_mended:
            tries.calls += effect is campaign_engine.campaign_actions.run_action  # not those to store the failure
            raise tries.error
        return real(definition, path, entries, effect)

    monkeypatch.setattr(campaign_engine, "_step", step)
    return tries


def let_the_pause_pass():
    moment = timezone.now() - timedelta(seconds=1)
    for step in FailingStep.objects.all():
        CampaignEntry.objects.filter(due_at=step.due_at).update(due_at=moment)
        FailingStep.objects.filter(pk=step.pk).update(due_at=moment)


def waiting(campaign):
    return {entry.person_id for entry in campaign.entries.filter(state="open", path="1")}


@pytest.mark.django_db(transaction=True)  # the dispatcher is in no transaction of its own
def test_tries_are_bounded_whoever_comes_and_the_owner_is_notified_once(campaign, tries, admin_user):
    people = set()
    for number in range(1, MAX_TRIES + 3):
        people.add(make_person().pk)
        record_deposit(max(people))
        dispatcher.process_all_due_work()
        step = FailingStep.objects.get()
        assert (tries.calls, step.tries) == (number, min(number, MAX_TRIES)), "one try a pause"
        people.add(make_person().pk)  # people who come before its time wait for it, without a try
        record_deposit(max(people))
        dispatcher.process_all_due_work()
        assert tries.calls == number and waiting(campaign) == people
        assert Notice.objects.filter(kind="campaign_step_fails").exists() is (number >= MAX_TRIES)
        let_the_pause_pass()
    assert "Broken" in str(Notice.objects.get(user=admin_user, kind="campaign_step_fails"))
    assert step.due_at > timezone.now() + timedelta(minutes=59)


def test_everybody_goes_on_when_it_works_again(campaign, tries, reached, monkeypatch):
    monkeypatch.setattr(campaign_engine, "LIMIT", 2)
    monkeypatch.setattr(campaign_engine.run_due_steps, "__defaults__", (2,))
    people = {make_person().pk for _number in range(7)}
    for pk in people:
        record_deposit(pk)
    dispatcher.process_all_due_work()
    assert waiting(campaign) == people and tries.calls == 1
    tries.mend()
    let_the_pause_pass()
    dispatcher.process_all_due_work()
    assert list_member_ids(reached) == people and not FailingStep.objects.exists()
    assert set(campaign.entries.values_list("state", flat=True)) == {"done"}


def test_pages_api_and_doctor_say_what_fails_and_a_button_tries_again(campaign, tries, reached, admin_client, client):
    ann = make_person()
    record_deposit(ann.pk)
    dispatcher.process_all_due_work()
    (problem,) = campaign_diagnostics.step_problems(campaign)
    assert problem.code == "step_fails" and "Step 2 " in problem.message and "ZeroDivisionError" in problem.message
    page = reverse("admin:smartlists_smartcampaign_results", args=[campaign.pk])
    shown = admin_client.get(page).content.decode()
    assert "1 person waits there" in shown and "Try again" in shown
    health = admin_client.get(f"/api/v1/smart-campaigns/{campaign.pk}/health").json()
    assert [item["code"] for item in health["problems"]] == ["step_fails"]
    assert "steps of 1 campaign" in doctor.check_dispatcher().state
    tries.mend()
    again = reverse("admin:smartlists_smartcampaign_do", args=[campaign.pk, "try_again"])
    assert client.post(again).status_code == 302 and FailingStep.objects.exists(), "nobody is signed in"
    admin_client.post(again)
    dispatcher.process_all_due_work()
    assert list_member_ids(reached) == {ann.pk}
    assert "Try again" not in admin_client.get(page).content.decode()
    assert not campaign_diagnostics.step_problems(campaign)


def test_a_step_that_waits_for_its_moment_is_not_done_early_by_trying_again(campaign, tries, reached):
    ann, bob = make_person(), make_person()
    record_deposit(ann.pk)
    dispatcher.process_all_due_work()
    later = timezone.now() + timedelta(seconds=20)  # before the next try
    CampaignEntry.objects.create(
        campaign=campaign,
        version=campaign.version,
        person_id=bob.pk,
        state="open",
        path="1",
        due_at=later,
        entered_at=timezone.now(),
    )
    tries.mend()
    campaign_lifecycle.retry_campaign(campaign, None)
    dispatcher.process_all_due_work()
    assert list_member_ids(reached) == {ann.pk} and waiting(campaign) == {bob.pk}


def test_pausing_keeps_who_waits_archiving_drops_the_step_and_so_does_an_empty_place(campaign, tries, reached):
    ann = make_person()
    record_deposit(ann.pk)
    dispatcher.process_all_due_work()
    campaign_lifecycle.pause_campaign(campaign, None)
    let_the_pause_pass()
    dispatcher.process_all_due_work()
    assert FailingStep.objects.exists() and campaign.entries.get().state == "held"
    campaign_lifecycle.activate_campaign(campaign, None)
    dispatcher.process_all_due_work()
    assert waiting(campaign) == {ann.pk} and tries.calls == 2, "activating tries at once"
    campaign.entries.update(state="left")  # as a deleted person leaves
    let_the_pause_pass()
    record_deposit(make_person().pk)
    tries.mend()
    dispatcher.process_all_due_work()
    assert not FailingStep.objects.exists()
    tries.is_mended = False
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    campaign_lifecycle.archive_campaign(campaign_lifecycle.pause_campaign(campaign, None), None)
    assert not FailingStep.objects.exists()


def test_an_outage_is_no_try(campaign, tries):
    tries.error = OperationalError
    record_deposit(make_person().pk)
    with pytest.raises(OperationalError):
        dispatcher.process_all_due_work()
    assert not FailingStep.objects.exists()
