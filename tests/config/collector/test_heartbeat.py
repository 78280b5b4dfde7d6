"""A collector that is missed is named, and makes no web server unready."""

from datetime import timedelta

import pytest
from django.utils import timezone

from activities.sources import editing
from config.observability import collector_heartbeat, probes
from config.operations import collector_check
from people.core.maintenance import MaintenanceRun

pytestmark = pytest.mark.django_db


def test_a_silent_collector_is_missed_where_web_sites_send(client, settings):
    settings.METRICS_ALLOW = ["127.0.0.1"]
    assert collector_check.check_collector().is_well and probes.GAUGES["collector"][2]() == {}
    editing.create_source("Shop", "browser", None, origins=["https://www.example.com"])
    assert not collector_check.check_collector().is_well
    reply = client.get("/readyz")
    assert reply.status_code == 200 and reply.text.startswith("ready\ncollector: 1 web sites send, and nobody listens")
    collector_heartbeat.write_heartbeat({"waiting": 3, "requests": 2})
    assert collector_check.check_collector().is_well and client.get("/readyz").text == "ready\n"
    values = probes.GAUGES["collector"][2]()
    assert values["waiting"] == 3 and 0 <= values["silent_seconds"] < 60
    MaintenanceRun.objects.update(done_at=timezone.now() - timedelta(minutes=5))
    assert "300 s" in collector_check.check_collector().state
    MaintenanceRun.objects.update(outcome="[]")
    assert set(probes.GAUGES["collector"][2]()) == {"silent_seconds"}
