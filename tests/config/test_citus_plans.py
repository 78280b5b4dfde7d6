"""On a cluster: how the statements that the product's own verbs send are carried out, by EXPLAIN."""

import re
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities.log import reader as log_reader
from activities.log import reports as log_reports
from activities.log import retention, rollup, verify
from activities.models import Activity, ActivityType, ApprovedField
from people.models import StaticList
from people.persons import merge as person_merge
from people.privacy import erasure
from smartlists.catalog import Catalogue
from smartlists.evaluation.postgres import statements
from smartlists.rules import model as rules
from smartlists.rules.periods import Clock
from tests import citus_cluster
from tests.config.test_citus_readiness import SPEAKS_OF_THE_LOG
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows
from tests.smartlists.rule_factories import (
    activity_filter,
    aggregate_condition,
    count_condition,
    field_constraint,
    parse_filters,
    sequence_filter,
)

pytestmark = [pytest.mark.on_cluster, pytest.mark.django_db(transaction=True)]

ONE_PART, EACH_ALONE = "one part", "each part alone"
PUT_TOGETHER = "pieces are put together here"  # each small: a page, a limit, a group a part
HANDED_OUT = "rows are handed out from here"
WIDE = log_reports.ReportScope(date(2020, 1, 1), date(2030, 1, 1))
FOR_ALL = log_reader.ReadPosition(None, 0)


def kind_of(sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(f"explain (costs off) {sql}", parameters)
        said = "\n".join(line for (line,) in cursor.fetchall())
    counts = {int(number) for number in re.findall(r"Task Count: (\d+)", said)}
    if "INSERT/SELECT method: pull to coordinator" in said:
        return HANDED_OUT
    if "Distributed Subplan" in said:
        return PUT_TOGETHER
    return {frozenset({1}): ONE_PART, frozenset({citus_cluster.PARTS}): EACH_ALONE}.get(frozenset(counts), said)


def kinds_of(work):
    """The kind of execution of each statement of `work` about the log; those that EXPLAIN takes."""
    with CaptureQueriesContext(connection) as captured:
        work()
    sent = (query["sql"].replace('"', "").strip() for query in captured.captured_queries)
    return {
        kind_of(sql)
        for sql in sent
        if SPEAKS_OF_THE_LOG.search(sql) and re.match(r"\(?(select|with|insert|delete)\b", sql, re.I)
    }


@pytest.fixture
def world(transactional_db):
    check = approved_type()
    people = [make_person().pk for _ in range(3)]
    record_rows(*(new_activity(pk, external_id=f"T-{pk}", amount=5) for pk in people))
    rollup.catch_up_rollup()
    return check, *people


READ = {
    "timeline": (lambda check, ann: log_reader.person_timeline(ann), {ONE_PART}),
    "timeline of types, with words": (
        lambda check, ann: log_reader.person_timeline(ann, type_ids=[check.pk, 1], containing="5"),
        {ONE_PART},
    ),
    "timeline with the types there are": (
        lambda check, ann: log_reader.timeline_with_types(ann, type_ids=[check.pk]),
        {ONE_PART},
    ),
    "page of one type": (lambda check, ann: log_reader.read_activities(FOR_ALL, [check.pk]), {EACH_ALONE}),
    "page of several types": (lambda check, ann: log_reader.read_activities(FOR_ALL, [check.pk, 1]), {PUT_TOGETHER}),
    "page of a person": (lambda check, ann: log_reader.read_activities(FOR_ALL, [check.pk], [ann]), {ONE_PART}),
    "page of a list's people": (
        lambda check, ann: log_reader.read_activities(
            FOR_ALL, [check.pk], conditions=[log_reader.static_list_condition(StaticList.objects.create(name="L").pk)]
        ),
        {PUT_TOGETHER},
    ),
    "search of the log": (
        lambda check, ann: log_reader.search_activities(FOR_ALL, Activity.objects.filter(channel=1)),
        {EACH_ALONE},
    ),
    "latest of a type": (lambda check, ann: log_reader.latest_of_type(check.pk, 8), {EACH_ALONE}),
    "when a type was last": (lambda check, ann: rollup.last_occurrences([check.pk, 1]), {PUT_TOGETHER}),
    "report: how much there is to read": (
        lambda check, ann: log_reports.count_activities_to_read([check.pk], WIDE),
        set(),
    ),
    "report: trend": (lambda check, ann: log_reports.activity_trend(check, WIDE), set()),
    "report: breakdown": (
        lambda check, ann: log_reports.value_breakdown(check, fields_of(check)[0], WIDE),
        {EACH_ALONE},
    ),
    "report: top people": (lambda check, ann: log_reports.top_people(check, WIDE), {PUT_TOGETHER}),
    "report: funnel": (
        lambda check, ann: log_reports.people_funnel([check, ActivityType.objects.get(pk=1)], WIDE),
        {PUT_TOGETHER},
    ),
    "report: people at a step": (
        lambda check, ann: log_reports.people_at_step([check, ActivityType.objects.get(pk=1)], WIDE),
        {PUT_TOGETHER},
    ),
    "counts that differ": (lambda check, ann: rollup.rollup_differences(), {PUT_TOGETHER}),
    "digests": (lambda check, ann: verify.close_days(), {PUT_TOGETHER}),
}


def fields_of(check):
    return list(ApprovedField.objects.filter(activity_type=check))


@pytest.mark.parametrize(("verb", "kinds"), READ.values(), ids=READ.keys())
def test_what_is_read(world, verb, kinds):
    check, ann, *_others = world
    assert kinds_of(lambda: verb(check, ann)) == kinds


FILTERS = {
    "did": activity_filter(),
    "in past 90 days": activity_filter(field_constraint("@occurred_at", "in past", "90 days")),
    "a number": activity_filter(field_constraint("amount", "greater than", "500")),
    "at least": activity_filter(count=count_condition("at least", "3")),
    "at most": activity_filter(count=count_condition("at most", "2")),
    "sum": activity_filter(aggregate=aggregate_condition("sum", "amount", "greater than", "1")),
    "last": activity_filter(aggregate=aggregate_condition("last", "amount", "greater than", "1")),
    "sequence": sequence_filter({"type": "depositCheck"}, {"type": "visitWebPage", "within_days": 30}),
}


@pytest.mark.parametrize("item", FILTERS.values(), ids=FILTERS.keys())
def test_every_filter_on_activities_is_worked_out_by_each_part_alone(world, item):
    (found,) = parse_filters(item).filters
    source = statements.filter_statement(
        found, statements.TranslationContext(Catalogue(), Clock.current(), None)
    ).source
    sql = f"select array_send(array_agg(person)) from {source.text}"
    assert isinstance(found, rules.Activity | rules.Sequence) and kind_of(sql, source.params) == EACH_ALONE


def test_what_is_written(world):
    check, ann, bob, cas = world
    every = {ONE_PART, EACH_ALONE, PUT_TOGETHER, HANDED_OUT}
    (row,) = Activity.objects.filter(person_id=cas, activity_type_id=check.pk)
    done = []
    for work in (
        rollup.catch_up_rollup,
        lambda: record_rows(new_activity(ann, external_id="new")),
        lambda: done.append(person_merge.merge_people(ann, [bob], None, MARKETO)),
        lambda: person_merge.undo_merge(done[0].pk, None, MARKETO),
        lambda: retention.correct_activities([row.pk], None),
        lambda: erasure.erase_people([cas], None, MARKETO),
    ):
        assert (kinds := kinds_of(work)) and kinds <= every
