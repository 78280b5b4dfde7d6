"""Every kind of page of the admin over many people and activities: what its SQL takes, and its slowest statement.

SCALE=10 is a million people and ten million activities. The statements go to the standard error, worst first.
"""

import sys
import time
from collections.abc import Iterator
from typing import Any

from django.db import connection

from tests.benchmarks import Bench, Line, measures, plain, within
from tests.benchmarks.filling import filled

RUNS = 3  # of which the best counts: a page of a busy machine is no slow page
SQL_LIMIT, COUNT_LIMIT = 100, 300  # milliseconds
BIG, WHOLE = ["activity", "person", "static_list_member"], 10_000  # more rows than that in sequence are no page's
TIMELINE, TIMELINE_STATEMENTS, TIMELINE_LIMIT = "timeline", 10, 5
ON_LIST = """insert into static_list_member (static_list_id, person_id, door)
    select %s, id, 3 from person where id %% 5 = 0"""
TYPE, LISTS, PEOPLE = "/admin/activities/activitytype", "/admin/smartlists/smartlist", "/admin/people/person"
PAGES = {
    "home": "/admin/",
    "types": f"{TYPE}/",
    "type overview": f"{TYPE}/{{type}}/change/",
    "type overview, a year": f"{TYPE}/{{type}}/change/?days=365",
    "type fields": f"{TYPE}/{{type}}/fields/",
    "type versions": f"{TYPE}/{{type}}/versions/",
    "type used by": f"{TYPE}/{{type}}/used-by/",
    "type developers": f"{TYPE}/{{type}}/developers/",
    "delete a type": f"{TYPE}/{{type}}/step/delete/",
    "people": f"{PEOPLE}/",
    "people, page 8": f"{PEOPLE}/?p=8",
    "people by a name": f"{PEOPLE}/?q=last+49",
    "people by two words": f"{PEOPLE}/?q=ann+last",
    "people by two words, nobody has both": f"{PEOPLE}/?q=bo+ann",
    "people on a static list": f"{PEOPLE}/?list={{static}}",
    "people by an e-mail": f"{PEOPLE}/?q=list77@bench.example.com",
    "people, nobody found": f"{PEOPLE}/?q=zzzz",
    "person": f"{PEOPLE}/{{person}}/change/",
    "erase a person": f"{PEOPLE}/{{person}}/erase/",
    "deleted people": f"{PEOPLE}/deleted/",
    "duplicates": f"{PEOPLE}/duplicates/",
    TIMELINE: f"{TYPE}/timeline/{{person}}/",
    "timeline of a type": f"{TYPE}/timeline/{{person}}/?type={{type}}",
    "timeline by words": f"{TYPE}/timeline/{{person}}/?q=branch",
    "record by hand": f"{TYPE}/record/{{person}}/?type={{type}}",
    "static lists": "/admin/people/staticlist/",
    "static list": "/admin/people/staticlist/{static}/change/",
    "static list by a name": "/admin/people/staticlist/{static}/change/?q=last+49",
    "static list by two words, nobody has both": "/admin/people/staticlist/{static}/change/?q=bo+ann",
    "delete a static list": "/admin/people/staticlist/{static}/remove/",
    "smart lists": f"{LISTS}/",
    "rules": f"{LISTS}/{{list}}/change/",
    "members": f"{LISTS}/{{list}}/members/",
    "members, far along": f"{LISTS}/{{list}}/members/?after=70000",
    "members, latest first": f"{LISTS}/{{list}}/members/?sort=-",
    "members by last name": f"{LISTS}/{{list}}/members/?sort=last_name",
    "members by company, descending": f"{LISTS}/{{list}}/members/?sort=-company&after=40000",
    "members by e-mail": f"{LISTS}/{{list}}/members/?sort=email",
    "members found by a name": f"{LISTS}/{{list}}/members/?q=last+49",
    "members found by a letter": f"{LISTS}/{{list}}/members/?q=a",
    "history": f"{LISTS}/{{list}}/history/",
    "text form": f"{LISTS}/{{list}}/text/",
    "list used by": f"{LISTS}/{{list}}/used-by/",
    "report: trend": "/admin/reports/?report=trend&type={type}",
    "report: trend of a smart list": "/admin/reports/?report=trend&type={type}&people=smart:{list}",
    "report: breakdown of 90 days": "/admin/reports/?report=breakdown&type={type}&field={field}",
    "report: top people of 90 days": "/admin/reports/?report=people&type={type}",
    "report: top people of a static list": "/admin/reports/?report=people&type={type}&people=static:{static}",
    "report: funnel": "/admin/reports/?report=funnel&step_1=1&step_2={type}",
    "status": "/admin/status/",
    "imports": "/admin/people/import/",
    "exports": "/admin/people/export/",
    "refused activities": "/admin/activities/refusedactivity/",
    "notices": "/admin/notices/",
    "users": "/admin/access/user/",
    "suggested companies": f"{LISTS}/suggest/?field=company&q=com",
    "suggested countries": f"{LISTS}/suggest/?field=country",
    "suggested branches": f"{LISTS}/suggest/?type=benchListCheck&field=branch&q=b",
}
EDITED = {
    "did": {},
    "did, amount over 500": {"0.field": "amount", "0.operator": "greater than", "0.values": "500"},
    "did, branch contains": {"0.field": "branch", "0.operator": "contains", "0.values": "anch 4"},
    "did, in past 90 days": {"0.field": "@occurred_at", "0.operator": "in past", "0.amount": "90", "0.unit": "days"},
}


