import itertools
import json
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model

from config.access.clients import editing as client_editing

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def owner(db):
    return get_user_model().objects.create_superuser("olga", password="x")


@pytest.fixture
def credentials(owner):
    return client_editing.create_client("Bank core", owner, None)


class Dialect:
    """A program with a token."""

    def __init__(self, client, token):
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path, **parameters):
        return self.client.get(path, parameters, headers=self.headers)

    def post(self, path, body=None, content_type="application/json"):
        return self.request("post", path, body, content_type)

    def delete(self, path, body=None, content_type="application/json"):
        return self.request("delete", path, body, content_type)

    def form(self, path, **fields):
        return self.request("post", path, urlencode(fields, doseq=True), FORM)

    def request(self, method, path, body=None, content_type="application/json"):
        data = body if isinstance(body, str | bytes) else json.dumps(body) if body is not None else b""
        return getattr(self.client, method)(path, data, content_type=content_type, headers=self.headers)


@pytest.fixture
def dialect(client, credentials):
    return Dialect(client, client_editing.client_token(credentials.client).text)


@pytest.fixture
def dialect_with(client, owner):
    """A program that has these rights only."""
    numbers = itertools.count(1)

    def make(*rights):
        return Dialect(
            client,
            client_editing.client_token(
                client_editing.create_client(f"Narrow {next(numbers)}", owner, None, rights).client
            ).text,
        )

    return make


def result(reply):
    body = reply.json()
    assert body["success"] is True, body
    return body["result"]


def code(reply):
    assert reply.status_code == 200
    assert reply.json()["success"] is False, reply.json()
    return reply.json()["errors"][0]["code"]
