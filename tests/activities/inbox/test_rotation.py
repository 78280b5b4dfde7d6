"""The newest events of a name wait: new ones take the place of the oldest, at a bounded rate, each recorded once."""

import threading

import pytest
from django.db import connection, transaction

from activities.inbox import decisions, editing, personal_data, replay, rotation, sightings
from activities.models import Activity, InboxReplay, Sighting, WaitingEvent
from activities.visitors.partitions import forget_partitions
from tests.activities.inbox.factories import numbers
from tests.activities.segment.senders import make_program, message, send
from tests.activities.visitors.factories import dispatch
from tests.factories import approved_type

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_cap(monkeypatch):
    monkeypatch.setattr(decisions, "MAX_KEPT", 5)
    monkeypatch.setattr(rotation, "RATE", 0)
    rotation._rooms.clear()


def event(number, name="Typo", **properties):
    return message("track", name, {"check": str(number), **properties}, userId="u-1", messageId=f"r-{number}")


def waiting_ids(name="Typo"):
    return [
        int(row[2:])
        for row in WaitingEvent.objects.filter(sighting__name=name).order_by("pk").values_list("message_id", flat=True)
    ]


def counts(name="Typo"):
    row = Sighting.objects.get(name=name, kind="event")
    assert row.kept == row.events.count() and row.kept_bytes == sum(len(one.raw) for one in row.events.all())
    return row.count, row.kept, row.dropped


def claimed():
    with connection.cursor() as cursor:
        cursor.execute("select message_id from message_key where message_id like 'r-%' order by length(message_id), 1")
        return [int(text[2:]) for (text,) in cursor.fetchall()]


def test_new_events_take_the_place_of_the_oldest_and_all_are_counted():
    program = make_program()
    send(program, *(event(number) for number in range(4)))
    assert counts() == (4, 4, 0)
    send(program, *(event(number) for number in range(4, 8)))  # they share a commit: there is room for one
    assert waiting_ids() == [3, 4, 5, 6, 7] and counts() == (8, 5, 3)
    for number in range(8, 20):
        send(program, event(number))
    assert waiting_ids() == [15, 16, 17, 18, 19] and counts() == (20, 5, 15)
    assert claimed() == waiting_ids(), "nothing is kept of the others"
    send(program, event(19), event(18))  # an honest retry
    assert waiting_ids() == [15, 16, 17, 18, 19] and counts() == (20, 5, 15)
    send(program, event(2))  # deleted, so it is new
    assert waiting_ids() == [16, 17, 18, 19, 2]


def test_a_flood_is_kept_as_a_sample(monkeypatch):
    monkeypatch.setattr(rotation, "BURST", 3)
    program = make_program()
    for number in range(30):
        send(program, event(number))
    assert waiting_ids() == [3, 4, 5, 6, 7] and counts() == (30, 5, 25)
    assert len(claimed()) == 5
    monkeypatch.setattr(rotation, "BURST", 30)  # time goes by: the transaction of the test is never committed
    (item,) = send(program, event(99))
    assert waiting_ids() == [4, 5, 6, 7, 99] and item.hits


def test_large_events_give_way_by_their_bytes(monkeypatch):
    program = make_program()
    send(program, event(1, text="x" * 900), event(2), event(3))
    monkeypatch.setattr(decisions, "MAX_KEPT_BYTES", 1_000)
    send(program, event(4))
    assert waiting_ids() == [2, 3, 4] and counts() == (4, 3, 1)


def waiting_bytes():
    rows = Sighting.objects.filter(kind="event")
    assert all(row.kept == row.events.count() for row in rows)
    return sum(rows.values_list("kept_bytes", flat=True))


def test_the_bound_of_a_source_holds_whatever_its_names_exchange(monkeypatch):
    monkeypatch.setattr(sightings, "MAX_SOURCE_BYTES", 10_000)
    program, names = make_program(), "ABCDE"
    send(program, *(event(f"{name}{number}", name) for name in names for number in range(5)))
    small = waiting_bytes()
    number = 0
    for size in (20_000, 4_000, 500, 3_000, 20_000, 100):
        for name in names:
            number += 1
            send(program, event(f"{name}-{number}", name, text="x" * size))
            assert waiting_bytes() <= 10_000
    assert waiting_bytes() > 2 * small


