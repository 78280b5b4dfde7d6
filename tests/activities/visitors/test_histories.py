"""Any history of hits, identities, associations, undo, merge, deletion, erasure and retention ends as a plain model does.

The model has people, visitors with intervals, and hits; after each step the log, the waiting rows and the states of
visitors have to be those of the model. Each history runs in one transaction that is rolled back.
"""

from dataclasses import dataclass, field
from datetime import UTC, timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from activities.models import Activity, Association, Visitor, VisitorActivity
from activities.visitors import retention, undoing
from people.core.errors import RejectedError
from people.core.source import SYSTEM
from people.definitions import lifecycle
from people.models import Person
from people.persons import deletion
from people.persons import merge as person_merge
from people.privacy import erasure
from tests.activities.visitors.factories import dispatch, make_hit, make_site, make_visitor, own, says
from tests.factories import approved_type, make_person
from tests.hypothesis_profiles import examples

pytestmark = pytest.mark.django_db
INDEX = st.integers(0, 30)
EVIDENCE = st.integers(1, 4)


@dataclass(eq=False)
class Interval:
    pk: int
    person: int
    evidence: int
    is_open: bool = True
    is_undone: bool = False


@dataclass(eq=False)
class Hit:
    page: str
    is_bot: bool
    owner: Interval | None
    is_past: bool = False
    recorded_for: int | None = None
    is_refused: bool = False
    is_kept: bool = True  # its row waits, or is there as the copy of what is in the log


@dataclass(eq=False)
class Browser:
    row: Visitor
    state: str = "free"
    intervals: list[Interval] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)

    @property
    def standing(self):
        return [interval for interval in self.intervals if not interval.is_undone]

    @property
    def last(self):
        return next((interval for interval in self.standing if interval.is_open), None)


