"""Errors in the dispatcher or in a job: a bounded number of tries, and nothing else is kept from its work."""

from contextlib import suppress
from datetime import timedelta
from unittest import mock

import pytest
from django.db import DataError, OperationalError
from django.utils import timezone
from psycopg.errors import QueryCanceled

from config.operations import doctor
from people.core.db.outages import is_outage
from people.core.job_model import MAX_TRIES
from people.core.notifications import Notice
from smartlists import tasks
from smartlists.campaigns import diagnostics as campaign_diagnostics
from smartlists.campaigns import dispatcher, triggers
from smartlists.campaigns import engine as campaign_engine
from smartlists.campaigns.running import backlog as campaign_backlog
from smartlists.campaigns.running import runs as campaign_runs
from smartlists.campaigns.running import scheduling
from smartlists.evaluation import evaluator
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignEntry, CampaignRun, ListWatch
from tests.factories import approved_type, make_person
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    list_member_ids,
    make_active_campaign,
    make_draft_campaign,
    make_static_list,
    record_deposit,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
SPANISH = {
    "rules": {
        "match": "all",
        "filters": [{"kind": "person_field", "field": "country", "operator": "is", "values": ["ES"]}],
    }
}


@pytest.fixture(autouse=True)
def check_type(db):
    return approved_type()


@pytest.fixture
def regulars():
    return make_static_list("Regulars")


@pytest.fixture
def run(regulars):
    make_person()
    everybody = list_editing.create_smart_list("Everybody", {"filters": []}, None)
    return campaign_runs.run_on_list(
        make_draft_campaign(add_to_list_step(regulars), name="Broken"), everybody, None, cap=10
    )


def raising(*_arguments, **_more):
    raise ZeroDivisionError


def try_now(run):
    CampaignRun.objects.filter(pk=run.pk).update(due_at=timezone.now() - timedelta(seconds=1))


# each part of the dispatcher's work: what is broken for it
PARTS = {
    "reading": (triggers, "process_log_batch"),
    "backlogs": (campaign_backlog, "catch_up"),
    "scheduled": (scheduling, "queue_due_runs"),
    "runs": (campaign_runs, "_enter_some"),
    "watched": (campaign_runs, "enter_list_changes"),
    "steps": (campaign_engine, "run_due_steps"),
}


@pytest.mark.parametrize("broken", PARTS)
def test_no_part_of_the_dispatchers_work_keeps_another_from_its_own(broken, run, monkeypatch):
    done = {}
    for name, (module, function) in PARTS.items():
        real = getattr(module, function)
        monkeypatch.setattr(module, function, done.setdefault(name, mock.Mock(side_effect=real)))
    done[broken].side_effect = raising
    if broken in ("runs", "reading"):  # counted with the run; read for each campaign on its own
        dispatcher.process_due_work()
    else:
        with pytest.raises(ZeroDivisionError):
            dispatcher.process_due_work()
    assert all(part.called for part in done.values())


def test_a_step_that_cannot_even_be_noted_keeps_no_other_from_being_done(regulars, monkeypatch):
    broken, kept = make_static_list("Broken"), regulars
    first, second = make_active_campaign(add_to_list_step(broken)), make_active_campaign(add_to_list_step(kept))
    ann = make_person()
    record_deposit(ann.pk)
    real = campaign_engine._step

    def step(definition, path, entries, effect):
        if CampaignEntry.objects.get(pk=entries[0].id).campaign_id == first.pk:
            raise ZeroDivisionError
        return real(definition, path, entries, effect)

    monkeypatch.setattr(campaign_engine, "_step", step)
    for _round in range(3):
        with suppress(ZeroDivisionError):
            dispatcher.process_due_work()
    assert list_member_ids(kept) == {ann.pk} and second.entries.get().state == "done"
    assert first.entries.get().due_at > timezone.now()  # looked at again, later


def test_a_run_that_raises_fails_after_so_many_tries(run, admin_user, monkeypatch):
    run.campaign.created_by = admin_user
    run.campaign.save()
    monkeypatch.setattr(triggers, "enter_candidates", raising)
    for number in range(1, MAX_TRIES + 1):
        dispatcher.process_all_due_work()
        dispatcher.process_all_due_work()  # before its time
        run.refresh_from_db()
        assert run.tries == number and "ZeroDivisionError" in run.fault
        try_now(run)
    dispatcher.process_all_due_work()
    run.refresh_from_db()
    assert (run.state, run.tries, run.entered) == ("failed", MAX_TRIES, 0)
    assert "Broken" in str(Notice.objects.get(user=admin_user, kind="campaign_run_failed"))


