"""Folders: named once a place, deleted when empty."""

import pytest
from django.contrib.auth import get_user_model

from people.core.errors import NotAllowedError, RejectedError
from people.core.models import Folder
from people.lists import folders, static_lists

pytestmark = pytest.mark.django_db


def code(verb, *args):
    with pytest.raises(RejectedError) as caught:
        verb(*args)
    return caught.value.code


def test_a_name_is_used_once_in_one_place():
    events = folders.create_folder("Events", None)
    webinars = folders.create_folder("Webinars", None, events)
    assert code(folders.create_folder, "EVENTS", None) == "name_taken"
    assert code(folders.create_folder, "webinars", None, events) == "name_taken"
    assert folders.create_folder("Webinars", None) != webinars
    assert [step.name for step in folders.folder_path(webinars)] == ["Events", "Webinars"]
    folders.rename_folder(webinars, None, "Talks")
    assert Folder.objects.get(pk=webinars.pk).name == "Talks"


def test_only_an_empty_folder_is_deleted():
    events = folders.create_folder("Events", None)
    talks = static_lists.create_static_list("Talks", None, folder=events)
    with pytest.raises(RejectedError) as caught:
        folders.delete_folder(events, None)
    assert caught.value.code == "not_empty" and "Talks" in str(caught.value)
    static_lists.change_static_list(talks, None, folder=None)
    folders.delete_folder(events, None)
    assert not Folder.objects.exists()


def test_folders_go_eight_deep():
    folder = None
    for number in range(folders.MAX_DEPTH):
        folder = folders.create_folder(f"Level {number}", None, folder)
    assert code(folders.create_folder, "One more", None, folder) == "too_deep"


def test_rights_are_checked():
    with pytest.raises(NotAllowedError):
        folders.create_folder("Mine", get_user_model().objects.create_user("nobody"))
