"""Campaigns hand people's own tokens of tracked links to other tools."""

from types import SimpleNamespace

import pytest
from django.utils import timezone

from activities.links.tokens import open_token
from smartlists.campaigns.token_values import render_for_entries
from smartlists.catalog import Catalogue
from smartlists.webhooks.tokens import available_tokens
from tests.factories import make_person

pytestmark = pytest.mark.django_db


def test_a_campaign_can_hand_a_persons_link_token_on():
    ann = make_person()
    assert "person.link_token" in available_tokens([], Catalogue())
    situation = SimpleNamespace(campaign=SimpleNamespace(name="Mail", pk=1))
    text = render_for_entries(
        "?p={{person.link_token}}", [SimpleNamespace(id=9, person_id=ann.pk, record_id=None)], situation
    )[9]
    assert open_token(text.removeprefix("?p="), 7, timezone.now()) == ann.pk
