"""Event sources in the doctor and on the status page."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model

from activities.sources import editing, health, usage
from config.operations import doctor

pytestmark = pytest.mark.django_db


def test_without_sources_all_is_well():
    assert health.health_summary() == ("0 turned on", "") and doctor.check_event_sources().is_well


def test_a_source_whose_keys_end_soon_is_named(client):
    first = editing.create_source("ERP", "server", None)
    source = first.key.source
    editing.create_source("Shop", "browser", None, origins=["https://www.example.com"])
    usage.note_uses({source.pk: usage.Use(1, 1, 1)})
    assert health.current_state().ending == () and "last event" in health.health_summary()[0]
    second = editing.rotate_key(source, None, timedelta(days=7))
    editing.end_key(source, second.key.pk, None)
    assert health.current_state().ending == (), "the first goes on for a week"
    third = editing.rotate_key(source, None, timedelta(hours=1))
    editing.end_key(source, third.key.pk, None)
    assert health.current_state().ending == ("ERP",) and "ERP" in doctor.check_event_sources().advice
    client.force_login(get_user_model().objects.create_superuser("vera"))
    assert "Create a new key for ERP" in client.get("/admin/status/").text
    editing.turn_off(source, None)
    assert health.current_state().ending == ()
