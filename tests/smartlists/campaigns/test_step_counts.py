"""The numbers of each step: what people reached, passed and wait for, the same on the page and in the API."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format

from smartlists.api.campaign_serializers import SummarySerializer, summary_representation
from smartlists.campaigns import dispatcher
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import results as campaign_results
from smartlists.campaigns.running import runs as campaign_runs
from smartlists.campaigns.running import step_counts
from smartlists.models import SmartList, StepOutcome
from tests.factories import approved_type, make_person
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    campaign_json,
    make_active_campaign,
    make_draft_campaign,
    make_static_list,
    record_deposit,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]


@pytest.fixture
def campaign():
    """Two people of Spain are put on a list and wait; one of elsewhere continues at once."""
    approved_type()
    spaniards = {"rules": {"version": 1, "match": "all", "filters": [
        {"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]}]}}  # fmt: skip
    listed = make_static_list()
    way = {"when": spaniards, "steps": [add_to_list_step(listed), {"do": "wait", "period": "2 days"}]}
    made = make_active_campaign(
        {"do": "choose", "choices": [way], "otherwise": []}, {"do": "change_field", "field": "person_score", "by": "5"}
    )
    for country in ("Spain", "Spain", "Peru"):
        record_deposit(make_person(country=country).pk)
    dispatcher.process_all_due_work()
    return made


def test_each_step_says_how_many_reached_passed_and_wait(campaign, django_assert_num_queries):
    with django_assert_num_queries(1):
        counted = step_counts.count_steps(campaign)
    assert (counted.entered, counted.is_partial) == (3, False)
    assert [(step.path, step.reached, step.waiting, step.done, step.branches) for step in counted.steps] == [
        ("0", 3, 0, 3, (2, 1)),
        ("0.0.0", 2, 0, 2, ()),
        ("0.0.1", 2, 2, 0, ()),
        ("1", 1, 0, 1, ()),
    ]


def test_after_the_wait_people_wait_for_the_next_step(campaign):
    with time_machine.travel(timezone.now() + timedelta(days=3)):
        counted = step_counts.count_steps(campaign)
    assert [(step.waiting, step.done) for step in counted.steps] == [(0, 3), (0, 2), (0, 2), (2, 1)]


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_run_of_a_draft_is_the_entry_and_its_wait_is_ahead(language, client):
    approved_type()
    vera = get_user_model().objects.create_superuser("vera", password="x", time_zone="Europe/Madrid", language=language)
    client.force_login(vera)
    people = [make_person().pk for _number in range(3)]
    everyone = {"version": 1, "match": "all", "filters": []}
    spaniards = SmartList.objects.create(name="Spaniards", rules=everyone)
    made = make_draft_campaign({"do": "wait", "period": "1 day"}, add_to_list_step(make_static_list("Invited")))
    run = campaign_runs.run_on_list(made, spaniards, vera, cap=10)
    dispatcher.process_all_due_work()
    counted = step_counts.count_steps(made)
    assert [(step.reached, step.waiting, step.done) for step in counted.steps] == [(3, 3, 0), (0, 0, 0)]
    assert (counted.entered, counted.runs) == (len(people), {run.pk: 3})
    page = client.get(reverse("admin:smartlists_smartcampaign_results", args=[made.pk]))
    until = datetime.fromisoformat(StepOutcome.objects.first().detail).astimezone(ZoneInfo("Europe/Madrid"))
    with translation.override(language):
        ends = date_format(until, "DATETIME_FORMAT")
    says = ("Waiting until", "Run once, in progress", "Run once on…")
    if language == "es":
        says = ("En espera hasta el", "Ejecutada una vez, en curso", "Ejecutada una vez con…")
    for words in (f"{says[0]} {ends}", *says[1:], "Spaniards", "vera"):
        assert words in page.text, words
    assert not re.search(r"\d{4}-\d\d-\d\dT[\d:]+Z", page.text)
    assert ("When someone" in page.text, "Cuando alguien" in page.text) == (False, False)
    made.entries.update(due_at=timezone.now())
    dispatcher.process_all_due_work()
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        client.force_login(vera)
        page = client.get(reverse("admin:smartlists_smartcampaign_results", args=[made.pk]))
    assert ("Waited until" if language == "en" else "Esperó hasta el") in page.text
    assert ("Run once, finished" if language == "en" else "Ejecutada una vez, terminada") in page.text


def test_only_the_latest_entries_are_counted(campaign, monkeypatch):
    monkeypatch.setattr(step_counts, "MAX_ENTRIES", 2)
    counted = step_counts.count_steps(campaign)
    assert (counted.entered, counted.is_partial, counted.steps[0].reached) == (2, True, 2)


def test_people_of_other_steps_are_not_counted(campaign):
    value = campaign_json({"do": "change_field", "field": "person_score", "by": "1"})
    campaign_lifecycle.change_campaign(campaign, None, value=value)
    assert len(step_counts.count_steps(campaign).steps) == 4
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    (only,) = step_counts.count_steps(campaign).steps
    assert (only.reached, only.done) == (1, 1)
    assert step_counts.count_steps(make_draft_campaign()) is None


def test_the_page_and_the_api_show_the_same_numbers(campaign, client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    page = client.get(reverse("admin:smartlists_smartcampaign_results", args=[campaign.pk]))
    shown = page.context["flow"]["steps"]
    branch, rest = shown[0]["branches"]
    assert (branch["people"], len(branch["steps"]), rest["people"], rest["label"]) == (2, 2, 1, "")
    assert (
        re.search(r"2</strong>\s+waiting</li>", page.text)
        and "waiting for it" not in page.text
        and "Only the latest" not in page.text
    )
    summary = summary_representation(campaign_results.summarize_campaign(campaign), step_counts.count_steps(campaign))
    steps = SummarySerializer(summary).data["steps"]
    assert steps[0] == {
        **{"path": "0", "do": "choose", "reached": 3, "waiting": 0, "done": 3},
        **{"nothing": 0, "queued": 0, "failed": 0, "branches": [2, 1]},
    }
    assert [(step["path"], step["waiting"]) for step in steps[1:]] == [("0.0.0", 0), ("0.0.1", 2), ("1", 0)]
