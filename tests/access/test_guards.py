"""Rows of users that must stay, broken on purpose in the database itself."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, transaction

from tests.factories import draft_type

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "sql",
    [
        "update django_admin_log set change_message = 'other'",
        "delete from django_admin_log",
        "truncate django_admin_log",
        "delete from access_user where username = 'vera'",
    ],
)
def test_the_log_of_edits_and_its_users_stay(sql):
    get_user_model().objects.create_user("vera")
    draft_type()
    assert LogEntry.objects.count() == 1
    with pytest.raises(DatabaseError, match="stay as they are"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")  # or TRUNCATE fails for pending checks
        cursor.execute(sql)
    assert LogEntry.objects.count() == 1
