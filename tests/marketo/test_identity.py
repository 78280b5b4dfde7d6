import base64
from datetime import timedelta

import time_machine
from django.utils import timezone

from config.access.clients import editing as client_editing
from config.access.models import ApiClient

URL = "/identity/oauth/token"


def ask(client, credentials, method="get", **changes):
    parameters = {
        "grant_type": "client_credentials",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
    } | changes
    return getattr(client, method)(URL, parameters)


def test_a_token_by_query_or_form(client, credentials):
    for method in ("get", "post"):
        reply = ask(client, credentials, method)
        assert reply.status_code == 200
        assert reply["Cache-Control"] == "no-store"
        assert set(reply.json()) == {"access_token", "token_type", "expires_in", "scope"}


def test_a_token_by_basic_credentials(client, credentials):
    def basic(text):
        header = {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
        return client.post(URL, {"grant_type": "client_credentials"}, headers=header)

    found = basic(f"{credentials.client_id}:{credentials.client_secret}")
    assert found.json()["access_token"] == ask(client, credentials).json()["access_token"]
    wrong = basic(f"{credentials.client_id}:no")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    for text in ("nobody:x", "", "\0:\0"):
        assert (basic(text).status_code, basic(text).json()["error"]) == (401, "unauthorized")
    broken = client.post(URL, {"grant_type": "client_credentials"}, headers={"Authorization": "Basic é!"})
    assert broken.status_code == 401


def test_the_same_token_with_shrinking_life_until_it_ends(client, credentials):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        first = ask(client, credentials).json()
        clock.shift(1000)
        second = ask(client, credentials).json()
        assert second["access_token"] == first["access_token"]
        assert (first["expires_in"], second["expires_in"]) == (3600, 2600)
        clock.shift(2601)
        assert ask(client, credentials).json()["access_token"] != first["access_token"]


def test_neither_secret_nor_token_is_stored(client, credentials):
    token = ask(client, credentials).json()["access_token"]
    (row,) = ApiClient.objects.values()
    assert credentials.client_secret not in str(row.values()) and token not in str(row.values())


def test_bad_credentials(client, credentials):
    unknown, wrong = ask(client, credentials, client_id="nobody"), ask(client, credentials, client_secret="wrong")
    assert (unknown.status_code, unknown.json()["error"]) == (401, "unauthorized")
    assert unknown.json()["error_description"] == "No client with requested id: nobody"
    assert (wrong.status_code, wrong.json()) == (
        401,
        {"error": "invalid_client", "error_description": "Bad client credentials"},
    )
    assert ask(client, credentials, grant_type="password").json()["error"] == "unsupported_grant_type"


def test_tokens_that_do_not_let_in(client, credentials, dialect, settings):
    path = "/rest/v1/activities/types.json"
    assert client.get(path).json()["errors"][0] == {"code": "601", "message": "Access token invalid"}
    assert client.get(path, headers={"Authorization": "Bearer x"}).json()["errors"][0]["code"] == "601"
    with time_machine.travel(timezone.now() + timedelta(seconds=3601)):
        assert dialect.get(path).json()["errors"][0] == {"code": "602", "message": "Access token expired"}
    client_editing.revoke_client(credentials.client, None)
    assert dialect.get(path).json()["errors"][0]["code"] == "601"


def test_a_token_in_the_query_where_the_setting_allows_it(client, credentials, settings):
    token = ask(client, credentials).json()["access_token"]
    path = f"/rest/v1/activities/types.json?access_token={token}"
    assert client.get(path).json()["success"] is True
    settings.DIALECT_TOKEN_IN_QUERY = False
    assert client.get(path).json()["errors"][0]["code"] == "601"


def test_a_client_loses_the_rights_that_its_owner_loses(dialect, owner):
    assert dialect.get("/rest/v1/activities/types.json").json()["success"] is True
    owner.is_superuser = False
    owner.save()
    reply = dialect.get("/rest/v1/activities/types.json").json()
    assert reply["errors"] == [{"code": "603", "message": "Access denied"}]


def test_a_client_cannot_log_in_to_the_pages(client, credentials):
    user = credentials.client.api_user
    user.set_password("known")
    user.save()
    assert not client.login(username=user.username, password="known")
