"""The demo's web site: who opens it, and what its pages allow."""

import pytest
from django.contrib.auth import get_user_model

from activities.models import EventSource
from activities.sources import editing
from activities.tracking.installation import openable_page
from config.demo import site
from people.core.models import Installation

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def test_it_is_there_once_somebody_has_opened_it_and_names_each_address_once(staff, client, settings):
    settings.COLLECTOR_URL = "https://events.example.com"
    settings.ALLOWED_HOSTS = ["*"]
    for page in ("", "models/", "thanks/", "price-list.csv"):
        assert staff.get(f"/demo-site/{page}").status_code == 404
    for host in ("testserver", "testserver", "127.0.0.1:8000"):
        assert staff.post("/admin/demo-site/", headers={"Host": host}).headers["Location"] == "/demo-site/"
    website = EventSource.objects.get()
    assert website.origins == ["http://testserver", "http://127.0.0.1:8000"]
    assert openable_page(website) == "http://testserver/demo-site/"
    client.logout()
    for page in ("", "models/", "test-drive/?model=Volta", "thanks/"):
        reply = client.get(f"/demo-site/{page}")
        assert f"events.example.com/_a/s/{website.keys.get().lookup}.js" in reply.text, page
        policy = reply["Content-Security-Policy"]
        assert "script-src 'self' https://events.example.com;" in policy and "connect-src https://events" in policy
        assert not reply.cookies
    assert "attachment" in client.get("/demo-site/price-list.csv")["Content-Disposition"]
    assert client.post("/demo-site/thanks/", {"email": "a@example.com"}).status_code == 200
    for page in ("home/", "base/", "..%2f/", "nothing/"):
        assert client.get(f"/demo-site/{page}").status_code == 404
    editing.end_key(website, website.keys.get().pk, None)
    assert "_a/s/" not in client.get("/demo-site/").text


def test_only_those_who_may_add_sources_are_offered_it(staff, client):
    Installation.objects.create()  # else the first page is the setup
    assert "Open the demo site" in staff.get("/admin/").text
    viewer = get_user_model().objects.create_user("ivo", password="x", is_staff=True)
    client.force_login(viewer)
    assert "Open the demo site" not in client.get("/admin/").text
    assert client.post("/admin/demo-site/").status_code == 403 and not EventSource.objects.filter(name=site.NAME)
