"""A public client that nobody here wrote, unchanged, against the served application."""

import pytest
from django.contrib.auth import get_user_model
from marketorestpython.client import MarketoClient

from config.access import clients

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def marketo(live_server):
    owner = get_user_model().objects.create_superuser("olga", password="x")
    credentials = clients.create("Old script", owner, None)
    client = MarketoClient("123-ABC-456", credentials.client_id, credentials.client_secret, max_retry_time=5)
    client.host = live_server.url
    return client


def test_from_type_to_activities(marketo):
    marketo.execute(
        method="create_custom_activity_type", apiName="attendWorkshop", name="Attend Workshop",
        triggerName="Attends Workshop", filterName="Attended Workshop",
        primaryAttributeApiName="workshopName", primaryAttributeName="Workshop Name",
    )  # fmt: skip
    marketo.execute(
        method="create_custom_activity_type_attribute", apiName="attendWorkshop",
        attributes=[{"apiName": "seatCount", "name": "Seat Count", "dataType": "integer"}],
    )  # fmt: skip
    (approved,) = marketo.execute(method="approve_custom_activity_type", apiName="attendWorkshop")
    (lead,) = marketo.execute(method="create_update_leads", leads=[{"email": "ann@x.test"}], lookupField="email")
    (added,) = marketo.execute(method="add_custom_activities", input=[{
        "leadId": lead["id"], "activityDate": "2026-11-20T10:00:00Z", "activityTypeId": approved["id"],
        "primaryAttributeValue": "Intro", "attributes": [{"apiName": "seatCount", "value": 2}],
    }])  # fmt: skip
    assert added["status"] == "added"
    (found,) = marketo.execute(
        method="get_lead_activities", activityTypeIds=[str(approved["id"])], sinceDatetime="2026-11-01", batchSize=100
    )
    assert (found["id"], found["attributes"][0]["value"]) == (added["id"], 2)
    assert marketo.execute(method="get_lead_by_id", id=lead["id"])[0]["email"] == "ann@x.test"
    assert marketo.execute(
        method="get_multiple_leads_by_filter_type",
        filterType="email",
        filterValues=["ann@x.test"],
        fields=["id", "email"],
    ) == [{"id": lead["id"], "email": "ann@x.test"}]
    assert any(row["id"] == approved["id"] for row in marketo.execute(method="get_activity_types"))
    (listed,) = marketo.execute(method="get_custom_activity_types")
    assert listed["status"] == "approved"
