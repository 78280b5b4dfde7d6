"""Records that are named by the links of other records, by former values and by those of replaced records."""

import pytest
from django.db import transaction

from people.models import ObjectRecord
from people.objects.definition import ObjectFieldSpec
from people.objects.outcomes import RecordKey
from people.persons import merge
from people.persons import upsert as people_upsert
from tests.activities.recording.test_races import InThread
from tests.factories import MARKETO, make_person
from tests.people.objects.world import API, COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, codes, saved, upsert

pytestmark = pytest.mark.django_db(transaction=True)
ANN, BEN, EVE = (f"{name}@example.com" for name in ("ann", "ben", "eve"))


@pytest.fixture
def enrolment():
    approved_type("Course", "course", COURSE_FIELDS)
    return approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)


def test_a_record_is_found_by_the_link_that_identified_a_replaced_one(enrolment):
    """A stamp names its badge by the badge's only dedupe value, which is a link itself."""
    of = ObjectFieldSpec("of", "Of", "integer", is_dedupe=True, link_to="enrolment", link_by="id")
    badge = approved_type("Badge", "badge", (of, ObjectFieldSpec("colour", "Colour")))
    by_badge = ObjectFieldSpec("badge", "Badge", "integer", is_dedupe=True, link_to="badge", link_by="of")
    stamp = approved_type("Stamp", "stamp", (by_badge, ObjectFieldSpec("number", "Number", "integer", is_dedupe=True)))
    ann, ben = make_person(email=ANN), make_person(email=BEN)
    first, second = saved(enrolment, student=ANN, course="py"), saved(enrolment, student=BEN, course="py")
    gone, stays = saved(badge, of=first.pk), saved(badge, of=second.pk)
    stamped = saved(stamp, badge=first.pk, number=1)
    merge.merge_people(ann.pk, [ben.pk], None, API)
    gone.refresh_from_db()
    assert gone.replaced_by_id == stays.pk and saved(stamp, badge=second.pk, number=1) == stamped


def test_a_record_that_joins_a_person_while_another_gets_new_dedupe_values(enrolment):
    """Whichever comes first, the two never name the same person and course at the end."""
    ann = make_person(email=ANN)
    moving, waiting = saved(enrolment, student=ANN, course="py"), saved(enrolment, student=EVE, course="go")

    def move():
        return upsert(enrolment, {"id": moving.pk, "course": "go"}, key=RecordKey.ID)

    with transaction.atomic():
        people_upsert.update_person(ann, {"email": EVE}, MARKETO)  # gives `waiting` its person
        moved = InThread(move)
        assert moved.is_waiting()
    assert codes(moved.result()) == [["value_taken"]]
    ben = make_person(email=BEN)
    other, waits = saved(enrolment, student=BEN, course="py"), saved(enrolment, student="b@example.com", course="go")
    with transaction.atomic():
        (outcome,) = upsert(enrolment, {"id": other.pk, "course": "go"}, key=RecordKey.ID)
        assert not outcome.problems
        joins = InThread(lambda: people_upsert.update_person(ben, {"email": "b@example.com"}, MARKETO))
        assert joins.is_waiting()
    joins.result()
    live = ObjectRecord.objects.existing().filter(object_type=enrolment).order_by("pk")
    assert [(row.pk, row.person_id) for row in live] == [(moving.pk, ann.pk), (waiting.pk, ann.pk), (other.pk, ben.pk)]
    waits.refresh_from_db()
    assert waits.replaced_by_id == other.pk
