"""The same request sent again: nothing twice, the first reply; also at the same moment, also after faults."""

import json
import re
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.access.clients import tokens
from config.access.models import IdempotentReply
from config.api import idempotency
from people.core.db import locks
from people.privacy import erasure
from tests.activities.recording.test_races import InThread
from tests.api.conftest import Api
from tests.api.test_activities import custom, row
from tests.factories import MARKETO, approved_type, make_person


@pytest.fixture
def ready(db):
    approved_type()
    return make_person(email="ann@example.com")


def test_a_replay_gives_the_stored_reply_and_does_nothing(api, ready):
    first = api.post("activities", row(ready.pk), Idempotency_Key="k-1")
    again = api.post("activities", row(ready.pk), Idempotency_Key='"k-1"')
    assert first.status_code == again.status_code == 201 and first.content == again.content
    assert again["Idempotent-Replay"] == "true" and again["Location"] == first["Location"]
    assert custom().count() == 1


def test_another_body_with_the_same_key_is_refused(api, ready):
    api.post("activities", row(ready.pk), Idempotency_Key="k-1")
    other = api.post("activities", row(ready.pk, primary_value="No. 2"), Idempotency_Key="k-1")
    assert other.status_code == 422 and other.json()["code"] == "idempotency_key_reused"
    elsewhere = api.post("activities/validate", row(ready.pk), Idempotency_Key="k-1")
    assert elsewhere.status_code == 422
    assert custom().count() == 1


def test_a_refused_request_may_be_mended_under_its_key(api, ready):
    assert api.post("activities", row(0), Idempotency_Key="k-1").status_code == 422
    assert api.post("activities", row(ready.pk), Idempotency_Key="k-1").status_code == 201


def test_keys_are_the_callers_own(client, credentials, owner, api, ready):
    from config.access.clients import editing as client_editing

    other = Api(client, tokens.issue_token(client_editing.create_client("Other", owner, None).client).text)
    assert api.post("activities", row(ready.pk), Idempotency_Key="k").status_code == 201
    assert "Idempotent-Replay" not in other.post("activities", row(ready.pk), Idempotency_Key="k")
    assert custom().count() == 2


def test_after_a_day_a_key_is_new_again_and_old_replies_can_be_forgotten(api, ready, credentials):
    api.post("activities", row(ready.pk), Idempotency_Key="k")
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1)):
        fresh = Api(api.client, tokens.issue_token(credentials.client).text)
        assert "Idempotent-Replay" not in fresh.post("activities", row(ready.pk), Idempotency_Key="k")
        assert IdempotentReply.delete_expired() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=49)):
        assert IdempotentReply.delete_expired() == 1
    assert custom().count() == 2


def test_the_reply_of_somebody_erased_is_gone_and_the_request_stays_done(api, ready):
    api.post("activities", row(ready.pk), Idempotency_Key="k")
    assert IdempotentReply.objects.get().person_ids == [ready.pk]
    erasure.erase_people([ready.pk], None, MARKETO)
    assert api.post("activities", row(ready.pk), Idempotency_Key="k").status_code == 410
    assert not custom().exists()


@pytest.mark.parametrize("key", ["", "x" * 201, "a b", "ñ"])
def test_what_cannot_be_a_key_is_told(api, ready, key):
    reply = api.post("activities", row(ready.pk), Idempotency_Key=key)
    assert reply.status_code == 400 and reply.json()["errors"][0]["parameter"] == "Idempotency-Key"


def test_a_fault_of_ours_leaves_neither_work_nor_reply(api, ready, monkeypatch):
    from activities.api import activities as resources

    def fail(*_arguments, **_more):
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(resources.ActivityViewSet, "response_for", fail)
    reply = api.post("activities", row(ready.pk), Idempotency_Key="k")
    assert reply.status_code == 500 and reply.json()["code"] == "error" and b"fire" not in reply.content
    assert not custom().exists() and not IdempotentReply.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_same_key_at_the_same_moment_conflicts(api, ready, credentials):
    from django.db import transaction

    with transaction.atomic():
        number = locks.lock_number(f"client:{credentials.client.pk}", "k")
        locks.acquire_exclusive([locks.lock_key(locks.LockSpace.IDEMPOTENCY, number)])
        headers = api.headers

        def call():
            return Api.post(_with(Client(), headers), "activities", row(ready.pk), Idempotency_Key="k")

        reply = InThread(call).result()
    assert reply.status_code == 409 and reply.json()["code"] == "idempotency_key_in_use"
    assert not custom().exists()


