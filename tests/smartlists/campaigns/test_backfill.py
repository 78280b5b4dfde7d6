"""The past starts no campaign: every channel, as live and as back-fill, by what each campaign chose."""

import json
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, transaction
from django.urls import reverse

from activities.log import withdrawal
from activities.models import FIRST_CUSTOM_ID, Activity, RefusedActivity
from activities.recording.recorder import record_activities
from activities.recording.rows import PersonLookup
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from people.core.source import SYSTEM, Channel, Source
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.files.imports.plan import ImportPlan
from people.files.models import Import
from people.lists import static_lists
from people.persons import import_undo
from people.persons import merge as person_merge
from smartlists.campaigns import dry_run as campaign_dry_run
from smartlists.campaigns.running import runs as campaign_runs
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignEntry, ListWatch
from tests.api.conftest import Api
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.smartlists import rule_factories
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    entry_states,
    list_member_ids,
    make_active_campaign,
    make_static_list,
    process_due_work,
    record_deposit,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
EMAIL = "ann.past@example.com"
PAST = Source(Channel.API, is_backfill=True)
SETTINGS = {"default": {}, "however late": {"late_after_hours": None}, "also past": {"also_past": True}}


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"


@pytest.fixture
def owner():
    return get_user_model().objects.create_superuser("olga", password="x")


class World:
    """One person, a client of both APIs, and a folder for files."""

    def __init__(self, client, owner, folder):
        made = client_editing.create_client("Core", owner, None, client_editing.grantable_rights()).client
        self.client, self.owner, self.folder = client, owner, folder
        self.api = Api(client, tokens.issue_token(made).text)
        self.marketo = {"Authorization": f"Bearer {client_editing.client_token(made).text}"}
        self.ann, self.type = make_person(email=EMAIL), approved_type()
        self.now = datetime.now(UTC) - timedelta(minutes=1)

    @property
    def row(self):
        return {"activity_type": "depositCheck", "person": {"email": EMAIL}, "occurred_at": self.moment} | {
            "primary_value": "No. 1"
        }

    @property
    def moment(self):
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def csv(self):
        path = self.folder / "checks.csv"
        path.write_text(f"email,when,check\n{EMAIL},{self.moment},No. 1\n")
        return path

    def lead_row(self, **more):
        named = {"leadId": self.ann.pk, "activityTypeId": self.type.pk, "activityDate": self.moment}
        return {**named, "primaryAttributeValue": "No. 1", **more}


def by_native_api(world, backfill):
    assert world.api.post(f"activities{query(backfill)}", world.row).status_code == 201


def by_native_batch(world, backfill):
    reply = world.api.post(f"activities/batch{query(backfill)}", {"activities": [world.row]})
    assert reply.json()["added"] == 1, reply.content


def by_native_stream(world, backfill):
    body = json.dumps(world.row)
    reply = world.api.post(f"activities/stream{query(backfill)}", body, content_type="application/x-ndjson")
    assert b'"added":1' in b"".join(reply.streaming_content)


def by_marketo_rows(world, backfill):
    marketo(world, world.lead_row(), backfill)


def by_marketo_columns(world, backfill):
    marketo(world, world.lead_row(attributes=[{"apiName": "branch", "value": "North"}]), backfill)


def marketo(world, row, backfill):
    address = f"/rest/v1/activities/external.json{query(backfill)}"
    reply = world.client.post(
        address, json.dumps({"input": [row]}), content_type="application/json", headers=world.marketo
    )
    assert reply.json()["result"][0]["status"] == "added", reply.content


def by_marketo_file(world, backfill):
    text = f"leadId,activityDate,check\n{world.ann.pk},{world.moment},No. 1\n"
    address = (
        f"/bulk/v1/activities/import.json?format=csv&activityTypeId={world.type.pk}&backfill={json.dumps(backfill)}"
    )
    reply = world.client.post(address, {"file": SimpleUploadedFile("checks.csv", text.encode())}, headers=world.marketo)
    assert reply.json()["success"], reply.content
    import_runner.run_import(Import.objects.latest("pk").pk)


