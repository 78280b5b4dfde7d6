"""`manage.py migrate`: one process at a time."""

import io
import threading

import pytest
from django.core.management import call_command
from django.db import connection

from config.management.commands import migrate
from people.core.db.locks import LockSpace, lock_key
from tests.config.test_outages import other_connection

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_second_migration_waits_until_the_first_has_ended(monkeypatch):
    monkeypatch.setattr(migrate, "POLL_SECONDS", 0.01)
    said, ended = io.StringIO(), []

    def second():
        try:
            call_command("migrate", stdout=io.StringIO(), stderr=said)
            ended.append(True)
        finally:
            connection.close()

    with other_connection() as first:
        first.execute("select pg_advisory_lock(%s)", [lock_key(LockSpace.MIGRATION)])
        call_command("migrate", "--check", "--plan", stdout=io.StringIO())
        thread = threading.Thread(target=second)
        thread.start()
        while migrate.WAITING not in said.getvalue():
            thread.join(0.01)
            assert thread.is_alive()
        waiting = "select count(*) from pg_stat_activity where query like '%%advisory%%' and wait_event_type = 'Lock'"
        assert first.execute(waiting).fetchone() == (0,), "an index that is built concurrently would wait for it"
        assert not ended
        first.execute("select pg_advisory_unlock(%s)", [lock_key(LockSpace.MIGRATION)])
        thread.join(60)
    assert ended and said.getvalue().count(migrate.WAITING) == 1
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [lock_key(LockSpace.MIGRATION)])
        assert cursor.fetchone() == (True,)
        cursor.execute("select pg_advisory_unlock(%s)", [lock_key(LockSpace.MIGRATION)])
