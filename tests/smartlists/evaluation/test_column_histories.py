"""Any history of recording, changing and building leaves the column index and SQL with the same answers.

Each history runs in one transaction that is rolled back. Builds reach as far as a drawn id, are cut off at any of their
steps, or are rolled back together with what they entered in the database; files are damaged, and older ones come back.
"""

import shutil
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from activities.log import retention
from activities.log.columns import builder, files, manifest, relation, verify
from activities.models import Activity
from people.core.errors import RejectedError
from people.definitions import drafts, lifecycle
from people.persons import deletion
from people.persons import merge as person_merge
from people.privacy import erasure
from smartlists.catalog import Catalogue
from smartlists.evaluation.evaluator import EvaluationRun
from smartlists.evaluation.postgres.snapshot import open_snapshot
from smartlists.rules.parsing import parse_rules
from smartlists.rules.periods import Clock
from tests.factories import MARKETO, ActivityFieldSpec, approved_type, make_person, new_activity, record_rows
from tests.hypothesis_profiles import examples
from tests.smartlists import oracle_worlds
from tests.smartlists.rule_factories import (
    activity_filter,
    aggregate_condition,
    count_condition,
    field_constraint,
    sequence_filter,
)

pytestmark = [pytest.mark.django_db, pytest.mark.one_server("the column index is off on a cluster")]
EXAMPLES = examples(4, 400, "HISTORIES")
answered: Counter[str] = Counter()
INDEX = st.integers(0, 30)
NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
STEPS = (
    "activities.log.columns.source.changed_people",
    "activities.log.columns.source.copy_rows",
    "activities.log.columns.segments.people_by_day",
    "activities.log.columns.files.sync_folder",
    "activities.log.columns.source.publish_generation",
    "activities.log.columns.manifest.publish_manifest",
)
CARDS = (
    activity_filter(),
    activity_filter(did=False),
    activity_filter(type="openDoor"),
    activity_filter(field_constraint("@occurred_at", "in past", "9 days")),
    activity_filter(field_constraint("@occurred_at", "between", "2026-11-03", "2026-11-09"), did=False),
    activity_filter(
        field_constraint("@occurred_at", "before", "2026-11-10"),
        field_constraint("@occurred_at", "after", "2026-11-01"),
    ),
    activity_filter(
        field_constraint("@recorded_at", "in past", "10000 days"), field_constraint("branch", "is not", "north")
    ),
    activity_filter(field_constraint("amount", "greater than", "3")),
    activity_filter(count=count_condition("at least", "3")),
    activity_filter(count=count_condition("at most", "2")),
    activity_filter(aggregate=aggregate_condition("sum", "amount", "greater than", "7.5")),
    activity_filter(aggregate=aggregate_condition("average", "amount", "at most", "3")),
    activity_filter(aggregate=aggregate_condition("last", "amount", "at least", "2")),
    activity_filter(aggregate=aggregate_condition("first", "branch", "is", "north")),
    sequence_filter({"type": "depositCheck"}, {"type": "openDoor"}),
    sequence_filter({"type": "openDoor"}, {"type": "depositCheck", "within_days": 3}),
    sequence_filter({"type": "depositCheck"}, {"type": "openDoor", "within_days": 2, "not": True}),
)


class CutOffError(Exception):
    """Stands for the end of the process."""


