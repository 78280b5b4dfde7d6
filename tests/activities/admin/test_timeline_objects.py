"""Changes of object records on the timeline of a person."""

import pytest
from django.urls import reverse

from activities.admin import timeline
from activities.rights import VIEW_ACTIVITY
from people.models import ObjectChange
from people.objects.definition import show_on_person
from people.rights import VIEW_PERSON
from tests.factories import approved_type as approved_activity_type
from tests.factories import make_person, new_activity, record_rows, user_with
from tests.people.objects.world import approved_type, changed, saved

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    check, car = approved_activity_type(), approved_type()
    ann = make_person(email="ann@example.com")
    record = saved(car, plate="1234 BCD", owner="ann@example.com", colour="blue")
    changed(record, colour="red")
    record_rows(new_activity(ann.pk))
    return check, car, ann


def show(client, person, **query):
    reply = client.get(reverse("admin:activities_timeline", args=[person.pk]), query)
    assert reply.status_code == 200
    return reply


def test_changes_are_shown_between_activities_and_narrowed_as_they_are(admin_client, world):
    check, car, ann = world
    page = show(admin_client, ann).content.decode()
    assert "<strong>Car</strong>" in page and "Colour: from blue to red" in page and 'name="object"' in page
    assert page.index("from blue to red") < page.index("Number plate: 1234 BCD")  # the newest first

    def kinds(**query):
        days = show(admin_client, ann, **query).context["days"]
        return ["car" if getattr(entry, "is_record", False) else "activity" for _day, row in days for entry in row]

    assert kinds(object=car.pk) == ["car", "car"] and "car" not in kinds(type=check.pk)
    assert sorted(kinds(object=car.pk, type=check.pk)) == ["activity", "car", "car"]
    assert kinds(q="blue") == ["car", "car"] and kinds(q="1234") == ["car"]
    assert "car" not in kinds(until="2001-01-01") and "car" in kinds(since="2001-01-01")
    address = reverse("admin:activities_timeline", args=[ann.pk])
    assert "Colour: de blue a red" in admin_client.get(address, HTTP_ACCEPT_LANGUAGE="es").content.decode()
    show_on_person(car, None, False)
    assert "car" not in kinds()


def test_activities_alone_are_exported_and_only_where_the_page_shows_some(admin_client, world):
    check, car, ann = world
    address = reverse("admin:activities_timeline_export", args=[ann.pk])

    def export(**query):
        """(True if the page offers the export, the number of rows of the file)."""
        lines = b"".join(admin_client.get(address, query).streaming_content).decode().splitlines()
        assert lines[0].startswith("\ufeffid,")
        return address in show(admin_client, ann, **query).text, len(lines) - 1

    _offered, activities = export()
    assert export(type=check.pk) == export(type=check.pk, object=car.pk) == (True, 1)
    assert activities >= 1 and export(object=car.pk) == (False, 0)


def test_every_entry_is_on_one_page(admin_client, world, monkeypatch):
    _check, car, ann = world
    with_ties = saved(car, plate="2", owner="ann@example.com")
    for colour in ("a", "b", "c"):
        changed(with_ties, colour=colour)
    record_rows(new_activity(ann.pk), new_activity(ann.pk))
    whole = [entry for _day, row in show(admin_client, ann).context["days"] for entry in row]
    monkeypatch.setattr(timeline, "PAGE", 2)
    seen, query = [], ""
    for _page in range(20):
        reply = admin_client.get(f"{reverse('admin:activities_timeline', args=[ann.pk])}?{query}")
        seen += [entry for _day, row in reply.context["days"] for entry in row]
        query = reply.context["older"]
        if not query:
            break

    def name(entry):
        return ("c", entry.change.pk) if getattr(entry, "is_record", False) else ("a", entry.activity.pk)

    assert [name(entry) for entry in seen] == [name(entry) for entry in whole]
    assert len(seen) == len(set(map(name, seen))) and ObjectChange.objects.count() == 6


def test_changes_need_the_right_to_view_records(client, world):
    _check, _car, ann = world
    client.force_login(user_with(VIEW_ACTIVITY, VIEW_PERSON, is_staff=True))
    assert "from blue to red" not in show(client, ann).content.decode()
