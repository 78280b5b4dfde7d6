"""The pages of activities stay within their budgets of statements."""

import pytest
from django.contrib.auth import get_user_model

from people.core import installation
from people.core.models import Installation
from people.core.source import Channel, Source
from people.objects.definition import ObjectFieldSpec
from tests.factories import MARKETO, approved_type, edit_description, make_person, new_activity, record_rows
from tests.people.objects.world import approved_type as approved_object_type
from tests.people.objects.world import changed, saved
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db

PAGES = {
    "activities: home": "/admin/",
    "activities: types": "/admin/activities/activitytype/",
    "activities: type overview": "/admin/activities/activitytype/{type}/change/",
    "activities: type fields": "/admin/activities/activitytype/{type}/fields/",
    "activities: type people": "/admin/activities/activitytype/{type}/people/",
    "activities: type versions": "/admin/activities/activitytype/{type}/versions/",
    "activities: type developers": "/admin/activities/activitytype/{type}/developers/",
    "activities: approve": "/admin/activities/activitytype/{type}/step/approve/",
    "activities: timeline": "/admin/activities/activitytype/timeline/{person}/",
    "activities: record": "/admin/activities/activitytype/record/{person}/?type={type}",
    "activities: report": "/admin/reports/?report=people&type={type}",
    "activities: notices": "/admin/notices/",
}


def _add_records(person):
    """Records of two object types, changed since: their changes are on the timeline."""
    link = ObjectFieldSpec("owner", "Owner", "email", link_to="person", link_by="email")
    for name in ("Boat", "Plane"):
        fields = (ObjectFieldSpec("code", "Code", is_dedupe=True), link, ObjectFieldSpec("colour", "Colour"))
        object_type = approved_object_type(name, name.lower(), fields)
        for number in range(3):
            changed(saved(object_type, code=str(number), owner=person.email, colour="red"), colour="blue")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_keeps_to_its_budget_with_many_types_and_people(client, name):
    Installation.objects.get_or_create(pk=1)
    installation.clear_installation_cache()
    for number in range(4):
        edit_description(approved_type(f"Do thing {number}", f"thing{number}"), "draft")
    check, people = approved_type(), [make_person() for _ in range(5)]
    edit_description(check, "draft")
    vera = get_user_model().objects.create_superuser("vera")
    for source in (MARKETO, Source(Channel.ADMIN, vera.pk)):
        record_rows(*(new_activity(one.pk) for one in people for _ in range(6)), source=source)
    _add_records(people[0])
    client.force_login(vera)
    address = PAGES[name].format(type=check.pk, person=people[0].pk)
    client.get(address)
    installation.clear_installation_cache()  # kept for some seconds only: read again, so that the count is always the same
    with query_budget(name):
        assert client.get(address).status_code == 200
