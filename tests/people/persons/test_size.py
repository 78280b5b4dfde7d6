"""The kept number of people: exact after every verb, with any writer, and within each transaction's view."""

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from people.core.models import Installation
from people.core.source import SYSTEM
from people.models import Person, PersonCount
from people.persons import deletion, size
from people.persons import merge as person_merge
from people.privacy import erasure
from tests.factories import make_person

pytestmark = pytest.mark.django_db


def exact():
    assert size.people_count_difference() == 0
    return size.people_count()


def test_every_verb_keeps_the_number():
    people = [make_person() for _ in range(5)]
    assert exact() == 5
    deletion.delete_people([people[0].pk, people[1].pk], None, SYSTEM)
    assert exact() == 3
    deletion.delete_people([people[0].pk], None, SYSTEM)
    assert exact() == 3, "who is gone is not counted twice"
    deletion.restore_people([people[0].pk], None, SYSTEM)
    assert exact() == 4
    merge = person_merge.merge_people(people[2].pk, [people[3].pk], None, SYSTEM)
    assert exact() == 3
    person_merge.undo_merge(merge.pk, None, SYSTEM)
    assert exact() == 4
    erasure.erase_people([people[4].pk], None, SYSTEM)
    assert exact() == 3
    erasure.erase_people([people[1].pk], None, SYSTEM)
    assert exact() == 3, "who was deleted before was not counted any more"


def test_adding_up_changes_nothing_and_leaves_one_row():
    for _number in range(4):
        make_person()
    before = exact()
    size.sum_up_people_counts()
    assert exact() == before and PersonCount.objects.count() == 1
    deletion.delete_people(list(Person.objects.live().values_list("pk", flat=True)), None, SYSTEM)
    size.sum_up_people_counts()
    assert exact() == 0 and not PersonCount.objects.exists()


def test_what_is_rolled_back_was_never_counted():
    make_person()
    with transaction.atomic():
        make_person()
        assert exact() == 2
        transaction.set_rollback(True)
    assert exact() == 1


def test_ordinary_changes_note_nothing():
    ann = make_person()
    size.sum_up_people_counts()
    Person.objects.filter(pk=ann.pk).update(city="Vigo")
    assert PersonCount.objects.count() == 1


def test_the_list_shows_it(client):
    Installation.objects.create()
    client.force_login(get_user_model().objects.create_superuser("boss"))
    for _number in range(3):
        make_person()
    assert 'id="people-count">3</span>' in client.get("/admin/people/person/").text
