"""Webhooks: what may be typed, what is sent, and calls that no server accepts."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import call_command

from activities.recording.rows import NewActivity
from activities.sources import sealing
from activities.types.definition import ActivityFieldSpec
from people.core.errors import NotAllowedError, RejectedError
from smartlists.models import Webhook, WebhookDelivery
from smartlists.webhooks import delivery as webhook_delivery
from smartlists.webhooks import editing as webhook_editing
from smartlists.webhooks.http import CallFailedError, CallReply, UnsafeAddressError
from tests.factories import approved_type, make_person, record_rows
from tests.smartlists.campaign_factories import make_active_campaign, process_due_work, record_deposit, step_outcomes
from tests.smartlists.webhook_receiver import receiver

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
URL = "https://example.com/hook"


class Calls(list):
    """Stands for `outbound.send`: keeps what was sent and answers with the next of `answers`, else 200."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)

    def __call__(self, method, url, headers, body, *, seconds):
        self.append((method, url, headers, body))
        answer = self.answers.pop(0) if self.answers else CallReply(200, "ok")
        if isinstance(answer, Exception):
            raise answer
        return answer


def hooked(**values):
    approved_type()
    hook, secret = webhook_editing.create_webhook("CRM", None, **{"url": URL, "per_minute": 60_000} | values)
    make_active_campaign({"do": "webhook", "webhook": hook.pk})
    return hook, secret


def delivered(hook, *answers):
    calls = Calls(*answers)
    for lane in range(webhook_delivery.LANES):
        webhook_delivery.deliver_lane(hook.pk, lane, send=calls)
    return calls


def state():
    found = WebhookDelivery.objects.get()
    return found.state, found.attempts, found.status


def test_a_real_receiver_gets_a_signed_event(settings):
    with receiver() as server:
        settings.WEBHOOK_TRUSTED_HOSTS = [server.host]
        hook, secret = hooked(url=f"{server.url}/people/{{{{person.id}}}}?c={{{{trigger.check}}}}")
        ann = make_person(first_name="Ann", email="ann@example.com")
        record_deposit(ann.pk, primary_value="A&B /../\nü", amount="12.5")
        process_due_work()
        for lane in range(webhook_delivery.LANES):
            assert webhook_delivery.deliver_lane(hook.pk, lane) is None
        ((path, headers, body),) = server.calls
    assert path == f"/people/{ann.pk}?c=A%26B%20%2F..%2F%0A%C3%BC"
    event = json.loads(body)
    assert event["specversion"] == "1.0" and event["id"] == headers["webhook-id"]
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert event["data"]["person"] == {"id": ann.pk, "email": "ann@example.com", "first_name": "Ann"}
    assert event["data"]["activity"]["attributes"]["amount"] == 12.5
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert (state(), step_outcomes()[0][2:]) == (("delivered", 1, 200), ("done", "HTTP 200"))


def test_fields_called_as_members_are_kept_apart_with_json_types_and_old_webhooks_keep_their_texts():
    fields = [
        ActivityFieldSpec("id", "Id", "integer", is_primary=True),
        ActivityFieldSpec("name", "Name"),
        ActivityFieldSpec("occurred_at", "Occurred At", "date"),
        ActivityFieldSpec("amount", "Amount", "currency"),
        ActivityFieldSpec("is_foreign", "Is Foreign", "boolean"),
    ]
    approved_type("Log Clash", "clash", fields=fields)
    given = {"name": "theirs", "occurred_at": "2026-01-02", "amount": 12.5, "is_foreign": False}
    bodies = {}
    for version in Webhook.Payload.values:
        hook, _secret = webhook_editing.create_webhook(
            f"CRM {version}", None, url=URL, per_minute=60_000, payload_version=version
        )
        make_active_campaign({"do": "webhook", "webhook": hook.pk}, triggers=[{"type": "clash", "constraints": []}])
        row = NewActivity(
            make_person().pk, "clash", datetime.now(UTC) - timedelta(minutes=1), 7, list(given.items()), None
        )
        (outcome,) = record_rows(row)
        process_due_work()
        bodies[version] = json.loads(delivered(hook)[0][3])["data"]["activity"]
    assert bodies[2]["attributes"] == {"id": 7, **given}
    assert (bodies[2]["id"], bodies[2]["type"], bodies[2]["name"]) == (outcome.activity_id, "clash", "Log Clash")
    assert bodies[1]["name"] == "Log Clash" and bodies[1]["amount"] == "12.5"


