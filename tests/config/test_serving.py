"""A real gunicorn: it loses no request when it is stopped or reloaded, and lets none wait for ever."""

import http.client
import signal
import threading
import time
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.server import running_web_server, running_worker

pytestmark = pytest.mark.django_db(transaction=True)

COOKIE = {"Cookie": f"sessionid={'a' * 32}"}  # its user is looked up in the table that a test locks


@contextmanager
def held_table():
    """Another connection that locks the sessions until it is released."""
    known = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: known[name] for name in names if known.get(name)}) as other:
        other.execute("lock table session")
        yield other


def in_thread(work):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()
    return thread, answers


def waiting(other):
    """Wait until a request waits for the table."""
    for _attempt in range(300):
        (number,) = other.execute("select count(*) from pg_locks where not granted").fetchone()
        if number:
            return
        time.sleep(0.05)
    raise AssertionError("no request waits")


@pytest.mark.slow
def test_told_to_stop_it_answers_what_it_has_begun():
    with running_web_server() as server, held_table() as other:
        thread, answers = in_thread(lambda: server.get("/admin/login/", COOKIE))
        waiting(other)
        server.signal(signal.SIGTERM)
        time.sleep(1)
        assert server.process.poll() is None, "it waits for the request"
        other.commit()
        thread.join(30)
        assert [status for status, _text in answers] == [200]
        assert server.process.wait(30) == 0


@pytest.mark.slow
def test_a_request_that_the_database_keeps_waiting_is_answered_in_time():
    with running_web_server(WEB_STATEMENT_SECONDS="0.3") as server, held_table():
        status, text = server.get("/admin/login/", COOKIE)
        assert status == 503 and "This took too long" in text


@pytest.mark.slow
def test_a_reload_loses_no_request():
    with running_web_server(WEB_WORKERS="2") as server:
        ending, lost, counted = threading.Event(), [], []

        def ask():
            while not ending.wait(0.01):  # else the reload would have no processor to itself
                connected = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                try:
                    connected.request("GET", "/healthz", headers={"Connection": "close"})
                    counted.append(connected.getresponse().status)
                except (OSError, http.client.HTTPException) as error:
                    lost.append(repr(error))
                finally:
                    connected.close()

        threads = [threading.Thread(target=ask) for _number in range(3)]
        for thread in threads:
            thread.start()
        for _reload in range(2):
            time.sleep(1)
            server.signal(signal.SIGHUP)
        time.sleep(3)
        ending.set()
        for thread in threads:
            thread.join()
        assert lost == [] and set(counted) == {200} and len(counted) > 20


@pytest.mark.slow
def test_the_worker_goes_on_when_its_connections_are_cut_and_ends_when_told():
    of_another_version = app.configure_task("later.version", allow_unknown=True).defer(number=7)
    with running_worker() as process:
        for _life in range(2):
            pids = connections_of_the_worker()
            with connection.cursor() as cursor:
                cursor.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) as pid", [pids])
        connections_of_the_worker()
        assert process.poll() is None
        assert tries_of(of_another_version) > 0
        assert ProcrastinateJob.objects.get(pk=of_another_version).status == "todo", "it waits for its own worker"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def tries_of(job):
    for _attempt in range(100):
        if tries := ProcrastinateJob.objects.get(pk=job).attempts:
            return tries
        time.sleep(0.1)
    return 0


def connections_of_the_worker():
    """Those that listen for jobs, as soon as there are any."""
    for _attempt in range(900):
        with connection.cursor() as cursor:
            cursor.execute(
                """select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
                and query ilike 'listen%%'"""
            )
            pids = [pid for (pid,) in cursor.fetchall()]
        if pids:
            return pids
        time.sleep(0.1)
    raise AssertionError("no worker listens")
