"""Tests run on real PostgreSQL: DATABASE_URL, or an embedded server of their own."""

from pathlib import Path

import pytest

from tests import flushing, templating


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


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_modify_db_settings, django_db_blocker):
    """Have Django find a migrated database."""
    with django_db_blocker.unblock():
        templating.copy_template()
    return True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Besides: have transactional tests flushed by `tests.flushing`, which is quicker and gets past the guards."""
    with django_db_blocker.unblock():
        templating.keep_template()
        flushing.keep()
    with flushing.installed():
        yield


@pytest.fixture(autouse=True)
def _forget_installation():
    from people import installation

    installation.forget()
    yield
    installation.forget()


@pytest.fixture(autouse=True)
def _no_counts_of_other_tests():
    """What calls are counted in lies in memory until it is written."""
    from config.access import failures
    from config.marketo import usage

    usage._counts.clear()
    failures._counts.clear()
