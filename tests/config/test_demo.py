"""The demo comes and goes as a whole, without the users' own objects."""

from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db.models import Count, Min
from django.urls import reverse
from django.utils import timezone

from activities.log import reader as log_reader
from activities.models import (
    Activity,
    ActivityRemoval,
    ActivityType,
    EventSource,
    Form,
    FormSubmission,
    InboundWebhook,
    LinkClick,
    Sighting,
    TrackedLink,
    Visitor,
)
from activities.models.quarantine import RefusedActivity
from activities.types.standard import NEW_PERSON
from config import demo
from config.access.models import ApiClient
from config.demo import arrivals, story
from config.demo.activities import TYPES
from config.demo.cars import EVERY, NUMBER
from config.demo.load import WEEKS_AGO
from config.demo.people import EARLY, IN_FILE, demo_people
from config.pages.navigation import UNFOLD
from config.pages.reports import ReportForm, answer_report, saved_parameters
from people.core import installation
from people.core.errors import RejectedError
from people.core.models import Installation
from people.core.notifications import Notice
from people.core.source import Channel, Source
from people.files.exports import jobs as export_jobs
from people.files.models import Export, Import
from people.models import ObjectChange, ObjectRecord, ObjectType, Person, StaticList, Suppression
from people.objects import records
from smartlists.campaigns import dispatcher
from smartlists.campaigns.running import scheduling
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignRun, Dashboard, SavedReport, SmartCampaign, SmartList, StoredEvaluation, Webhook
from smartlists.rules.text import language
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


def demo_types():
    return {found.api_name: found for found in ActivityType.objects.custom().existing().with_versions()}


def test_what_is_there_after_loading():
    loaded = demo.load_demo(None)
    assert len(loaded.person_ids) == 300 and 3000 <= loaded.activities <= 4000
    states = Counter(str(found.state) for found in demo_types().values())
    assert states == {"approved": 2, "approved_with_draft": 1, "draft": 1}
    moments = Activity.objects.filter(activity_type_id__in=loaded.type_ids).order_by("occurred_at")
    now = timezone.now()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    assert today - timedelta(days=366) <= moments.first().occurred_at <= today - timedelta(days=330)
    assert now - timedelta(hours=26) <= moments.last().occurred_at <= now
    assert len(set(moments.values_list("activity_type_id", flat=True))) == 3
    found = SmartList.objects.filter(pk__in=loaded.list_ids)
    assert len(found) == 4 and all(evaluator.evaluate_rules(one.parsed).count > 0 for one in found)
    for smart_list in found:
        stored_evaluations.evaluate_list(smart_list, None)
    done = StoredEvaluation.objects.filter(state="done").order_by("as_of")
    counts = {one.name: list(done.filter(smart_list=one).values_list("count", flat=True)) for one in found}
    assert {len(history) for history in counts.values()} == {1 + len(WEEKS_AGO)}
    assert sum(len(set(history)) > 1 for history in counts.values()) >= 3, counts
    assert counts["Car buyers in Spain"][0] > 0


