"""On a cluster: queries of all parts and of one, tables of a worker, and distribution of filled tables."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from activities.log import reader as log_reader
from activities.log import rollup, verify
from activities.models import Activity
from config.cluster import distribute, tables, undistribute
from config.operations import doctor
from people.core.db import citus
from people.persons import merge as person_merge
from smartlists.evaluation.postgres import statements
from smartlists.rules import model as rules
from tests import citus_cluster
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_by_our_clock, record_rows

pytestmark = [pytest.mark.on_cluster, pytest.mark.django_db]


def explain(sql, parameters=()):
    with connection.cursor() as cursor:
        cursor.execute(f"explain (costs off) {sql}", parameters)
        return "\n".join(line for (line,) in cursor.fetchall())


def tasks(sql, parameters=()):
    """The number of parts each piece of the statement is sent to, and whether the coordinator joins pieces itself."""
    said = explain(sql, parameters)
    return [int(number) for number in re.findall(r"Task Count: (\d+)", said)], "Distributed Subplan" in said


ALL, ONE = citus_cluster.PARTS, 1
ONE_PERSON = {
    "timeline": "select * from activity where person_id = 7 order by occurred_at desc, id desc limit 50",
    "narrowed timeline": """select * from activity where person_id = 7 and activity_type_id = any('{1,2}')
        and (occurred_at, id) < (now(), 5) order by occurred_at desc, id desc limit 50""",
    "known external id": """select activity_id, digest from activity_key
        where person_id = 7 and activity_type_id = 1 and external_id = 'T-1'""",
    "erase": "delete from activity where person_id = 7",
    "explanation": "select count(*), max(occurred_at) from activity where activity_type_id = 1 and person_id = any('{7}')",
}
EVERYBODY = {
    "did": "select array_send(array_agg(person)) from (select person_id as person from activity where activity_type_id = 1) f",
    "count": """select array_send(array_agg(person)) from (select person_id as person from activity
        where activity_type_id = 1 group by person_id having count(*) >= 2 and sum((attributes ->> 'a')::numeric) > 5) f""",
    "first value": """select array_send(array_agg(person)) from (select person_id as person from activity
        where activity_type_id = 1 group by person_id
        having (array_agg(primary_value order by occurred_at, id))[1] = 'x') f""",
    "sequence": """select array_send(array_agg(person)) from (select person from (
        select *, max(at) filter (where step = 1) over (partition by person order by at groups between
            unbounded preceding and 1 preceding) as before_2 from (
            select person_id as person, occurred_at as at, 1 as step from activity where activity_type_id = 1
            union all
            select person_id as person, occurred_at as at, 2 as step from activity where activity_type_id = 2) rows) rows
        where step = 2 and before_2 >= at - interval '24 hours') f""",
    "a page of one type": "select * from activity where activity_type_id = 1 and id > 5 and id <= 900 order by id limit 300",
    "chart": "select (occurred_at at time zone 'UTC')::date, count(*) from activity where activity_type_id = 1 group by 1",
    "mark": "select min(high_water_held(number)) from log_part",
    "digest of a day": """select sum(count) from (
        select person_id, 1 as count from activity where recorded_at < now() union all
        select person_id, 1 from activity_removal where recorded_at < now()) parts""",
}


@pytest.mark.parametrize("sql", ONE_PERSON.values(), ids=ONE_PERSON.keys())
def test_what_is_asked_of_one_person_goes_to_one_part(sql):
    assert tasks(sql) == ([ONE], False)


@pytest.mark.parametrize("sql", EVERYBODY.values(), ids=EVERYBODY.keys())
def test_what_is_asked_of_everybody_is_worked_out_by_each_part_alone(sql):
    assert tasks(sql) == ([ALL], False)


def test_filters_of_smart_lists_are_pushed_down_as_they_are():
    from smartlists.catalog import Catalogue
    from smartlists.rules.periods import Clock

    check = approved_type()
    context = statements.TranslationContext(Catalogue(), Clock.current(), None)
    item = rules.Activity(type=check.api_name, constraints=())
    source = statements.filter_statement(item, context).source
    assert tasks(f"select array_send(array_agg(person)) from {source.text}", source.params) == ([ALL], False)


def test_a_page_of_several_types_is_merged_from_a_piece_of_each():
    types = [1, 2, 3]
    sql = log_reader._of_types(types, ["a.id > 5 and a.id <= 900"])
    counts, is_joined_here = tasks(sql, {"limit": 300})
    assert counts.count(ALL) >= len(types) and is_joined_here


@pytest.mark.django_db(transaction=True)
def test_what_a_worker_has_prepared_holds_readers_back_until_it_is_decided():
    check, ann = approved_type(), make_person()
    record_rows(new_activity(ann.pk))
    start = log_reader.ReadPosition(None, 0)
    with connection.cursor() as cursor:
        cursor.execute("select nextval('activity_id_seq')")
        (lost,) = cursor.fetchone()
        cursor.execute(
            """select s.shardid, n.nodename, n.nodeport from pg_dist_shard s join pg_dist_placement p using (shardid)
            join pg_dist_node n using (groupid)
            where s.shardid = get_shard_id_for_distribution_column('activity', %s)""",
            [ann.pk],
        )
        shard, *node = cursor.fetchone()
    (after,) = record_rows(new_activity(ann.pk))
    with citus_cluster.connect(tuple(node), connection.settings_dict["NAME"]) as worker:
        worker.execute("set citus.enable_manual_changes_to_shards = on")
        worker.execute("begin")
        worker.execute(
            f"""insert into activity_{shard} (id, person_id, activity_type_id, version, occurred_at, attributes, door)
            values ({lost}, {ann.pk}, {check.pk}, 1, now(), '{{}}', 1)"""
        )
        worker.execute("prepare transaction 'a coordinator that is gone'")
        assert log_reader.high_water_mark() == lost - 1
        page = log_reader.read_activities(start, [check.pk])
        assert [row.pk for row in page.activities] == [lost - 1] and not page.has_more
        worker.execute("commit prepared 'a coordinator that is gone'")
    rows = log_reader.read_activities(page.position, [check.pk]).activities
    assert [row.pk for row in rows] == [lost, after.activity_id]


@pytest.mark.django_db(transaction=True)
def test_a_merge_from_one_worker_to_another_adds_up(monkeypatch):
    record_by_our_clock(monkeypatch)
    approved_type()
    crowd = [make_person() for _ in range(6)]
    record_rows(*(new_activity(one.pk, external_id=f"T-{one.pk}") for one in crowd))
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert verify.close_days(timezone.now()) > 0
        done = person_merge.merge_people(crowd[0].pk, [one.pk for one in crowd[1:]], None, MARKETO)
        assert Activity.objects.filter(person_id=crowd[0].pk).exclude(original_person_id=None).count() >= 5
        rollup.catch_up_rollup()
        assert rollup.rollup_differences() == []
        assert verify.verify_log() == []
        person_merge.undo_merge(done.pk, None, MARKETO)
        rollup.catch_up_rollup()
    assert rollup.rollup_differences() == [] and verify.verify_log() == []


def test_the_doctor_finds_the_workers_and_their_guards():
    (finding,) = [found for found in doctor.run_checks() if found.check == "cluster"]
    assert finding.is_well and "2 workers" in finding.state


@pytest.mark.django_db(transaction=True)
def test_what_was_done_before_is_passed_over(capsys):
    call_command("distribute", "--dry-run", "--parts", "4")
    said = capsys.readouterr().out
    assert all(f"{table} is distributed (done before)" in said for table in tables.DISTRIBUTED)


KEPT = {
    "activity": "select count(*), sum(a.id), md5(string_agg(concat_ws('|', id, person_id, occurred_at, recorded_at, "
    "primary_value, attributes, original_person_id), ',' order by id)) from activity a",
    "activity_key": "select md5(string_agg(concat_ws('|', person_id, external_id, activity_id, digest), ',' "
    "order by person_id, external_id)) from activity_key",
    "activity_removal": "select md5(string_agg(concat_ws('|', id, activity_id, person_id, reason, digest, removed_at, "
    "transaction_id), ',' order by id)) from activity_removal",
    "numbers": "select a.last_value, r.last_value from activity_id_seq a, activity_removal_id_seq r",
}
SHAPE = """select 'index', pg_get_indexdef(indexrelid) from pg_index where indrelid = any(%(tables)s::regclass[])
    union all select 'trigger', pg_get_triggerdef(oid) from pg_trigger
        where tgrelid = any(%(tables)s::regclass[]) and not tgisinternal and tgname <> all(%(replaced)s)
    union all select 'rule', concat(conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint
        where conrelid = any(%(tables)s::regclass[]) and contype <> 'n'
    union all select 'column', attrelid::regclass || attname || format_type(atttypid, atttypmod) || attnotnull || attidentity::text
        || coalesce((select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = attrelid and adnum = attnum), '')
        from pg_attribute where attrelid = any(%(tables)s::regclass[]) and attnum > 0
    order by 1, 2"""


def as_it_is():
    found = {}
    with connection.cursor() as cursor:
        for name, sql in KEPT.items():
            cursor.execute(sql)
            found[name] = cursor.fetchone()
        cursor.execute(SHAPE, {"tables": list(tables.DISTRIBUTED), "replaced": list(tables.REPLACED)})
        return found | {"shape": cursor.fetchall()}


@pytest.mark.django_db(transaction=True)
def test_the_log_comes_back_as_it_was_and_goes_again():
    approved_type()
    crowd = [make_person() for _ in range(6)]
    record_rows(*(new_activity(one.pk, external_id=f"T-{one.pk}") for one in crowd))
    person_merge.merge_people(crowd[0].pk, [crowd[1].pk, crowd[2].pk], None, MARKETO)
    before = as_it_is()
    try:
        distribute.run_steps(undistribute.undistribution_steps(), lambda said: None)
        assert not citus.is_distributed() and distribute.distributed_tables() == set()
        assert as_it_is() == before
        assert list(undistribute.undistribution_obstacles()) == list(distribute.session_problems())
        assert doctor.check_guards().is_well and doctor.check_indexes().is_well
        assert (
            distribute.run_steps(undistribute.undistribution_steps(), lambda said: None) == 1
        )  # functions, which are dropped if there are any
        (after,) = record_rows(new_activity(crowd[0].pk))
        assert after.activity_id == before["numbers"][0] + 1
        assert verify.verify_log() == []
    finally:
        distribute.run_steps(distribute.distribution_steps(citus_cluster.PARTS), lambda said: None)
        connection.close()  # the next one has the database's settings
    assert citus.is_distributed() and verify.verify_log() == []
    assert record_rows(new_activity(crowd[0].pk))[0].activity_id > after.activity_id


@pytest.mark.django_db(transaction=True)
def test_a_number_by_hand_is_refused():
    with pytest.raises(Exception, match=r"(?i)generated always"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """insert into activity (id, person_id, activity_type_id, version, occurred_at, door)
            values (1, 1, 1, 1, now(), 1)"""
        )
