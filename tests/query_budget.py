"""Query budgets as data: tests/query_counts.json says how many statements each page may take.

`UPDATE_QUERY_COUNTS=1 pytest …` writes what was counted; a page that takes more than its budget fails.
"""

import json
import os
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from django.test.utils import CaptureQueriesContext

NOT_COUNTED = ("SAVEPOINT", "RELEASE", 'SELECT "installation"')
FILE = Path(__file__).with_name("query_counts.json")


@contextmanager
def query_budget(name):
    """Run inside what `name` stands for; savepoints of the tests themselves do not count.

    Nor does reading the installation, which is kept for five seconds: whether it falls inside is chance.
    """
    with CaptureQueriesContext(connection) as captured:
        yield
    statements = [query["sql"] for query in captured if not query["sql"].startswith(NOT_COUNTED)]
    budgets = json.loads(FILE.read_text()) if FILE.exists() else {}
    if os.environ.get("UPDATE_QUERY_COUNTS") == "1":
        FILE.write_text(json.dumps(budgets | {name: len(statements)}, indent=2, sort_keys=True) + "\n")
        return
    assert name in budgets, f"{name} has no budget in {FILE.name}: run with UPDATE_QUERY_COUNTS=1"
    assert len(statements) <= budgets[name], "\n".join(
        [f"{len(statements)} statements, not {budgets[name]}", *statements]
    )
