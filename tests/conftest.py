"""Tests run on real PostgreSQL: CITUS_DATABASE_URL, DATABASE_URL, or an embedded server of their own."""

import gc
import time
from pathlib import Path

import pytest
from django.test.signals import template_rendered
from django.utils import translation

from tests import citus_cluster, database_reset, hypothesis_profiles, template_database

pytest_plugins = ["tests.durations"]
DAY_SECONDS, LAST_SECONDS = 86_400, 20

hypothesis_profiles.load_profile()


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds, and is begun first")
    config.addinivalue_line("markers", "e2e: runs in a browser")
    config.addinivalue_line("markers", "one_server(reason): means nothing on a cluster, and is skipped there")
    config.addinivalue_line("markers", "on_cluster: needs CITUS_DATABASE_URL, and is skipped without it")


def pytest_collection_modifyitems(items):
    """Skip what means nothing on the server that there is."""
    for item in items:
        if citus_cluster.is_wanted and (marker := item.get_closest_marker("one_server")):
            item.add_marker(pytest.mark.skip(reason=marker.args[0]))
        if not citus_cluster.is_wanted and item.get_closest_marker("on_cluster"):
            item.add_marker(pytest.mark.skip(reason="there is no cluster: CITUS_DATABASE_URL is not set"))


def pytest_runtest_setup():
    """Begin no test just before midnight: it may compare its day with the product's of a moment later."""
    until_midnight = DAY_SECONDS - time.time() % DAY_SECONDS  # in UTC, the zone of the tests
    if until_midnight < LAST_SECONDS:
        time.sleep(until_midnight)


def pytest_collection_finish():
    """Freeze imported and collected objects, which stay till the end: the garbage collector skips them."""
    gc.collect()
    gc.freeze()


def pytest_sessionstart(session):
    """One server for all workers: the controller owns it, they attach."""
    from django.conf import settings

    if settings.DATABASE_IS_EMBEDDED and not hasattr(session.config, "workerinput"):
        from config.postgres.server import EmbeddedPostgres

        EmbeddedPostgres(Path(settings.DATA_DIR)).ensure_running()
    if not hasattr(session.config, "workerinput"):
        from config import translations

        translations.compile_catalogue()


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_modify_db_settings, django_db_blocker):
    """Let Django find a migrated database."""
    with django_db_blocker.unblock():
        citus_cluster.make_database(
            template_database.test_database()
        ) if citus_cluster.is_wanted else template_database.copy_template()
    return True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Besides: distribute it where there is a cluster, and have transactional tests flushed by `tests.flushing`, which is quicker and gets past the guards."""
    from django.db import connection

    from people.core.db import citus

    with django_db_blocker.unblock():
        if citus_cluster.is_wanted:
            citus_cluster.distribute(connection.settings_dict["NAME"])
        citus.is_distributed()  # cached here, so that no test counts the query
        if database_reset.is_kept():
            database_reset.read_kept()
        else:
            database_reset.keep()
        if not citus_cluster.is_wanted:
            template_database.keep_template()
        database_reset.restore()
    with database_reset.installed():
        yield


@pytest.fixture
def undrawn(monkeypatch):
    """Pages are made but not drawn, which takes most of their time: an answer has its `context`, and no text."""

    def tell(template, context=None, request=None):
        template_rendered.send(sender=template, template=template, context=context or {})
        return ""

    monkeypatch.setattr("django.template.backends.django.Template.render", tell)


@pytest.fixture(autouse=True)
def _forget_installation():
    from people.core import installation

    installation.clear_installation_cache()
    yield
    installation.clear_installation_cache()


@pytest.fixture(autouse=True)
def _no_language_of_other_tests():
    """A request activates its reader's language, and the thread of the tests keeps it."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _no_counts_of_other_tests():
    """Clear the counts of calls, which lie in memory until they are written."""
    from people.core import counters

    counters.clear_counters()


@pytest.fixture
def own_rows_read(monkeypatch):
    """The logs as they will be once this test's transaction is committed, which holds the high-water marks back."""

    from django.db import connection

    from activities.log import reader as log_reader
    from people.objects import change_log

    def last_id(newest):
        with connection.cursor() as cursor:
            cursor.execute(newest)
            return cursor.fetchone()[0]

    for log in (log_reader, change_log):
        monkeypatch.setattr(log, "high_water_mark", lambda newest=log.NEWEST: last_id(newest))


@pytest.fixture
def column_index(tmp_path, monkeypatch, settings):
    """A folder of the test's own for the column index, which answers from the first row on."""
    from activities.log.columns import builder, files

    settings.COLUMN_INDEX = True
    folder = tmp_path / "columns"
    monkeypatch.setattr(files, "index_folder", lambda: folder)
    monkeypatch.setattr(builder, "FEWEST_ROWS", 0)
    return folder
