"""Records that a merge of an earlier version left with the same dedupe values."""

from io import StringIO

import pytest
from django.core.management import call_command

from config.operations.object_doubles import check_object_doubles
from people.models import ObjectChange, ObjectRecord
from people.objects.identity import earlier
from tests.factories import make_person
from tests.people.objects.world import API, COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, changed, saved

pytestmark = pytest.mark.django_db


def test_they_are_counted_and_merged_in_chunks(monkeypatch):
    monkeypatch.setattr(earlier, "GROUPS_AT_ONCE", 1)
    approved_type("Course", "course", COURSE_FIELDS)
    enrolment = approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    people = [make_person(email=f"{name}@example.com") for name in "abc"]
    made = {
        (name, course): saved(enrolment, student=f"{name}@example.com", course=course)
        for name in "abc"
        for course in ("py", "go")
    }
    assert check_object_doubles().is_well
    ObjectRecord.objects.filter(person_id=people[1].pk).update(person_id=people[0].pk)  # as merges did
    newest = changed(made["a", "py"], grade=1)
    finding = check_object_doubles()
    assert finding.state.startswith("2 records have") and finding.advice
    out = StringIO()
    call_command("merge_object_doubles", dry_run=True, stdout=out)
    assert out.getvalue() == "2 records would be replaced.\n" and not check_object_doubles().is_well
    assert list(earlier.settle_earlier_doubles(API)) == [1, 1]
    assert check_object_doubles().is_well and list(earlier.settle_earlier_doubles(API)) == []
    stays = {pk for pk, replaced_by in ObjectRecord.objects.values_list("pk", "replaced_by_id") if replaced_by is None}
    assert newest.pk in stays and made["b", "py"].pk not in stays and made["a", "go"].pk not in stays
    changes = ObjectChange.objects.filter(kind=ObjectChange.Kind.REMOVED)
    assert {change.is_backfill for change in changes} == {True} and len(changes) == 2