@measures
def pages_of_the_admin(bench: Bench) -> Iterator[Line]:
    """Each page opened by an administrator, its statements timed one by one; and what it reads, whatever else runs."""
    client, places = _signed_in(), _filled(bench.scale)
    slowest, whole = [], []
    for what, address in PAGES.items():
        before = _read_so_far()
        taken, statements = _opened(client, address.format(**places))
        blocks, rows = (now - then for now, then in zip(_read_so_far(), before, strict=True))
        whole += [what] if rows > WHOLE else []
        milliseconds = [float(one["time"]) * 1000 for one in statements]
        worst = max(statements, key=lambda one: float(one["time"]))
        slowest.append((max(milliseconds), what, worst["sql"]))
        limit = TIMELINE_LIMIT if what == TIMELINE else SQL_LIMIT
        note = f"{len(statements)} statements, {blocks // RUNS:,} blocks, {taken * 1000:.0f} ms with all else"
        yield within(f"page: {what}, SQL", sum(milliseconds), limit, "ms", note)
        if what == TIMELINE:
            yield within("page: timeline, statements", len(statements), TIMELINE_STATEMENTS, "statements")
    yield within("pages that read a big table from end to end", len(whole), 0, "pages", ", ".join(whole))
    for worst_time, what, sql in sorted(slowest, reverse=True)[:12]:
        print(f"{worst_time:6.0f} ms  {what}: {sql[:1500]}", file=sys.stderr)


@measures
def reports_by_a_job(bench: Bench) -> Iterator[Line]:
    """Reports that the pages above leave to the worker: what it takes, and the page that shows what it found."""
    from smartlists.lists import reports as list_reports
    from smartlists.models import StoredReport

    client, places = _signed_in(), _filled(bench.scale)
    StoredReport.objects.all().delete()
    for what in (name for name in PAGES if name.startswith("report: ")):
        address = PAGES[what].format(**places)
        client.get(address)
        for asked in StoredReport.objects.filter(state=StoredReport.State.RUNNING, rows__isnull=True):
            started = time.perf_counter()
            list_reports.run_report(asked.pk)
            yield plain(f"worked out by the worker: {what}", (time.perf_counter() - started) * 1000, "ms")
            _taken, statements = _opened(client, address)
            milliseconds = sum(float(one["time"]) * 1000 for one in statements)
            yield within(f"page: {what}, once it is there, SQL", milliseconds, SQL_LIMIT, "ms")


