"""Replays of calls that wait: in parts, each activity once, and one that fails costs no other."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection

from activities.inbound import personal_data, replaying
from activities.models import Activity, InboundCall, InboundReplay, RefusedActivity
from activities.recording import replay as quarantine_replay
from activities.replays import running
from people.core import job_model
from people.core.errors import ConflictError
from people.core.source import SYSTEM
from people.privacy import erasure
from tests.activities.inbound.factories import deposit, make_mapping, make_webhook, process, receive, replay_waiting
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db
State = InboundCall.State
# a failure that no check foresees: the database refuses one activity
BOMB = """
create function refuse_bomb() returns trigger language plpgsql as $$
begin
    if new.primary_value = 'bomb' then raise exception 'boom'; end if;
    return new;
end $$;
create trigger refuse_bomb before insert on activity for each row execute function refuse_bomb();
"""
STOP = """
create function stop_replay() returns trigger language plpgsql as $$
begin
    if new.progress <> old.progress then raise exception 'boom'; end if;
    return new;
end $$;
create trigger stop_replay before update on inbound_replay for each row execute function stop_replay();
"""


@pytest.fixture
def webhook():
    return make_webhook()


def waiting_calls(webhook, number, **values):
    receive(webhook, *[deposit(number=f"No. {index}", **values) for index in range(number)])
    process()


def test_it_goes_on_part_by_part_and_leaves_one_audit_entry(webhook, monkeypatch):
    monkeypatch.setattr(replaying, "BATCH", 2)
    waiting_calls(webhook, 5)
    make_mapping(webhook, approved_type())
    entries = LogEntry.objects.count()
    replay = replaying.start_replay(webhook.source, None)
    receive(webhook, {"event": "later"})
    process()
    assert running.process_part(replaying.REPLAYS, replay.pk)  # and then the worker is killed
    replay.refresh_from_db()
    assert (replay.progress, replay.recorded, replay.percent) == (2, 2, 40)
    replaying.run_replay(replay.pk)
    replaying.run_replay(replay.pk)  # its task was queued twice
    replay.refresh_from_db()
    assert (replay.state, replay.progress, replay.total, replay.recorded) == ("done", 5, 5, 5)
    assert Activity.objects.filter(activity_type_id__gt=100_000).count() == 5
    assert LogEntry.objects.count() == entries + 1
    assert InboundCall.objects.filter(state=State.UNMAPPED).count() == 1, "it came after the start"


def test_a_call_that_fails_is_kept_with_the_reason_and_the_rest_goes_on(webhook):
    waiting_calls(webhook, 3)
    receive(webhook, deposit(number="bomb"), deposit(number="last"))
    process()
    make_mapping(webhook, approved_type())
    with connection.cursor() as cursor:
        cursor.execute(BOMB)
    replay = replay_waiting(webhook)
    assert (replay.state, replay.progress, replay.recorded, replay.broken) == ("done", 5, 4, 1)
    (broken,) = InboundCall.objects.exclude(state=State.DONE)
    assert broken.state == State.FAILED and "could not be processed" in str(broken.problems)
    with connection.cursor() as cursor:
        cursor.execute("drop trigger refuse_bomb on activity")
    again = replay_waiting(webhook)
    assert (again.total, again.recorded, again.broken) == (1, 1, 0)


def test_one_at_a_time_and_only_the_last_are_kept(webhook):
    first = replaying.start_replay(webhook.source, None)
    assert replaying.start_replay(webhook.source, None) == first
    with pytest.raises(ConflictError, match="in progress"):
        replaying.start_replay(webhook.source, None, backfill=False)
    for _ in range(running.KEPT + 2):
        replay_waiting(webhook)
    assert InboundReplay.objects.count() <= running.KEPT


def test_a_part_that_fails_each_time_ends_the_replay_with_the_reason(webhook, monkeypatch):
    monkeypatch.setattr(replaying, "BATCH", 1)
    waiting_calls(webhook, 2)
    make_mapping(webhook, approved_type())
    replay = replaying.start_replay(webhook.source, None)
    assert running.process_part(replaying.REPLAYS, replay.pk)
    with connection.cursor() as cursor:
        cursor.execute(STOP)
    replaying.run_replay(replay.pk)
    replay.refresh_from_db()
    assert (replay.state, replay.tries, replay.progress) == ("failed", job_model.MAX_TRIES, 1)
    assert f"Tried {job_model.MAX_TRIES} times" in replay.fault and replay.finished_at is not None
    assert "calls_replayed" in LogEntry.objects.latest("pk").change_message
    with connection.cursor() as cursor:
        cursor.execute("drop trigger stop_replay on inbound_replay")
    assert replay_waiting(webhook).recorded == 1, "the webhook is free again"


def test_a_part_that_kills_its_workers_ends_the_replay(webhook):
    waiting_calls(webhook, 1)
    replay = replaying.start_replay(webhook.source, None)
    for _ in range(job_model.MAX_TRIES):
        assert running.take_try(replaying.REPLAYS, replay.pk)  # and then the worker is killed
    replaying.run_replay(replay.pk)
    replay.refresh_from_db()
    assert replay.state == "failed" and "worker was gone" in replay.fault
    assert replaying.start_replay(webhook.source, None) != replay


def test_calls_whose_activities_were_corrected_by_hand_are_found_by_export_and_erase(webhook):
    """The call has no text of hers: its activity is hers because a user corrected it."""
    make_mapping(webhook, approved_type())
    receive(webhook, deposit(who={"email": "typo@"}), deposit(who={"email": "typo@"}, number="No. 2"))
    process()
    refused = RefusedActivity.objects.get(raw__contains="No. 1")
    eve = make_person(email="eve@example.com")
    quarantine_replay.correct_rows([refused.pk], "person", eve.email, None)
    assert quarantine_replay.replay_rows([refused.pk], None).recorded == 1
    first, second = InboundCall.objects.order_by("pk")
    assert [row["id"] for row in personal_data._export([eve.pk])] == [first.pk] and personal_data._count([eve.pk]) == 1
    erasure.erase_people([eve.pk], None, SYSTEM)
    assert list(InboundCall.objects.all()) == [second]