def by_file_of_the_api(world, backfill):
    job = import_jobs.upload_file([world.csv.read_bytes()], "checks.csv", "activities", world.owner)
    columns = {"occurred_at": "when", "primary_value": "check"}
    plan = {"columns": columns, "subject": "depositCheck", "person": "{email}", "backfill": backfill}
    reply = world.api.put(f"imports/{job.pk}/plan", plan)
    assert reply.status_code == 200, reply.content
    job.refresh_from_db()
    import_jobs.take_step(job, "start", world.owner, queue=False)
    import_runner.run_import(job.pk)


def by_command(world, backfill):
    named = ["--type", "depositCheck", "--person", "{email}", "--occurred-at", "when", "--primary", "check"]
    call_command("import_activities", str(world.csv), *named, *(["--backfill"] if backfill else []), "--no-progress")


def by_hand(world, backfill):
    world.client.force_login(world.owner)
    address = reverse("admin:activities_record", args=[world.ann.pk]) + f"?type={world.type.pk}"
    data = {"version": 1, "occurred_at": world.moment, "field_check": "No. 1"} | (
        {"backfill": "on"} if backfill else {}
    )
    assert world.client.post(address, data).status_code == 302


def refused(world, backfill_sent=False):
    row = new_activity(world.ann.pk, occurred_at=world.moment, primary_value="")
    source = Source(Channel.API, world.owner.pk, is_backfill=backfill_sent)
    record_activities([row], source)
    return RefusedActivity.objects.latest("pk").pk


def by_replay(world, backfill):
    pk = refused(world)
    world.api.post("quarantine/correct", {"ids": [pk], "part": "primary_value", "value": "No. 1"})
    reply = world.api.post("quarantine/replay", {"ids": [pk], "backfill": backfill})
    assert reply.json()["recorded"] == 1, reply.content


def by_replay_on_the_page(world, backfill):
    world.client.force_login(world.owner)
    address = reverse("admin:activities_refusedactivity_row", args=[refused(world)])
    form = world.client.get(address).context["form"]
    data = {name: form[name].initial or "" for name in form.fields} | {"primary_value": "No. 1"}
    data.pop("@as_new")
    assert world.client.post(address, data | ({} if backfill else {"@as_new": "on"})).status_code == 302


def query(backfill):
    return f"?backfill={json.dumps(backfill)}"


CHANNELS = (
    by_native_api,
    by_native_batch,
    by_native_stream,
    by_marketo_rows,
    by_marketo_columns,
    by_marketo_file,
    by_file_of_the_api,
    by_command,
    by_hand,
    by_replay,
    by_replay_on_the_page,
)


@pytest.mark.parametrize("backfill", [False, True], ids=["live", "backfill"])
def test_back_fill_starts_only_campaigns_that_ask_for_the_past(backfill, client, owner, tmp_path):
    world = World(client, owner, tmp_path)
    step = {"do": "remove_from_list", "list": make_static_list().pk}
    campaigns = {make_active_campaign(step, **chosen).pk: name for name, chosen in SETTINGS.items()}
    fired, skipped = ("done", ""), ("skipped", "past")
    expected = (
        {"default": skipped, "however late": skipped, "also past": fired}
        if backfill
        else dict.fromkeys(SETTINGS, fired)
    )
    for channel in CHANNELS:
        with transaction.atomic():
            channel(world, backfill)
            rows = Activity.objects.filter(activity_type_id=world.type.pk)
            assert [row.is_backfill for row in rows] == [backfill], channel.__name__
            process_due_work()
            became = {
                campaigns[entry.campaign_id]: (entry.state, entry.reason) for entry in CampaignEntry.objects.all()
            }
            assert became == expected, channel.__name__
            transaction.set_rollback(True)
        client.cookies.clear()


def person_by_native_api(world, backfill):
    assert world.api.post(f"people{query(backfill)}", {"email": "new@example.com"}).status_code == 201


def people_by_native_batch(world, backfill):
    body = {"people": [{"email": "new@example.com"}]}
    assert world.api.post(f"people/batch{query(backfill)}", body).json()["created"] == 1


def lead_by_marketo(world, backfill):
    send(world, f"leads.json{query(backfill)}", {"input": [{"email": "new@example.com"}]})


