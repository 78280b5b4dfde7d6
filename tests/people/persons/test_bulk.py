"""The same thing done to many people by a job."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import F
from procrastinate.contrib.django.models import ProcrastinateJob

from people import tasks
from people.core import job_model
from people.core.errors import NotAllowedError, RejectedError
from people.lists import static_lists
from people.models import BulkAction, BulkPart, Person, StaticListMember
from people.persons import bulk
from people.privacy import erasure
from tests.factories import MARKETO, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera():
    return get_user_model().objects.create_superuser("vera")


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(bulk, "PART", 2)


def found(action):
    action.refresh_from_db()
    return action.state, action.progress, action.done, action.percent


def test_people_are_added_part_by_part_and_the_killed_job_goes_on(vera, small_parts):
    seeds, ids = static_lists.create_static_list("Seeds", None), [make_person().pk for _ in range(5)]
    static_lists.add_members(seeds, ids[:1], MARKETO)
    action = bulk.start_bulk_action("add_to_list", [*ids, ids[0], 999_999], vera, seeds)
    assert found(action) == ("running", 0, 0, 0) and action.total == 6
    assert bulk._process_part(action.pk)
    assert found(action) == ("running", 2, 1, 33) and not job_model.abandoned_job_ids(BulkAction)
    BulkAction.objects.update(progressed_at=F("progressed_at") - timedelta(minutes=6))
    assert job_model.abandoned_job_ids(BulkAction) == [action.pk]
    bulk.run_bulk_action(action.pk)
    assert found(action) == ("done", 6, 4, 100) and not BulkPart.objects.exists()
    assert StaticListMember.objects.count() == 5
    assert StaticListMember.objects.filter(user=vera, origin_id=action.pk).count() == 4
    bulk.run_bulk_action(action.pk)
    assert found(action) == ("done", 6, 4, 100)
    bulk.run_bulk_action(bulk.start_bulk_action("remove_from_list", ids[:2], vera, seeds).pk)
    assert StaticListMember.objects.count() == 3


def test_a_killed_action_that_cannot_be_taken_up_keeps_no_other_from_going_on(vera):
    actions = [bulk.start_bulk_action("delete", [make_person().pk], vera) for _ in range(3)]
    BulkAction.objects.update(progressed_at=F("progressed_at") - timedelta(minutes=6))
    first = min(action.pk for action in actions)
    with connection.cursor() as cursor:
        cursor.execute(
            "create function pg_temp.refuse() returns trigger language plpgsql as $$ begin raise 'not this one'; end $$;"
            "create trigger refuse before update on bulk_action for each row"
            f" when (new.id = {first}) execute function pg_temp.refuse()"
        )
    with pytest.raises(ExceptionGroup) as raised:
        tasks.resume_abandoned_jobs(0)
    assert [str(error).splitlines()[0] for error in raised.value.exceptions] == ["not this one"]
    queued = ProcrastinateJob.objects.filter(task_name="people.run_bulk_action", queueing_lock__isnull=False)
    assert [job.args["action_id"] for job in queued.order_by("pk")] == [action.pk for action in actions[1:]]
    assert job_model.abandoned_job_ids(BulkAction) == [first]


def test_people_are_deleted_and_restored(vera):
    ids = [make_person().pk for _ in range(3)]
    bulk.run_bulk_action(bulk.start_bulk_action("delete", ids, vera).pk)
    assert not Person.objects.live().exists()
    bulk.run_bulk_action(bulk.start_bulk_action("restore", ids, vera).pk)
    assert Person.objects.live().count() == 3


def test_a_cancelled_action_leaves_the_rest(vera, small_parts):
    action = bulk.start_bulk_action("delete", [make_person().pk for _ in range(4)], vera)
    bulk._process_part(action.pk)
    bulk.cancel_bulk_action(action, vera)
    bulk.run_bulk_action(action.pk)
    assert found(action)[:3] == ("cancelled", 2, 2) and Person.objects.live().count() == 2


def test_a_refusal_stops_it_and_is_told(vera):
    seeds = static_lists.create_static_list("Seeds", None)
    action = bulk.start_bulk_action("add_to_list", [make_person().pk], vera, seeds)
    static_lists.delete_static_list(seeds, None)
    bulk.run_bulk_action(action.pk)
    assert found(action)[0] == "failed" and "does not exist" in action.problem


def test_who_lost_the_right_meanwhile_stops_it(vera):
    action = bulk.start_bulk_action("delete", [make_person().pk], vera)
    get_user_model().objects.filter(pk=vera.pk).update(is_superuser=False)
    bulk.run_bulk_action(action.pk)
    assert found(action)[0] == "failed" and Person.objects.live().exists()


def test_an_erase_takes_people_out_of_what_is_left(vera, small_parts):
    ids = [make_person().pk for _ in range(4)]
    action = bulk.start_bulk_action("delete", ids, vera)
    erasure.erase_people([ids[2]], None, MARKETO)
    assert [part.person_ids for part in action.parts.order_by("pk")] == [ids[:2], ids[3:]]
    bulk.run_bulk_action(action.pk)
    assert found(action) == ("done", 3, 3, 100)


def test_what_cannot_be_started(vera, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_PEOPLE", 2)
    for kind, ids, code in (
        ("delete", [], "missing_value"),
        ("add_to_list", [1], "missing_value"),
        ("delete", [1, 2, 3], "too_many"),
    ):
        with pytest.raises(RejectedError) as caught:
            bulk.start_bulk_action(kind, ids, vera)
        assert caught.value.code == code
    with pytest.raises(NotAllowedError):
        bulk.start_bulk_action("delete", [1], get_user_model().objects.create_user("nobody"))
