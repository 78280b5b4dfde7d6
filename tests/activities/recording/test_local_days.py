"""Days that the product writes down by itself are days of the installation's zone."""

from datetime import UTC, datetime

import pytest
import time_machine

from activities.models import Activity
from activities.types.standard import NEW_PERSON
from people.core import installation
from tests.factories import make_person, record_by_our_clock

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("America/New_York", datetime(2026, 11, 29, 2, 11, tzinfo=UTC), "2026-11-28"),
        ("America/New_York", datetime(2026, 11, 29, 5, 0, tzinfo=UTC), "2026-11-29"),
        ("Pacific/Auckland", datetime(2026, 11, 28, 12, 0, tzinfo=UTC), "2026-11-29"),
        ("UTC", datetime(2026, 11, 28, 23, 59, tzinfo=UTC), "2026-11-28"),
    ],
)
def test_the_day_on_which_somebody_was_created(zone, moment, day, monkeypatch):
    record_by_our_clock(monkeypatch)
    current = installation.current_installation()
    current.time_zone = zone
    current.save()
    with time_machine.travel(moment, tick=False):
        ann = make_person()
    created = Activity.objects.get(person_id=ann.pk, activity_type_id=NEW_PERSON)
    assert str(created.attributes["created_date"]) == day
