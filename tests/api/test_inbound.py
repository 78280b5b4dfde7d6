"""Inbound webhooks over the native API."""

import pytest

from activities.inbound import editing
from activities.models import Activity, InboundWebhook
from tests.activities.inbound.factories import DEFINITION, deposit, process, receive
from tests.factories import approved_type
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db


def test_a_webhook_is_made_mapped_and_replayed(api, narrowed):
    check = approved_type()
    made = api.post("inbound-webhooks", {"name": "Bank", "id_path": ["id"], "calls_a_minute": 50})
    assert made.status_code == 201 and "/w/caw_" in made.json()["webhook_url"], made.content
    webhook = InboundWebhook.objects.select_related("source").get()
    with query_budget("api: GET inbound-webhooks"):
        (row,) = api.get("inbound-webhooks?product=other&ordering=-id").json()["results"]
    assert (row["id"], row["name"], row["has_secret"], row["id_path"]) == (webhook.pk, "Bank", False, ["id"])
    assert api.post("inbound-webhooks", {"name": "x", "product": "fax"}).status_code == 422
    assert api.patch(f"inbound-webhooks/{webhook.pk}", {"signature": "sha256", "secret": "s"}).json()["has_secret"]
    receive(webhook, deposit(), {"event": "other"})
    process()
    base = f"inbound-webhooks/{webhook.pk}"
    mapping = api.post(f"{base}/mappings", {"name": "Deposits", "activity_type": "depositCheck"}).json()["id"]
    wrong = api.patch(f"{base}/mappings/{mapping}", {"definition": {"primary": {"path": [True]}}})
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["path"] == "/primary"
    assert api.post(f"{base}/mappings/{mapping}/turn-on").status_code == 422
    assert api.patch(f"{base}/mappings/{mapping}", {"definition": DEFINITION}).status_code == 200
    trial = api.get(f"{base}/mappings/{mapping}/trial").json()
    assert (trial["calls"], trial["left_to_others"], trial["problems"]) == (2, 1, [])
    assert trial["activities"][0]["primary_value"] == "No. 1" and trial["activities"][0]["problems"] == []
    assert api.post(f"{base}/mappings/{mapping}/turn-on").json()["state"] == "on"
    assert api.post(f"{base}/replay", {}).json() == {"calls": 1, "recorded": 1, "refused": 0}
    assert Activity.objects.filter(activity_type_id=check.pk).count() == 1
    with query_budget("api: GET inbound-webhooks/calls"):
        calls = api.get(f"{base}/calls").json()["results"]
    assert [(call["state"], call["recorded"]) for call in calls] == [("unmapped", 0), ("done", 1)]
    assert "ann@example.com" in api.get(f"{base}/calls/{calls[1]['id']}").json()["body"]
    assert len(api.get(f"{base}/mappings").json()["results"]) == 1
    assert api.delete(f"{base}/mappings/{mapping}").status_code == 409, "it is on"
    assert api.post(f"{base}/mappings/{mapping}/turn-off").json()["state"] == "off"
    assert api.delete(f"{base}/mappings/{mapping}").status_code == 204
    assert api.get("inbound-webhooks/999/calls").status_code == 404
    reader = narrowed(editing.VIEW)
    assert reader.get(f"{base}/calls").status_code == 200
    for refused in (reader.get(f"{base}/calls/{calls[0]['id']}"), reader.post(f"{base}/replay", {})):
        assert refused.status_code == 403