def test_a_name_of_a_full_source_gives_up_as_many_bytes_as_it_takes(monkeypatch):
    monkeypatch.setattr(decisions, "MAX_KEPT", 1_000)
    monkeypatch.setattr(rotation, "LOCKED", 3)
    program = make_program()
    send(program, *(event(number) for number in range(30)), event(100, "Other"))
    full = waiting_bytes()
    monkeypatch.setattr(sightings, "MAX_SOURCE_BYTES", full)
    send(program, event(50, text="x" * 700))
    assert waiting_ids()[0] > 9 and waiting_ids()[-2:] == [29, 50] and full - 200 < waiting_bytes() <= full
    assert counts()[2] == 31 - len(waiting_ids()) and counts("Other") == (1, 1, 0), "of the same name"
    send(program, event(51, text="x" * 5_000), event(101, "New"))
    assert waiting_ids()[-1] == 50 and counts("New") == (1, 0, 1), "as they could not give up so much"
    send(program, *(event(number, text="x" * 600) for number in range(60, 70)))
    assert waiting_ids()[-1] >= 60 and waiting_bytes() <= full, "they share what the name had before"
    # a source with more than it may have comes back to its bound
    monkeypatch.setattr(sightings, "MAX_SOURCE_BYTES", full - 300)
    for number in range(70, 80):
        send(program, event(number))
    assert waiting_ids()[-1] == 79 and waiting_bytes() <= full - 300
    sighting = Sighting.objects.get(name="Typo")
    monkeypatch.setattr(sightings, "MAX_SOURCE_BYTES", waiting_bytes())
    running = InboxReplay.State.RUNNING
    InboxReplay.objects.create(sighting=sighting, activity_type=approved_type(), total=1, state=running)
    before = waiting_bytes(), waiting_ids()
    send(program, event(90))
    assert (waiting_bytes(), waiting_ids()) == before, "what a replay records gives no room"


def test_what_rotates_is_replayed_once_and_what_a_replay_has_begun_stays(monkeypatch):
    program = make_program()
    for number in range(8):
        send(program, event(number))
    sighting = Sighting.objects.get(name="Typo")
    check = approved_type()
    monkeypatch.setattr(replay, "BATCH", 2)
    editing.map_to_type(sighting, check, None)
    started = replay.start_replay(sighting, None)
    assert started.is_running and started.total == 5
    Sighting.objects.filter(pk=sighting.pk).update(
        state="new", activity_type=None
    )  # a collector that has not read it yet
    send(program, event(20))
    assert waiting_ids() == [3, 4, 5, 6, 7, 20] and counts() == (9, 6, 3), (
        "above the cap, but nothing promised is given up"
    )
    Sighting.objects.filter(pk=sighting.pk).update(state="mapped", activity_type=check)
    replay.run_replay(started.pk)
    started.refresh_from_db()
    assert (started.state, numbers(started)) == (InboxReplay.State.DONE, (5, 0))
    assert replay.start_replay(sighting, None).recorded == 1
    for number in (3, 20):  # retries are known; one whose place was taken comes for the first time
        send(program, event(number, "Typo"))
    send(program, event(1, "Typo"))
    dispatch()
    rows = Activity.objects.filter(activity_type_id=check.pk).values_list("primary_value", flat=True)
    assert sorted(rows) == ["1", "20", "3", "4", "5", "6", "7"]


def test_ignored_and_blocked_names_drop_nothing_and_an_erase_counts_none():
    program = make_program()
    send(program, *(event(number) for number in range(6)))
    sighting = Sighting.objects.get(name="Typo")
    editing.ignore_name(sighting, None)
    send(program, event(10))
    assert counts() == (7, 5, 1)
    editing.block_name(sighting, None)
    send(program, event(11))
    assert counts() == (8, 5, 1)
    editing.reopen_name(sighting, None)
    send(program, event(12))
    assert counts() == (9, 5, 2) and waiting_ids()[-1] == 12
    personal_data.forget_old_events()
    assert counts() == (9, 5, 2)


@pytest.mark.django_db(transaction=True)
def test_rotation_waits_for_no_event_that_another_transaction_holds():
    forget_partitions()
    program = make_program()
    send(program, *(event(number) for number in range(5)))
    oldest = WaitingEvent.objects.order_by("pk").first()
    done = threading.Event()

    def send_more():
        send(program, event(50))
        connection.close()
        done.set()

    with transaction.atomic():
        WaitingEvent.objects.select_for_update().get(pk=oldest.pk)
        other = threading.Thread(target=send_more)
        other.start()
        assert done.wait(30), "it waited"
    other.join()
    assert waiting_ids() == [0, 2, 3, 4, 50], "the next oldest went"
    assert counts() == (6, 5, 1)
