"""Campaigns that wait for dates of records: any history enters the people of a plain model in Python, each date once.

The model looks at all records, whenever the dispatcher looks. Times are simulated, those of the database with them.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from people.core import installation
from people.core.models import Installation
from people.core.source import Channel, Source
from people.objects import removal
from people.objects.outcomes import RecordKey
from people.persons import merge
from smartlists.campaigns import diagnostics
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.records import date_sql
from smartlists.campaigns.running import record_dates as dates
from smartlists.campaigns.running import record_triggers
from smartlists.models import CampaignEntry, DateWatch, ObjectWatch, ReachedDate
from tests.factories import make_person
from tests.hypothesis_profiles import examples
from tests.people.objects import world
from tests.smartlists.campaign_factories import add_to_list_step, make_active_campaign, make_static_list

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]

START = datetime(2026, 5, 10, 9, 30, tzinfo=UTC)
CAUGHT_UP = timedelta(days=3)
RED = [{"field": "colour", "operator": "is", "values": ["Red"]}]
TRIGGERS = (
    {"object": "car", "event": "date", "date": "inspected_on", "days": -3, "constraints": RED},
    {"object": "car", "event": "date", "date": "sold_at", "days": 1},
)
SOURCES = {history: Source(Channel.API, is_backfill=history) for history in (False, True)}
EXAMPLES = examples(20, 500, "HISTORIES")
INDEX, HISTORY = st.integers(0, 9), st.booleans()
EMAILS = ("ann@example.com", "bob@example.com", "late@example.com")
# from three days before to two days after the moment
DAYS = st.none() | st.integers(0, 6)
HOURS = st.none() | st.integers(-60, 6)


@dataclass
class Car:
    """One record of the model; `came`: by field, when its date could first be reached, and if by history."""

    pk: int
    values: dict
    person: int | None
    is_deleted: bool = False
    came: dict = field(default_factory=dict)

    def due_at(self, trigger):
        value = self.values.get(trigger["date"])
        if value is None:
            return None
        start = value if isinstance(value, datetime) else datetime.combine(value, time(), UTC)
        return start + timedelta(days=trigger["days"])


class World(RuleBasedStateMachine):
    """Changes of records and of the campaign, made in the database and in the model alike."""

    reasons = Counter()  # of all entries in all runs

    @initialize()
    def begin(self):
        self.traveller = time_machine.travel(START, tick=False)
        self.clock = self.traveller.start()
        self.now, self.cars, self.reached, self.entered = START, {}, set(), []
        self.set_clock()
        self.type = world.approved_type()
        self.people = {email: make_person(email=email).pk for email in EMAILS[:2]}
        self.campaign = make_active_campaign(add_to_list_step(make_static_list("Seen")), triggers=TRIGGERS)
        self.now += timedelta(days=2)
        self.set_clock()
        self.active_since, self.left = START, []  # the people to enter when it was paused

    def teardown(self):
        self.traveller.stop()

    def set_clock(self):
        """Set the time of the last changes in the database to the simulated clock."""
        self.clock.move_to(self.now)
        with connection.cursor() as cursor:
            cursor.execute(f"alter table object_change alter column changed_at set default '{self.now.isoformat()}'")

    def pick(self, index, *, is_deleted=False):
        cars = [one for one in self.cars.values() if one.is_deleted == is_deleted]
        return cars[index % len(cars)] if cars else None

    @precondition(lambda self: not self.left and len(self.cars) < 6)
    @rule(owner=st.sampled_from(EMAILS), days=DAYS, hours=HOURS, is_red=st.booleans(), history=HISTORY)
    def add(self, owner, days, hours, is_red, history):
        values = self.dates(days, hours) | {"owner": owner, "colour": "Red" if is_red else "Blue"}
        plate = f"P{len(self.cars)}"
        (outcome,) = world.upsert(self.type, self.sent(values) | {"plate": plate}, source=SOURCES[history])
        self.cars[plate] = Car(outcome.record_id, values, self.people.get(owner))
        self.comes_in(self.cars[plate], history)

    def dates(self, days, hours):
        day = None if days is None else (self.now + timedelta(days=days)).date()
        return {"inspected_on": day, "sold_at": None if hours is None else self.now + timedelta(hours=hours)}

    def sent(self, values):
        return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()}

    def comes_in(self, car, history, *fields):
        for name in fields or ("inspected_on", "sold_at"):
            car.came[name] = (self.now, history)

    @precondition(lambda self: not self.left)
    @rule(index=INDEX, days=DAYS, hours=HOURS, what=st.sampled_from(["inspected_on", "sold_at"]), history=HISTORY)
    def change_date(self, index, days, hours, what, history):
        if car := self.pick(index):
            value = self.dates(days, hours)[what]
            self.change(car, what, value, history)
            if value != car.values.get(what):
                self.comes_in(car, history, what)
            car.values[what] = value

    @precondition(lambda self: not self.left)
    @rule(index=INDEX, is_red=st.booleans(), history=HISTORY)
    def paint(self, index, is_red, history):
        if car := self.pick(index):
            car.values["colour"] = "Red" if is_red else "Blue"
            self.change(car, "colour", car.values["colour"], history)

    def change(self, car, name, value, history):
        row = {"id": car.pk, name: self.sent({name: value})[name]}
        world.upsert(self.type, row, key=RecordKey.ID, source=SOURCES[history])

    @precondition(lambda self: not self.left)
    @rule(index=INDEX)
    def delete(self, index):
        if car := self.pick(index):
            removal.delete_records(self.type, [{"id": car.pk}], SOURCES[False], key=RecordKey.ID)
            car.is_deleted = True

    @precondition(lambda self: not self.left)
    @rule(index=INDEX, history=HISTORY)
    def restore(self, index, history):
        if car := self.pick(index, is_deleted=True):
            removal.restore_records(self.type, [car.pk], SOURCES[history])
            car.is_deleted = False
            car.person = self.people.get(car.values["owner"]) if car.person is None else car.person
            self.comes_in(car, history)

    @precondition(lambda self: not self.left and EMAILS[2] not in self.people)
    @rule()
    def the_person_appears(self):
        self.people[EMAILS[2]] = make_person(email=EMAILS[2]).pk
        for car in self.cars.values():
            if car.values["owner"] == EMAILS[2] and not car.is_deleted:
                car.person = self.people[EMAILS[2]]
                self.comes_in(car, False)

    @precondition(lambda self: not self.left and EMAILS[0] in self.people)
    @rule()
    def merge(self):
        """Ann is Bob: no person has her address any more."""
        ann, bob = self.people.pop(EMAILS[0]), self.people[EMAILS[1]]
        merge.merge_people(bob, [ann], None, SOURCES[False])
        for car in self.cars.values():
            car.person = bob if car.person == ann else car.person
        self.entered = [(pk, at, bob if person == ann else person, reason) for pk, at, person, reason in self.entered]

    @rule(hours=st.integers(1, 40))
    def time_passes(self, hours):
        self.now += timedelta(hours=hours)
        self.set_clock()

    @rule(is_paused=st.integers(0, 5))
    def pause_or_activate(self, is_paused):
        """Paused in one of six cases, so that it is active most of the time."""
        self.campaign.refresh_from_db()
        if self.campaign.is_active and is_paused:
            return
        if self.campaign.is_active:
            campaign_lifecycle.pause_campaign(self.campaign, None)
            self.left += self.due()
        else:
            campaign_lifecycle.activate_campaign(self.campaign, None)
            self.active_since = self.now

    def due(self):
        after = max(self.active_since, self.now - CAUGHT_UP)
        for trigger in TRIGGERS:
            for car in self.cars.values():
                due_at = car.due_at(trigger)
                is_wanted = trigger["date"] == "sold_at" or car.values["colour"] == "Red"
                is_there = car.person is not None and not car.is_deleted
                if due_at and after < due_at <= self.now and is_wanted and is_there:
                    yield (car.pk, trigger["date"], car.values[trigger["date"]])

    @rule()
    def killed(self):
        """The dispatcher enters people, and ends before all is written: as if it had done nothing."""
        with pytest.raises(RuntimeError), transaction.atomic(), pytest.MonkeyPatch.context() as patched:
            patched.setattr(dates, "_move", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
            dates.enter_reached_dates()
            raise RuntimeError

    @rule()
    def look(self):
        self.now += timedelta(minutes=1)
        self.set_clock()
        while DateWatch.objects.exclude(looks=[]).exists():
            dates.enter_reached_dates()
        dates.enter_reached_dates()  # looks left by pauses come first, then those since
        for key in self.left:
            self.enter(*key)
        self.left = []
        self.campaign.refresh_from_db()
        for key in list(self.due()) if self.campaign.is_active else ():
            self.enter(*key)
        entries = CampaignEntry.objects.order_by("pk").values_list("record_id", "trigger", "person_id", "reason")
        assert sorted(entries) == sorted(self.entered)

    def enter(self, pk, name, value):
        if (pk, name, value) in self.reached:
            return
        self.reached.add((pk, name, value))
        (car,) = [one for one in self.cars.values() if one.pk == pk]
        at = [trigger["date"] for trigger in TRIGGERS].index(name)
        came_at, history = car.came[name]
        reason = "past" if history and came_at >= car.due_at(TRIGGERS[at]) else ""
        self.entered.append((pk, at, car.person, reason))
        self.reasons[at, reason] += 1


@pytest.mark.slow
def test_any_history_enters_whom_the_model_says():
    """Every run in a transaction of its own, rolled back at its end."""
    savepoints = []

    class Isolated(World):
        def __init__(self):
            super().__init__()
            savepoints.append(transaction.savepoint())

        def teardown(self):
            self.look()
            super().teardown()
            transaction.savepoint_rollback(savepoints.pop())

    run_state_machine_as_test(
        Isolated,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert set(World.reasons) == {(at, reason) for at in (0, 1) for reason in ("", "past")}, "all of it was tried"


def test_a_campaign_may_want_the_past_too():
    car, ann = world.approved_type(), make_person(email=EMAILS[0])
    for also_past in (False, True):
        make_active_campaign(add_to_list_step(make_static_list()), triggers=TRIGGERS[1:], also_past=also_past)
    ObjectWatch.objects.update(active_since=timezone.now() - CAUGHT_UP)
    sold_at = (timezone.now() - timedelta(days=2)).isoformat()
    world.upsert(car, {"plate": "1", "owner": ann.email, "sold_at": sold_at}, source=SOURCES[True])
    DateWatch.objects.update(read_at=timezone.now() - timedelta(hours=1))
    dates.enter_reached_dates()
    assert list(CampaignEntry.objects.order_by("campaign").values_list("reason", flat=True)) == ["past", ""]


def test_an_error_of_dates_holds_up_neither_changes_nor_other_campaigns(monkeypatch):
    car, ann = world.approved_type(), make_person(email=EMAILS[0])
    triggers = [*TRIGGERS[1:], {"object": "car"}]
    broken, working = (
        make_active_campaign(add_to_list_step(make_static_list()), triggers=triggers) for _one in range(2)
    )
    ObjectWatch.objects.update(active_since=timezone.now() - CAUGHT_UP)
    world.upsert(car, {"plate": "1", "owner": ann.email, "sold_at": (timezone.now() - timedelta(days=2)).isoformat()})
    DateWatch.objects.update(read_at=timezone.now() - timedelta(hours=1))
    note = date_sql.DueRecords.note

    def fail_for_one(due, record_ids):
        if due._noted[0] == broken.pk and DateWatch.objects.get(pk=broken.pk).tries == 0:
            raise ValueError("broken")
        return note(due, record_ids)

    monkeypatch.setattr(date_sql.DueRecords, "note", fail_for_one)
    dates.enter_reached_dates()
    record_triggers.enter_record_changes()
    entries = set(CampaignEntry.objects.values_list("campaign_id", "trigger"))
    assert entries == {(working.pk, 0), (working.pk, 1), (broken.pk, 1)}
    assert [problem.code for problem in diagnostics.trigger_problems(broken)] == ["triggers_fail"], "and not forgotten"
    DateWatch.objects.update(due_at=timezone.now() - timedelta(hours=1))
    dates.enter_reached_dates()
    assert CampaignEntry.objects.filter(campaign=broken, trigger=0).exists()
    assert diagnostics.trigger_problems(broken) == []


def move_to_zone(name):
    Installation.objects.update_or_create(pk=1, defaults={"time_zone": name})
    installation.clear_installation_cache()


@pytest.mark.parametrize(
    ("before", "after", "moment", "day"),
    [
        ("America/New_York", "Asia/Tokyo", "2026-05-10T20:00Z", "2026-05-11"),  # the 11th has begun by the change
        ("Etc/GMT+12", "Pacific/Kiritimati", "2026-05-10T11:30Z", "2026-05-10"),  # the 10th, and the 11th later
        ("Etc/GMT+12", "Pacific/Kiritimati", "2026-05-10T11:30Z", "2026-05-11"),
        ("Asia/Tokyo", "America/New_York", "2026-05-10T20:00Z", "2026-05-11"),  # begun before: not once more
    ],
)
@pytest.mark.parametrize("is_paused", [False, True])
def test_a_day_that_begins_by_a_change_of_the_time_zone_is_reached_once(before, after, moment, day, is_paused):
    now = datetime.fromisoformat(moment)
    with time_machine.travel(now - timedelta(days=2), tick=False) as clock:
        move_to_zone(before)
        car, ann = world.approved_type(), make_person(email=EMAILS[0])
        trigger = {"object": "car", "event": "date", "date": "inspected_on", "days": 0}
        campaign = make_active_campaign(add_to_list_step(make_static_list()), triggers=[trigger])
        ObjectWatch.objects.update(active_since=timezone.now() - timedelta(days=1))
        DateWatch.objects.update(read_at=timezone.now())
        world.upsert(car, {"plate": "1", "owner": ann.email, "inspected_on": day})
        clock.move_to(now)
        dates.enter_reached_dates()
        begun = now.astimezone(ZoneInfo(before)).date().isoformat() >= day
        assert CampaignEntry.objects.count() == begun
        move_to_zone(after)
        clock.move_to(now + timedelta(minutes=2))
        if is_paused:
            campaign_lifecycle.pause_campaign(campaign, None)
        dates.enter_reached_dates()
        assert CampaignEntry.objects.count() == 1
        clock.move_to(now + timedelta(days=1))
        dates.enter_reached_dates()
        assert CampaignEntry.objects.count() == 1
    installation.clear_installation_cache()


def test_notes_of_dates_are_forgotten_once_no_look_can_find_the_date_again(monkeypatch):
    car = world.approved_type()
    _campaign, pausing = (
        make_active_campaign(add_to_list_step(make_static_list()), triggers=TRIGGERS[1:]) for _one in range(2)
    )
    ObjectWatch.objects.update(active_since=timezone.now() - CAUGHT_UP)
    DateWatch.objects.update(read_at=timezone.now() - timedelta(hours=30))
    sold_at = (timezone.now() - timedelta(hours=50)).isoformat()
    for number in range(5):
        world.upsert(car, {"plate": str(number), "owner": make_person().email, "sold_at": sold_at})
    dates.enter_reached_dates()
    entered = CampaignEntry.objects.count()
    now, noted = timezone.now(), ReachedDate.objects.count()
    assert noted == 10
    assert dates.forget_old_dates(now) == 0, "records that change are looked at again for three days"
    DateWatch.objects.filter(pk=pausing.pk).update(looks=[{"left": "by a pause"}])
    monkeypatch.setattr(dates, "FORGOTTEN_PARTS", 2)
    later = now + dates.KEPT + timedelta(minutes=1)
    assert [dates.forget_old_dates(later, batch=2) for _night in range(3)] == [4, 1, 0]
    assert set(ReachedDate.objects.values_list("campaign", flat=True)) == {pausing.pk}
    DateWatch.objects.update(looks=[], read_at=later - timedelta(minutes=2))
    with time_machine.travel(later, tick=False):
        dates.enter_reached_dates()
    assert CampaignEntry.objects.count() == entered, "nobody enters twice"


def test_a_watch_of_the_version_before_looks_as_far_back_as_it_was_active():
    car, ann = world.approved_type(), make_person(email=EMAILS[0])
    make_active_campaign(add_to_list_step(make_static_list()), triggers=TRIGGERS[1:])
    world.upsert(car, {"plate": "1", "owner": ann.email, "sold_at": (timezone.now() - timedelta(days=2)).isoformat()})
    ObjectWatch.objects.update(active_since=timezone.now() - timedelta(days=9))
    DateWatch.objects.all().delete()
    assert dates.enter_reached_dates() == 1 and DateWatch.objects.get().read_at
