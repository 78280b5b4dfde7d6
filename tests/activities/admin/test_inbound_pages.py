"""The pages of inbound webhooks without a script, and who may see and do what."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse

from activities.inbound import editing, replaying
from activities.models import Activity, InboundCall, InboundMapping, InboundReplay, InboundWebhook, RefusedActivity
from tests.activities.inbound.factories import deposit, make_mapping, make_webhook, process, receive
from tests.factories import approved_type
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db
PAGE = "admin:activities_inboundwebhook"


def address(name, *ids):
    return reverse(f"{PAGE}_{name}", args=ids)


def test_a_webhook_is_made_mapped_tried_and_switched_on(admin_client):
    check = approved_type()
    made = admin_client.post(address("add"), {"name": "Bank", "recipe": "other"})
    assert "/_a/w/caw_" in made.content.decode() and "no-store" in made["Cache-Control"]
    webhook = InboundWebhook.objects.select_related("source").get()
    receive(webhook, deposit(), {"event": "<b>other</b>"})
    admin_client.post(address("do", webhook.pk, "add-mapping"), {"name": "Deposits"})
    mapping = InboundMapping.objects.get()
    place = address("mapping", webhook.pk, mapping.pk)
    page = admin_client.get(place).content.decode()
    assert "who › email" in page and "&lt;b&gt;other" in page and "Choose the activity type" in page
    assert 'name="place.person" list="places" value="who › email"' in page.replace("\n", "").replace(
        "            ", " "
    )
    form = {"name": "Deposits", "type": check.pk, "place.person": "who › email", "create": "on"}
    assert admin_client.post(place, {**form, "revision": mapping.revision}).status_code == 302
    page = admin_client.get(place).content.decode()
    assert "place.field.amount" in page
    form |= {
        "place.when": "event",
        "words": "deposit\n",
        "place.occurred_at": "at",
        "place.primary": "number",
        "place.field.amount": "cents",
        "hundredths.field.amount": "on",
        "constant.field.branch": "Main Street",
        "revision": 2,
    }
    wrong = admin_client.post(place, {**form, "place.primary": "no such place", "constant.field.amount": "5"})
    assert wrong.status_code == 200 and wrong.content.decode().count('class="ca-error" role="alert"') == 2
    assert admin_client.post(place, form).status_code == 302
    with query_budget("inbound webhook: mapping"):
        page = admin_client.get(place).content.decode()
    assert (
        "120.50" in page
        and "ca-badge--good" in page
        and not Activity.objects.filter(activity_type_id=check.pk).exists()
    )
    on = admin_client.post(address("mapping_do", webhook.pk, mapping.pk, "on"), {"revision": 3})
    assert on.status_code == 302 and InboundMapping.objects.get().is_on
    process()
    assert Activity.objects.filter(activity_type_id=check.pk).count() == 1
    with query_budget("inbound webhook: page"):
        page = admin_client.get(address("change", webhook.pk)).content.decode()
    assert "Record what is waiting" in page and "Deposits" in page
    call = InboundCall.objects.order_by("pk").last()
    assert "&lt;b&gt;other" in admin_client.get(address("call", webhook.pk, call.pk)).content.decode()
    admin_client.post(address("do", webhook.pk, "replay"))
    running = admin_client.get(address("replay", webhook.pk), headers={"HX-Request": "true"})
    assert "0 of 1" in running.content.decode() and "HX-Refresh" not in running
    page = admin_client.get(address("change", webhook.pk)).content.decode()
    assert 'id="replay"' in page and "/do/replay/" not in page
    again = admin_client.post(address("do", webhook.pk, "replay"), follow=True)
    assert "being recorded already" in again.content.decode()
    replaying.run_replay(InboundReplay.objects.get().pk)
    ended = admin_client.get(address("replay", webhook.pk), headers={"HX-Request": "true"})
    assert ended["HX-Refresh"] == "true" and "0 activities recorded" in ended.content.decode()
    admin_client.post(address("mapping_do", webhook.pk, mapping.pk, "off"))
    admin_client.post(address("mapping_do", webhook.pk, mapping.pk, "delete"))
    assert not InboundMapping.objects.exists() and InboundCall.objects.count() == 2


def test_settings_are_saved_and_the_secret_never_shown(admin_client):
    webhook = make_webhook("Shop", "stripe")
    page = admin_client.get(address("change", webhook.pk)).content.decode()
    assert "until you set the secret" in page and "Paid an invoice" in page
    settings = {"signature": "stripe", "calls_a_minute": 100, "revision": 1}
    admin_client.post(address("change", webhook.pk), {**settings, "secret": "whsec_5"})
    webhook.refresh_from_db()
    assert not editing.lacks_secret(webhook) and b"whsec" not in bytes(webhook.secret)
    page = admin_client.post(address("change", webhook.pk), {**settings, "id_header": "x y"}).content.decode()
    assert ("whsec" not in page and "Someone else changed" in page) or "header" in page
    assert admin_client.get(address("changelist")).status_code == 200


def test_marketers_map_and_viewers_see_nothing(client):
    webhook = make_webhook()
    receive(webhook, deposit())
    mapping = editing.add_mapping(webhook.source, "Deposits", None)
    for role, map_status, set_status in (("Marketer", 302, 403), ("Developer", 302, 302), ("Viewer", 403, 403)):
        user = get_user_model().objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        place = address("mapping", webhook.pk, mapping.pk)
        assert client.post(place, {"name": role}).status_code == map_status, role
        settings = {"signature": "none", "calls_a_minute": 600}
        assert client.post(address("change", webhook.pk), settings).status_code == set_status, role


def test_a_rejected_activity_leads_to_its_call(admin_client):
    webhook = make_webhook()
    make_mapping(webhook, approved_type())
    receive(webhook, deposit(cents="x"))
    process()
    row = RefusedActivity.objects.get()
    place = address("call", webhook.pk, InboundCall.objects.get().pk)
    assert place in admin_client.get(reverse("admin:activities_refusedactivity_row", args=[row.pk])).content.decode()
