"""Campaigns that react to object records, change and create them: each change and each date exactly once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import override

from people.core.errors import NotAllowedError, RejectedError
from people.core.source import Channel, Source
from people.definitions import lifecycle
from people.models import ObjectChange, ObjectRecord, ObjectType, Person
from people.objects import removal
from people.objects.outcomes import RecordKey
from people.persons import merge
from smartlists.campaigns import diagnostics, dry_run
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions import sentences as campaign_sentences
from smartlists.campaigns.running import record_dates as dates
from smartlists.campaigns.running import record_triggers
from smartlists.catalog import Catalogue
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignEntry, DateWatch, ObjectWatch, RecordEffect
from smartlists.rights import ACTIVATE_SMARTCAMPAIGN, VIEW_SMARTCAMPAIGN
from tests.factories import approved_type, make_person, user_with
from tests.people.objects import world
from tests.people.objects.world import changed, saved
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    campaign_json,
    list_member_ids,
    make_active_campaign,
    make_draft_campaign,
    make_static_list,
    process_due_work,
    record_deposit,
    step_outcomes,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
BACKFILL = Source(Channel.API, is_backfill=True)
SOURCE = Source(Channel.API)


def on_car(event="added", **more):
    return {"object": "car", "event": event, **more}


@pytest.fixture
def car():
    return world.approved_type()


@pytest.fixture
def ann():
    return make_person(email="ann@example.com", first_name="Ann")


@pytest.fixture
def seen():
    return make_static_list("Seen")


def campaign_on(seen, *triggers, **more):
    return make_active_campaign(add_to_list_step(seen), triggers=triggers, **more)


def entered():
    process_due_work()
    return list(CampaignEntry.objects.order_by("pk").values_list("person_id", "trigger", "reason"))


def test_added_changed_and_deleted_each_once(car, ann, seen):
    saved(car, plate="0", owner=ann.email)
    painted = {"field": "colour", "from": ["Blue"], "to": ["Red", "Green"]}
    triggers = (on_car(), on_car("changed", changed=painted), on_car("removed"), on_car("changed"))
    campaign_on(seen, *triggers)
    assert entered() == [], "what was before the activation counts for nothing"
    record = saved(car, plate="1", owner=ann.email, colour="blue")
    assert entered() == [(ann.pk, 0, "")]
    record = changed(record, colour="red")
    changed(record, mileage=5)
    removal.delete_records(car, [{"id": record.pk}], SOURCE, key=RecordKey.ID)
    removal.restore_records(car, [record.pk], SOURCE)
    assert [row[1] for row in entered()] == [0, 1, 3, 2]
    ObjectWatch.objects.update(last_id=0)  # as if the position had been lost
    assert [row[1] for row in entered()] == [0, 1, 3, 2]
    assert list_member_ids(seen) == {ann.pk}


def test_constraints_are_on_the_record_and_a_record_that_waited_is_added_late(car, seen):
    dear = on_car(constraints=[{"field": "price", "operator": "at least", "values": ["100"]}])
    campaign_on(seen, dear)
    for plate, price in (("1", 99), ("2", 100)):
        saved(car, plate=plate, owner="late@example.com", price=price)
    assert entered() == []
    late = make_person(email="late@example.com")
    assert entered() == [(late.pk, 0, "")]
    assert CampaignEntry.objects.get().record_id == ObjectRecord.objects.get(name="2").pk


def test_values_of_another_type_with_a_field_of_this_name_are_not_compared(car, seen):
    """PostgreSQL may look for the records of the condition first: those of other types cannot be cast."""
    painting = (world.ObjectFieldSpec("title", "Title", is_dedupe=True), world.ObjectFieldSpec("price", "Price"))
    saved(world.approved_type("Painting", "painting", painting), title="Mona", price="not for sale")
    campaign_on(seen, on_car(constraints=[{"field": "price", "operator": "at least", "values": ["100"]}]))
    ann = make_person(email="ann@example.com")
    saved(car, plate="1", owner=ann.email, price=100)
    with connection.cursor() as cursor:  # the plan of a table with few records
        cursor.execute(
            "set local enable_nestloop = off; set local enable_indexscan = off; set local enable_bitmapscan = off"
        )
    assert entered() == [(ann.pk, 0, "")]


def test_a_record_of_nobody_is_not_created(car):
    policy = (
        world.ObjectFieldSpec("number", "Number", is_dedupe=True),
        world.ObjectFieldSpec("holder", "Holder", "email", link_to="person", link_by="email"),
    )
    world.approved_type("Policy", "policy", policy)
    approved_type()
    make_active_campaign({"do": "create_object", "type": "policy", "values": {"number": "P-1"}})
    nobody = make_person()
    Person.objects.filter(pk=nobody.pk).update(email=None)
    record_deposit(nobody.pk)
    process_due_work()
    ((_at, do, outcome, detail),) = step_outcomes()
    assert (do, outcome) == ("create_object", "failed") and "email" in detail
    assert not ObjectRecord.objects.exists()


def test_history_pauses_and_merges_start_nothing(car, ann, seen):
    campaign = campaign_on(seen, on_car(), on_car("changed"))
    record = saved(car, plate="1", owner=ann.email)
    world.upsert(car, {"plate": "2", "owner": ann.email}, source=BACKFILL)
    merge.merge_people(make_person(email="bob@example.com").pk, [ann.pk], None, SOURCE)
    rows = entered()
    assert [row[2] for row in rows] == ["", "past"]
    saved(car, plate="3", owner="bob@example.com")
    campaign_lifecycle.pause_campaign(campaign, None)  # changes before the pause count, though they are read later
    changed(record, colour="Red")
    assert [row[2] for row in entered()] == ["", "past", "", "paused"]
    campaign_lifecycle.activate_campaign(campaign, None)
    changed(record, colour="Blue")
    assert [row[2] for row in entered()] == ["", "past", "", "paused", ""]


def test_a_trigger_added_to_an_active_campaign_begins_then(car, ann, seen):
    campaign = campaign_on(seen, {"smart_list": smart_list().pk})
    saved(car, plate="1", owner=ann.email)
    value = campaign_json(add_to_list_step(seen), triggers=[on_car()])
    campaign_lifecycle.change_campaign(campaign, None, value=value)
    saved(car, plate="2", owner=ann.email)
    assert [CampaignEntry.objects.get(person_id=row[0]).record_id for row in entered()] == [
        ObjectRecord.objects.get(name="2").pk
    ]
    campaign_lifecycle.change_campaign(campaign, None, value={**value, "triggers": [{"smart_list": smart_list().pk}]})
    assert not ObjectWatch.objects.exists()


def smart_list():
    return list_editing.create_smart_list(f"Everybody {timezone.now()}", {"filters": []}, None)


def moments(days):
    return (timezone.now() + timedelta(days=days)).astimezone(UTC)


@pytest.fixture
def dated(car, seen):
    """A campaign three days before the inspection, and one day after the sale; active for ten days."""
    triggers = (on_car("date", date="inspected_on", days=-3), on_car("date", date="sold_at", days=1))
    campaign = campaign_on(seen, *triggers)
    ObjectWatch.objects.update(active_since=moments(-10))
    return campaign


def reached(now=None):
    DateWatch.objects.update(read_at=None)
    dates.enter_reached_dates(now)
    return list(CampaignEntry.objects.order_by("pk").values_list("record_id", "trigger"))


def test_a_date_is_reached_once_for_each_record_and_value(car, ann, dated):
    record = saved(car, plate="1", owner=ann.email, inspected_on=moments(3).date().isoformat())
    saved(car, plate="2", owner=ann.email, inspected_on=moments(4).date().isoformat())
    saved(car, plate="3", owner="nobody@example.com", inspected_on=moments(3).date().isoformat())
    gone = saved(car, plate="4", owner=ann.email, inspected_on=moments(3).date().isoformat())
    removal.delete_records(car, [{"id": gone.pk}], SOURCE, key=RecordKey.ID)
    assert reached() == reached() == [(record.pk, 0)]
    changed(record, inspected_on=moments(2).date().isoformat())
    assert reached() == [(record.pk, 0)] * 2, "another value is another date"
    changed(record, inspected_on=moments(3).date().isoformat())
    assert reached() == [(record.pk, 0)] * 2, "it has had this one"


def test_a_moment_is_reached_to_the_second_and_caught_up_for_three_days(car, ann, dated):
    sold_at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    record = saved(car, plate="1", owner=ann.email, sold_at=sold_at.isoformat())
    ObjectWatch.objects.update(active_since=sold_at - timedelta(days=30))
    assert reached(sold_at + timedelta(hours=24, seconds=-1)) == []
    assert reached(sold_at + timedelta(days=4, seconds=1)) == [], "too late"
    assert reached(sold_at + timedelta(days=4, seconds=-1)) == [(record.pk, 1)]


def test_nothing_fires_for_dates_before_the_activation_or_in_a_pause(car, ann, seen, dated):
    ObjectWatch.objects.update(active_since=timezone.now())
    saved(car, plate="1", owner=ann.email, inspected_on=moments(3).date().isoformat())
    assert reached() == []
    ObjectWatch.objects.update(active_since=moments(-10))
    campaign_lifecycle.pause_campaign(dated, None)
    assert reached() == []


def test_the_steps_change_and_create_records_with_tokens(car, ann):
    policy = (
        world.ObjectFieldSpec("number", "Number", is_dedupe=True),
        world.ObjectFieldSpec("holder", "Holder", "email", link_to="person", link_by="email"),
        world.ObjectFieldSpec("note", "Note"),
    )
    world.approved_type("Policy", "policy", policy)
    steps = (
        {"do": "change_object", "type": "car", "field": "notes", "to": "{{person.first_name}}: {{object.colour}}"},
        {"do": "create_object", "type": "policy", "values": {"number": "P-{{object.plate}}", "note": "{{object.id}}"}},
        {"do": "change_object", "type": "policy", "field": "note", "to": "x"},
    )
    campaign = make_active_campaign(*steps, triggers=[on_car()])
    record = saved(car, plate="1", owner=ann.email, colour="Red")
    process_due_work()
    made = ObjectRecord.objects.get(object_type__api_name="policy")
    assert (made.person_id, made.fields) == (ann.pk, {"number": "P-1", "holder": ann.email, "note": str(record.pk)})
    record.refresh_from_db()
    assert record.fields["notes"] == "Ann: Red"
    assert [outcome[1:] for outcome in step_outcomes()] == [
        ("change_object", "done", "Ann: Red"),
        ("create_object", "done", str(made.pk)),
        ("change_object", "nothing", ""),
    ]
    change = ObjectChange.objects.get(record_id=made.pk)
    assert (change.channel, change.origin_id) == (Channel.CAMPAIGN, campaign.pk)


def test_what_exists_is_not_created_again_and_what_is_wrong_fails(car, ann):
    steps = (
        {"do": "create_object", "type": "car", "values": {"plate": "{{object.plate}}"}},
        {"do": "change_object", "type": "car", "field": "price", "to": "{{object.colour}}"},
    )
    make_active_campaign(*steps, triggers=[on_car()])
    saved(car, plate="1", owner=ann.email, colour="Red")
    process_due_work()
    assert [outcome[2] for outcome in step_outcomes()] == ["nothing", "failed"]


def test_campaigns_that_feed_each_other_stop(car, ann, settings):
    settings.CAMPAIGN_MAX_DEPTH = 3
    step = {"do": "change_object", "type": "car", "field": "notes", "to": "{{object.notes}}x"}
    make_active_campaign(step, triggers=[on_car("changed")])
    record = saved(car, plate="1", owner=ann.email)
    changed(record, notes="x")
    process_due_work()
    assert list(CampaignEntry.objects.order_by("pk").values_list("depth", "reason")) == [
        (0, ""),
        (1, ""),
        (2, ""),
        (3, ""),
        (4, "loop"),
    ]
    assert not RecordEffect.objects.exists(), "they are forgotten when they were read"


def test_an_error_of_one_campaign_does_not_hold_up_the_others(car, ann, seen, monkeypatch):
    broken, working = campaign_on(seen, on_car()), campaign_on(seen, on_car())
    saved(car, plate="1", owner=ann.email)
    match = record_triggers.match_changes

    def fail_for_one(changes, wanted, names):
        if broken.pk in failing:
            failing.remove(broken.pk)
            raise ValueError("broken")
        return match(changes, wanted, names)

    failing = [broken.pk]
    monkeypatch.setattr(record_triggers, "match_changes", fail_for_one)
    record_triggers.enter_record_changes()
    assert list(CampaignEntry.objects.values_list("campaign_id", flat=True)) == [working.pk]
    assert [problem.code for problem in diagnostics.trigger_problems(broken)] == ["triggers_fail"]
    campaign_lifecycle.retry_campaign(broken, None)
    record_triggers.enter_record_changes()
    assert set(CampaignEntry.objects.values_list("campaign_id", flat=True)) == {broken.pk, working.pk}


def test_a_batch_that_is_broken_off_is_repeated_as_a_whole(car, ann, seen, monkeypatch):
    campaign_on(seen, on_car())
    for plate in "123":
        saved(car, plate=plate, owner=ann.email)
    with monkeypatch.context() as patched, transaction.atomic():
        patched.setattr(record_triggers, "_forget_effects", lambda: (_ for _ in ()).throw(RuntimeError("killed")))
        record_triggers.enter_record_changes()
    assert not CampaignEntry.objects.exists()
    ObjectWatch.objects.update(due_at=timezone.now() - timedelta(days=1))
    assert len(entered()) == len(entered()) == 3


WRONG = [
    (on_car("sold"), "event"),
    ({"object": "bus"}, "object"),
    (on_car("changed", changed={"field": "colour", "operator": "in past", "values": ["3 days"]}), "changed"),
    (on_car("added", changed={}), "changed"),
    (on_car("date"), "date"),
    (on_car("date", date="colour"), "date"),
    (on_car("date", date="@created_at"), "date"),
    (on_car("date", date="inspected_on", days=4_000), "days"),
    (on_car("date", date="inspected_on", days="soon"), "days"),
    (on_car("added", date="inspected_on"), "date"),
]
WRONG_STEPS = [
    ({"do": "change_object", "type": "car", "field": "plate", "to": "x"}, "field"),
    ({"do": "change_object", "type": "car", "field": "owner", "to": "x@example.com"}, "field"),
    ({"do": "change_object", "type": "car", "field": "price", "to": "dear"}, "to"),
    ({"do": "change_object", "type": "car", "field": "@updated_at"}, "field"),
    ({"do": "create_object", "type": "car", "values": {"price": "5"}}, "values"),
    ({"do": "create_object", "type": "car", "values": {"plate": "{{object.wheels}}"}}, "values"),
    ({"do": "create_object", "type": "car", "values": 5}, "values"),
    ({"do": "wait", "until": "{{object.colour}}"}, "until"),
]


@pytest.mark.parametrize(("trigger", "part"), WRONG)
def test_wrong_triggers(car, seen, trigger, part):
    with pytest.raises(RejectedError) as refusal:
        make_draft_campaign(add_to_list_step(seen), triggers=[trigger])
    assert {problem.path[:3] for problem in refusal.value.problems} == {("triggers", 0, part)}


@pytest.mark.parametrize(("step", "part"), WRONG_STEPS)
def test_wrong_steps(car, step, part):
    with pytest.raises(RejectedError) as refusal:
        make_draft_campaign(step, triggers=[on_car()])
    assert {problem.path[:3] for problem in refusal.value.problems} == {("steps", 0, part)}


def test_definitions_round_trip_and_speak_two_languages(car):
    triggers = (
        on_car(constraints=[{"field": "colour", "operator": "is", "values": ["Red"]}]),
        on_car("changed", changed={"field": "colour", "from": ["Blue"]}),
        on_car("changed", changed={}),
        on_car("removed"),
        on_car("date", date="inspected_on", days=-30),
        on_car("date", date="inspected_on"),
    )
    campaign = make_draft_campaign(
        {"do": "wait", "until": "{{object.sold_at}}"},
        {"do": "change_object", "type": "car", "field": "price", "to": ""},
        {"do": "create_object", "type": "car", "values": {"plate": "x"}},
        triggers=triggers,
    )
    parsed = campaign_definition.load_definition(campaign.definition)
    assert campaign_definition.dump_definition(parsed) == campaign.definition
    names = Catalogue()
    assert [campaign_sentences.trigger_sentence(trigger, names) for trigger in parsed.triggers] == [
        "A record of “Car” is added where Colour is “Red”",
        "Colour changed from “Blue” in a record of “Car”",
        "A record of “Car” changes",
        "A record of “Car” is deleted",
        "30 days before Inspected on of a record of “Car”",
        "Inspected on of a record of “Car” is reached",
    ]
    with override("es"):
        spoken = [campaign_sentences.trigger_sentence(trigger, names) for trigger in parsed.triggers]
        spoken += [sentence for _number, sentence in campaign_sentences.step_sentences(parsed, names, {})]
    assert spoken[4] == "30 días antes de Inspected on de un registro de «Car»"
    assert not any(word in " ".join(spoken) for word in ("record", "Clear", "Create"))


def test_a_campaign_protects_its_object_type_and_needs_the_rights_of_its_steps(car, ann):
    step = {"do": "change_object", "type": "car", "field": "price", "to": "5"}
    campaign = make_draft_campaign(step, triggers=[on_car("date", date="inspected_on")])
    with pytest.raises(RejectedError, match=campaign.name):
        lifecycle.delete_definition(ObjectType.objects.get(pk=car.pk), None)
    marketer = user_with(ACTIVATE_SMARTCAMPAIGN, VIEW_SMARTCAMPAIGN)
    with pytest.raises(NotAllowedError, match="Can change object record"):
        campaign_lifecycle.activate_campaign(campaign, marketer)
    lifecycle.retire_definition(ObjectType.objects.get(pk=car.pk), None)
    with pytest.raises(RejectedError, match="retired"):
        campaign_lifecycle.activate_campaign(campaign, None)


def test_a_dry_run_takes_the_latest_record(car, ann):
    step = {"do": "change_object", "type": "car", "field": "notes", "to": "{{object.plate}}"}
    red = [{"field": "colour", "operator": "is", "values": ["Red"]}]
    campaign = make_draft_campaign(step, triggers=[on_car("removed", constraints=red)])
    tried = dry_run.dry_run_campaign(campaign, ann.pk, None)
    assert (tried.would_enter, tried.why_not) == (False, "none of this person's object records matches a trigger")
    saved(car, plate="1", owner=ann.email, colour="Red")
    saved(car, plate="2", owner=ann.email, colour="Blue")
    tried = dry_run.dry_run_campaign(campaign, ann.pk, None)
    assert tried.would_enter and tried.steps == [("1", "Change Notes of the record of “Car” to “1”")]


def test_who_joins_a_watched_list_by_the_history_of_records_joins_silently(car, ann, seen):
    bob = make_person(email="bob@example.com")
    owners = list_editing.create_smart_list("Owners", {"filters": [{"kind": "object", "type": "car"}]}, None)
    stored_evaluations.evaluate_list(owners, None)
    campaign_on(seen, {"smart_list": owners.pk})
    world.upsert(car, {"plate": "1", "owner": ann.email}, source=BACKFILL)
    world.upsert(car, {"plate": "2", "owner": bob.email})
    stored_evaluations.evaluate_list(owners, None)
    assert sorted(entered()) == [(ann.pk, 0, "past"), (bob.pk, 0, "")]