def test_a_run_whose_fault_is_gone_goes_on(run, regulars, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(triggers, "enter_candidates", raising)
        dispatcher.process_all_due_work()
    try_now(run)
    dispatcher.process_all_due_work()
    run.refresh_from_db()
    assert (run.state, run.tries, run.fault, run.entered) == ("done", 0, "", 1)
    assert len(list_member_ids(regulars)) == 1


@pytest.fixture
def scheduled(regulars):
    make_person(country="ES")
    campaign = make_draft_campaign(add_to_list_step(regulars), name="Later", audience=SPANISH)
    return scheduling.schedule_run(campaign, timezone.now() - timedelta(seconds=1), None)


def test_a_scheduled_run_that_raises_fails_after_so_many_tries(scheduled, monkeypatch):
    monkeypatch.setattr(evaluator, "evaluate_members", raising)
    for _number in range(MAX_TRIES):
        dispatcher.process_all_due_work()
        tasks.begin_run(scheduled.pk)
        try_now(scheduled)
    scheduled.refresh_from_db()
    assert (scheduled.state, scheduled.tries) == ("failed", MAX_TRIES) and "ZeroDivisionError" in scheduled.fault
    tasks.begin_run(scheduled.pk)
    assert not CampaignEntry.objects.exists()


def test_a_scheduled_run_that_kills_its_worker_fails_after_so_many_tries(scheduled, monkeypatch):
    monkeypatch.setattr(evaluator, "evaluate_members", mock.Mock(side_effect=KeyboardInterrupt))
    for _number in range(MAX_TRIES):
        with pytest.raises(KeyboardInterrupt):
            tasks.begin_run(scheduled.pk)
    tasks.begin_run(scheduled.pk)
    scheduled.refresh_from_db()
    assert scheduled.state == "failed" and str(MAX_TRIES) in scheduled.fault


def test_an_outage_is_no_try(scheduled, run, monkeypatch):
    def away(*_arguments, **_more):
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(evaluator, "evaluate_members", away)
    monkeypatch.setattr(triggers, "enter_candidates", away)
    with pytest.raises(OperationalError):
        dispatcher.process_due_work()
    with pytest.raises(OperationalError):
        tasks.begin_run(scheduled.pk)
    run.refresh_from_db()
    assert (run.state, run.tries, run.fault) == ("running", 0, "")


def test_what_is_an_outage():
    timed_out = OperationalError("too slow")
    timed_out.__cause__ = QueryCanceled("too slow")
    assert is_outage(OperationalError("gone")) and is_outage(ExceptionGroup("all", [OperationalError("gone")]))
    for error in (timed_out, QueryCanceled("too slow"), DataError("bad"), ZeroDivisionError()):
        assert not is_outage(error)
    assert not is_outage(ExceptionGroup("one", [OperationalError("gone"), ZeroDivisionError()]))


def test_a_watched_list_that_raises_rests_and_its_owner_is_notified_once(monkeypatch, admin_user):
    everybody = list_editing.create_smart_list("Everybody", {"filters": []}, None)
    joined = {"smart_list": everybody.pk, "change": "joined"}
    campaign = make_active_campaign(add_to_list_step(make_static_list()), triggers=[joined], name="Watcher")
    campaign.created_by = admin_user
    campaign.save()
    make_person()
    stored_evaluations.evaluate_list(everybody, None)
    changes = mock.Mock(side_effect=raising)
    monkeypatch.setattr(campaign_runs, "_enter_changes", changes)
    for number in range(1, MAX_TRIES + 2):
        for _round in range(3):
            dispatcher.process_due_work()
        assert changes.call_count == number
        ListWatch.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert "Watcher" in str(Notice.objects.get(user=admin_user, kind="campaign_watch_fails"))
    assert not Notice.objects.filter(kind="campaign_stuck").exists()
    (problem,) = campaign_diagnostics.trigger_problems(campaign)
    assert problem.code == "triggers_fail" and "Everybody" in problem.message
    assert "1 campaign" in doctor.check_dispatcher().state


@pytest.mark.parametrize("state", ["scheduled", "running"])
def test_a_run_is_cancelled_on_its_page(state, client, admin_user, scheduled, run):
    wanted = scheduled if state == "scheduled" else run
    client.force_login(admin_user)
    page = f"/admin/smartlists/smartcampaign/{wanted.campaign_id}/try/"
    assert "Cancel this run" in client.get(page).content.decode()
    client.post(page, {"do": "cancel", "cancelled": wanted.pk})
    wanted.refresh_from_db()
    assert wanted.state == "cancelled"
    assert "Cancel this run" not in client.get(page).content.decode()
    dispatcher.process_all_due_work()
    assert not CampaignEntry.objects.filter(campaign=wanted.campaign).exists()


def test_why_a_run_failed_is_shown(client, admin_user, run, monkeypatch):
    monkeypatch.setattr(triggers, "enter_candidates", raising)
    dispatcher.process_all_due_work()
    client.force_login(admin_user)
    page = f"/admin/smartlists/smartcampaign/{run.campaign_id}/try/"
    assert "ZeroDivisionError" in client.get(page).content.decode()