def _with(client, headers):
    api = Api(client, None)
    api.headers = headers
    return api


@pytest.mark.django_db(transaction=True)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4), min_size=2, max_size=3))
def test_however_callers_repeat_themselves_each_key_does_its_work_once(api, ready, plan):
    """Every caller sends its keys one after the other, all callers at once, each until it is answered."""
    before = custom().count()
    IdempotentReply.objects.all().delete()

    def caller(keys):
        mine = _with(Client(), api.headers)
        seen = []
        for key in keys:
            while (
                reply := mine.post("activities", row(ready.pk, primary_value=key), Idempotency_Key=key)
            ).status_code == 409:
                pass
            seen.append((key, reply.status_code, json.loads(reply.content)["id"]))
        return seen

    answers = [
        answer for thread in [InThread(lambda keys=keys: caller(keys)) for keys in plan] for answer in thread.result()
    ]
    assert {status for _key, status, _pk in answers} == {201}
    ids = {}
    for key, _status, pk in answers:
        assert ids.setdefault(key, pk) == pk
    assert custom().count() - before == len(ids) == len({key for keys in plan for key in keys})


@pytest.mark.django_db(transaction=True)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writers=st.lists(st.integers(1, 25), min_size=1, max_size=3), size=st.integers(1, 40))
def test_who_follows_the_cursor_sees_every_activity_once_while_others_record(api, ready, writers, size):
    def write(count):
        mine = _with(Client(), api.headers)
        for _number in range(count):
            assert mine.post("activities", row(ready.pk)).status_code == 201

    start = api.get("activities?activity_type=depositCheck&page_size=1000").json()["cursor"]
    known = set(custom().values_list("pk", flat=True))
    threads = [InThread(lambda count=count: write(count)) for count in writers]
    seen, cursor = [], start
    while True:
        over = not any(thread.is_alive() for thread in threads)
        page = api.get(f"activities?activity_type=depositCheck&page_size={size}&cursor={cursor}").json()
        seen += [found["id"] for found in page["results"]]
        cursor = page["cursor"]
        if over and page["next"] is None:
            break
    for thread in threads:
        thread.result()
    assert seen == sorted(set(seen))
    assert set(seen) == set(custom().values_list("pk", flat=True)) - known


def test_counting_calls_writes_to_an_unlogged_table(db):
    with connection.cursor() as cursor:
        cursor.execute("select relpersistence from pg_class where relname = 'call_count'")
        assert cursor.fetchone() == ("u",)


@pytest.mark.parametrize(
    ("path", "body", "member"),
    [
        ("webhooks", {"name": "Ours", "url": "https://example.com/"}, "secret"),
        ("api-clients", {"name": "Other"}, "client_secret"),
    ],
)
def test_a_secret_is_kept_sealed_and_replayed(api, ready, path, body, member):
    first = api.post(path, body, Idempotency_Key="k")
    secret = first.json()[member]
    kept = IdempotentReply.objects.get()
    assert first.status_code == 201 and secret.encode() not in bytes(kept.body)
    again = api.post(path, body, Idempotency_Key="k")
    assert again.content == first.content and "Sealed-Under" not in again.headers


def test_every_member_that_is_shown_once_is_known():
    from config.api.urls import urlpatterns
    from people.rest.viewsets import ResourceViewSet  # noqa: F401

    def serializers(kind):
        for found in kind.__subclasses__():
            yield found
            yield from serializers(found)

    from rest_framework.serializers import BaseSerializer

    assert urlpatterns
    shown_once = {
        name
        for kind in serializers(BaseSerializer)
        for name, field in getattr(kind, "_declared_fields", {}).items()
        if re.search("not shown again", str(field.help_text or ""), re.IGNORECASE)
    }
    assert {"secret", "client_secret", "token", "write_key", "identity_secret"} <= shown_once <= idempotency.SECRETS


def test_a_replay_needs_the_right_that_the_request_needed(api, ready, credentials):
    assert api.post("activities", row(ready.pk), Idempotency_Key="k").status_code == 201
    credentials.client.api_user.user_permissions.clear()
    again = api.post("activities", row(ready.pk), Idempotency_Key="k")
    assert again.status_code == 403 and "Idempotent-Replay" not in again