class World(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.check = approved_type()
        self.site = make_site()
        people = [make_person() for _number in range(6)]
        self.emails = {person.pk: person.email for person in people}
        self.states = dict.fromkeys(self.emails, "live")
        self.winners: dict[int, int] = {}
        self.merges: list[tuple[int, int]] = []
        self.browsers = [Browser(make_visitor(self.site)) for _number in range(3)]
        self.pages = 0
        self.is_retired = False

    # --- the model -----------------------------------------------------------------------------------------------

    def now_of(self, person):
        while person in self.winners:
            person = self.winners[person]
        return person

    def live(self, person):
        now = self.now_of(person)
        return now if self.states.get(now) == "live" else None

    def state_of(self, browser):
        if len({self.now_of(interval.person) for interval in browser.standing}) > 3:
            return "shared"
        return "owned" if browser.last else "free"

    def model_associate(self, browser, person, evidence, pk, act=None):
        """The interval; None where it is refused."""
        last = browser.last
        if browser.state == "burnt" or self.live(person) is None:
            return None
        if last is not None and self.live(last.person) == self.live(person):
            last.evidence = min(last.evidence, evidence)
            return self.assign(act, last)
        if last is not None and self.live(last.person) is not None and evidence > last.evidence:
            return None
        is_first = not browser.standing
        if browser.state == "shared":
            for former in reversed(browser.standing):
                if self.now_of(former.person) == self.live(person):
                    former.evidence = min(former.evidence, evidence)
                    return self.assign(act, former)
        if last is not None:
            last.is_open = False
        interval = Interval(pk, self.live(person), evidence)
        browser.intervals.append(interval)
        browser.state = "shared" if browser.state == "shared" else self.state_of(browser)
        interval.is_open = browser.state != "shared"
        if is_first:
            for hit in browser.hits:
                if hit.is_kept and hit.owner is None and not hit.is_bot:
                    hit.owner, hit.is_past = interval, True
        return self.assign(act, interval)

    def assign(self, act, interval):
        if act is not None:
            act.owner, act.is_past = interval, False
        return interval

    def settle(self):
        """Do the dispatcher's work in both worlds."""
        dispatch()
        for hit in self.hits():
            if hit.owner is None or not hit.is_kept or hit.recorded_for is not None:
                continue
            if (person := self.live(hit.owner.person)) is None:
                hit.is_refused = True
            else:
                hit.recorded_for, hit.is_past, hit.is_refused = person, hit.is_past or hit.is_refused, False

    def hits(self):
        return [hit for browser in self.browsers for hit in browser.hits]

    def pick(self, place):
        return list(self.emails)[place % len(self.emails)]

    def newest_interval(self, browser):
        known = {interval.pk for interval in browser.intervals}
        row = Association.objects.filter(visitor=browser.row).exclude(pk__in=known).order_by("-pk").first()
        return row.pk if row else 0

    # --- what happens --------------------------------------------------------------------------------------------

    @rule(where=INDEX, is_bot=st.sampled_from([False, False, True]))
    def hit(self, where, is_bot):
        browser = self.browsers[where % len(self.browsers)]
        if browser.state == "burnt" or self.is_retired:
            return
        self.send(browser, is_bot)
        self.settle()

    def send(self, browser, is_bot=False, said=None):
        self.pages += 1
        page = f"No. {self.pages}"
        make_hit(browser.row, self.site, page, type_id=self.check.pk, is_bot=is_bot, said=said)
        hit = Hit(page, is_bot, browser.last if browser.state == "owned" else None)
        browser.hits.append(hit)
        return hit

    @rule(where=INDEX, who=INDEX, evidence=EVIDENCE)
    def identify(self, where, who, evidence):
        browser, person = self.browsers[where % len(self.browsers)], self.pick(who)
        if browser.state == "burnt" or self.is_retired or self.states[person] != "live":
            return
        hit = self.send(browser, said=says(evidence, self.emails[person]))
        dispatch()
        self.model_associate(browser, person, evidence, self.newest_interval(browser), hit)
        self.settle()

    @rule(where=INDEX, who=INDEX, evidence=EVIDENCE)
    def associate(self, where, who, evidence):
        browser, person = self.browsers[where % len(self.browsers)], self.pick(who)
        try:
            with transaction.atomic():
                pk = own(browser.row, person, self.site, evidence).pk
        except RejectedError:
            pk = None
        interval = self.model_associate(browser, person, evidence, pk)
        assert (interval.pk if interval else None) == pk
        self.settle()

    @rule(where=INDEX, place=INDEX)
    def undo(self, where, place):
        browser = self.browsers[where % len(self.browsers)]
        if browser.state == "burnt" or not browser.intervals:
            return
        interval = browser.intervals[place % len(browser.intervals)]
        try:
            with transaction.atomic():
                undoing.undo_association(interval.pk, None)
        except RejectedError:
            assert interval.is_undone
            return
        assert not interval.is_undone
        interval.is_undone, interval.is_open = True, False
        for hit in browser.hits:
            if hit.owner is interval and hit.is_kept:
                hit.owner, hit.is_past, hit.recorded_for, hit.is_refused = None, False, None, False
        browser.state = self.state_of(browser)
        self.settle()

    @rule(winner=INDEX, loser=INDEX)
    def merge(self, winner, loser):
        ids = self.pick(winner), self.pick(loser)
        try:
            with transaction.atomic():
                merge = person_merge.merge_people(ids[0], [ids[1]], None, SYSTEM)
        except RejectedError:
            return
        self.winners[ids[1]], self.states[ids[1]] = ids[0], "merged"
        self.merges.append((merge.pk, ids[1]))
        self.settle()

    @rule()
    def undo_merge(self):
        if not self.merges:
            return
        merge_id, loser = self.merges.pop()
        try:
            with transaction.atomic():
                person_merge.undo_merge(merge_id, None, SYSTEM)
        except RejectedError:
            return
        del self.winners[loser]
        self.states[loser] = "live"
        self.settle()

    @rule(who=INDEX)
    def delete_or_restore(self, who):
        person = self.pick(who)
        if self.states[person] == "live":
            deletion.delete_people([person], None, SYSTEM)
        elif self.states[person] == "deleted":
            deletion.restore_people([person], None, SYSTEM)
        self.states[person] = {"live": "deleted", "deleted": "live"}.get(self.states[person], self.states[person])
        self.settle()

    @rule(who=INDEX)
    def erase(self, who):
        person = self.pick(who)
        if len(self.emails) < 4:
            return
        try:
            with transaction.atomic():
                erasure.erase_people([person], None, SYSTEM)
        except RejectedError:
            return
        is_theirs = lambda interval: interval is not None and self.now_of(interval.person) == person  # noqa: E731
        for browser in self.browsers:
            standing = browser.standing
            theirs = list(map(is_theirs, standing))
            if any(theirs) and (is_theirs(browser.last) or all(theirs)):
                browser.state = "burnt"
                browser.hits = [hit for hit in browser.hits if hit.owner or hit.recorded_for or not hit.is_kept]
            browser.hits = [
                hit for hit in browser.hits
                if not is_theirs(hit.owner) and (hit.recorded_for is None or self.now_of(hit.recorded_for) != person)
            ]  # fmt: skip
            browser.intervals = [interval for interval in browser.intervals if not is_theirs(interval)]
        family = [pk for pk in self.emails if self.now_of(pk) == person]
        self.merges = [(merge, loser) for merge, loser in self.merges if loser not in family]
        for pk in family:
            self.winners.pop(pk, None)
            del self.emails[pk], self.states[pk]
        self.settle()

    @rule()
    def retire_or_restore_the_type(self):
        change = lifecycle.restore_definition if self.is_retired else lifecycle.retire_definition
        change(self.check, None)
        self.is_retired = not self.is_retired

    @rule()
    def wait_for_months(self):
        retention.maintain_partitions((timezone.now().astimezone(UTC) + timedelta(days=120)).date())
        for hit in self.hits():
            hit.is_kept = False
        for browser in self.browsers:
            browser.hits = [hit for hit in browser.hits if hit.recorded_for is not None]
        self.browsers = [
            browser for browser in self.browsers if browser.intervals or browser.state != "free"
        ] or [Browser(make_visitor(self.site))]  # fmt: skip

    # --- what has to hold ----------------------------------------------------------------------------------------

    @invariant()
    def the_log_is_that_of_the_model(self):
        if not hasattr(self, "check"):
            return
        rows = Activity.objects.filter(activity_type_id=self.check.pk)
        log = {row.primary_value: (row.person_id, row.is_backfill) for row in rows}
        assert len(log) == rows.count(), "each once"
        assert log == {
            hit.page: (self.now_of(hit.recorded_for), hit.is_past)
            for hit in self.hits()
            if hit.recorded_for is not None
        }
        waiting = VisitorActivity.objects.filter(activity_id=None).values_list("primary_value", flat=True)
        assert sorted(waiting) == sorted(hit.page for hit in self.hits() if hit.recorded_for is None and hit.is_kept)
        copies = VisitorActivity.objects.values_list("primary_value", flat=True)
        assert sorted(copies) == sorted(hit.page for hit in self.hits() if hit.is_kept)
        for browser in self.browsers:
            browser.row.refresh_from_db()
            assert browser.row.state == browser.state
            rows = Association.objects.filter(visitor=browser.row)
            assert {(row.pk, row.person_id, row.evidence, row.to_at is None and row.undone_at is None) for row in rows} \
                == {(i.pk, self.now_of(i.person), i.evidence, i.is_open) for i in browser.intervals}  # fmt: skip


class RolledBack(World):
    def __init__(self):
        super().__init__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()

    def teardown(self):
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)


def test_any_history_ends_as_the_model_says():
    run_state_machine_as_test(
        RolledBack,
        settings=settings(
            max_examples=examples(4, 500, "VISITOR_HISTORIES"),
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Person.objects.count() == 0, "rolled back"