def test_values_are_escaped_for_where_they_go():
    hook, _secret = hooked(
        format="json",
        body='{"name": "{{person.first_name}}", "amount": {{trigger.amount}}}',
        headers={"X-Who": "{{person.first_name}}"},
    )
    record_deposit(make_person(first_name='A"\\\r\nX: {{person.email}}').pk, amount="5")
    process_due_work()
    ((_method, _url, headers, body),) = delivered(hook)
    assert json.loads(body) == {"name": 'A"\\\r\nX: {{person.email}}', "amount": 5}
    assert headers["X-Who"] == 'A"\\ X: {{person.email}}'


def test_a_body_that_is_no_json_with_this_persons_values_fails():
    hook, _secret = hooked(format="json", body='{"amount": {{trigger.amount}}}')
    record_deposit(make_person().pk)
    assert [one[1] for one in process_due_work()] == ["failed"]
    assert delivered(hook) == []


def test_forms_are_encoded():
    hook, _secret = hooked(format="form", body="who={{person.first_name}}&a=1")
    record_deposit(make_person(first_name="A&b=c d").pk)
    process_due_work()
    assert delivered(hook)[0][3] == b"who=A%26b%3Dc+d&a=1"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"url": "http://example.com/"}, "bad_url"),
        ({"url": "https://{{person.city}}.example.com/"}, "bad_url"),
        ({"url": "https://example.com{{person.city}}/"}, "bad_url"),
        ({"url": "{{person.website}}"}, "bad_url"),
        ({"url": "https://user@example.com/"}, "bad_url"),
        ({"url": "https://example.com/\r\nX-A: b"}, "bad_url"),
        ({"url": "https://example.com/{{person.nonsense}}"}, "unknown_token"),
        ({"url": "https://example.com/{{person.city"}, "bad_token"),
        ({"headers": {"X-A\r\nB": "c"}}, "bad_header"),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, "bad_header"),
        ({"headers": {"{{person.city}}": "b"}}, "bad_header"),
        ({"headers": {"Host": "example.org"}}, "bad_header"),
        ({"headers": {"webhook-signature": "v1,x"}}, "bad_header"),
        ({"headers": ["X-A"]}, "wrong_type"),
        ({"body": '{"a": }', "format": "json"}, "bad_json"),
        ({"method": "TRACE"}, "unknown_word"),
        ({"per_minute": 0}, "wrong_type"),
        ({"timeout_seconds": 10**9}, "wrong_type"),
        ({"url": "https://example.com/\0"}, "wrong_type"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused(values, code):
    with pytest.raises(RejectedError) as refused:
        webhook_editing.create_webhook("CRM", None, **{"url": URL} | values)
    assert refused.value.code == code
    assert not Webhook.objects.exists()


def test_an_address_in_our_own_network_is_given_up_at_once():
    hook, _secret = hooked(url="https://169.254.169.254/latest/")
    record_deposit(make_person().pk)
    process_due_work()
    assert webhook_delivery.deliver_lane(hook.pk, WebhookDelivery.objects.get().lane) is None
    assert state() == ("dead", 1, None)
    assert "169.254.169.254" in WebhookDelivery.objects.get().problem


def test_calls_are_made_again_under_the_same_id_for_24_hours():
    hook, _secret = hooked()
    record_deposit(make_person().pk)
    process_due_work()
    start, keys = datetime.now(UTC), []
    for hours in range(0, 30, 2):
        with time_machine.travel(start + timedelta(hours=hours), tick=False):
            keys += [headers["webhook-id"] for _m, _u, headers, _b in delivered(hook, CallFailedError("down"))]
    assert len(set(keys)) == 1 and len(keys) >= 6
    assert state()[0] == "dead"
    assert step_outcomes()[0][2:] == ("failed", "down")
    assert webhook_editing.resend_deliveries(hook, None) == 1
    assert [headers["webhook-id"] for _m, _u, headers, _b in delivered(hook)] == keys[:1]
    assert state()[0] == "delivered"


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (302, "waiting"),
        (400, "dead"),
        (404, "dead"),
        (410, "dead"),
        (408, "waiting"),
        (429, "waiting"),
        (500, "waiting"),
        (503, "waiting"),
    ],
)
def test_what_a_status_means(status, wanted):
    hook, _secret = hooked()
    record_deposit(make_person().pk)
    process_due_work()
    delivered(hook, CallReply(status, ""))
    assert state()[0] == wanted


