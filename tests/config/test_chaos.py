"""The chaos run, its short form; and that its judge sees what would be wrong."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection

from activities.types.definition import ActivityFieldSpec
from people.models import Person
from smartlists.campaigns import dispatcher
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows
from tests.system.chaos import judging
from tests.system.chaos.clients import TYPE, Sent, Tally


@pytest.mark.slow
def test_what_was_acknowledged_is_there_once_whatever_fails():
    # pytest's own folders are for their owner alone; a rerun needs a folder of its own
    folder = Path(settings.DATA_DIR) / f"chaos-{uuid4().hex[:12]}"
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.system.chaos",
            "--seconds",
            "0",
            "--pause",
            "1",
            "--rest",  # else campaigns and the judge have thousands of activities to go through
            "1.5",
            "--rows",
            "500",
            "--disk-megabytes",
            "0",
            "--data-dir",
            str(folder),
        ],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=420,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr[-3000:]
    report = json.loads(run.stdout)
    assert report["history"] > 0
    assert report["wrong"] == [] and len(report["faults"]) >= 6 and report["acknowledged"] > 0
    assert report["points that it gave"] == report["activities that a campaign answered"] > 0


@pytest.fixture
def world(transactional_db):
    """The rows that a run leaves, and the answers to its programs."""
    approved_type(
        "Chaos Event",
        TYPE,
        (ActivityFieldSpec("key", "Key", is_primary=True), ActivityFieldSpec("amount", "Amount", "integer")),
    )
    ann = make_person().pk
    keys = [f"native-1-{number}" for number in range(5)]
    rows = [new_activity(ann, TYPE, primary_value=key, external_id=key, amount=1) for key in keys]
    told = [outcome.activity_id for outcome in record_rows(*rows)]
    tally = Tally(sent={key: Sent(ann, 1, True, pk) for key, pk in zip(keys, told, strict=True)}, read=list(told))
    tally.sent["native-1-9"] = Sent(ann, 1, True)  # without an answer, and absent
    return tally


def test_the_judge_finds_nothing_where_nothing_is_wrong(world):
    assert list(judging.judge(world, ["native-1-0"])) == []


def test_the_judge_sees_a_campaign_that_missed_an_activity_or_answered_it_twice(world):
    judging.start_campaign()
    ann = next(iter(world.sent.values())).person
    key = "native-1-7"
    (outcome,) = record_rows(new_activity(ann, TYPE, primary_value=key, external_id=key, amount=judging.LARGE + 1))
    world.sent[key] = Sent(ann, judging.LARGE + 1, True, outcome.activity_id)
    world.read.append(outcome.activity_id)
    assert any("1 activities qualify, the campaign answered 0" in said for said in judging.judge(world, []))
    dispatcher.process_all_due_work()
    assert list(judging.judge(world, [])) == []
    past = new_activity(ann, TYPE, primary_value="native-1-8", external_id="native-1-8", amount=judging.LARGE + 1)
    (outcome,) = record_rows(past, source=replace(MARKETO, is_backfill=True))
    world.sent["native-1-8"] = Sent(ann, judging.LARGE + 1, True, outcome.activity_id, is_history=True)
    world.read.append(outcome.activity_id)
    dispatcher.process_all_due_work()
    assert list(judging.judge(world, [])) == []
    Person.objects.filter(pk=ann).update(person_score=2)
    assert any("answered 1 and gave 2 points" in said for said in judging.judge(world, []))


def lose_one(tally):
    with connection.cursor() as cursor:
        cursor.execute("alter table activity disable trigger user")
        cursor.execute("delete from activity where id = %s", [tally.read[0]])


def double_one(tally):
    record_rows(new_activity(tally.sent["native-1-0"].person, TYPE, primary_value="native-1-0", amount=1))


def take_history_for_news(tally):
    tally.sent["native-1-1"].is_history = True


def half_approve(tally):
    tally.approved.add("halfDone")
    from tests.factories import draft_type

    draft_type("Half Done", "halfDone")


def lose_a_type(tally):
    tally.created.add("gone")


def alter_one(tally):
    tally.sent["native-1-1"].amount = 2


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lose_one, "was acknowledged as"),
        (double_one, "6 activities, 5 keys"),
        (half_approve, "halfDone was approved and is not"),
        (lose_a_type, "type gone was made and is not there"),
        (alter_one, "other content"),
        (take_history_for_news, "other content"),
        (lambda tally: tally.read.pop(), "the reader missed 1 activities"),
        (lambda tally: tally.read.append(tally.read[0]), "twice"),
    ],
)
def test_the_judge_sees_harm(world, harm, said):
    harm(world)
    assert any(said in sentence for sentence in judging.judge(world, [])), list(judging.judge(world, []))
