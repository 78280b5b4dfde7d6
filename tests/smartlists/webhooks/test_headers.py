"""The values of headers, which can be credentials: sealed, masked, and readable beside the version before."""

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from activities.sources import sealing
from people.core.errors import NotAllowedError, RejectedError
from smartlists import tasks
from smartlists.models import SmartCampaign, Webhook, WebhookDelivery
from smartlists.webhooks import editing as webhook_editing
from smartlists.webhooks import headers as webhook_headers
from tests.factories import make_person, user_with
from tests.smartlists.campaign_factories import process_due_work, record_deposit
from tests.smartlists.webhooks.test_webhooks import URL, delivered, hooked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
GIVEN = {"Authorization": "Bearer s3cret {{person.first_name}}"}
MASKED = {"Authorization": "•••"}


def migrated(*, first, sealed):
    """Set the age of the installation, and of the migration that makes room for sealed headers."""
    now = timezone.now()
    with connection.cursor() as cursor:
        for name, age in (("0001_initial", first), ("0010_sealed_headers", sealed)):
            cursor.execute(
                "update django_migrations set applied = %s where app = 'smartlists' and name = %s", [now - age, name]
            )


@pytest.fixture
def new(db):
    migrated(first=timedelta(minutes=1), sealed=timedelta(0))


@pytest.fixture
def upgrading(db):
    """The version before may still run."""
    migrated(first=timedelta(days=90), sealed=timedelta(hours=2))


def stored():
    """The content of the database, byte by byte."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select row_to_json(w)::text from webhook w union all select row_to_json(d)::text from webhook_delivery d"
        )
        return "".join(text for (text,) in cursor.fetchall())


def called():
    hook, _secret = hooked(headers=GIVEN)
    record_deposit(make_person(first_name="Ann").pk)
    process_due_work()
    return hook


def test_neither_a_webhook_nor_its_calls_hold_a_value_in_clear(new):
    hook = called()
    assert "s3cret" not in stored()
    assert Webhook.objects.get().headers == MASKED
    assert WebhookDelivery.objects.get().headers["Content-Type"].startswith("application/cloudevents")
    ((_method, _url, headers, _body),) = delivered(hook)
    assert headers["Authorization"] == "Bearer s3cret Ann" and "•" not in "".join(headers.values())


def test_while_the_version_before_may_run_it_reads_what_it_understands(upgrading):
    hook = called()
    assert Webhook.objects.get().headers == GIVEN and webhook_headers.masked_headers(hook) == MASKED
    assert WebhookDelivery.objects.get().headers["Authorization"] == "Bearer s3cret Ann"
    tasks.seal_headers(0)
    assert "s3cret" in stored()
    assert delivered(hook)[0][2]["Authorization"] == "Bearer s3cret Ann"


def test_a_day_later_what_is_there_is_sealed_once(upgrading):
    hook = called()
    plain, _secret = webhook_editing.create_webhook("Plain", None, url="https://example.com/")
    migrated(first=timedelta(days=90), sealed=timedelta(hours=25))
    assert webhook_headers.seal_all_headers() == 2 and webhook_headers.seal_all_headers() == 0
    assert "s3cret" not in stored()
    assert Webhook.objects.get(pk=plain.pk).sealed_headers is None
    assert delivered(hook)[0][2]["Authorization"] == "Bearer s3cret Ann"
    assert webhook_headers.headers_of(Webhook.objects.get(pk=hook.pk)) == GIVEN


def test_a_mask_keeps_the_value_and_anything_else_replaces_it(new):
    hook, _secret = hooked(headers=GIVEN | {"X-Team": "north"})
    changed = webhook_editing.change_webhook(hook, None, headers={"authorization": "•••", "X-Team": "south"})
    assert webhook_headers.headers_of(changed) == {"authorization": GIVEN["Authorization"], "X-Team": "south"}
    assert webhook_headers.headers_of(
        webhook_editing.change_webhook(changed, None, per_minute=7)
    ) == webhook_headers.headers_of(changed)
    emptied = webhook_editing.change_webhook(changed, None, headers={})
    assert (emptied.headers, emptied.sealed_headers) == ({}, None)


def test_they_move_to_another_key_with_the_secrets(new, settings):
    called()
    old = ("secret-key", sealing._derived(settings.SECRET_KEY).decode())
    settings.WEBHOOK_KEYS = [("2026", Fernet.generate_key().decode()), old]
    assert call_command("rotate_webhook_secrets").startswith("3 secrets")
    settings.WEBHOOK_KEYS = settings.WEBHOOK_KEYS[:1]
    assert webhook_headers.headers_of(Webhook.objects.get()) == GIVEN
    assert webhook_headers.headers_of(WebhookDelivery.objects.get())["Authorization"] == "Bearer s3cret Ann"


@pytest.mark.parametrize(
    "url", ["https://evil.example/hook", "https://example.com:8443/hook", "https://example.com.evil.example/hook"]
)
def test_hidden_values_are_sent_to_no_other_host(new, url):
    hook, _secret = hooked(headers={**GIVEN, "X-Team": "a"})
    for values in ({}, {"headers": MASKED}, {"headers": {"Authorization": "Bearer mine", "X-Team": "•••"}}):
        with pytest.raises(RejectedError) as refused:
            webhook_editing.change_webhook(hook, None, url=url, **values)
        assert [problem.path for problem in refused.value.problems] == [("headers",)]
    assert Webhook.objects.get().url == URL
    webhook_editing.change_webhook(hook, None, url=f"{URL.upper().replace('HOOK', 'other')}?a=1")
    webhook_editing.change_webhook(hook, None, url=url, headers={"Authorization": "Bearer other"})
    assert "s3cret" not in str(webhook_headers.headers_of(Webhook.objects.get()))


@pytest.mark.parametrize("missing", webhook_editing.RIGHTS_OF_CAMPAIGNS)
def test_what_an_active_campaign_sends_is_changed_with_the_rights_to_activate_it(new, missing):
    hook, _secret = hooked()
    rights = {webhook_editing.CHANGE, *webhook_editing.RIGHTS_OF_CAMPAIGNS}
    insider, owner = user_with(*rights - {missing}), user_with(*rights)
    changes = {
        "method": "PUT", "url": f"{URL}/b", "headers": {"X-Team": "b"}, "format": "json", "body": '{"a": 1}',
        "payload_version": 1,
    }  # fmt: skip
    assert changes.keys() == set(webhook_editing.SENT_FIELDS)
    for name, value in changes.items():
        with pytest.raises(NotAllowedError) as refused:
            webhook_editing.change_webhook(hook, insider, **{name: value})
        assert refused.value.problems[0].expected == missing
        webhook_editing.change_webhook(hook, owner, **{name: value})
    webhook_editing.change_webhook(hook, insider, name="Other", per_minute=7, url=f"{URL}/b")
    SmartCampaign.objects.update(state="draft")
    webhook_editing.change_webhook(hook, insider, url=f"{URL}/c")
