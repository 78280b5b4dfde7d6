"""No campaign starts where a record gives way to another one, or comes back."""

import pytest

from people.core.source import Channel, Source
from people.models import ObjectRecord
from people.persons import merge
from smartlists.models import CampaignEntry
from tests.factories import make_person
from tests.people.objects import world
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    make_active_campaign,
    make_static_list,
    process_due_work,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]


@pytest.mark.parametrize("also_past", [False, True])
def test_a_merge_of_records_starts_nothing(also_past):
    world.approved_type("Course", "course", world.COURSE_FIELDS)
    enrolment = world.approved_type("Enrolment", "enrolment", world.ENROLMENT_FIELDS)
    ann, ben = make_person(email="ann@example.com"), make_person(email="ben@example.com")
    for person in (ann, ben):
        world.saved(enrolment, student=person.email, course="py", grade=person.pk)
    events = [{"object": "enrolment", "event": event} for event in ("added", "changed", "removed")]
    step = add_to_list_step(make_static_list("Seen"))
    make_active_campaign(step, triggers=events, also_past=also_past)
    merged = merge.merge_people(ann.pk, [ben.pk], None, Source(Channel.API))
    process_due_work()
    assert ObjectRecord.objects.existing().filter(object_type=enrolment).count() == 1
    merge.undo_merge(merged.pk, None, Source(Channel.API))
    process_due_work()
    assert ObjectRecord.objects.existing().filter(object_type=enrolment).count() == 2
    assert not CampaignEntry.objects.exists()
