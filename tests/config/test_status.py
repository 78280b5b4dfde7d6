"""The status page: true, for administrators, in both languages."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.utils import timezone

from activities.log import rollup
from activities.models import Association, VisitorActivity
from config.observability import probes
from people.core import maintenance
from people.core.models import Installation
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from tests.activities.visitors.factories import make_hit, make_site, make_visitor, own
from tests.factories import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    Installation.objects.create()
    user = get_user_model().objects.create_superuser("vera")
    client.force_login(user)
    return user


def test_it_tells_what_is_not_well_and_what_to_do(client, admin):
    page = client.get("/admin/status/").text
    assert "Something needs attention" in page and "not seen yet" in page
    assert "python manage.py worker" in page


def test_it_says_that_all_is_well(client, admin):
    with connection.cursor() as cursor:
        cursor.execute("insert into procrastinate_workers (last_heartbeat) values (now())")
    rollup.catch_up_rollup()
    maintenance.record_maintenance(maintenance.MaintenanceRun.BACKUP, "/backups/tonight")
    page = client.get("/admin/status/").text
    assert "All is well" in page and "now" in page
    maintenance.MaintenanceRun.objects.update(done_at=timezone.now() - timedelta(days=20))
    assert "Make a backup, and find out why there is none." in client.get("/admin/status/").text


def test_it_shows_the_latest_evaluations(client, admin):
    made = list_editing.create_smart_list("Regulars", {"match": "all", "filters": []}, admin)
    stored_evaluations.run_evaluation(stored_evaluations.request_evaluation(made, admin).pk)
    page = client.get("/admin/status/").text
    assert "Regulars" in page and "Done" in page


def test_it_speaks_spanish(client, admin):
    page = client.get("/admin/status/", headers={"Accept-Language": "es"}).text
    assert "Estado" in page and "Base de datos" in page


def test_what_a_visitor_did_before_they_were_recognized_waits_since_then():
    site = make_site()
    visitor = make_visitor(site)
    make_hit(visitor, site)
    association = own(visitor, make_person().pk, site)
    VisitorActivity.objects.update(association_id=association.pk, activity_id=None)
    assert probes.oldest_due_hit() == association.created_at
    Association.objects.update(created_at=association.created_at - timedelta(days=1))
    assert probes.oldest_due_hit() == VisitorActivity.objects.get().received_at


def test_it_is_for_administrators_only(client):
    Installation.objects.create()
    viewer = get_user_model().objects.create_user("lou", is_staff=True)
    client.force_login(viewer)
    assert client.get("/admin/status/").status_code == 403
    viewer.user_permissions.add(Permission.objects.get(codename="view_user"))
    assert client.get("/admin/status/").status_code == 200