def change_by_native_api(world, backfill):
    assert world.api.patch(f"people/{world.ann.pk}{query(backfill)}", {"city": "Vigo"}).status_code == 200


def change_by_marketo(world, backfill):
    send(world, f"leads.json{query(backfill)}", {"input": [{"email": EMAIL, "city": "Vigo"}]})


def join_by_native_api(world, backfill):
    address = f"static-lists/{world.seeds.pk}/members{query(backfill)}"
    assert world.api.post(address, {"people": [world.ann.pk]}).json()["results"] == ["added"]


def join_by_marketo(world, backfill):
    send(world, f"lists/{world.seeds.pk}/leads.json{query(backfill)}", {"input": [{"id": world.ann.pk}]})


def leave_by_native_api(world, backfill):
    static_lists.add_members(world.seeds, [world.ann.pk], PAST)
    address = f"static-lists/{world.seeds.pk}/members/{world.ann.pk}{query(backfill)}"
    assert world.api.delete(address).status_code == 204


def send(world, address, body):
    reply = world.client.post(
        f"/rest/v1/{address}", json.dumps(body), content_type="application/json", headers=world.marketo
    ).json()
    assert "reasons" not in reply["result"][0], reply


# each with the standard type that it records
CHANGES = {
    person_by_native_api: "newPerson",
    people_by_native_batch: "newPerson",
    lead_by_marketo: "newPerson",
    change_by_native_api: "changeDataValue",
    change_by_marketo: "changeDataValue",
    join_by_native_api: "addToList",
    join_by_marketo: "addToList",
    leave_by_native_api: "removeFromList",
}


@pytest.mark.parametrize("backfill", [False, True], ids=["live", "backfill"])
def test_back_fill_of_people_and_lists_starts_only_campaigns_that_ask_for_the_past(backfill, client, owner, tmp_path):
    world = World(client, owner, tmp_path)
    world.seeds = make_static_list()
    fired, skipped = ("done", ""), ("skipped", "past")
    expected = {"default": skipped, "however late": skipped, "also past": fired}
    for change, api_name in CHANGES.items():
        before = CampaignEntry.objects.count()
        triggers = [{"type": api_name, "constraints": []}]
        step = {"do": "remove_from_list", "list": make_static_list().pk}
        with transaction.atomic():
            campaigns = {
                make_active_campaign(step, triggers=triggers, **chosen).pk: name for name, chosen in SETTINGS.items()
            }
            change(world, backfill)
            process_due_work()
            entries = CampaignEntry.objects.filter(campaign__in=campaigns).order_by("pk")
            became = {campaigns[entry.campaign_id]: (entry.state, entry.reason) for entry in entries}
            assert became == (expected if backfill else dict.fromkeys(SETTINGS, fired)), change.__name__
            transaction.set_rollback(True)
        assert CampaignEntry.objects.count() == before


def test_the_person_that_a_back_fill_creates_starts_no_campaign_either():
    approved_type()
    make_active_campaign(add_to_list_step(make_static_list()), triggers=[{"type": "newPerson", "constraints": []}])
    new = new_activity(PersonLookup("new@example.com", "email", True))
    record_activities([new], PAST)
    assert [(state, reason) for _person, state, reason in process_due_work()] == [("skipped", "past")]


def test_what_was_sent_as_back_fill_stays_one_when_it_is_replayed_as_new(owner, client, tmp_path):
    world = World(client, owner, tmp_path)
    pk = refused(world, backfill_sent=True)
    world.api.post("quarantine/correct", {"ids": [pk], "part": "primary_value", "value": "No. 1"})
    world.api.post("quarantine/replay", {"ids": [pk], "backfill": False})
    assert Activity.objects.get(activity_type_id=world.type.pk).is_backfill


def test_late_and_back_filled_are_one_rule():
    approved_type()
    ann, long_ago = make_person(), datetime.now(UTC) - timedelta(days=300)
    make_active_campaign(add_to_list_step(make_static_list()), late_after_hours=1)
    make_active_campaign(add_to_list_step(make_static_list()), late_after_hours=1, also_past=True)
    record_deposit(ann.pk, occurred_at=long_ago)
    record_activities([new_activity(ann.pk, occurred_at=long_ago)], PAST)
    past, done = (ann.pk, "skipped", "past"), (ann.pk, "done", "")
    assert process_due_work() == [past, done, past, done]


