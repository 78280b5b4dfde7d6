"""Failed calls of API clients: what is counted, who sees it, and when an owner is notified."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import DatabaseError
from django.urls import reverse

from config.access.clients import editing as client_editing
from config.access.clients import failures as client_failures
from config.access.clients import tokens
from config.access.models import FailedCalls
from people.core import notifications
from people.core.models import Installation
from people.core.notifications import Notice
from people.core.source import Channel
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga():
    found = get_user_model().objects.create_user("olga", is_staff=True)
    found.groups.add(Group.objects.get(name="Developer"))
    return get_user_model().objects.get(pk=found.pk)


@pytest.fixture
def credentials(olga):
    return client_editing.create_client("Bank core", olga, None)


@pytest.fixture
def api(client, credentials):
    return Api(client, tokens.issue_token(credentials.client).text)


def found(credentials, days=1):
    rows = client_failures.frequent_failures([credentials.client.api_user_id], days)
    return {(row.channel, row.route, row.code): row.count for row in rows}


def test_both_apis_count_what_failed_by_route_and_code(client, api, credentials):
    for pk in (998, 999):
        api.get(f"people/{pk}")
    api.post("activities", {"activity_type": "nothing"})
    api.get("people?nonsense=1")
    api.get("me")
    token = client_editing.client_token(credentials.client).text
    for _call in range(3):
        client.get("/rest/v1/lead/999999.json", headers={"Authorization": f"Bearer {token}"})
    assert found(credentials) == {
        (Channel.API, "GET /api/v1/people/<int:pk>", "not_found"): 2,
        (Channel.API, "POST /api/v1/activities", "missing_value"): 1,
        (Channel.API, "GET /api/v1/people", "unknown_filter"): 1,
        (Channel.MARKETO, "GET /rest/v1/lead/<int:lead_id>.json", "1004"): 3,
    }


def test_processes_add_up_and_what_cannot_be_written_is_kept(api, credentials, monkeypatch):
    def fail(_counted):
        raise DatabaseError

    api.get("people/999")
    client_failures.flush_failed_calls()
    api.get("people/999")
    with monkeypatch.context() as patch:
        patch.setattr(client_failures, "_add", fail)
        client_failures.flush_failed_calls()
    assert list(found(credentials).values()) == [2] and FailedCalls.objects.count() == 1
    FailedCalls.objects.update(day="2020-01-01")
    assert found(credentials) == {} and client_failures.delete_old_failures() == 1


def test_people_and_strangers_are_not_counted(client, olga):
    client.force_login(olga)
    client.get("/api/v1/people/999")
    client.get("/api/v1/people", headers={"Authorization": "Bearer nonsense"})
    own = tokens.create_personal_token(olga, "mine", 1)
    client.get("/api/v1/people/999", headers={"Authorization": f"Bearer {own.text}"})
    client_failures.flush_failed_calls()
    assert not FailedCalls.objects.exists()


def test_the_owner_is_told_once_a_day_from_the_threshold_on(api, credentials, olga, settings):
    settings.CLIENT_FAILURES_NOTICE = 3
    for _call in range(2):
        api.get("people/999")
    assert client_failures.notify_owners_of_failures() == 0
    api.get("people?nonsense=1")
    assert client_failures.notify_owners_of_failures() == 1 and client_failures.notify_owners_of_failures() == 0
    notifications.mark_notices_read(olga)
    api.get("people/999")
    assert client_failures.notify_owners_of_failures() == 0  # also when it was read
    notice = Notice.objects.get(user=olga)
    assert str(notice) == ("Bank core failed 3 times today, most often with not_found at GET /api/v1/people/<int:pk>.")
    assert notice.url == reverse("admin:access_apiclient_change", args=[credentials.client.pk])
    assert notice.kind in notifications.KINDS


@pytest.mark.parametrize("how", ["switched off", "revoked", "no threshold"])
def test_nobody_is_told_when(how, api, credentials, olga, settings):
    settings.CLIENT_FAILURES_NOTICE = 0 if how == "no threshold" else 1
    api.get("people/999")
    if how == "switched off":
        notifications.save_notice_switches(olga, {client_failures.NOTICE: (False, False)})
    if how == "revoked":
        client_editing.revoke_client(credentials.client, None)
    assert client_failures.notify_owners_of_failures() == 0 and not Notice.objects.exists()


def test_developers_see_the_failed_calls_of_their_own_clients(client, api, credentials, olga):
    Installation.objects.get_or_create(pk=1)
    other = client_editing.create_client("Shop", get_user_model().objects.create_superuser("ana", password="x"), None)
    Api(client, tokens.issue_token(other.client).text).get("people?other=1")
    api.get("people/999")
    client.force_login(olga)
    (card,) = [card for card in client.get(reverse("admin:index")).context["cards"] if "failed" in card]
    assert [(one.name, row.route, row.count) for one, row in card["failed"]] == [
        ("Bank core", "GET /api/v1/people/<int:pk>", 1)
    ]
    page = client.get(reverse("admin:access_apiclient_change", args=[credentials.client.pk])).text
    assert "GET /api/v1/people/&lt;int:pk&gt;" in page and "not_found" in page
    assert client.get(reverse("admin:access_apiclient_changelist")).context["cl"].result_list[0].failed_today == 1
