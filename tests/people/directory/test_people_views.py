"""Saved views of the list of people: rights, sharing, audit, erasure."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from config.access.users import deactivation
from people.core.audit import entry_sentence
from people.core.errors import NotAllowedError, RejectedError
from people.core.source import Channel
from people.directory import views
from people.directory.filters import FieldFilter
from people.directory.query import PeopleQuery
from people.files.exports import jobs as export_jobs
from people.models import PeopleListSettings, PeopleView
from people.privacy import erasure
from tests.factories import MARKETO, make_person

pytestmark = pytest.mark.django_db
SPAIN = PeopleQuery(filters=(FieldFilter("country", "is", "Spain"),), order="last_name")


def role(name, group):
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def ana():
    return role("ana", "Marketer")


@pytest.fixture
def ben():
    return role("ben", "Viewer")


def sentences():
    return [entry_sentence(entry) for entry in LogEntry.objects.order_by("pk")]


def test_a_view_is_saved_renamed_shared_and_deleted_with_an_entry_each(ana):
    view = views.create_view(" Spain ", SPAIN, ["email", "city"], ana)
    assert PeopleQuery.load(PeopleView.objects.get().query) == SPAIN and view.name == "Spain"
    view = views.change_view(view, ana, name="Iberia")
    view = views.change_view(view, ana, is_shared=True)
    view = views.change_view(view, ana, query=PeopleQuery(), columns=["email"])
    views.change_view(view, ana, query=PeopleQuery(), columns=["email"])  # nothing changed: no entry
    views.delete_view(view, ana)
    assert not PeopleView.objects.exists()
    assert sentences() == [
        "Created",
        "Changed: name",
        "Shared with everybody who sees people",
        "Changed: filters, columns",
        "Deleted",
    ]


def test_names_are_unique_for_each_owner_and_wrong_columns_are_refused(ana, ben):
    views.create_view("Spain", SPAIN, ["email"], ana)
    views.create_view("spain", SPAIN, ["email"], ben)
    with pytest.raises(RejectedError, match="of this name already"):
        views.create_view("SPAIN", SPAIN, ["email"], ana)
    with pytest.raises(RejectedError, match="no column “shoe”"):
        views.create_view("Shoes", SPAIN, ["shoe"], ana)
    with pytest.raises(RejectedError, match="name is missing"):
        views.create_view(" ", SPAIN, ["email"], ana)


def test_sharing_needs_the_right_and_others_views_stay_as_they_are(ana, ben):
    with pytest.raises(NotAllowedError, match="Can share views of people"):
        views.create_view("Mine", SPAIN, [], ben, is_shared=True)
    private = views.create_view("Private", SPAIN, ["email"], ana)
    shared = views.create_view("Shared", SPAIN, ["email"], ana, is_shared=True)
    assert [view.name for view in views.views_of_user(ben)] == ["Shared"]
    with pytest.raises(RejectedError, match="no longer there"):
        views.change_view(private, ben, name="x")
    with pytest.raises(NotAllowedError, match="Only ana"):
        views.delete_view(shared, ben)
    with pytest.raises(NotAllowedError):
        views.change_view(shared, ben, is_shared=False)
    carla = role("carla", "Marketer")
    views.change_view(shared, carla, name="Shared by ana")
    assert PeopleView.objects.get(pk=shared.pk).owner == ana


def test_a_view_that_is_shared_no_longer_opens_for_nobody_else(ana, ben):
    shared = views.create_view("Shared", SPAIN, ["email"], ana, is_shared=True)
    views.set_default_view(shared, ben)
    views.set_default_view(shared, ana)
    views.change_view(shared, ana, is_shared=False)
    assert (
        views.people_list_settings(ben).default_view is None and views.people_list_settings(ana).default_view == shared
    )
    views.delete_view(shared, ana)
    assert list(PeopleListSettings.objects.values_list("default_view", flat=True)) == [None, None]


def test_who_leaves_hands_shared_views_over(ana, ben):
    carla, boss = role("carla", "Marketer"), role("boss", "Administrator")
    views.create_view("Spain", SPAIN, ["email"], carla)
    views.create_view("Spain", SPAIN, ["email"], ana, is_shared=True)
    private = views.create_view("Private", SPAIN, ["email"], ana)
    assert deactivation.deactivate_user(ana, carla, boss) == 1
    assert sorted(PeopleView.objects.filter(owner=carla).values_list("name", flat=True)) == ["Spain", "Spain 2"]
    assert PeopleView.objects.get(pk=private.pk).owner == ana


def test_an_erase_removes_filters_that_name_the_person_and_cancels_their_exports(ana):
    gone = make_person(email="gone@example.com")
    query = PeopleQuery("gone@example.com", (FieldFilter("email", "is", "Gone@example.com"), SPAIN.filters[0]))
    view = views.create_view("One", query, ["email"], ana)
    parameters = {"people": query.dump(), "fields": ["email"]}
    export = export_jobs.create_export("people", parameters, None, Channel.ADMIN)
    erasure.erase_people([gone.pk], None, MARKETO)
    view.refresh_from_db()
    export.refresh_from_db()
    assert PeopleQuery.load(view.query) == PeopleQuery("", (SPAIN.filters[0],))
    assert "gone" not in str(export.parameters) and export.state == "cancelled"
