"""Making and changing smart lists: rights, conflicts, circles, and what lists protect."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from activities.models import ActivityType
from people.core import references
from people.core.errors import ConflictError, NotAllowedError, RejectedError
from people.core.models import Folder
from people.definitions import drafts, lifecycle
from people.models import PersonField, StaticList
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from tests.activities.recording.test_races import InThread
from tests.factories import approved_type
from tests.smartlists.rule_factories import activity_filter, field_constraint, person_field_filter

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
    with pytest.raises(RejectedError) as caught:
        work()
    return caught.value.code


def test_what_is_saved_is_there_with_who_made_it():
    marketer = user("Marketer")
    folder = Folder.objects.create(name="Spring")
    made = list_editing.create_smart_list(
        " Spaniards ", form(person_field_filter("country", "is", "Spain")), marketer, description="x", folder=folder
    )
    stored = SmartList.objects.get()
    assert (stored.pk, stored.name, stored.description, stored.folder) == (made.pk, "Spaniards", "x", folder)
    assert stored.rules == form(person_field_filter("country", "is", "Spain"))
    assert stored.created_by == marketer and stored.revision == 1
    assert LogEntry.objects.get(object_id=str(made.pk), user=marketer).object_repr == "Spaniards"
    twin = list_editing.duplicate_smart_list(stored, "Twin", marketer)
    assert (twin.rules, twin.folder) == (stored.rules, folder)


def test_rights_are_asked_for():
    made = list_editing.create_smart_list("A", form(), None)
    viewer = user("Viewer")
    for verb in (
        lambda: list_editing.create_smart_list("B", form(), viewer),
        lambda: list_editing.change_smart_list(made, viewer, name="B"),
        lambda: list_editing.delete_smart_list(made, viewer),
        lambda: list_editing.archive_smart_list(made, viewer),
        lambda: list_editing.schedule_evaluations(made, 5, viewer),
        lambda: list_editing.set_folder_and_owner(made, viewer, None, None),
        lambda: list_editing.duplicate_smart_list(made, "B", viewer),
    ):
        with pytest.raises(NotAllowedError):
            verb()
    assert SmartList.objects.get().name == "A"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "missing_value"),
        (None, "missing_value"),
        ("x" * 256, "too_long"),
        ("a\0", "wrong_type"),
        ("TAKEN", "name_taken"),
    ],
)
def test_bad_names_are_refused(name, code):
    list_editing.create_smart_list("Taken", form(), None)
    assert code_of(lambda: list_editing.create_smart_list(name, form(), None)) == code
    other = list_editing.create_smart_list("Other", form(), None)
    if name is not None:
        assert code_of(lambda: list_editing.rename_smart_list(other, name, None)) == code
    assert SmartList.objects.count() == 2


def test_bad_rules_leave_nothing_behind():
    assert code_of(lambda: list_editing.create_smart_list("A", form({"kind": "x"}), None)) == "unknown_kind"
    assert not SmartList.objects.exists()
    made = list_editing.create_smart_list("A", form(), None)
    with pytest.raises(RejectedError) as caught:
        list_editing.change_smart_list(made, None, name="B", value=form({"kind": "x"}))
    assert caught.value.problems[0].path == ("rules", "filters", 0, "kind")
    assert SmartList.objects.get().name == "A"


def test_the_second_of_two_editors_is_told():
    made = list_editing.create_smart_list("A", form(), None)
    list_editing.change_smart_list(
        made, None, expected_revision=1, value=form(person_field_filter("country", "is empty"))
    )
    with pytest.raises(ConflictError):
        list_editing.change_smart_list(made, None, expected_revision=1, value=form())
    assert SmartList.objects.get().rules["filters"]


def test_circles_are_refused_by_name():
    first = list_editing.create_smart_list("First", form(), None)
    second = list_editing.create_smart_list("Second", form(nested(first)), None)
    third = list_editing.create_smart_list("Third", form(nested(second)), None)
    with pytest.raises(RejectedError, match="“First” → “Third” → “Second” → “First”"):
        list_editing.change_smart_list(first, None, value=form(nested(third)))
    with pytest.raises(RejectedError, match="“First” → “First”"):
        list_editing.change_smart_list(first, None, value=form(nested(first)))


def test_what_a_list_names_cannot_vanish():
    check = approved_type()
    static = StaticList.objects.create(name="Hand-picked")
    inner = list_editing.create_smart_list("Inner", form(person_field_filter("country", "is", "Spain")), None)
    list_editing.create_smart_list(
        "Outer",
        form(
            activity_filter(field_constraint("branch", "is", "North")),
            nested(inner),
            {"kind": "static_list", "list": static.pk, "member": True},
        ),
        None,
    )
    country = PersonField.objects.get(api_name="country")
    assert [str(use) for use in references.uses_of(check)] == ["smart list “Outer”"]
    assert [use.name for use in references.uses_of(country)] == ["Inner"]
    assert [use.name for use in references.uses_of(static)] == ["Outer"]
    assert [use.name for use in references.uses_of(inner)] == ["Outer"]
    assert code_of(lambda: lifecycle.delete_definition(check, None)) == "in_use"
    assert code_of(lambda: list_editing.delete_smart_list(inner, None)) == "in_use"
    drafts.remove_draft_fields(check, ["branch"], None)
    with pytest.raises(RejectedError, match="Outer"):
        lifecycle.approve_draft(ActivityType.objects.get(pk=check.pk), None)
    for thing in (static, country, inner):
        with pytest.raises(ProtectedError), transaction.atomic():
            thing.delete()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("delete from smart_list where id = %s", [inner.pk])
        cursor.execute("set constraints all immediate")


def test_what_a_list_no_longer_names_may_go():
    check = approved_type()
    made = list_editing.create_smart_list("A", form(activity_filter()), None)
    list_editing.change_smart_list(made, None, value=form())
    lifecycle.delete_definition(check, None)
    list_editing.delete_smart_list(made, None)
    assert not SmartList.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_type_is_not_deleted_while_a_list_that_names_it_is_saved():
    check = approved_type()
    with transaction.atomic():
        list_editing.create_smart_list("A", form(activity_filter()), None)
        deleting = InThread(lambda: lifecycle.delete_definition(check, None))
        assert deleting.is_waiting()
    with pytest.raises(RejectedError, match="smart list “A”"):
        deleting.result()


@pytest.mark.django_db(transaction=True)
def test_a_list_that_waited_for_a_deletion_is_refused():
    check = approved_type()
    with transaction.atomic():
        lifecycle.delete_definition(check, None)
        creating = InThread(lambda: list_editing.create_smart_list("A", form(activity_filter()), None))
        assert creating.is_waiting()
    with pytest.raises(RejectedError, match="depositCheck"):
        creating.result()
    assert not SmartList.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_editors_do_not_close_a_circle_together():
    first, second = (
        list_editing.create_smart_list("First", form(), None),
        list_editing.create_smart_list("Second", form(), None),
    )
    with transaction.atomic():
        list_editing.change_smart_list(first, None, value=form(nested(second)))
        other = InThread(lambda: list_editing.change_smart_list(second, None, value=form(nested(first))))
        assert other.is_waiting()
    with pytest.raises(RejectedError, match="loop"):
        other.result()


def test_schedules_have_bounds():
    made = list_editing.create_smart_list("A", form(), None)
    assert list_editing.schedule_evaluations(made, 60, None).evaluate_every_minutes == 60
    assert list_editing.schedule_evaluations(made, None, None).evaluate_every_minutes is None
    for minutes in (0, -1, 10**6):
        assert code_of(lambda minutes=minutes: list_editing.schedule_evaluations(made, minutes, None)) == "out_of_range"


def test_archiving_keeps_a_list_working():
    inner = list_editing.create_smart_list("Inner", form(), None)
    outer = list_editing.create_smart_list("Outer", form(nested(inner)), None)
    assert list_editing.archive_smart_list(inner, None).is_archived
    list_editing.change_smart_list(outer, None, value=form(nested(inner)))
    assert not list_editing.unarchive_smart_list(inner, None).is_archived
