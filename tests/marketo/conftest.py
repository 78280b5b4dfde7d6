import json

import pytest
from django.contrib.auth import get_user_model

from config.access import clients


@pytest.fixture
def owner(db):
    return get_user_model().objects.create_superuser("olga", password="x")


@pytest.fixture
def credentials(owner):
    return clients.create("Bank core", owner, None)


class Dialect:
    """A program with a token."""

    def __init__(self, client, token):
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path, **parameters):
        return self.client.get(path, parameters, headers=self.headers)

    def post(self, path, body=None, content_type="application/json"):
        data = body if isinstance(body, str | bytes) else json.dumps(body) if body is not None else b""
        return self.client.post(path, data, content_type=content_type, headers=self.headers)


@pytest.fixture
def dialect(client, credentials):
    return Dialect(client, clients.token_of(credentials.client).text)
