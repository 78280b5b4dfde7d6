"""Ids as programs with gaps in their columns send them: 1.0 is 1; 1.5 is no id."""

import pytest

from people.models import Person
from tests.factories import approved_type, make_person
from tests.marketo.conftest import result

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("write", [float, str, int])
def test_a_whole_number_is_an_id_however_it_is_written(dialect, write):
    ann, check = make_person(), approved_type()
    row = {"activityDate": "2026-11-20T10:00:00Z", "primaryAttributeValue": "x", "attributes": []}
    rows = [row | {"leadId": write(ann.pk), "activityTypeId": float(check.pk)}]
    assert [
        entry["status"] for entry in result(dialect.post("/rest/v1/activities/external.json", {"input": rows}))
    ] == ["added"]
    body = {"action": "updateOnly", "lookupField": "id", "input": [{"id": write(ann.pk), "city": "Oslo"}]}
    assert result(dialect.post("/rest/v1/leads.json", body))[0]["status"] == "updated"
    assert Person.objects.get(pk=ann.pk).city == "Oslo"


@pytest.mark.parametrize("wrong", [1.5, "1.5", 1e300, "1e3", True, [1], "٣", "abc"])
def test_what_is_no_id_is_called_so_and_no_unknown_lead(dialect, wrong):
    check = approved_type()
    row = {"leadId": wrong, "activityTypeId": check.pk, "activityDate": "2026-11-20", "primaryAttributeValue": "x"}
    (entry,) = result(dialect.post("/rest/v1/activities/external.json", {"input": [row]}))
    assert entry["status"] == "skipped" and [fault["code"] for fault in entry["errors"]] == ["1001"], entry