def test_waits_of_who_enters_by_the_past_count_from_the_entry():
    approved_type()
    ann = make_person()
    long_ago = datetime.now(UTC) - timedelta(days=300)
    make_active_campaign({"do": "wait", "period": "2 days"}, add_to_list_step(make_static_list()), also_past=True)
    record_activities([new_activity(ann.pk, occurred_at=long_ago)], PAST)
    assert process_due_work() == [(ann.pk, "open", "")]
    left = CampaignEntry.objects.get().due_at - datetime.now(UTC)
    assert timedelta(days=1, hours=23) < left <= timedelta(days=2)


@pytest.fixture
def depositors(monkeypatch):
    """A smart list of people who deposited a check, evaluated once."""
    monkeypatch.setattr(campaign_runs, "OVERLAP", timedelta())
    approved_type()
    made = list_editing.create_smart_list("Depositors", {"filters": [rule_factories.activity_filter()]}, None)
    stored_evaluations.evaluate_list(made, None)
    return made


def test_who_joins_a_watched_list_by_back_fill_joins_silently(depositors):
    ann, bob, cas = make_person(), make_person(), make_person()
    aloud, always = make_static_list(), make_static_list()
    watch = {"smart_list": depositors.pk, "change": "joined"}
    make_active_campaign(add_to_list_step(aloud), triggers=[watch])
    make_active_campaign(add_to_list_step(always), triggers=[watch], also_past=True)
    record_activities([new_activity(ann.pk), new_activity(cas.pk)], PAST)
    record_rows(new_activity(bob.pk), new_activity(cas.pk))
    stored_evaluations.evaluate_list(depositors, None)
    process_due_work()
    assert (list_member_ids(aloud), list_member_ids(always)) == ({bob.pk}, {ann.pk, bob.pk, cas.pk})
    reasons = {(one, reason) for one, state, reason in entry_states() if state == "skipped"}
    assert reasons == {(ann.pk, "past"), (cas.pk, "past")}


def test_back_fill_of_before_the_last_evaluation_does_not_silence(depositors):
    ann, aloud = make_person(), make_static_list()
    twice = rule_factories.activity_filter(count=rule_factories.count_condition("at least", 2))
    often = list_editing.create_smart_list("Often", {"filters": [twice]}, None)
    make_active_campaign(add_to_list_step(aloud), triggers=[{"smart_list": often.pk, "change": "joined"}])
    record_activities([new_activity(ann.pk)], PAST)
    stored_evaluations.evaluate_list(often, None)
    process_due_work()
    record_rows(new_activity(ann.pk))
    stored_evaluations.evaluate_list(often, None)
    process_due_work()
    assert list_member_ids(aloud) == {ann.pk}


def test_back_fill_of_after_the_evaluation_does_not_silence(depositors):
    ann, aloud = make_person(), make_static_list()
    make_active_campaign(add_to_list_step(aloud), triggers=[{"smart_list": depositors.pk, "change": "joined"}])
    record_rows(new_activity(ann.pk))
    stored_evaluations.evaluate_list(depositors, None)
    record_activities([new_activity(ann.pk)], PAST)
    process_due_work()
    assert list_member_ids(aloud) == {ann.pk}


def test_watches_of_the_version_before_get_the_moment_of_their_evaluation(depositors):
    make_active_campaign(
        add_to_list_step(make_static_list()), triggers=[{"smart_list": depositors.pk, "change": "joined"}]
    )
    moment = ListWatch.objects.get().as_of
    ListWatch.objects.update(as_of=None)
    with connection.cursor() as cursor:
        cursor.execute(import_module("smartlists.migrations.0015_past").FILL)
    assert ListWatch.objects.get().as_of == moment is not None


