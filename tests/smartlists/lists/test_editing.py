"""Making and changing smart lists: rights, conflicts, circles, and what lists protect."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from activities import drafting, lifecycle
from activities.models import ActivityType
from people import used_by
from people.models import Folder, PersonField, StaticList
from people.problems import Conflict, NotAllowed, Refused
from smartlists import saving
from smartlists.models import SmartList
from tests.activities.test_races import InThread
from tests.making import approved_type
from tests.smartlists.making import did, person, where

pytestmark = pytest.mark.django_db


def form(*filters, **more):
    return {"version": 1, "match": "all", "filters": list(filters), **more}


def nested(smart_list):
    return {"kind": "smart_list", "list": smart_list.pk, "member": True}


def user(role):
    made = get_user_model().objects.create_user(role.lower().replace(" ", "-"))
    made.groups.add(Group.objects.get(name=role))
    return made


def code_of(work):
    with pytest.raises(Refused) as caught:
        work()
    return caught.value.code


def test_what_is_saved_is_there_with_who_made_it():
    marketer = user("Marketer")
    folder = Folder.objects.create(name="Spring")
    made = saving.create(
        " Spaniards ", form(person("country", "is", "Spain")), marketer, description="x", folder=folder
    )
    stored = SmartList.objects.get()
    assert (stored.pk, stored.name, stored.description, stored.folder) == (made.pk, "Spaniards", "x", folder)
    assert stored.rules == form(person("country", "is", "Spain"))
    assert stored.created_by == marketer and stored.revision == 1
    assert LogEntry.objects.get(object_id=str(made.pk), user=marketer).object_repr == "Spaniards"
    twin = saving.copy(stored, "Twin", marketer)
    assert (twin.rules, twin.folder) == (stored.rules, folder)


def test_rights_are_asked_for():
    made = saving.create("A", form(), None)
    viewer = user("Viewer")
    for verb in (
        lambda: saving.create("B", form(), viewer), lambda: saving.change(made, viewer, name="B"),
        lambda: saving.delete(made, viewer), lambda: saving.archive(made, viewer), lambda: saving.schedule(made, 5, viewer),
        lambda: saving.arrange(made, viewer, None, None), lambda: saving.copy(made, "B", viewer),
    ):  # fmt: skip
        with pytest.raises(NotAllowed):
            verb()
    assert SmartList.objects.get().name == "A"


@pytest.mark.parametrize(
    ("name", "code"), [("", "missing_value"), (None, "missing_value"), ("x" * 256, "too_long"), ("a\0", "wrong_type"), ("TAKEN", "name_taken")]
)  # fmt: skip
def test_bad_names_are_refused(name, code):
    saving.create("Taken", form(), None)
    assert code_of(lambda: saving.create(name, form(), None)) == code
    other = saving.create("Other", form(), None)
    if name is not None:
        assert code_of(lambda: saving.rename(other, name, None)) == code
    assert SmartList.objects.count() == 2


def test_bad_rules_leave_nothing_behind():
    assert code_of(lambda: saving.create("A", form({"kind": "x"}), None)) == "unknown_kind"
    assert not SmartList.objects.exists()
    made = saving.create("A", form(), None)
    with pytest.raises(Refused) as caught:
        saving.change(made, None, name="B", value=form({"kind": "x"}))
    assert caught.value.problems[0].path == ("rules", "filters", 0, "kind")
    assert SmartList.objects.get().name == "A"


def test_the_second_of_two_editors_is_told():
    made = saving.create("A", form(), None)
    saving.change(made, None, expected_revision=1, value=form(person("country", "is empty")))
    with pytest.raises(Conflict):
        saving.change(made, None, expected_revision=1, value=form())
    assert SmartList.objects.get().rules["filters"]


def test_circles_are_refused_by_name():
    first = saving.create("First", form(), None)
    second = saving.create("Second", form(nested(first)), None)
    third = saving.create("Third", form(nested(second)), None)
    with pytest.raises(Refused, match="“First” → “Third” → “Second” → “First”"):
        saving.change(first, None, value=form(nested(third)))
    with pytest.raises(Refused, match="“First” → “First”"):
        saving.change(first, None, value=form(nested(first)))


def test_what_a_list_names_cannot_vanish():
    check = approved_type()
    static = StaticList.objects.create(name="Hand-picked")
    inner = saving.create("Inner", form(person("country", "is", "Spain")), None)
    saving.create("Outer", form(
        did(where("branch", "is", "North")), nested(inner), {"kind": "static_list", "list": static.pk, "member": True},
    ), None)  # fmt: skip
    country = PersonField.objects.get(api_name="country")
    assert [str(use) for use in used_by.users_of(check)] == ["smart list “Outer”"]
    assert [use.name for use in used_by.users_of(country)] == ["Inner"]
    assert [use.name for use in used_by.users_of(static)] == ["Outer"]
    assert [use.name for use in used_by.users_of(inner)] == ["Outer"]
    assert code_of(lambda: lifecycle.delete(check, None)) == "in_use"
    assert code_of(lambda: saving.delete(inner, None)) == "in_use"
    drafting.remove_fields(check, ["branch"], None)
    with pytest.raises(Refused, match="Outer"):
        lifecycle.approve(ActivityType.objects.get(pk=check.pk), None)
    for thing in (static, country, inner):
        with pytest.raises(ProtectedError), transaction.atomic():
            thing.delete()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("delete from smart_list where id = %s", [inner.pk])
        cursor.execute("set constraints all immediate")


def test_what_a_list_no_longer_names_may_go():
    check = approved_type()
    made = saving.create("A", form(did()), None)
    saving.change(made, None, value=form())
    lifecycle.delete(check, None)
    saving.delete(made, None)
    assert not SmartList.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_type_is_not_deleted_while_a_list_that_names_it_is_saved():
    check = approved_type()
    with transaction.atomic():
        saving.create("A", form(did()), None)
        deleting = InThread(lambda: lifecycle.delete(check, None))
        assert deleting.is_waiting()
    with pytest.raises(Refused, match="smart list “A”"):
        deleting.result()


@pytest.mark.django_db(transaction=True)
def test_a_list_that_waited_for_a_deletion_is_refused():
    check = approved_type()
    with transaction.atomic():
        lifecycle.delete(check, None)
        creating = InThread(lambda: saving.create("A", form(did()), None))
        assert creating.is_waiting()
    with pytest.raises(Refused, match="depositCheck"):
        creating.result()
    assert not SmartList.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_editors_do_not_close_a_circle_together():
    first, second = saving.create("First", form(), None), saving.create("Second", form(), None)
    with transaction.atomic():
        saving.change(first, None, value=form(nested(second)))
        other = InThread(lambda: saving.change(second, None, value=form(nested(first))))
        assert other.is_waiting()
    with pytest.raises(Refused, match="circle"):
        other.result()


def test_schedules_have_bounds():
    made = saving.create("A", form(), None)
    assert saving.schedule(made, 60, None).evaluate_every_minutes == 60
    assert saving.schedule(made, None, None).evaluate_every_minutes is None
    for minutes in (0, -1, 10**6):
        assert code_of(lambda minutes=minutes: saving.schedule(made, minutes, None)) == "out_of_range"


def test_archiving_keeps_a_list_working():
    inner = saving.create("Inner", form(), None)
    outer = saving.create("Outer", form(nested(inner)), None)
    assert saving.archive(inner, None).is_archived
    saving.change(outer, None, value=form(nested(inner)))
    assert not saving.unarchive(inner, None).is_archived
