"""Notes on people: who writes and deletes them, and what merging, its undo, erasing and export make of them."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from people.core.errors import NotAllowedError, RejectedError
from people.core.models import Installation
from people.core.source import SYSTEM
from people.models import PersonNote
from people.persons import deletion, notes
from people.persons import merge as person_merge
from people.privacy import erasure
from tests.factories import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def marta():
    made = get_user_model().objects.create_user("marta")
    made.groups.add(Group.objects.get(name="Marketer"))
    return get_user_model().objects.get(pk=made.pk)


def texts(somebody):
    return [note.text for note in notes.latest_notes(somebody)]


def test_a_merge_brings_notes_together_and_its_undo_takes_them_apart(marta):
    ann, double = make_person(), make_person()
    notes.add_note(ann, "called back", marta)
    notes.add_note(double, "likes tea", marta)
    merge = person_merge.merge_people(ann.pk, [double.pk], None, SYSTEM)
    assert texts(ann) == ["likes tea", "called back"]
    notes.add_note(ann, "after the merge", marta)
    person_merge.undo_merge(merge.pk, None, SYSTEM)
    assert texts(ann) == ["after the merge", "called back"] and texts(double) == ["likes tea"]


def test_erasing_removes_them_and_the_export_holds_them(marta):
    ann, bob = make_person(), make_person()
    notes.add_note(ann, "called back", marta)
    notes.add_note(bob, "another's", marta)
    assert [row["text"] for row in notes.export_notes([ann.pk])] == ["called back"]
    erasure.erase_people([ann.pk], None, SYSTEM)
    assert [note.text for note in PersonNote.objects.all()] == ["another's"]


@pytest.mark.parametrize("text", ["", "  \n", "\0", "x" * (notes.MAX_CHARACTERS + 1)])
def test_a_note_has_a_text_of_bounded_length(marta, text):
    with pytest.raises(RejectedError):
        notes.add_note(make_person(), text, marta)


def test_nobody_writes_about_who_is_gone_and_nobody_without_the_right(marta):
    ann = make_person()
    viewer = get_user_model().objects.create_user("quimby")
    viewer.groups.add(Group.objects.get(name="Viewer"))
    with pytest.raises(NotAllowedError):
        notes.add_note(ann, "called back", viewer)
    deletion.delete_people([ann.pk], None, SYSTEM)
    with pytest.raises(RejectedError):
        notes.add_note(ann, "called back", marta)


def test_a_note_is_deleted_by_its_author_and_by_who_may_delete_people(marta):
    developer = get_user_model().objects.create_user("dev")
    developer.groups.add(Group.objects.get(name="Developer"))
    note = notes.add_note(make_person(), "called back", marta)
    with pytest.raises(NotAllowedError):
        notes.delete_note(note, developer)
    notes.delete_note(note, marta)
    assert not PersonNote.objects.exists()


@pytest.fixture
def signed_in(client, marta):
    Installation.objects.create()
    client.force_login(marta)
    return client


HTMX = {"HX-Request": "true"}


def test_the_profile_shows_facts_lists_and_notes_and_writes_a_note(signed_in, marta):
    ann = make_person(first_name="Ann", email="ann@example.com", title="Buyer")
    page = f"/admin/people/person/{ann.pk}/"
    timeline = signed_in.get(f"/admin/activities/activitytype/timeline/{ann.pk}/").text
    assert f'hx-get="{page}about/"' in timeline and "/numbers/" in timeline
    assert "Buyer" in signed_in.get(page + "about/", headers=HTMX).text
    shown = signed_in.post(page + "notes/", {"text": "<b>called</b> back"}, headers=HTMX).text
    assert "&lt;b&gt;called" in shown and texts(ann) == ["<b>called</b> back"]
    shown = signed_in.post(page + "notes/", {"delete": notes.latest_notes(ann)[0].pk}, headers=HTMX).text
    assert "called" not in shown
    assert signed_in.post(page + "notes/", {"text": "without script"}).status_code == 302


def test_a_fact_is_changed_in_place_and_two_editors_do_not_overwrite_each_other(signed_in):
    ann = make_person(first_name="Ann", title="Buyer")
    page = f"/admin/people/person/{ann.pk}/about/title/"
    form = signed_in.get(page, headers=HTMX)
    assert 'value="Buyer"' in form.text
    seen = ann.revision
    shown = signed_in.post(page, {"title": "Head buyer", "seen_revision": seen}, headers=HTMX)
    assert "Head buyer" in shown.text and 'aria-labelledby="about-title"' in shown.text
    ann.refresh_from_db()
    assert ann.title == "Head buyer"
    late = signed_in.post(page, {"title": "Clerk", "seen_revision": seen}, headers=HTMX)
    ann.refresh_from_db()
    assert ann.title == "Head buyer" and 'role="alert"' in late.text
    assert signed_in.get(f"/admin/people/person/{ann.pk}/about/id/", headers=HTMX).status_code == 404
