"""Tests run on real PostgreSQL: DATABASE_URL, or an embedded server of their own."""

from pathlib import Path

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


def pytest_sessionstart(session):
    """One server for all workers: the controller owns it, they attach."""
    from django.conf import settings

    if settings.DATABASE_IS_EMBEDDED and not hasattr(session.config, "workerinput"):
        from config.postgres import EmbeddedPostgres

        EmbeddedPostgres(Path(settings.DATA_DIR)).ensure_running()
    if not hasattr(session.config, "workerinput"):
        from config import translations

        translations.compile_catalogue()


@pytest.fixture(scope="session", autouse=True)
def _flush_past_the_guards():
    """Let the flush after transactional tests empty tables whose triggers refuse just that.

    Only here: the application never disables a trigger.
    """
    from django.db import connection, transaction
    from django.db.backends.postgresql.operations import DatabaseOperations

    flush = DatabaseOperations.execute_sql_flush

    def flush_past_triggers(self, sql_list):
        tables = connection.introspection.table_names()
        with transaction.atomic(), connection.cursor() as cursor:
            names = ", ".join(f'"{table}"' for table in tables if table != "django_migrations")
            for table in tables:
                cursor.execute(f'alter table "{table}" disable trigger user')
            cursor.execute(f"truncate {names} cascade")
            for table in tables:
                cursor.execute(f'alter table "{table}" enable trigger user')

    DatabaseOperations.execute_sql_flush = flush_past_triggers
    yield
    DatabaseOperations.execute_sql_flush = flush


@pytest.fixture(autouse=True)
def _forget_installation():
    from people import installation

    installation.forget()
    yield
    installation.forget()
