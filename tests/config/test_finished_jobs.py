"""Jobs that have ended leave the queue's table in the end, and nothing else does."""

from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from procrastinate.contrib.django import app

from config import tasks

pytestmark = pytest.mark.django_db


def job(status, days):
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into procrastinate_jobs (queue_name, task_name, args) values ('q', 't', '{}') returning id"
        )
        (pk,) = cursor.fetchone()
        for state in dict.fromkeys(("todo",) if status == "todo" else ("doing", status)):  # each leaves an event
            cursor.execute("update procrastinate_jobs set status = %s where id = %s", [state, pk])
        cursor.execute(
            "update procrastinate_events set at = now() - make_interval(days => %s) where job_id = %s", [days, pk]
        )
    return pk


def test_only_what_ended_long_ago_goes():
    kept = {
        job("succeeded", 6),
        job("failed", 29),
        job("todo", 90),
        job("doing", 90),
        job("cancelled", 1),
        job("failed", 8),
    }
    for status, days in (("succeeded", 8), ("succeeded", 40), ("cancelled", 8), ("aborted", 8), ("failed", 31)):
        job(status, days)
    async_to_sync(tasks.remove_finished_jobs.func)(SimpleNamespace(app=app), 0)
    with connection.cursor() as cursor:
        cursor.execute("select id from procrastinate_jobs where queue_name = 'q'")
        assert {pk for (pk,) in cursor} == kept
        cursor.execute("select count(distinct job_id) from procrastinate_events where job_id = any(%s)", [list(kept)])
        assert cursor.fetchone() == (len(kept),)


def test_it_runs_every_night():
    periodic = {task.task.name: task.cron for task in app.periodic_registry.periodic_tasks.values()}
    assert periodic["config.tasks.remove_finished_jobs"] == "53 3 * * *"
