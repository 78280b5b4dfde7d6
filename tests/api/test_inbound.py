"""Inbound webhooks over the native API."""

import pytest

from activities.api.forms import FormSubmissionViewSet
from activities.api.inbound import InboundMappingViewSet
from activities.api.inbound_calls import InboundCallViewSet
from activities.inbound import editing, replaying
from activities.models import Activity, InboundCall, InboundWebhook
from activities.recording import replay
from people.core.permissions import all_rights
from people.rights import VIEW_PERSON
from smartlists.api.webhooks import WebhookDeliveryViewSet
from tests.activities.inbound.factories import DEFINITION, deposit, make_mapping, make_webhook, process, receive
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
    assert api.post(f"{base}/mappings/{mapping}/turn-on", {"revision": 1}).status_code == 422, "it is not complete"
    assert api.patch(f"{base}/mappings/{mapping}", {"definition": DEFINITION}).status_code == 200
    trial = api.get(f"{base}/mappings/{mapping}/trial").json()
    assert (trial["calls"], trial["left_to_others"], trial["problems"]) == (2, 1, [])
    assert trial["activities"][0]["primary_value"] == "No. 1" and trial["activities"][0]["problems"] == []
    assert api.post(f"{base}/mappings/{mapping}/turn-on").status_code == 422, "it does not say what was tried"
    old = api.post(f"{base}/mappings/{mapping}/turn-on", {"revision": trial["revision"] - 1})
    assert old.status_code == 409 and "changed the mapping" in old.json()["errors"][0]["message"]
    on = api.post(f"{base}/mappings/{mapping}/turn-on", {"revision": trial["revision"]})
    assert on.json()["state"] == "on", on.content
    assert api.get(f"{base}/replay").status_code == 404
    started = api.post(f"{base}/replay", {})
    assert started.status_code == 202 and (started.json()["state"], started.json()["total"]) == ("running", 2)
    assert api.post(f"{base}/replay", {}).json()["id"] == started.json()["id"], "one at a time"
    assert api.post(f"{base}/replay", {"backfill": False}).status_code == 409
    replaying.run_replay(started.json()["id"])
    ended = api.get(f"{base}/replay").json()
    assert (ended["state"], ended["calls"], ended["recorded"], ended["refused"]) == ("done", 1, 1, 0)
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
    assert narrowed(editing.VIEW, VIEW_PERSON).get(f"{base}/calls").status_code == 200
    assert narrowed(editing.VIEW).post(f"{base}/replay", {}).status_code == 403


# every action of the API that shows contents as they were received or sent
SHOWS_CONTENTS = (
    *[(InboundCallViewSet, name) for name in ("list", "retrieve")],
    (InboundMappingViewSet, "trial"),
    *[(FormSubmissionViewSet, name) for name in ("list", "retrieve", "mark_spam", "record")],
    (WebhookDeliveryViewSet, "list"),
)


def test_contents_of_calls_need_both_rights(narrowed):
    for resource, name in SHOWS_CONTENTS:
        rights = all_rights(resource.rights[name])
        assert VIEW_PERSON in rights and len(rights) > 1, f"{resource.__name__}.{name}"
    webhook = make_webhook()
    mapping = make_mapping(webhook, approved_type())
    receive(webhook, deposit())
    base = f"inbound-webhooks/{webhook.pk}"
    for rights, status in ([(editing.VIEW,), 403], [(VIEW_PERSON,), 403], [(editing.VIEW, VIEW_PERSON), 200]):
        reader = narrowed(*rights)
        for place in (f"calls/{InboundCall.objects.get().pk}", "calls", f"mappings/{mapping.pk}/trial"):
            assert reader.get(f"{base}/{place}").status_code == status, (rights, place)


def test_rejected_activities_of_others_need_the_right_to_see_people(narrowed):
    webhook = make_webhook()
    make_mapping(webhook, approved_type())
    receive(webhook, deposit(cents="x"))
    process()
    sees_others = (replay.RIGHT, replay.SEE_OTHERS)
    assert narrowed(*sees_others).get("quarantine").json()["results"] == []
    assert "x" in str(narrowed(*sees_others, VIEW_PERSON).get("quarantine").json()["results"][0]["row"])
