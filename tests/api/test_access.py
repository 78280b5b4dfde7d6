"""Tokens, clients and oneself; who may, who may not, and with which answer."""

import base64
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.utils import timezone

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.access.models import ApiClient, ApiToken
from tests.api.conftest import Api


def get_token(client, **form):
    return client.post("/api/v1/oauth/token", {"grant_type": "client_credentials", **form})


def of(credentials):
    return {"client_id": credentials.client_id, "client_secret": credentials.client_secret}


def test_a_client_gets_a_token_for_its_credentials(client, credentials):
    reply = get_token(client, **of(credentials))
    assert reply.status_code == 200 and reply["Cache-Control"] == "no-store"
    body = reply.json()
    assert body["token_type"] == "Bearer" and body["expires_in"] == 3600
    assert "people.view_person" in body["scope"].split()
    me = Api(client, body["access_token"]).get("me").json()
    assert me["is_api_only"] and me["api_client"] == credentials.client.pk


def test_credentials_may_come_as_basic_authentication(client, credentials):
    basic = base64.b64encode(f"{credentials.client_id}:{credentials.client_secret}".encode()).decode()
    reply = client.post(
        "/api/v1/oauth/token", {"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {basic}"}
    )
    assert reply.status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody\0"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"scope": "people.fly"}, 400, "invalid_scope"),
    ],
)
def test_faults_of_the_token_endpoint_are_those_of_oauth2(client, credentials, form, status, error):
    reply = get_token(client, **{**of(credentials), **form})
    assert (reply.status_code, reply.json()["error"]) == (status, error)


def test_scopes_narrow_a_token(client, credentials):
    body = get_token(client, **of(credentials), scope="people.view_person").json()
    assert body["scope"] == "people.view_person"
    narrow = Api(client, body["access_token"])
    assert narrow.get("me").json()["rights"] == ["people.view_person"]
    refused = narrow.get("api-clients")
    assert refused.status_code == 403 and refused["Content-Type"] == "application/problem+json"
    assert refused.json()["errors"][0]["expected"] == "access.view_apiclient"


def test_a_client_never_exceeds_its_owner(client, credentials, owner):
    token = tokens.issue_token(credentials.client).text
    get_user_model().objects.filter(pk=owner.pk).update(is_superuser=False)
    assert Api(client, token).get("api-clients").status_code == 403
    get_user_model().objects.filter(pk=owner.pk).update(is_active=False)
    assert Api(client, token).get("me").status_code == 401


def test_without_a_token_the_answer_is_401_and_says_how(nobody):
    reply = nobody.get("me")
    assert reply.status_code == 401 and reply["WWW-Authenticate"].startswith("Bearer realm=")


def test_an_unknown_or_expired_token_is_named_invalid(client, credentials):
    reply = Api(client, "cat_nonsense").get("me")
    assert reply.status_code == 401 and 'error="invalid_token"' in reply["WWW-Authenticate"]
    token = tokens.issue_token(credentials.client).text
    with time_machine.travel(timezone.now() + timedelta(seconds=3601)):
        assert Api(client, token).get("me").json()["code"] == "invalid_token"


def test_the_dialects_token_is_taken_too(client, credentials):
    assert Api(client, client_editing.client_token(credentials.client).text).get("me").status_code == 200


def test_an_old_secret_goes_on_for_the_overlap_only(api, client, credentials):
    old = of(credentials)
    reply = api.post(f"api-clients/{credentials.client.pk}/rotate-secret", {"overlap_hours": 2})
    assert reply.status_code == 200
    new = {"client_id": old["client_id"], "client_secret": reply.json()["client_secret"]}
    assert get_token(client, **old).status_code == get_token(client, **new).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(hours=2, seconds=1)):
        assert get_token(client, **old).status_code == 401
        assert get_token(client, **new).status_code == 200


def test_rotating_without_overlap_ends_the_old_secret_at_once(api, client, credentials):
    api.post(f"api-clients/{credentials.client.pk}/rotate-secret", {"overlap_hours": 0})
    assert get_token(client, **of(credentials)).status_code == 401


def test_revoking_ends_secret_and_tokens(api, owner, client):
    other = client_editing.create_client("Other", owner, None)
    token = Api(client, tokens.issue_token(other.client).text)
    assert token.get("me").status_code == 200
    assert api.post(f"api-clients/{other.client.pk}/revoke").json()["is_revoked"] is True
    assert token.get("me").status_code == 401
    assert get_token(client, **of(other)).status_code == 401


