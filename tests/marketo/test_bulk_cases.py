"""Bulk imports of the Marketo API: single entries for every value, and no column dropped in silence."""

import pytest

from activities.models import Activity
from people.files.imports import runner as import_runner
from people.models import Import
from tests.factories import approved_type, make_person
from tests.marketo.conftest import code, result
from tests.marketo.test_bulk import upload

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


def changes(lead):
    rows = Activity.objects.filter(person_id=lead.pk, activity_type_id__in=(13, 22))
    return {
        (row.activity_type_id, row.primary_value): (row.attributes.get("old_value"), row.attributes.get("new_value"))
        for row in rows
    }


def test_a_bulk_import_leaves_the_entries_that_single_calls_leave(dialect):
    before = {"city": "Lima", "person_score": 5}
    single, bulk = make_person(**before), make_person(**before)
    body = {"input": [{"email": single.email, "city": "Quito", "firstName": "Ann", "leadScore": 9}]}
    assert result(dialect.post("/rest/v1/leads.json", body))[0]["status"] == "updated"
    text = f"email,city,firstName,leadScore\n{bulk.email},Quito,Ann,9\n"
    (row,) = result(upload(dialect, "/bulk/v1/leads.json", text, lookupField="email"))
    import_runner.run_import(row["batchId"])
    assert changes(bulk) == changes(single)
    assert changes(bulk) == {
        (13, "city"): ("Lima", "Quito"),
        (13, "first_name"): (None, "Ann"),
        (22, "person_score"): (5, 9),
    }


@pytest.mark.parametrize("column", ["typo", "Primary", "lead id", "amount2"])
def test_a_column_that_means_nothing_is_refused(dialect, column):
    check = approved_type()
    text = f"email,activityDate,primaryAttributeValue,{column}\nann@example.com,2026-11-20T10:00:00Z,A,hello\n"
    parameters = {"lookupField": "email", "activityTypeId": check.pk}
    assert code(upload(dialect, "/bulk/v1/activities/import.json", text, **parameters)) == "1006"
    assert code(upload(dialect, "/bulk/v1/leads.json", f"email,{column}\nann@example.com,x\n")) == "1006"
    assert not Import.objects.exists() and not Activity.objects.filter(activity_type_id=check.pk).exists()
