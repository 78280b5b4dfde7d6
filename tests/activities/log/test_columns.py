"""The column index as an operator has it: command, doctor, files that are damaged, and what does not fit into columns."""

import io
import itertools
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from activities.log import reader, rollup
from activities.log.columns import bitmaps, builder, files, manifest, relation, state, verify
from activities.log.columns.relation import NotHeldError
from config.operations import doctor
from people.core.db import citus
from smartlists.evaluation import evaluator
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.smartlists.rule_factories import activity_filter, aggregate_condition, field_constraint, parse_filters

pytestmark = [pytest.mark.django_db, pytest.mark.one_server("the column index is off on a cluster")]


@pytest.fixture
def check(column_index, own_rows_read):
    return approved_type()


def columns(*arguments):
    out = io.StringIO()
    call_command("columns", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def engine(card):
    found = evaluator.evaluate_rules(parse_filters(card))
    return found.per_filter[0].engine, set(found.members)


def test_the_command_builds_compares_shows_and_removes(check, settings, monkeypatch):
    assert "there is no column index" in columns("status")
    with pytest.raises(CommandError, match="no column index"):
        columns("verify")
    ann = make_person().pk
    record_rows(new_activity(ann))
    assert "rows written for 2 types" in columns("build")
    assert "2 types agree" in columns("verify")
    assert "2 rows of 2 types" in columns("status") and "not used" not in columns("status")
    assert engine(activity_filter()) == ("columns", {ann})
    assert "removed" in columns("drop")
    assert list(files.index_folder().glob("*-*")) == [] and engine(activity_filter()) == ("sql", {ann})
    assert "There was no" in columns("drop")
    settings.COLUMN_INDEX = False
    with pytest.raises(CommandError, match="COLUMN_INDEX is off"):
        columns("build")
    settings.COLUMN_INDEX = True
    monkeypatch.setattr(citus, "is_distributed", lambda: True)
    with pytest.raises(CommandError, match="cluster"):
        columns("build")


def test_switched_off_nothing_is_answered_from_it_and_its_process_removes_it(check, settings):
    ann = make_person().pk
    record_rows(new_activity(ann))
    builder.build_index()
    settings.COLUMN_INDEX = False
    assert engine(activity_filter()) == ("sql", {ann})
    turns = iter([False, True, True])
    builder.build_continuously(lambda: next(turns), every=0)
    assert manifest.current_manifest() is None and list(files.index_folder().glob("rows-*")) == []


def test_only_one_process_of_a_node_builds(check):
    with files.index_lock() as is_mine, pytest.raises(builder.IndexBusyError):
        assert is_mine
        builder.build_index()


def test_types_with_few_activities_are_left_to_sql(check, monkeypatch):
    monkeypatch.setattr(builder, "FEWEST_ROWS", 3)
    monkeypatch.setattr(rollup, "high_water_mark", lambda: reader.high_water_mark())
    record_rows(*(new_activity(make_person().pk) for _row in range(2)))
    rollup.catch_up_rollup()
    assert not builder.build_index().manifest.types
    record_rows(new_activity(make_person().pk))
    rollup.catch_up_rollup()
    assert check.pk in builder.build_index().manifest.types


@pytest.mark.parametrize("kind", ["rows", "ever", "days"])
@pytest.mark.parametrize("fault", ["flipped", "cut", "missing", "foreign"])
def test_a_file_that_is_not_what_was_written_is_noticed_and_built_anew(check, caplog, kind, fault):
    ann = make_person().pk
    record_rows(new_activity(ann, amount=Decimal("7")))
    builder.build_index()
    card = {
        "rows": activity_filter(field_constraint("amount", "at least", "7")),
        "ever": activity_filter(),
        "days": activity_filter(field_constraint("@occurred_at", "after", "2026-11-10")),
    }[kind]
    assert engine(card) == ("columns", {ann})
    entry = manifest.current_manifest().types[check.pk]
    (name,) = {"rows": [entry.segments[0].name], "ever": [entry.ever.name], "days": [entry.months[0].name]}[kind]
    path = files.index_folder() / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damage = {
        "flipped": lambda: path.write_bytes(content),
        "cut": lambda: path.write_bytes(content[:-1]),
        "missing": path.unlink,
        "foreign": lambda: path.write_bytes(next(files.index_folder().glob("rows-*")).read_bytes()[::-1]),
    }
    damage[fault]()
    assert engine(card) == ("sql", {ann})
    assert "damaged" in caplog.text
    assert builder.build_index().types == (check.pk,)
    assert engine(card) == ("columns", {ann})
    assert verify.verify_index()[1] == []


def test_a_manifest_of_another_database_format_or_none_at_all_is_not_used(check):
    ann = make_person().pk
    record_rows(new_activity(ann))
    path = files.index_folder() / manifest.NAME
    builder.build_index()
    good = path.read_text()
    for other in (
        good.replace(state.source.server_identity(), "elsewhere"),
        good.replace(f'"format": {manifest.FORMAT}', '"format": 99'),
        "{",
        "",
    ):
        path.write_text(other)
        assert engine(activity_filter()) == ("sql", {ann})
        assert builder.build_index().rows > 0
        assert engine(activity_filter()) == ("columns", {ann})


def test_amounts_that_columns_cannot_hold_are_left_to_sql(check):
    ann, bob = make_person().pk, make_person().pk
    record_rows(new_activity(ann, amount=Decimal("899999999999999.9999")), new_activity(bob, amount=Decimal("1")))
    builder.build_index()
    large = activity_filter(field_constraint("amount", "greater than", "899999999999999.9998"))
    assert engine(large) == ("columns", {ann})
    assert engine(activity_filter(aggregate=aggregate_condition("sum", "amount", "at most", "1"))) == ("columns", {bob})
    record_rows(new_activity(bob, amount=Decimal("999999999999999.9999")))
    assert engine(large) == ("sql", {ann, bob})  # in what is read besides
    builder.build_index()
    assert engine(large) == ("sql", {ann, bob})  # in a file
    assert engine(activity_filter()) == ("columns", {ann, bob})


def test_what_lies_too_far_behind_is_left_to_sql(check, monkeypatch):
    record_rows(new_activity(make_person().pk))
    builder.build_index()
    monkeypatch.setattr(relation, "MOST_DELTA", 2)
    record_rows(*(new_activity(make_person().pk) for _row in range(2)))
    assert engine(activity_filter())[0] == "columns"
    record_rows(new_activity(make_person().pk))
    assert engine(activity_filter())[0] == "sql"


def test_a_field_that_was_never_approved_for_the_type_is_not_held(check):
    record_rows(new_activity(make_person().pk))
    builder.build_index()

    def rows(sql, parameters):
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    with pytest.raises(NotHeldError):
        relation.IndexView(manifest.current_manifest(), rows).relation(check.pk, [-1])


def test_bits_become_the_same_people_whether_many_or_few_are_in_a_block():
    for ids in ([], [0], [65_535, 65_536], range(5_000), range(70_000), [3, *range(65_536, 131_072)]):
        people = bitmaps.BitMap(ids)
        bits = bytearray((bitmaps.top_bit(200_000) + 1) // 8)
        for pk in people:
            bits[pk // 8] |= 128 >> pk % 8
        assert bitmaps.bitmap_of_bits(bytes(bits)) == people


def test_days_before_1970_are_days_of_their_own_month(column_index):
    assert bitmaps.month_of(-1) == "1969-12" and bitmaps.days_of("1969-12") == (-31, 0)
    stored = bitmaps.dump_days({-1: bitmaps.BitMap([5]), 0: bitmaps.BitMap([6])})
    path = files.index_folder().parent / "days"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stored)
    assert bitmaps.load_days(path, [-1]) == {-1: bitmaps.BitMap([5])}
    assert bitmaps.load_days(path, [bitmaps.WHOLE]) == {bitmaps.WHOLE: bitmaps.BitMap([5, 6])}


def test_activities_of_long_ago_count_on_their_days(check):
    ann, bob = make_person().pk, make_person().pk
    record_rows(new_activity(ann, occurred_at=datetime(1969, 12, 31, 23, 59, tzinfo=UTC)), new_activity(bob))
    builder.build_index()
    assert engine(activity_filter(field_constraint("@occurred_at", "before", "1970-01-01"))) == ("columns", {ann})
    assert engine(activity_filter(field_constraint("@occurred_at", "on or after", "1970-01-01"))) == ("columns", {bob})


def finding():
    return next(found for found in doctor.run_checks() if found.check == "column index")


def test_the_doctor_says_how_it_is(check, settings, monkeypatch):
    record_rows(new_activity(make_person().pk))
    rollup.catch_up_rollup()
    monkeypatch.setattr(builder, "FEWEST_ROWS", 2)
    assert finding().is_well, "no type is so big that it would be in the index"
    monkeypatch.setattr(builder, "FEWEST_ROWS", 0)
    assert not finding().is_well and "columns build --keep" in finding().advice
    builder.build_index()
    assert finding().is_well and "0 ids behind" in finding().state
    settings.COLUMN_INDEX = False
    assert finding().is_well and finding().state.startswith("off") and "COLUMN_INDEX is off" in columns("status")


def test_a_build_stops_at_the_reserve_of_the_disk_and_its_failure_is_shown(check, settings, monkeypatch, admin_client):
    record_rows(new_activity(make_person().pk))
    settings.DISK_RESERVE_BYTES = 10**15
    is_over = iter([False, True, True])
    monkeypatch.setattr(builder.connection, "close", lambda: None)
    builder.build_continuously(lambda: next(is_over))
    assert "reserved for recording" in finding().advice and not list(files.index_folder().glob("rows-*"))
    assert "Its last build failed" in admin_client.get("/admin/status/").content.decode()
    with pytest.raises(CommandError, match="reserved for recording"):
        columns("build")
    settings.DISK_RESERVE_BYTES = 0
    builder.build_continuously(lambda: manifest.current_manifest() is not None)
    assert finding().is_well and state.index_state().problem == ""


def test_a_failing_build_is_tried_again_ever_later(check, monkeypatch):
    tries, clock = [], [0.0]

    def fail():
        tries.append(clock[0])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(builder, "build_index", fail)
    monkeypatch.setattr(builder.connection, "close", lambda: None)
    monkeypatch.setattr(builder.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(builder.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    builder.build_continuously(lambda: clock[0] > 4_000)
    between = [round(later - earlier) for earlier, later in itertools.pairwise(tries)]
    assert between[:4] == [10, 20, 40, 80] and set(between[7:]) == {600}
    assert "No space left on device" in state.index_state().problem
