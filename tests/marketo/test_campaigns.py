"""Smart campaigns over the Marketo API: read, requested for leads, scheduled."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from people.core import audit
from people.core.models import Folder
from people.core.notifications import Notice
from people.lists import folders, static_lists
from people.persons import deletion
from smartlists import tasks
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.models import CampaignEntry, CampaignRun
from tests.factories import MARKETO, approved_type, make_person
from tests.marketo.conftest import code, result
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    list_member_ids,
    make_active_campaign,
    make_draft_campaign,
    make_static_list,
    process_due_work,
)

ASSET = "/rest/asset/v1"
SPANISH = {
    "rules": {
        "match": "all",
        "filters": [{"kind": "person_field", "field": "country", "operator": "is", "values": ["ES"]}],
    }
}


@pytest.fixture
def regulars(db):
    approved_type()
    return make_static_list("Regulars")


@pytest.fixture
def runner(dialect_with):
    """A program that may activate campaigns, which is none of the usual rights, and change lists."""
    return dialect_with(
        "smartlists.view_smartcampaign", "smartlists.activate_smartcampaign", "people.change_staticlist"
    )


def test_they_are_listed(dialect, regulars):
    made, _other = make_draft_campaign(name="Big cheques"), campaign_lifecycle.create_campaign("By hand", None)
    first, second = result(dialect.get("/rest/v1/campaigns.json"))
    assert (first["id"], first["name"], first["type"], first["active"]) == (made.pk, "Big cheques", "trigger", False)
    assert second["type"] == "batch"
    assert len(result(dialect.get("/rest/v1/campaigns.json?batchSize=1"))) == 1
    assert [row["name"] for row in result(dialect.get("/rest/v1/campaigns.json?name=By hand"))] == ["By hand"]
    assert [row["id"] for row in result(dialect.get(f"/rest/v1/campaigns.json?id={made.pk}"))] == [made.pk]
    assert result(dialect.get(f"/rest/v1/campaigns/{made.pk}.json")) == [first]
    assert code(dialect.get("/rest/v1/campaigns/99999999999999.json")) == "1013"


def test_leads_enter_an_active_campaign_on_request(runner, regulars):
    made = make_active_campaign(add_to_list_step(regulars), audience=SPANISH)
    ann, bob, gone = make_person(country="ES"), make_person(country="PT"), make_person(country="ES")
    deletion.delete_people([gone.pk], None, MARKETO)
    leads = [{"id": pk} for pk in (ann.pk, bob.pk, gone.pk, 999_999)] + ["x"]
    assert result(runner.post(f"/rest/v1/campaigns/{made.pk}/trigger.json", {"input": {"leads": leads}})) == [
        {"id": made.pk}
    ]
    process_due_work()
    assert list_member_ids(regulars) == {ann.pk}
    assert [entry.person_id for entry in CampaignEntry.objects.all()] == [ann.pk]


def test_requests_that_cannot_be(runner, dialect_with, regulars):
    made, idle = make_active_campaign(add_to_list_step(regulars)), make_draft_campaign(add_to_list_step(regulars))
    one = {"leads": [{"id": make_person().pk}]}

    def request(campaign, given, by=runner):
        return code(by.post(f"/rest/v1/campaigns/{campaign}/trigger.json", {"input": given}))

    assert request(idle.pk, one) == "1003" and request(999, one) == "1013"
    assert request(made.pk, {}) == "1003" and request(made.pk, []) == "1003"
    assert request(made.pk, {"leads": [{"id": 1}] * 301}) == "1003"
    assert request(made.pk, one | {"tokens": [{"name": "{{my.x}}", "value": "y"}]}) == "1003"
    assert request(made.pk, one, dialect_with("smartlists.view_smartcampaign")) == "603"
    # a campaign does for no user what they may not do by hand
    assert request(made.pk, one, dialect_with("smartlists.activate_smartcampaign")) == "603"
    assert not CampaignRun.objects.exists()


def scheduled():
    return CampaignRun.objects.filter(state="scheduled")


def begun(run):
    """Its time has come, and the job has done what the dispatcher queued, twice."""
    CampaignRun.objects.filter(pk=run.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    process_due_work()
    (job,) = ProcrastinateJob.objects.filter(task_name="smartlists.begin_run", args={"run_id": run.pk})
    for _twice in range(2):
        tasks.begin_run(**job.args)
    run.refresh_from_db()
    return run


def test_a_campaign_is_scheduled_for_its_audience(runner, regulars):
    made = make_draft_campaign(add_to_list_step(regulars), audience=SPANISH)
    at = (timezone.now() + timedelta(hours=1)).replace(microsecond=0)
    path = f"/rest/v1/campaigns/{made.pk}/schedule.json"
    assert result(runner.post(path, {"input": {"runAt": at.isoformat()}})) == [{"id": made.pk}]
    (run,) = scheduled()
    assert run.due_at == at
    process_due_work()
    assert not ProcrastinateJob.objects.filter(task_name="smartlists.begin_run").exists()
    ann, _bob = make_person(country="ES"), make_person(country="PT")  # ann is in the audience when it runs
    assert begun(run).count == 1
    process_due_work()
    assert list_member_ids(regulars) == {ann.pk}
    said = [audit.entry_sentence(entry) for entry in LogEntry.objects.filter(object_id=str(made.pk)).order_by("pk")]
    assert said[-2:] == [f"Scheduled a run for {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC", "Run once for 1 people"]


@pytest.mark.parametrize("other", ["trigger", "schedule"])
def test_nothing_else_at_the_same_moment_stands_for_a_scheduled_run(runner, regulars, other):
    made = make_active_campaign(add_to_list_step(regulars), audience=SPANISH)
    ann, bob = make_person(country="ES"), make_person(country="ES")
    at = (timezone.now() + timedelta(seconds=1)).isoformat()
    path = f"/rest/v1/campaigns/{made.pk}"
    runner.post(f"{path}/schedule.json", {"input": {"runAt": at}})
    if other == "trigger":
        runner.post(f"{path}/trigger.json", {"input": {"leads": [{"id": ann.pk}]}})
        CampaignRun.objects.update(requested_at=timezone.now() + timedelta(minutes=1))
    else:
        runner.post(f"{path}/schedule.json", {"input": {"runAt": at}})
    for run in scheduled():
        assert begun(run).count == 2
    process_due_work()
    assert list_member_ids(regulars) == {ann.pk, bob.pk}
    assert CampaignRun.objects.filter(state="done").count() == 2


def test_one_without_a_moment_runs_at_once(runner, regulars):
    made = make_draft_campaign(add_to_list_step(regulars), audience=SPANISH)
    assert result(runner.post(f"/rest/v1/campaigns/{made.pk}/schedule.json")) == [{"id": made.pk}]
    (run,) = scheduled()
    assert run.due_at <= timezone.now()
    make_person(country="ES")
    assert begun(run).count == 1


def test_schedules_that_cannot_be(runner, dialect_with, regulars):
    made, everybody = (
        make_draft_campaign(add_to_list_step(regulars), audience=SPANISH),
        make_draft_campaign(add_to_list_step(regulars)),
    )

    def schedule(campaign, given=None, by=runner):
        return code(by.post(f"/rest/v1/campaigns/{campaign}/schedule.json", {"input": given or {}}))

    assert schedule(everybody.pk) == "1003" and schedule(999) == "1013"
    assert schedule(make_draft_campaign(audience=SPANISH).pk) == "1003"
    assert schedule(made.pk, {"runAt": "soon"}) == "1001" and schedule(made.pk, {"runAt": "2020-01-01"}) == "1003"
    assert schedule(made.pk, {"runAt": "2199-01-01"}) == "1042"
    assert schedule(made.pk, {"cloneToProgramName": "X"}) == "1003"
    assert schedule(made.pk, by=dialect_with("smartlists.activate_smartcampaign")) == "603"
    assert not scheduled().exists()


def test_who_made_it_is_told_when_it_cannot_run_any_more(runner, owner, regulars):
    made = campaign_lifecycle.create_campaign(
        "Later", owner, value={"triggers": [], "steps": [add_to_list_step(regulars)], "audience": SPANISH}
    )
    runner.post(f"/rest/v1/campaigns/{made.pk}/schedule.json")
    campaign_lifecycle.archive_campaign(made, owner)
    run = begun(scheduled().get())
    assert (run.state, run.count) == ("failed", 0) and "Archived" in run.fault
    assert (
        str(Notice.objects.get(user=owner, kind="campaign_not_run")) == "Later could not be run when it was scheduled."
    )


def test_they_are_assets_too(dialect, regulars):
    folder = folders.create_folder("Spring", None)
    made = make_active_campaign(
        add_to_list_step(regulars), name="Big cheques", qualification={"how": "once in", "number": 3, "unit": "days"}
    )
    campaign_lifecycle.move_campaign(made, folder, None)
    idle = make_draft_campaign(name="Idle")
    (row,) = result(dialect.get(f"{ASSET}/smartCampaign/{made.pk}.json"))
    assert (row["status"], row["type"], row["isActive"], row["isSystem"]) == ("Active", "Trigger", True, False)
    assert (row["qualificationRuleType"], row["qualificationRuleInterval"], row["qualificationRuleUnit"]) == (
        "interval",
        3,
        "day",
    )
    assert row["folder"] == {"id": 1_000 + folder.pk, "type": "Folder"} and row["createdAt"].endswith("Z+0000")
    assert result(dialect.get(f"{ASSET}/smartCampaign/byName.json", name="Big cheques")) == [row]
    rows = result(dialect.get(f"{ASSET}/smartCampaigns.json"))
    assert [(found["id"], found["status"]) for found in rows] == [(made.pk, "Active"), (idle.pk, "Never Run")]
    for parameters, expected in (
        ({"isActive": "true"}, [made.pk]),
        ({"isActive": "false"}, [idle.pk]),
        ({"folder": str(1_000 + folder.pk)}, [made.pk]),
        ({"maxReturn": 1, "offset": 1}, [idle.pk]),
    ):
        assert [found["id"] for found in result(dialect.get(f"{ASSET}/smartCampaigns.json", **parameters))] == expected
    assert "result" not in dialect.get(f"{ASSET}/smartCampaign/999.json").json()


def test_folders_are_listed_and_read_with_what_lies_in_them(dialect, dialect_with, regulars):
    spring = folders.create_folder("Spring", None)
    april = folders.create_folder("April", None, spring)
    deep = folders.create_folder("Week 1", None, april)
    seeds = static_lists.create_static_list("Seeds", None, folder=spring)
    made = make_draft_campaign(name="Big cheques")
    campaign_lifecycle.move_campaign(made, spring, None)
    number = {folder.name: 1_000 + folder.pk for folder in (spring, april, deep)} | {"Default": 1}

    def names(**parameters):
        reply = dialect.get(f"{ASSET}/folders.json", **parameters).json()
        return [row["name"] for row in reply.get("result", [])]

    assert names() == ["Default", "Spring", "April"]
    assert names(maxDepth=9) == ["Default", "Spring", "April", "Week 1"]
    assert names(root=number["Spring"], maxDepth=1) == ["Spring", "April"]
    assert names(root='{"id":1,"type":"Folder"}', offset=1, maxReturn=1) == ["Spring"] and names(offset=9) == []
    root, first = result(dialect.get(f"{ASSET}/folders.json", maxReturn=2))
    assert root["isSystem"] is True and root["parent"] is None and first["isSystem"] is False
    assert result(dialect.get(f"{ASSET}/folder/1.json")) == [root]
    (row,) = result(dialect.get(f"{ASSET}/folder/{number['Week 1']}.json", type="Folder"))
    assert row["path"] == "/Default/Spring/April/Week 1"
    assert row["parent"] == {"id": number["April"], "type": "Folder"}
    Folder.objects.filter(pk=deep.pk).update(created_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    (row,) = result(dialect.get(f"{ASSET}/folder/{number['Week 1']}.json", type="Folder"))
    assert row["createdAt"] == "2026-03-01T12:00:00Z+0000" and row["updatedAt"] >= first["createdAt"]
    assert result(dialect.get(f"{ASSET}/folder/byName.json", name="Week 1")) == [row]
    assert "result" not in dialect.get(f"{ASSET}/folder/7.json").json()
    inside = result(dialect.get(f"{ASSET}/folder/{number['Spring']}/content.json", type="Folder"))
    assert inside == [
        {"id": number["April"], "type": "Folder"},
        {"id": seeds.pk, "type": "Static List"},
        {"id": made.pk, "type": "Smart Campaign"},
    ]
    assert result(dialect.get(f"{ASSET}/folder/{number['Spring']}/content.json?offset=1&maxReturn=1")) == inside[1:2]
    narrow = dialect_with("people.view_staticlist")
    assert result(narrow.get(f"{ASSET}/folder/{number['Spring']}/content.json")) == inside[:2]
    assert code(dialect.get(f"{ASSET}/folder/999/content.json")) == "702"
    # a number alone names a folder, too
    listed = result(dialect.get(f"{ASSET}/staticLists.json", folder="1"))
    assert [found["id"] for found in listed] == [regulars.pk]
    (cut,) = result(dialect.form(f"{ASSET}/staticLists.json", name="New", folder=number["April"]))
    assert cut["folder"]["id"] == number["April"]
    assert code(dialect.get(f"{ASSET}/staticLists.json", folder="true")) == "701"


def test_standard_types_have_marketos_names(dialect, regulars):
    rows = {row["id"]: row for row in result(dialect.get("/rest/v1/activities/types.json"))}
    assert [rows[number]["name"] for number in (1, 12, 32, 37)] == [
        "Visit Webpage",
        "New Lead",
        "Merge Leads",
        "Delete Lead",
    ]
    assert rows[1]["primaryAttribute"] == {"name": "Webpage ID", "dataType": "integer"}
    assert rows[24]["primaryAttribute"]["name"] == "List ID" and "primaryAttribute" not in rows[12]
    (custom,) = (row for number, row in rows.items() if number > 100_000)
    assert (custom["apiName"], custom["name"]) == ("depositCheck", "Deposit Check")
