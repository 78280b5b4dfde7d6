"""Webhooks over the native API."""

import base64
from uuid import UUID

import pytest
from django.contrib.auth.models import Group

from config.access.models import IdempotentReply
from smartlists.models import Webhook, WebhookDelivery
from smartlists.webhooks import editing as webhook_editing
from smartlists.webhooks import headers as webhook_headers
from tests.factories import approved_type, make_person
from tests.smartlists.campaign_factories import make_active_campaign, process_due_work, record_deposit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
URL = "https://example.com/hook"


def test_a_webhook_is_made_changed_given_another_secret_and_deleted(api):
    made = api.post("webhooks", {"name": "CRM", "url": URL, "headers": {"X-Team": "north"}, "per_minute": 60})
    assert made.status_code == 201, made.content
    address = made["Location"].partition("/api/v1/")[2]
    first = made.json()["secret"]
    assert len(base64.b64decode(first.removeprefix(webhook_editing.SECRET_PREFIX))) == 32
    shown = api.get(address).json()
    assert "secret" not in shown
    assert (shown["method"], shown["format"], shown["headers"]) == ("POST", "cloudevents", {"X-Team": "•••"})
    changed = api.patch(address, {"method": "PUT", "per_minute": 90}, If_Match=made["ETag"])
    assert (changed.json()["method"], changed.json()["per_minute"], changed.json()["url"]) == ("PUT", 90, URL)
    assert api.patch(address, {"method": "GET"}, If_Match=made["ETag"]).status_code == 412
    assert api.post(f"{address}/new-secret").json()["secret"] not in ("", first)
    assert [row["name"] for row in api.get("webhooks?name__startswith=cr&method=PUT").json()["results"]] == ["CRM"]
    assert api.delete(address, If_Match=changed["ETag"]).status_code == 204
    assert not Webhook.objects.exists()


def test_every_fault_is_named_with_its_place_and_nothing_is_stored(api):
    body = {"name": "CRM", "url": "http://169.254.169.254/", "headers": {"Host": "x"}, "body": "{", "format": "json"}
    reply = api.post("webhooks", body)
    assert reply.status_code == 422, reply.content
    assert {fault["path"] for fault in reply.json()["errors"]} == {"/url", "/headers/Host", "/body"}
    for wrong in ({"per_minute": "60"}, {"headers": ["X"]}, {"method": "TRACE"}, {"secret": "mine"}):
        assert api.post("webhooks", {"name": "CRM", "url": URL, **wrong}).status_code == 422, wrong
    assert not Webhook.objects.exists()


def test_one_that_a_campaign_calls_stays(api):
    approved_type()
    hook, _secret = webhook_editing.create_webhook("CRM", None, url=URL)
    make_active_campaign({"do": "webhook", "webhook": hook.pk})
    reply = api.delete(f"webhooks/{hook.pk}")
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (409, "in_use")


def test_calls_that_were_given_up_are_seen_and_made_again(api):
    approved_type()
    hook, _secret = webhook_editing.create_webhook("CRM", None, url=URL)
    make_active_campaign({"do": "webhook", "webhook": hook.pk})
    ann = make_person()
    record_deposit(ann.pk)
    process_due_work()
    WebhookDelivery.objects.update(state="dead", problem="no answer", attempts=7)
    (row,) = api.get(f"webhooks/{hook.pk}/deliveries?state=dead").json()["results"]
    assert (row["person"], row["attempts"], row["problem"]) == (ann.pk, 7, "no answer")
    assert UUID(row["key"]) == WebhookDelivery.objects.get().key
    assert api.post(f"webhooks/{hook.pk}/resend", {"deliveries": [row["id"] + 1]}).json() == {"count": 0}
    assert api.post(f"webhooks/{hook.pk}/resend", {}).json() == {"count": 1}
    (row,) = api.get(f"webhooks/{hook.pk}/deliveries").json()["results"]
    assert (row["state"], row["attempts"]) == ("waiting", 0)


def test_rights_are_asked(narrowed):
    reader = narrowed("smartlists.view_webhook")
    assert reader.get("webhooks").status_code == 200
    assert reader.post("webhooks", {"name": "x", "url": URL}).status_code == 403
    assert reader.get("webhooks/1/deliveries").status_code == 403
    assert narrowed("smartlists.view_webhookdelivery").get("webhooks/1/deliveries").status_code == 403, "shows people"
    reader = narrowed("smartlists.view_webhookdelivery", "people.view_person")
    assert reader.get("webhooks/99/deliveries").status_code == 404


def test_the_values_of_headers_are_shown_to_nobody(api, narrowed, client, django_user_model):
    given = {"name": "CRM", "url": URL, "headers": {"Authorization": "Bearer s3cret-value"}}
    made = api.post("webhooks", given, Idempotency_Key="k").json()
    assert made["headers"] == {"Authorization": "•••"}
    assert b"s3cret-value" not in bytes(IdempotentReply.objects.get().body)
    viewer = narrowed("smartlists.view_webhook")
    for path in ("webhooks", f"webhooks/{made['id']}"):
        assert "s3cret-value" not in viewer.get(path).text and "Authorization" in viewer.get(path).text
        assert "s3cret-value" not in api.get(path).text
    assert api.patch(f"webhooks/{made['id']}", {"headers": made["headers"]}).status_code == 200
    assert webhook_headers.headers_of(Webhook.objects.get()) == given["headers"]
    unknown = api.patch(f"webhooks/{made['id']}", {"headers": {"X-Other": "•••"}})
    assert unknown.status_code == 422 and unknown.json()["errors"][0]["path"] == "/headers/X-Other"
    user = django_user_model.objects.create_user("vic", is_staff=True)
    user.groups.add(Group.objects.get(name="Viewer"))
    client.force_login(user)
    page = client.get(f"/admin/smartlists/webhook/{made['id']}/change/")
    assert page.status_code == 200 and "s3cret-value" not in page.text and "Authorization" in page.text
