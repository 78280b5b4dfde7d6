"""Query budgets as data: tests/query_counts.json has the number of statements that each page may take.

`UPDATE_QUERY_COUNTS=1 pytest …` writes what was counted; a page that takes more than its budget fails.
"""

import json
import os
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities.recording.quarantine import room
from tests import citus_cluster

OF_ROOM = (f"select count(*) * {room.ROW_BYTES}", "select pg_relation_size('refused_activity')")
NOT_COUNTED = ("SAVEPOINT", "RELEASE", 'SELECT "installation"', *OF_ROOM)
ON_CLUSTER = 3  # statements more for a page that reads the log there: docs/scaling.md
FILE = Path(__file__).with_name("query_counts.json")


@contextmanager
def query_budget(name):
    """Run inside what `name` stands for; savepoints of the tests themselves do not count.

    Nor does reading the installation, which is kept for five seconds, or the room of a sender of refused rows, which is
    for a minute: whether it falls inside is chance.
    """
    with CaptureQueriesContext(connection) as captured:
        yield
    statements = [query["sql"] for query in captured if not query["sql"].startswith(NOT_COUNTED)]
    budgets = json.loads(FILE.read_text()) if FILE.exists() else {}
    if os.environ.get("UPDATE_QUERY_COUNTS") == "1":
        FILE.write_text(json.dumps(budgets | {name: len(statements)}, indent=2, sort_keys=True) + "\n")
        return
    assert name in budgets, f"{name} has no budget in {FILE.name}: run with UPDATE_QUERY_COUNTS=1"
    budget = budgets[name] + (ON_CLUSTER if citus_cluster.is_wanted else 0)
    assert len(statements) <= budget, "\n".join([f"{len(statements)} statements, not {budget}", *statements])