def test_one_persons_calls_keep_their_order_and_hold_up_nobody_else():
    hook, _secret = hooked(format="text", body="{{trigger.check}}")
    ann = make_person()
    bob = make_person()
    while bob.pk % webhook_delivery.LANES != ann.pk % webhook_delivery.LANES:
        bob = make_person()
    for number in (1, 2, 3):
        record_deposit(ann.pk, primary_value=f"Ann {number}")
        record_deposit(bob.pk, primary_value=f"Bob {number}")
    process_due_work()
    first = [body.decode() for *_rest, body in delivered(hook, CallFailedError("down"))]
    assert first == ["Ann 1", "Bob 1", "Bob 2", "Bob 3"]
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5), tick=False):
        assert [body.decode() for *_rest, body in delivered(hook)] == ["Ann 1", "Ann 2", "Ann 3"]


def test_a_call_that_cannot_even_be_made_holds_up_no_other_and_is_given_up(monkeypatch):
    hook, _secret = hooked()
    people = [make_person() for _number in range(2 * webhook_delivery.LANES)]
    for person in people:
        record_deposit(person.pk)
    process_due_work()
    broken = WebhookDelivery.objects.order_by("pk").first()
    real = webhook_delivery.signature_headers

    def sign(webhook, key, body, now):
        if key == str(broken.key):
            raise LookupError("as a key that is gone")
        return real(webhook, key, body, now)

    monkeypatch.setattr(webhook_delivery, "signature_headers", sign)
    assert len(delivered(hook)) == len(people) - 1
    broken.refresh_from_db()
    assert (broken.state, broken.attempts, broken.problem) == ("waiting", 1, "LookupError")
    assert broken.due_at > datetime.now(UTC)
    WebhookDelivery.objects.filter(pk=broken.pk).update(due_at=datetime.now(UTC), give_up_at=datetime.now(UTC))
    delivered(hook)
    broken.refresh_from_db()
    assert broken.state == "dead"


def test_faults_of_ours_do_not_count_against_the_receiver(monkeypatch):
    hook, _secret = hooked()
    for _number in range(webhook_delivery.BREAKER_AFTER + 1):
        record_deposit(make_person().pk)
    process_due_work()
    with monkeypatch.context() as patched:
        patched.setattr(webhook_delivery, "signature_headers", lambda *_call: {}["as a key that is gone"])
        assert delivered(hook) == []
    hook.refresh_from_db()
    assert (hook.failures, hook.open_until) == (0, None)
    assert set(WebhookDelivery.objects.values_list("attempts", "problem")) == {(1, "KeyError")}
    record_deposit(make_person().pk)
    process_due_work()
    assert len(delivered(hook)) == 1, "another call goes out at once"


def test_the_circuit_opens_after_ten_failures_in_a_row():
    hook, _secret = hooked()
    for _number in range(14):
        record_deposit(make_person().pk)
    process_due_work()
    assert len(delivered(hook, *[CallFailedError("down")] * 14)) == 10
    hook.refresh_from_db()
    assert hook.open_until is not None
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=20), tick=False):
        assert len(delivered(hook)) == 14
    hook.refresh_from_db()
    assert (hook.failures, hook.open_until) == (0, None)


