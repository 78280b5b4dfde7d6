"""Tables of a kind of definition that only these tests have."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from tests import database_reset
from tests.people.definitions.surveys import models as survey_models


@contextmanager
def _installed() -> Iterator[AppConfig]:
    """The app of surveys beside the others. (A change of INSTALLED_APPS would have the others get ready a second time.)"""
    config = AppConfig.create("tests.people.definitions.surveys")
    config.apps = apps
    config.import_models()
    apps.app_configs[config.label] = config
    apps.clear_cache()
    yield config
    del apps.app_configs[config.label]
    apps.clear_cache()


@pytest.fixture(scope="package", autouse=True)
def survey_tables(django_db_setup, django_db_blocker):
    """Make the tables of surveys, and have the database reset to a state with them meanwhile."""
    with _installed() as surveys:
        with django_db_blocker.unblock():
            database_reset.restore()  # the rows kept below are no rows of a test
            with connection.schema_editor() as editor:
                for model in survey_models.MODELS:
                    editor.create_model(model)
            with connection.cursor() as cursor:
                cursor.execute(survey_models.GUARDS)
            create_permissions(surveys, verbosity=0)
            database_reset.keep()
        yield
        with django_db_blocker.unblock():
            database_reset.restore()
            with connection.cursor() as cursor:
                cursor.execute(survey_models.DROP_GUARDS)
            with connection.schema_editor() as editor:
                for model in reversed(survey_models.MODELS):
                    editor.delete_model(model)
            Permission.objects.filter(content_type__app_label=surveys.label).delete()
            with connection.cursor() as cursor:  # Django would also update the audit, which is refused
                cursor.execute("delete from django_content_type where app_label = %s", [surveys.label])
            ContentType.objects.clear_cache()
            database_reset.keep()
