"""Members put on static lists: once, by a job, on a schedule; from page, native API and command."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from people.core import job_model
from people.core.errors import NotAllowedError, RejectedError
from people.core.source import Channel, Source
from people.lists import static_lists
from people.models import Person, StaticList
from smartlists import tasks
from smartlists.admin import copies
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.lists import editing as list_editing
from smartlists.models import ListCopy
from tests.factories import make_person as new_person
from tests.smartlists.form_client import builder_url
from tests.smartlists.lists.test_editing import code_of, form, user
from tests.smartlists.rule_factories import person_field_filter

pytestmark = pytest.mark.django_db
SYSTEM = Source(Channel.SYSTEM)


@pytest.fixture
def people():
    return [new_person(country=country).pk for country in ("Spain", "Spain", "Chile")]


@pytest.fixture
def spaniards(people):
    return list_editing.create_smart_list("Spaniards", form(person_field_filter("country", "is", "Spain")), None)


@pytest.fixture
def kept():
    return static_lists.create_static_list("Kept", None)


def on(static_list):
    return set(static_list.members.values_list("person_id", flat=True))


def moved(done):
    return (done.joined, done.left)


def test_members_are_added_or_the_list_is_made_the_same(spaniards, kept, people, monkeypatch):
    ann, bob, cas = people
    static_lists.add_members(kept, [cas], SYSTEM)
    assert moved(list_copies.copy_members_now(spaniards, kept, SYSTEM, None)) == (2, 0)
    assert moved(list_copies.copy_members_now(spaniards, kept, SYSTEM, None)) == (0, 0)
    assert on(kept) == {ann, bob, cas}
    Person.objects.filter(pk=ann).update(country="Chile")
    stored_evaluations.evaluate_list(spaniards, None)
    assert moved(list_copies.copy_members_now(spaniards, kept, SYSTEM, None, "replace")) == (0, 2)
    assert on(kept) == {bob}
    assert code_of(lambda: list_copies.copy_members_now(spaniards, kept, SYSTEM, None, "mirror")) == "bad_mode"
    with pytest.raises(NotAllowedError):
        list_copies.copy_members_now(spaniards, kept, SYSTEM, user("Viewer"))
    monkeypatch.setattr(list_copies, "MAX_AT_ONCE", 0)
    assert code_of(lambda: list_copies.copy_members_now(spaniards, kept, SYSTEM, None)) == "too_many"


def test_a_schedule_copies_what_is_true_at_its_time(spaniards, kept, people):
    ann, bob, cas = people
    planned = list_copies.plan_copy(spaniards, kept, user("Marketer"), mode="replace", every_minutes=60)
    assert ProcrastinateJob.objects.filter(task_name="smartlists.copy_members").count() == 1
    tasks.copy_members(planned.pk)
    assert on(kept) == {ann, bob}
    assert list_copies.run_copy(planned.pk) is None  # a second job finds nothing to do
    assert list_copies.queue_due_copies() == []
    Person.objects.filter(pk=ann).update(country="Chile")
    Person.objects.filter(pk=cas).update(country="Spain")
    assert list_copies.queue_due_copies(timezone.now() + timedelta(minutes=61)) == [planned.pk]
    assert moved(list_copies.run_copy(planned.pk)) == (1, 1)
    planned.refresh_from_db()
    assert (planned.state, planned.joined, planned.left, planned.problem) == ("done", 1, 1, "")
    assert on(kept) == {bob, cas} and kept.members.first().get_channel_display() == "System"
    with pytest.raises(RejectedError, match="in use by smart list “Spaniards”"):
        static_lists.delete_static_list(kept, None)
    list_editing.archive_smart_list(spaniards, None)
    assert list_copies.queue_due_copies(timezone.now() + timedelta(days=2)) == []
    list_copies.end_copy(planned, None)
    static_lists.delete_static_list(kept, None)


def test_a_copy_made_once_by_a_job_is_forgotten_when_done(spaniards, kept, people):
    list_copies.run_copy(list_copies.plan_copy(spaniards, kept, None).pk)
    assert len(on(kept)) == 2 and not ListCopy.objects.exists()


def test_a_killed_copy_is_taken_up_and_a_failed_one_says_why(spaniards, kept, people, monkeypatch):
    planned = list_copies.plan_copy(spaniards, kept, None)
    ListCopy.objects.update(state="running", progressed_at=timezone.now() - timedelta(hours=1))
    assert list_copies.run_copy(planned.pk) is None and job_model.reclaim_jobs() == 1
    refused = RejectedError(list_copies.Problem("timeout", "It took too long."))

    def fail(*_arguments):
        raise refused

    with monkeypatch.context() as patched:
        patched.setattr(stored_evaluations, "evaluate_list", fail)
        tasks.copy_members(planned.pk)
    planned.refresh_from_db()
    assert (planned.state, planned.problem) == ("failed", "It took too long.") and on(kept) == set()
    assert list_copies.queue_due_copies(timezone.now() + timedelta(days=9)) == []  # it was to be made once
    list_copies.run_copy(list_copies.plan_copy(spaniards, kept, None).pk)
    assert len(on(kept)) == 2


def test_plans_that_would_never_come_to_rest_are_refused(spaniards, kept):
    others = list_editing.create_smart_list("Others", form(person_field_filter("country", "is not", "Spain")), None)
    list_copies.plan_copy(spaniards, kept, None, every_minutes=60)
    list_copies.plan_copy(others, kept, None, every_minutes=60)
    assert code_of(lambda: list_copies.plan_copy(others, kept, None, mode="replace", every_minutes=60)) == "in_use"
    assert code_of(lambda: list_copies.plan_copy(others, kept, None, every_minutes=14)) == "out_of_range"
    StaticList.objects.filter(pk=static_lists.create_static_list("Gone", None).pk).delete()
    assert code_of(lambda: list_copies.plan_copy(others, StaticList(pk=0), None)) == "unknown_list"
    with pytest.raises(NotAllowedError):
        list_copies.plan_copy(others, kept, user("Viewer"))
    with pytest.raises(IntegrityError), transaction.atomic():
        ListCopy.objects.filter(smart_list=others).update(state="done")  # without its result


def test_lists_are_filled_by_command(spaniards, people):
    def said(*arguments):
        out = StringIO()
        call_command("smart_list", "copy", "spaniards", "--to", "Kept", *arguments, stdout=out)
        return out.getvalue().strip()

    assert said("--dry-run") == "2 people are meant." and not StaticList.objects.exists()
    assert said() == "2 joined, 0 left."
    assert said("--replace", "--every", "day") == "“Kept” is filled now and once a day."
    assert ListCopy.objects.get().every_minutes == 1_440
    assert said("--stop") == "Ended."
    with pytest.raises(CommandError, match="is not filled"):
        said("--stop")


def test_lists_are_filled_from_the_page(client, spaniards, kept, people, monkeypatch):
    marketer = user("Marketer")
    marketer.is_staff = True
    marketer.save()
    client.force_login(marketer)
    address = builder_url("members", spaniards.pk)
    client.get(address)
    press = {"name": "Kept", "mode": "replace"}
    assert (
        "2 people joined the static list “Kept”"
        in client.post(builder_url("snapshot", spaniards.pk), press, follow=True).text
    )
    page = client.post(builder_url("snapshot", spaniards.pk), {**press, "every": "1440"}, follow=True).text
    assert "is being filled" in page and "now and every day" in page and "Waiting" in page
    planned = ListCopy.objects.get()
    list_copies.run_copy(planned.pk)
    assert "0 joined, 0 left" in client.get(address).text
    assert "stay" in client.post(builder_url("end_copy", spaniards.pk), {"copy": planned.pk}, follow=True).text
    assert not ListCopy.objects.exists()
    monkeypatch.setattr(copies, "WAITED_FOR", 1)
    client.post(builder_url("snapshot", spaniards.pk), press)
    assert ListCopy.objects.get().every_minutes is None
    assert "In progress" not in client.post(builder_url("end_copy", spaniards.pk), {"copy": "²"}, follow=True).text