def test_the_rate_of_a_target_is_kept(monkeypatch):
    hook, _secret = hooked(per_minute=600)
    quiet = []
    monkeypatch.setattr(webhook_delivery, "sleep", quiet.append)
    for _number in range(4):
        record_deposit(make_person().pk)
    process_due_work()
    delivered(hook)
    assert quiet == [60 * webhook_delivery.LANES / 600] * 4


def test_a_slow_rate_gives_the_worker_back():
    hook, _secret = hooked(per_minute=1)
    record_deposit(make_person().pk)
    process_due_work()
    assert (
        webhook_delivery.deliver_lane(hook.pk, WebhookDelivery.objects.get().lane, send=Calls())
        == 60 * webhook_delivery.LANES
    )


def test_secrets_are_sealed_under_a_named_key_and_can_be_moved_to_another(settings, capsys):
    hook, secret = hooked()
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    hook.refresh_from_db()
    assert hook.secret_key_name == "secret-key" and raw not in bytes(hook.secret)
    from cryptography.fernet import Fernet

    settings.WEBHOOK_KEYS = [("2026", Fernet.generate_key().decode())]
    with pytest.raises(RejectedError) as refused:
        sealing.unseal_secret(hook.secret_key_name, hook.secret)
    assert refused.value.code == "key_missing"
    old = sealing._derived(settings.SECRET_KEY).decode()
    settings.WEBHOOK_KEYS = [*settings.WEBHOOK_KEYS, ("secret-key", old)]
    call_command("rotate_webhook_secrets")
    hook.refresh_from_db()
    settings.WEBHOOK_KEYS = settings.WEBHOOK_KEYS[:1]
    assert hook.secret_key_name == "2026" and sealing.unseal_secret("2026", hook.secret) == raw


def test_a_webhook_in_use_stays_and_rights_are_asked(django_user_model):
    hook, _secret = hooked()
    with pytest.raises(RejectedError) as refused:
        webhook_editing.delete_webhook(hook, None)
    assert refused.value.code == "in_use"
    nobody = django_user_model.objects.create_user("nobody")
    for attempt in (
        lambda: webhook_editing.create_webhook("x", nobody, url=URL),
        lambda: webhook_editing.change_webhook(hook, nobody, url=URL),
        lambda: webhook_editing.delete_webhook(hook, nobody),
        lambda: webhook_editing.renew_webhook_secret(hook, nobody),
        lambda: webhook_editing.resend_deliveries(hook, nobody),
    ):
        with pytest.raises(NotAllowedError):
            attempt()


def test_an_unsafe_answer_is_no_reason_to_try_again():
    hook, _secret = hooked()
    record_deposit(make_person().pk)
    process_due_work()
    assert len(delivered(hook, UnsafeAddressError("no"))) == 1
    assert state()[0] == "dead"


def test_the_signature_is_that_of_the_standard():
    """The example that the libraries of Standard Webhooks are tested with."""
    name, secret = sealing.seal_secret(base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    found = webhook_delivery.signature_headers(
        Webhook(secret_key_name=name, secret=secret),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        datetime.fromtimestamp(1614265330, UTC),
    )
    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_new_secret_signs_from_then_on():
    hook, secret = hooked()
    another = webhook_editing.renew_webhook_secret(hook, None)
    assert another != secret
    hook.refresh_from_db()
    found = webhook_delivery.signature_headers(hook, "k", b"", datetime.now(UTC))
    key = base64.b64decode(another.removeprefix("whsec_"))
    moment = found["webhook-timestamp"]
    wanted = hmac.new(key, f"k.{moment}.".encode(), hashlib.sha256).digest()
    assert found["webhook-signature"] == "v1," + base64.b64encode(wanted).decode()