def test_people_came_over_more_than_a_year_and_did_nothing_before():
    loaded = demo.load_demo(None)
    now = timezone.now()
    came = dict(Person.objects.filter(pk__in=loaded.person_ids).values_list("pk", "created_at"))
    months = Counter((now - moment).days // 30 for moment in came.values())
    assert 65 <= months[0] <= 110 and all(months[number] >= 5 for number in range(1, 10)), months
    assert sum(count for number, count in months.items() if number > 12) >= EARLY - 10
    of_person = Activity.objects.filter(person_id__in=came)
    first = of_person.filter(activity_type_id__in=loaded.type_ids).values_list("person_id").annotate(Min("occurred_at"))
    assert not [
        pk for pk, moment in first if moment < came[pk] - timedelta(hours=6) and came[pk] < now - timedelta(days=1)
    ]
    new = dict(of_person.filter(activity_type_id=NEW_PERSON).values_list("person_id", "occurred_at"))
    brought = loaded.person_ids[:-IN_FILE]
    assert all(new[pk] == came[pk] for pk in brought) and len(new) == len(came)


def test_it_has_something_in_every_place_of_a_marketer_and_all_of_it_goes_again():
    owner = get_user_model().objects.create_superuser("vera")
    kept = StaticList, SmartCampaign, SavedReport, Dashboard, RefusedActivity, TrackedLink
    demo.load_demo(owner)
    assert [model.objects.count() for model in kept] == [2, 2, 3, 1, 3, 2]
    assert {*LinkClick.objects.values_list("state", flat=True)} == {"counted", "recorded"}
    assert story.GUESTS in {row.members.count() for row in StaticList.objects.all()}
    scheduling.begin_run(CampaignRun.objects.get().pk)
    dispatcher.process_all_due_work()
    fans = SmartList.objects.get(name="Webinar fans without a car")
    reached = set(StaticList.objects.get(name="Invited to a test drive").members.values_list("person_id", flat=True))
    assert reached == set(evaluator.evaluate_members(fans.parsed)) and len(reached) > 20
    for report in SavedReport.objects.all():
        form = ReportForm(saved_parameters(report), owner)
        assert form.is_valid(), form.errors
        reply = answer_report(form, owner)
        assert len(form.table(reply.answers, reply.counted_on).rows) >= 3
    assert demo.remove_demo(owner).kept == []
    assert [model.objects.count() for model in kept] == [0, 0, 0, 0, 0, 0]
    assert not Suppression.objects.exists()  # no person of the demo objected to anything


@pytest.mark.parametrize("code", ["en", "es"])
def test_no_entry_of_the_menu_is_empty_and_nothing_is_left_of_it_afterwards(client, settings, code):
    Installation.objects.create(time_zone="Europe/Madrid", currency="EUR", language=code)
    installation.clear_installation_cache()
    owner = get_user_model().objects.create_superuser("vera")
    loaded = demo.load_demo(None)
    client.force_login(owner)
    entries = [item for part in UNFOLD["SIDEBAR"]["navigation"] for item in part["items"]]
    pages = {str(item["link"]): client.get(str(item["link"])) for item in entries}
    assert {page.status_code for page in pages.values()} == {200}
    lists = {link: page.context["cl"].result_count for link, page in pages.items() if "cl" in (page.context or {})}
    assert len(lists) >= 15 and {link for link, count in lists.items() if not count} == {
        reverse("admin:activities_retention_changelist")  # rules that delete: the demo has none
    }
    assert sorted(job.refused for job in Import.objects.all()) == [2, 3]
    assert {notice.parameters["name"] for notice in Notice.objects.filter(kind="draft_waits")} == {
        TYPES[name].name[code] for name in ("attendWebinar", "redeemVoucher")
    }
    export_jobs.run_export(loaded.story.export_ids[0])
    assert Export.objects.get().rows == 240
    assert SmartCampaign.objects.get(pk=loaded.story.campaign_ids[0]).state == SmartCampaign.State.ACTIVE
    assert FormSubmission.objects.filter(state="recorded").count() == arrivals.REQUESTS
    waiting = Sighting.objects.filter(kind="event").annotate(number=Count("events")).values_list("name", "number")
    assert set(waiting) == set(arrivals.EVENTS)
    assert demo.remove_demo(owner).kept == []
    kinds = Import, Export, FormSubmission, Form, Sighting, EventSource, Notice, InboundWebhook, Webhook
    assert [model for model in kinds if model.objects.exists()] == []
    assert (
        not ApiClient.objects.filter(is_revoked=False).exists() and not Visitor.objects.filter(state="owned").exists()
    )
    assert [path.name for path in settings.FILES_DIR.rglob("*") if path.is_file()] == []


def test_its_cars_have_a_history_and_go_with_it_unless_somebody_added_one():
    demo.load_demo(None)
    car = ObjectType.objects.get(api_name="car")
    cars = ObjectRecord.objects.existing().filter(object_type=car)
    assert cars.count() == NUMBER and not cars.filter(person_id=None).exists()
    assert ObjectChange.objects.filter(kind=ObjectChange.Kind.CHANGED).count() == NUMBER // EVERY
    assert demo.remove_demo(None).kept == []
    assert not ObjectType.objects.existing().exists() and not ObjectRecord.objects.existing().exists()
    demo.load_demo(None)
    again = ObjectType.objects.existing().get()
    assert again.api_name == "car2"
    records.upsert_records(again, [{"plate": "OURS"}], Source(Channel.ADMIN))
    (why,) = demo.remove_demo(None).kept
    assert "records of your own" in why
    assert list(ObjectRecord.objects.existing().values_list("name", flat=True)) == ["OURS"]


def test_people_are_the_same_ones_every_time_and_each_has_an_address_of_their_own():
    first = list(demo_people())
    assert first == list(demo_people())
    assert len({values["email"] for values in first}) == len(first)
    assert all(values["email"].isascii() and "@" in values["email"] for values in first)
    assert len({values["country"] for values in first}) >= 10


def test_removing_leaves_nothing_of_it_and_accounts_for_every_activity():
    before = Activity.objects.count(), Person.objects.live().count()
    loaded = demo.load_demo(None)
    assert Person.objects.filter(unsubscribed=True).exists()
    removed = demo.remove_demo(None)
    assert (removed.people, removed.activities, removed.types, removed.kept) == (300, loaded.activities, 4, [])
    assert (Activity.objects.count(), Person.objects.live().count()) == before
    assert demo_types() == {} and not SmartList.objects.exists()
    assert ActivityRemoval.objects.filter(reason="correction").count() == loaded.activities
    assert not Person.objects.filter(pk__in=loaded.person_ids, email__isnull=False).exists()
    assert not Suppression.objects.exists(), "some had unsubscribed, and were nobody"


def test_what_somebody_made_themselves_stays_with_what_it_needs():
    own_type, own_person = approved_type(), make_person()
    (own,) = record_rows(new_activity(own_person.pk))
    loaded = demo.load_demo(None)
    theirs, other = loaded.person_ids[0], loaded.person_ids[1]
    (on_theirs,) = record_rows(new_activity(theirs))
    (by_hand,) = record_rows(new_activity(own_person.pk, "buyCar", primary_value="Volta"))
    removed = demo.remove_demo(None)
    assert removed.people == 299 and removed.types == 3 and len(removed.kept) == 2
    assert set(demo_types()) == {own_type.api_name, "buyCar"}
    assert Person.objects.live().filter(pk__in=[own_person.pk, theirs, other]).count() == 2
    custom = Activity.objects.filter(activity_type_id__in=ActivityType.objects.custom())
    assert set(custom.values_list("pk", flat=True)) == {own.activity_id, on_theirs.activity_id, by_hand.activity_id}
    assert [found.pk for found in log_reader.person_timeline(theirs, type_ids=[own_type.pk])] == [on_theirs.activity_id]


def test_a_type_that_somebodys_list_uses_stays():
    demo.load_demo(None)
    mine = list_editing.create_smart_list("Mine", language.parse_rules_text("1: did `buyCar`", Catalogue()), None)
    removed = demo.remove_demo(None)
    assert list(SmartList.objects.all()) == [mine] and set(demo_types()) == {"buyCar"}
    assert removed.types == 3 and "Mine" in removed.kept[0]


def test_once_is_enough_and_it_can_come_back_under_new_api_names():
    demo.load_demo(None)
    with pytest.raises(RejectedError, match="there already"):
        demo.load_demo(None)
    demo.remove_demo(None)
    with pytest.raises(RejectedError, match="no demo"):
        demo.remove_demo(None)
    demo.load_demo(None)
    assert set(demo_types()) == {"attendWebinar2", "bookService2", "buyCar2", "redeemVoucher"}


def test_the_commands_say_what_they_did_and_are_safe_to_run_again(capsys):
    for command, said in [
        ("load_demo", "loaded 300 people, 4 activity types and 3,364 activities"),
        ("load_demo", "loaded before"),
        ("remove_demo", "removed 300 people, 4 activity types and 3,364 activities"),
        ("remove_demo", "none to remove"),
    ]:
        call_command(command)
        assert said in capsys.readouterr().out