class World(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp()) / "columns"
        self.patches = [
            patch.object(files, "index_folder", lambda: self.folder),
            patch.object(builder, "FEWEST_ROWS", 0),
            patch.object(builder, "MOST_LATE", 2),
            patch.object(builder, "_failed", {}),
        ]
        for one in self.patches:
            one.start()
        self.check = approved_type()
        approved_type("Open Door", "openDoor", [ActivityFieldSpec("door", "Door", is_primary=True)])
        self.people = [make_person().pk for _person in range(6)]
        self.merges, self.deleted, self.kept = [], [], None
        self.fields = 0
        self.record(0, 3, 5, "2")
        self.names = Catalogue()
        builder.build_index(self._mark(0))

    def teardown(self):
        for one in getattr(self, "patches", ()):
            one.stop()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder.parent)

    @rule(
        who=INDEX, number=st.integers(1, 4), day=st.integers(0, 30), amount=st.sampled_from(["2", "0.1", "7.5", "-3"])
    )
    def record(self, who, number, day, amount):
        rows = []
        for place in range(number):
            at = (NOW - timedelta(days=day, hours=place * 7)).isoformat()
            pk = self.people[(who + place) % len(self.people)]
            if place % 2:
                rows.append(new_activity(pk, "openDoor", at))
            else:
                rows.append(
                    new_activity(pk, occurred_at=at, amount=Decimal(amount), branch=("North", "South")[day % 2])
                )
        record_rows(*rows)

    @rule(place=INDEX)
    def correct(self, place):
        ids = list(Activity.objects.filter(activity_type_id__gte=100_000).order_by("pk").values_list("pk", flat=True))
        if ids:
            retention.correct_activities([ids[place % len(ids)]], None)

    @rule(winner=INDEX, loser=INDEX)
    def merge(self, winner, loser):
        try:
            with transaction.atomic():
                ids = [self.people[place % len(self.people)] for place in (winner, loser)]
                self.merges.append(person_merge.merge_people(ids[0], [ids[1]], None, MARKETO).pk)
        except RejectedError:
            pass

    @rule()
    def undo(self):
        if self.merges:
            try:
                with transaction.atomic():
                    person_merge.undo_merge(self.merges.pop(), None, MARKETO)
            except RejectedError:
                pass

    @rule(who=INDEX)
    def erase(self, who):
        if len(self.people) > 3:
            try:
                with transaction.atomic():
                    pk = self.people[who % len(self.people)]
                    erasure.erase_people([pk], None, MARKETO)
            except RejectedError:
                return
            self.people.remove(pk)

    @rule(who=INDEX)
    def delete(self, who):
        deletion.delete_people([self.people[who % len(self.people)]], None, MARKETO)

    @rule(who=INDEX)
    def restore(self, who):
        deletion.restore_people([self.people[who % len(self.people)]], None, MARKETO)

    @rule()
    def approve_another_field(self):
        self.fields += 1
        drafts.add_draft_fields(self.check, [ActivityFieldSpec(f"more{self.fields}", f"More {self.fields}")], None)
        lifecycle.approve_draft(self.check, None)
        self.names = Catalogue()

    @rule(zone=st.sampled_from(["UTC", "Europe/Madrid", "Pacific/Apia"]))
    def change_zone(self, zone):
        oracle_worlds.set_clock(zone, 0)

    @rule(back=st.integers(0, 6))
    def build(self, back):
        builder.build_index(self._mark(back))
        agree, differences = verify.verify_index()
        assert not differences and agree == len(manifest.current_manifest().types)

    @rule(step=st.sampled_from(STEPS), back=st.integers(0, 3))
    def build_is_cut_off(self, step, back):
        try:
            with transaction.atomic(), patch(step, side_effect=CutOffError):
                builder.build_index(self._mark(back))
        except CutOffError:
            event(f"cut off at {step}")

    @rule()
    def build_is_rolled_back(self):
        with transaction.atomic():
            builder.build_index(self._mark(0))
            transaction.set_rollback(True)

    @rule(place=INDEX)
    def damage(self, place):
        there = sorted(path for path in self.folder.glob("*-*") if path.is_file())
        if there:
            path = there[place % len(there)]
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 4
            path.write_bytes(content)

    @rule()
    def lose_a_file(self):
        for path in sorted(self.folder.glob("rows-*"))[:1]:
            path.unlink()

    @rule()
    def keep_a_copy(self):
        if self.folder.exists():
            if self.kept:
                shutil.rmtree(self.kept)
            self.kept = self.folder.with_name("kept")
            shutil.copytree(self.folder, self.kept)

    @rule()
    def put_the_copy_back(self):
        if self.kept:
            shutil.rmtree(self.folder)
            shutil.copytree(self.kept, self.folder)

    @rule()
    def drop_and_build(self):
        builder.drop_index()
        builder.build_index(self._mark(0))

    @invariant()
    def both_answer_alike(self):
        if not hasattr(self, "names"):
            return
        parsed = parse_rules({"version": 1, "match": "any", "filters": list(CARDS)}, self.names)
        pinned = relation.pin_manifest()
        with open_snapshot() as view:
            by_sql = EvaluationRun(view, Clock.current(NOW), None, self.names)
            run = EvaluationRun(view, Clock.current(NOW), None, self.names, pinned)
            for card, item in zip(CARDS, parsed.filters, strict=True):
                assert run.answer(item) == by_sql.answer(item), card
        answered.update(run.engine.answered_by.values())

    def _mark(self, back):
        with connection.cursor() as cursor:
            cursor.execute("select last_value from activity_id_seq")
            return max(0, cursor.fetchone()[0] - back)


@pytest.mark.slow
def test_columns_and_sql_agree_after_any_history(db):
    class Rolled(World):
        def __init__(self):
            super().__init__()
            self.atomic = transaction.atomic()
            self.atomic.__enter__()

        def teardown(self):
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)
            super().teardown()

    run_state_machine_as_test(
        Rolled,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert answered["columns"] > 80