def import_and_undo(owner):
    """Import a deposit of Ann's; return the function that undoes the import."""
    ann = make_person()
    job = import_jobs.upload_file(
        [f"id,at,check\n{ann.pk},2026-01-01,No. 1\n".encode()], "checks.csv", "activities", owner
    )
    columns = {"occurred_at": "at", "primary_value": "check"}
    plan = ImportPlan(columns=columns, subject="depositCheck", person="{id}", lookup_field="id", starts_campaigns=False)
    import_jobs.set_plan(job, plan, owner)
    import_jobs.take_step(job, "start", owner, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()

    def undo():
        import_undo.request_import_undo(job, "wrong file", owner, queue=False)
        import_undo.run_import_undo(job.pk)

    return undo


def record_and_withdraw(owner):
    """Record a deposit of Ann's by hand; return the function that withdraws it."""
    (made,) = record_activities([new_activity(make_person().pk)], Source(Channel.ADMIN, owner.pk))
    return lambda: withdrawal.withdraw_activity(made.activity_id, owner)


def merge(owner):
    """A member and another person; return the function that merges the member into the other."""
    ann, bob = make_person(), make_person()
    record_rows(new_activity(ann.pk))
    return lambda: person_merge.merge_people(bob.pk, [ann.pk], owner, SYSTEM)


def undo_merge(owner):
    made = merge(owner)()
    return lambda: person_merge.undo_merge(made.pk, owner, SYSTEM)


@pytest.mark.parametrize("change", [import_and_undo, record_and_withdraw, merge, undo_merge])
def test_what_corrects_the_past_makes_nobody_join_or_leave_aloud(change, depositors, owner, monkeypatch):
    # removals have the moment of their transaction's beginning, which is here the whole test's
    monkeypatch.setattr(campaign_runs, "OVERLAP", timedelta(minutes=5))
    make = change(owner)
    before = stored_evaluations.evaluate_list(depositors, None).person_ids
    for movement in ("joined", "left"):
        watch = {"smart_list": depositors.pk, "change": movement}
        make_active_campaign(add_to_list_step(make_static_list()), triggers=[watch])
    make()
    assert stored_evaluations.evaluate_list(depositors, None).person_ids != before
    outcomes = {(state, reason) for _person, state, reason in process_due_work()}
    assert outcomes == {("skipped", "past")}
    record_rows(new_activity((cas := make_person()).pk))
    stored_evaluations.evaluate_list(depositors, None)
    process_due_work()
    assert entry_states()[-1] == (cas.pk, "done", "")


def test_a_back_fill_that_the_version_before_imported_fires_nothing(owner):
    """It records no marks: the plan of the import has the mark, for activities of every type."""
    approved_type()
    ann = make_person()
    make_active_campaign(add_to_list_step(make_static_list()))
    job = import_jobs.upload_file([f"id\n{ann.pk}\n".encode()], "checks.csv", "activities", owner)
    Import.objects.filter(pk=job.pk).update(plan=ImportPlan(starts_campaigns=False).as_json())
    record_activities([new_activity(ann.pk)], Source(Channel.IMPORT, owner.pk, job.pk))
    assert not Activity.objects.get(activity_type_id__gte=FIRST_CUSTOM_ID).is_backfill
    assert process_due_work() == []


@pytest.mark.parametrize("days", [0, 300])
@pytest.mark.parametrize("is_backfill", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_dry_run_says_what_the_dispatcher_does(name, is_backfill, days):
    approved_type()
    campaign = make_active_campaign(add_to_list_step(make_static_list()), **{"late_after_hours": 24, **SETTINGS[name]})
    row = new_activity(make_person().pk, occurred_at=datetime.now(UTC) - timedelta(days=days, minutes=1))
    (made,) = record_activities([row], Source(Channel.API, is_backfill=is_backfill))
    expected = campaign_dry_run.dry_run_campaign(campaign, row.person, None, made.activity_id)
    ((_person, state, _reason),) = process_due_work()
    assert expected.would_enter == (state == "done")


def test_the_choice_is_kept_in_json_and_only_where_it_is_made():
    approved_type()
    made = make_active_campaign(add_to_list_step(make_static_list()), also_past=True)
    assert made.definition["also_past"] is True
    assert "also_past" not in make_active_campaign(add_to_list_step(make_static_list())).definition
