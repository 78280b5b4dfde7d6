"""Single sign-on over OpenID Connect, against a small provider on the loopback address."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import jwt
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.cache import cache

from config.access.models import SIGN_IN
from people.core.models import Installation

pytestmark = pytest.mark.django_db
START, BACK = "/admin/login/sso/oidc/", "/admin/login/sso/oidc/back/"


class Provider(BaseHTTPRequestHandler):
    """A provider of one person, whose claims a test sets."""

    claims: dict
    asked: list

    def do_GET(self):
        issuer = f"http://127.0.0.1:{self.server.server_port}"
        self._answer(
            {
                "/.well-known/openid-configuration": {
                    "issuer": issuer,
                    "authorization_endpoint": f"{issuer}/authorize",
                    "token_endpoint": f"{issuer}/token",
                    "userinfo_endpoint": f"{issuer}/userinfo",
                    "jwks_uri": f"{issuer}/keys",
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                },
                "/userinfo": self.claims,
            }[self.path]
        )

    def do_POST(self):
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.asked.append(body)
        issuer, now = f"http://127.0.0.1:{self.server.server_port}", int(time.time())
        token = {"iss": issuer, "aud": "ours", "iat": now, "exp": now + 60, **self.claims}
        signed = jwt.encode(token, "x" * 32, "HS256")
        self._answer({"access_token": "a-token", "token_type": "Bearer", "expires_in": 60, "id_token": signed})

    def _answer(self, found):
        text = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_what):
        pass


@pytest.fixture
def provider(settings):
    """The provider, named in the settings."""
    cache.clear()
    Installation.objects.create()
    handler = type("Handler", (Provider,), {"claims": {}, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    app = {
        "provider_id": "oidc",
        "name": "Acme ID",
        "client_id": "ours",
        "secret": "shared",
        "settings": {"server_url": f"http://127.0.0.1:{server.server_port}"},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def sign_on(client, provider, **claims):
    """As a browser does: off to the provider, and back with its code. The answer to that."""
    provider.claims = {
        "sub": "u-1",
        "email": "vera@example.com",
        "email_verified": True,
        "preferred_username": "vera",
    } | claims
    off = client.post(START)
    asked = parse_qs(urlsplit(off.headers["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    return client.get(BACK, {"code": "a-code", "state": asked["state"][0]})


def is_in(client):
    return client.get("/admin/").status_code == 200


def test_without_a_provider_there_is_no_such_door(client):
    Installation.objects.create()
    assert client.post(START).status_code == 404
    assert "sso" not in client.get("/admin/login/").text


def test_the_login_page_offers_it_and_does_not_start_it_by_a_link(client, provider):
    assert "Sign in with Acme ID" in client.get("/admin/login/").text
    assert client.get(START).status_code == 200


def test_strangers_are_turned_away_with_the_reason(client, provider):
    assert sign_on(client, provider).headers["Location"] == "/admin/login/"
    assert "no account here" in client.get("/admin/login/").text
    assert not is_in(client) and not get_user_model().objects.filter(username="vera").exists()


@pytest.mark.parametrize(
    ("links", "verified", "count", "gets_in"),
    [
        (True, True, 1, True),
        (False, True, 1, False),
        (True, False, 1, False),
        (True, "true", 1, False),
        (True, True, 2, False),
    ],
)
def test_a_user_is_known_by_one_verified_address_only(client, provider, settings, links, verified, count, gets_in):
    settings.OIDC_LINK_BY_EMAIL = links
    for number in range(count):
        get_user_model().objects.create_user(f"v{number}", "Vera@example.com", is_staff=True)
    sign_on(client, provider, email_verified=verified)
    assert is_in(client) is gets_in


def test_who_is_connected_stays_so_whatever_the_address_becomes(client, provider, settings):
    settings.OIDC_LINK_BY_EMAIL = True
    vera = get_user_model().objects.create_user("vm", "vera@example.com", is_staff=True)
    sign_on(client, provider)
    client.logout()
    settings.OIDC_LINK_BY_EMAIL = False
    sign_on(client, provider, email="other@example.com")
    assert client.get("/account/").wsgi_request.user == vera


def test_new_users_come_with_the_roles_of_the_claim_and_lose_what_it_names_no_more(client, provider, settings):
    settings.OIDC_CREATE_USERS, settings.OIDC_ROLE_CLAIM = True, "groups"
    settings.OIDC_ROLES = {"mkt": "Marketer"}
    get_user_model().objects.create_user("vera")
    sign_on(client, provider, groups=["mkt", "Viewer", "Administrator", "Root", 7], given_name="Vera")
    made = client.get("/account/").wsgi_request.user
    assert (made.username, made.first_name, made.is_superuser, made.has_usable_password()) == (
        "vera-2",
        "Vera",
        False,
        False,
    )
    assert {role.name for role in made.groups.all()} == {"Marketer"}
    made.groups.add(Group.objects.create(name="Our own"))
    client.logout()
    settings.OIDC_ROLES = {}
    sign_on(client, provider, groups="Viewer")
    assert {role.name for role in made.groups.all()} == {"Viewer", "Our own"}


def test_who_has_no_password_confirms_by_signing_on_again(client, provider, settings):
    """The page of the confirmation leads to the login page, which must not lead back."""
    settings.OIDC_CREATE_USERS, settings.OIDC_ROLE_CLAIM = True, "groups"
    settings.OIDC_ROLES = {"adm": "Administrator"}
    sign_on(client, provider, groups=["adm"])
    invite = "/admin/access/user/add/"
    assert client.get("/admin/login/", {"next": invite})["Location"] == invite
    session = client.session
    session[SIGN_IN] = {**session[SIGN_IN], "at": int(time.time()) - 600}
    session.save()
    page = client.get(invite, follow=True)  # raises for a circle
    assert page.redirect_chain == [(f"/admin/login/?next={quote(invite, safe='')}", 302)]
    assert "Sign in with Acme ID" in page.text and f'name="next" value="{invite}"' in page.text
    sign_on(client, provider, groups=["adm"])
    assert client.get(invite).status_code == 200


def test_who_is_not_active_stays_out(client, provider, settings):
    settings.OIDC_CREATE_USERS = True
    sign_on(client, provider)
    client.logout()
    get_user_model().objects.filter(username="vera").update(is_active=False)
    sign_on(client, provider)
    assert not is_in(client)


def test_an_answer_that_nobody_asked_for_opens_nothing(client, provider, settings):
    settings.OIDC_CREATE_USERS = True
    provider.claims = {"sub": "u-1"}
    assert client.get(BACK, {"code": "a-code", "state": "made-up"}).headers["Location"] == "/admin/login/"
    assert client.get(BACK, {"error": "access_denied"}).status_code == 302
    assert not is_in(client) and not provider.asked


@pytest.mark.parametrize("claim", [{"aud": "somebody else"}, {"iss": "http://elsewhere.invalid"}, {"exp": 1}])
def test_a_token_for_others_or_of_others_opens_nothing(client, provider, settings, claim):
    settings.OIDC_CREATE_USERS = True
    sign_on(client, provider, **claim)
    assert not is_in(client)


def test_the_provider_can_stand_for_the_second_step(client, provider, settings):
    settings.OIDC_CREATE_USERS, settings.REQUIRE_SECOND_FACTOR = True, ["all"]
    sign_on(client, provider)
    assert client.get("/admin/").headers["Location"] == "/account/"
    settings.OIDC_IS_SECOND_FACTOR = True
    assert is_in(client)