def test_a_client_is_made_changed_and_listed(api):
    made = api.post("api-clients", {"name": "Shop", "rights": ["people.view_person"]})
    assert made.status_code == 201 and made.json()["client_secret"]
    address = f"api-clients/{made.json()['id']}"
    assert "client_secret" not in api.get(address).json()
    tag = api.get(address)["ETag"]
    assert tag == made["ETag"]
    changed = api.patch(address, {"rights": []}, If_Match=tag)
    assert changed.status_code == 200 and changed.json()["rights"] == []
    assert api.patch(address, {"name": "Shop 2"}, If_Match=tag).status_code == 412
    assert [row["name"] for row in api.get("api-clients?name__startswith=sh").json()["results"]] == ["Shop"]
    assert api.get(address, If_None_Match=changed["ETag"]).status_code == 304


def test_a_taken_name_conflicts_and_an_unknown_right_is_pointed_at(api):
    assert api.post("api-clients", {"name": "bank CORE"}).status_code == 409
    fault = api.post("api-clients", {"name": "Shop", "rights": ["people.view_person", "a.b"]})
    assert fault.status_code == 422
    assert fault.json()["errors"] == [
        {"code": "unknown_right", "message": "there is no permission “a.b”", "path": "/rights/1"}
    ]
    assert not ApiClient.objects.filter(name="Shop").exists()


def test_personal_tokens_are_made_by_people_and_act_as_them(client, owner, api):
    client.force_login(owner, backend="config.access.backends.EffectiveRightsBackend")
    web = Api(client, None)
    made = web.post("me/tokens", {"name": "nightly", "scopes": ["people.view_person"]})
    assert made.status_code == 201
    client.logout()
    script = Api(client, made.json()["token"])
    assert script.get("me").json()["username"] == "olga"
    assert script.get("me").json()["rights"] == ["people.view_person"]
    assert script.post("me/tokens", {"name": "more"}).status_code == 403
    assert api.post("me/tokens", {"name": "more"}).status_code == 403
    client.force_login(owner, backend="config.access.backends.EffectiveRightsBackend")
    assert [row["name"] for row in web.get("me/tokens").json()] == ["nightly"]
    assert web.delete(f"me/tokens/{made.json()['id']}").status_code == 204
    client.logout()
    assert script.get("me").status_code == 401


def test_only_digests_of_tokens_are_kept(credentials):
    issued = tokens.issue_token(credentials.client)
    row = ApiToken.objects.filter(pk=issued.token.pk).values().get()
    assert issued.text not in str(row)


def test_expired_tokens_of_a_client_go_with_the_next_one(credentials):
    tokens.issue_token(credentials.client)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        tokens.issue_token(credentials.client)
    assert ApiToken.objects.filter(client=credentials.client).count() == 1


def test_calls_are_counted_and_too_many_are_told_when_to_go_on(api, settings):
    settings.API_CALLS_PER_MINUTE = 2
    with time_machine.travel("2026-11-24T10:00:20Z", tick=False):
        token = Api(api.client, tokens.issue_token(ApiClient.objects.get()).text)
        first = token.get("me")
        assert first["RateLimit"] == '"calls";r=1;t=40' and first["RateLimit-Policy"] == '"calls";q=2;w=60'
        token.get("me")
        third = token.get("me")
        assert third.status_code == 429 and third["Retry-After"] == "40" and third.json()["code"] == "too_many_calls"
    with time_machine.travel("2026-11-24T10:01:00Z", tick=False):
        assert token.get("me").status_code == 200


def test_unknown_addresses_and_methods_are_problems_too(api):
    assert api.get("nothing/here").json()["status"] == 404
    wrong = api.put("api-clients", {})
    assert (
        wrong.status_code == 405
        and wrong["Allow"] == "GET, HEAD, OPTIONS, POST"
        and wrong.json()["code"] == "method_not_allowed"
    )
    assert api.post("api-clients", "name=x", content_type="text/plain").status_code == 415
    assert api.post("api-clients", '{"name": ').json()["code"] == "invalid_json"
    assert api.get("api-clients", Accept="image/png").status_code == 406
    assert api.get("me?" + "x" * 9000).status_code == 414


def test_bodies_are_read_strictly(api):
    def codes(body):
        reply = api.post("api-clients", body)
        assert reply.status_code == 422, reply.content
        return {(fault.get("path"), fault["code"]) for fault in reply.json()["errors"]}

    assert codes({}) == {("/name", "missing_value")}
    assert codes({"name": 5}) == {("/name", "wrong_type")}
    assert codes({"name": "x", "colour": 1}) == {("/colour", "unknown_member")}
    assert codes('{"name": "x", "name": "y"}') == {(None, "given_twice")}
    assert codes([]) == {(None, "wrong_type")}
    assert codes('{"name": "\\u0000"}') == {("/name", "wrong_type")}
    assert codes('{"name": "\\ud800"}') == {("/name", "wrong_type")}


def test_what_is_too_large_is_refused_before_it_is_read(api, settings):
    settings.API_MAX_BODY = 100
    assert api.post("api-clients", {"name": "x" * 200}).status_code == 413
