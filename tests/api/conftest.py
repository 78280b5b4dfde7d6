import json

import pytest
from django.contrib.auth import get_user_model

from config.access.clients import editing as client_editing
from config.access.clients import tokens


@pytest.fixture
def owner(db):
    return get_user_model().objects.create_superuser("olga", password="x")


@pytest.fixture
def credentials(owner):
    return client_editing.create_client("Bank core", owner, None, client_editing.grantable_rights())


class Api:
    """A program with a token; `json` of every reply is exact enough for tests."""

    def __init__(self, client, token):
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method, path, body=None, content_type="application/json", **headers):
        data = body if isinstance(body, str | bytes) else b"" if body is None else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        more = {"content_type": content_type} if data or method != "GET" else {}
        return self.client.generic(method, f"/api/v1/{path}", data, headers={**self.headers, **named}, **more)

    def get(self, path, **headers):
        return self("GET", path, **headers)

    def post(self, path, body=None, **more):
        return self("POST", path, body, **more)

    def patch(self, path, body=None, **more):
        return self("PATCH", path, body, **more)

    def put(self, path, body=None, **more):
        return self("PUT", path, body, **more)

    def delete(self, path, body=None, **more):
        return self("DELETE", path, body, **more)


@pytest.fixture
def api(client, credentials):
    return Api(client, tokens.issue_token(credentials.client).text)


@pytest.fixture
def narrowed(client, credentials):
    """A program whose token is narrowed to some rights: narrowed("people.view_person")."""
    return lambda *scopes: Api(client, tokens.issue_token(credentials.client, scopes).text)


@pytest.fixture
def nobody(client, db):
    return Api(client, None)