@measures
def count_of_an_edited_card(bench: Bench) -> Iterator[Line]:
    """The panel of the builder after a card was edited: the whole answer, with five people and the page around it."""
    client = _signed_in()
    _filled(bench.scale)
    for what, constraint in EDITED.items():
        form = {
            "match": "all",
            "filters.0.kind": "activity",
            "filters.0.did": "true",
            "filters.0.type": "benchListCheck",
        }
        form |= {f"filters.0.constraints.{name}": value for name, value in constraint.items()}

        def count(form: dict[str, str] = form) -> None:
            assert b"ca-stat" in client.post("/admin/smartlists/smartlist/panel/", form).content

        what = f"live count of one edited card: {what}"
        # the target is for a million activities
        yield within(what, _best(count), COUNT_LIMIT, "ms") if bench.scale <= 1 else plain(what, _best(count), "ms")


def _opened(client: Any, address: str) -> tuple[float, list[dict[str, str]]]:
    """The quickest of some openings: seconds, and the statements with their own."""
    from django.test.utils import CaptureQueriesContext

    runs = []
    for _run in range(RUNS):
        with CaptureQueriesContext(connection) as captured:
            started = time.perf_counter()
            reply = client.get(address)
            assert reply.status_code == 200, (address, reply.status_code)
            taken = time.perf_counter() - started
        runs.append((sum(float(one["time"]) for one in captured), taken, list(captured)))
    _sql, taken, statements = min(runs, key=lambda run: run[0])
    return taken, statements


def _read_so_far() -> tuple[int, int]:
    """Blocks that statements of ours have touched up to now, and rows of big tables met by reading those in sequence."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_stat_force_next_flush()")
        cursor.execute(
            """select sum(coalesce(heap_blks_read + heap_blks_hit, 0) + coalesce(idx_blks_read + idx_blks_hit, 0))::bigint
            from pg_statio_user_tables"""
        )
        (blocks,) = cursor.fetchone()
        cursor.execute("select sum(seq_tup_read)::bigint from pg_stat_user_tables where relname = any(%s)", [BIG])
        return blocks, cursor.fetchone()[0]


def _best(work: Any) -> float:
    taken = []
    for _run in range(RUNS):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return min(taken)


_kept: dict[str, Any] = {}


def _signed_in() -> Any:
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import Client

    from people.core.models import Installation

    if "client" not in _kept:
        settings.ALLOWED_HOSTS = ["*"]
        Installation.objects.get_or_create(pk=1)
        _kept["client"] = Client(SERVER_NAME="localhost")
        _kept["client"].force_login(get_user_model().objects.create_superuser("bench-pages"))
    return _kept["client"]


def _filled(scale: float) -> dict[str, Any]:
    """The subjects of the pages: a type, a person who did much, a list of each kind, and the rollup read to its end."""
    from activities.log import rollup
    from activities.models import ApprovedField
    from people.lists import static_lists
    from smartlists.evaluation import stored as stored_evaluations
    from smartlists.lists import editing as list_editing

    if "places" in _kept:
        return _kept["places"]
    numbers = filled(scale)
    static = static_lists.create_static_list("Every fifth", None)
    with connection.cursor() as cursor:
        cursor.execute(ON_LIST, [static.pk])
        cursor.execute("vacuum analyze static_list_member")
        cursor.execute("select person_id from activity group by 1 order by count(*) desc limit 1")
        (person,) = cursor.fetchone()
    rollup.catch_up_rollup()
    rules = {"filters": [{"kind": "activity", "did": True, "type": "benchListCheck", "constraints": []}]}
    smart = list_editing.create_smart_list("Depositors", rules, None)
    for _time in range(5):
        stored_evaluations.evaluate_list(smart, None)
    field = ApprovedField.objects.get(activity_type=numbers["check"], api_name="branch").pk
    _kept["places"] = {
        "type": numbers["check"],
        "person": person,
        "list": smart.pk,
        "static": static.pk,
        "field": field,
    }
    return _kept["places"]
