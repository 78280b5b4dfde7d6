"""Changes of people: single entries with old and new value through every channel, and which start campaigns."""

import json
from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from activities.models import Activity
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from people.core.source import Channel, Source
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.files.imports.plan import ImportPlan
from people.files.models import Import
from people.lists import static_lists
from people.models import Person
from people.persons import merge as person_merge
from people.persons import upsert
from smartlists.models import CampaignEntry
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    make_active_campaign,
    make_static_list,
    process_due_work,
    record_deposit,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
EMAIL = "lc.three@example.com"
NEW = {"city": "Quito", "first_name": "Ann", "person_score": 9}
LEAD = {"city": "Quito", "firstName": "Ann", "leadScore": 9}


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"


@pytest.fixture
def owner():
    return get_user_model().objects.create_superuser("olga", password="x")


def csv(names):
    return f"email,{','.join(names)}\n{EMAIL},{','.join(str(NEW[name]) for name in NEW)}\n"


def by_page(client, owner, tmp_path):
    client.force_login(owner)
    known = Person.objects.filter(email=EMAIL).first()
    where = "admin:people_person_change" if known else "admin:people_person_add"
    page = client.get(reverse(where, args=[known.pk] if known else []))
    form = page.context["form"]
    data = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    answer = client.post(reverse(where, args=[known.pk] if known else []), data | NEW | {"email": EMAIL})
    assert answer.status_code == 302, answer.context["form"].errors


def by_native_api(client, owner, tmp_path):
    token = tokens.issue_token(
        client_editing.create_client("Core", owner, None, client_editing.grantable_rights()).client
    ).text
    answer = client.post(
        "/api/v1/people/batch",
        json.dumps({"people": [{"email": EMAIL, **NEW}]}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200 and not answer.json()["refused"], answer.content


def marketo(client, owner):
    return {
        "Authorization": f"Bearer {client_editing.client_token(client_editing.create_client('Core', owner, None).client).text}"
    }


def by_marketo_api(client, owner, tmp_path):
    answer = client.post(
        "/rest/v1/leads.json",
        json.dumps({"input": [{"email": EMAIL, **LEAD}]}),
        content_type="application/json",
        headers=marketo(client, owner),
    )
    assert answer.json()["success"], answer.content


def by_marketo_file(client, owner, tmp_path):
    file = SimpleUploadedFile("leads.csv", csv(LEAD).encode())
    answer = client.post("/bulk/v1/leads.json?format=csv", {"file": file}, headers=marketo(client, owner))
    assert answer.json()["success"], answer.content
    import_runner.run_import(Import.objects.latest("pk").pk)


def imported(starts_campaigns):
    job = import_jobs.upload_file([csv(NEW).encode()], "people.csv", "people", None)
    columns = {name: name for name in ("email", *NEW)}
    import_jobs.set_plan(job, ImportPlan(columns=columns, starts_campaigns=starts_campaigns), None)
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    assert job.state == Import.State.COMPLETE and not job.refused


def by_import(client, owner, tmp_path):
    imported(True)


def by_quiet_import(client, owner, tmp_path):
    imported(False)


def by_command(client, owner, tmp_path, *options):
    (tmp_path / "people.csv").write_text(csv(NEW))
    call_command("import_people", str(tmp_path / "people.csv"), "--no-progress", *options)


def by_quiet_command(client, owner, tmp_path):
    by_command(client, owner, tmp_path, "--no-campaigns")


def by_campaign(client, owner, tmp_path):
    approved_type()
    make_active_campaign(
        {"do": "change_field", "field": "city", "to": "Quito"},
        {"do": "change_field", "field": "first_name", "to": "Ann"},
        {"do": "change_field", "field": "person_score", "to": "9"},
    )
    record_deposit(Person.objects.get(email=EMAIL).pk)


def by_merge(client, owner, tmp_path):
    loser = make_person(email="loser@example.com", **NEW)
    person_merge.merge_people(
        Person.objects.get(email=EMAIL).pk,
        [loser.pk],
        owner,
        Source(Channel.ADMIN, owner.pk),
        choices=dict.fromkeys(NEW, loser.pk),
    )


# channel: (True if it starts campaigns, True if it can create people)
CHANNELS = {
    by_page: (True, True),
    by_native_api: (True, True),
    by_marketo_api: (True, True),
    by_marketo_file: (True, True),
    by_import: (True, True),
    by_quiet_import: (False, True),
    by_command: (True, True),
    by_quiet_command: (False, True),
    by_campaign: (True, False),
    by_merge: (False, False),
}


def listening(*kinds):
    """A campaign for each kind of activity; returns their ids by kind."""
    step = {"do": "remove_from_list", "list": make_static_list().pk}  # an empty list: leaves no entry of its own
    return {kind: make_active_campaign(step, triggers=[{"type": kind, "constraints": []}]).pk for kind in kinds}


def entered(pk, person_id):
    """The number of entries of a person; back-fill leaves entries that are skipped."""
    found = CampaignEntry.objects.filter(campaign=pk, person_id=person_id)
    assert {one.reason for one in found.filter(state="skipped")} <= {"past"}
    return found.exclude(state="skipped").count()


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.__name__)
def test_each_changed_value_is_an_entry_with_both_values(channel, client, owner, tmp_path):
    fires, _creates = CHANNELS[channel]
    known = make_person(email=EMAIL, city="Lima", person_score=5)
    process_due_work()
    campaigns = listening("changeDataValue", "changeScore")
    channel(client, owner, tmp_path)
    process_due_work()
    log = {row.primary_value: row for row in Activity.objects.of_person(known.pk).filter(activity_type_id__in=(13, 22))}
    assert set(log) == set(NEW)
    values = {name: (row.attributes.get("old_value"), row.attributes["new_value"]) for name, row in log.items()}
    assert values == {"city": ("Lima", "Quito"), "first_name": (None, "Ann"), "person_score": (5, 9)}
    assert log["person_score"].activity_type_id == 22 and log["person_score"].attributes["change_value"] == 4
    assert all(row.attributes["source"] for row in log.values() if row.activity_type_id == 13)
    assert entered(campaigns["changeDataValue"], known.pk) == (2 if fires else 0)
    assert entered(campaigns["changeScore"], known.pk) == (1 if fires else 0)


@pytest.mark.parametrize(
    "channel", [channel for channel, (_fires, creates) in CHANNELS.items() if creates], ids=lambda name: name.__name__
)
def test_a_new_person_is_one_entry_and_no_change(channel, client, owner, tmp_path):
    fires, _creates = CHANNELS[channel]
    make_person()
    process_due_work()
    campaigns = listening("newPerson", "changeDataValue")
    channel(client, owner, tmp_path)
    process_due_work()
    new = Person.objects.get(email=EMAIL)
    assert list(Activity.objects.of_person(new.pk).values_list("activity_type_id", flat=True)) == [12]
    assert entered(campaigns["newPerson"], new.pk) == (1 if fires else 0)
    assert entered(campaigns["changeDataValue"], new.pk) == 0


def test_a_quiet_import_puts_people_on_a_list_and_starts_nothing(tmp_path):
    ann = make_person(email=EMAIL)
    fixed = static_lists.create_static_list("Fixed", None)
    process_due_work()
    campaigns = listening("addToList")
    by_command(None, None, tmp_path, "--no-campaigns", "--list", str(fixed.pk))
    process_due_work()
    assert fixed.members.get().person_id == ann.pk and not entered(campaigns["addToList"], ann.pk)
    static_lists.remove_members(fixed, [ann.pk], MARKETO)
    static_lists.add_members(fixed, [ann.pk], MARKETO)
    process_due_work()
    assert entered(campaigns["addToList"], ann.pk) == 1


def test_the_person_is_merged_trigger_fires_all_the_same(client, owner, tmp_path):
    known = make_person(email=EMAIL)
    process_due_work()
    campaigns = listening("mergePeople")
    by_merge(client, owner, tmp_path)
    process_due_work()
    assert entered(campaigns["mergePeople"], known.pk) == 1


def test_a_constraint_on_the_field_finds_what_an_import_changed(client, owner, tmp_path):
    known = make_person(email=EMAIL, city="Lima", person_score=5)
    process_due_work()
    by_city = [{"field": "attribute_name", "operator": "is", "values": ["city"]}]
    campaign = make_active_campaign(
        add_to_list_step(make_static_list()), triggers=[{"type": "changeDataValue", "constraints": by_city}]
    )
    by_import(client, owner, tmp_path)
    process_due_work()
    assert entered(campaign.pk, known.pk) == 1


def test_an_import_keeps_its_transactions_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(upsert, "MAX_BATCH", 20)
    seen = []
    original = upsert.upsert_people
    monkeypatch.setattr(
        upsert, "upsert_people", lambda rows, *more, **named: seen.append(len(rows)) or original(rows, *more, **named)
    )
    (tmp_path / "people.csv").write_text(
        "email,city,first_name\n" + "".join(f"p{number}@example.com,Quito,Ann\n" for number in range(10))
    )
    by_file = ["import_people", str(tmp_path / "people.csv"), "--no-progress"]
    call_command(*by_file)
    assert sum(seen) == 10 and all(number * (3 + 2) <= 20 for number in seen)


def test_activities_that_name_an_import_of_the_same_number_are_no_changes_by_a_merge():
    """Only the kind, the channel and the reason together prove that a merge made a change."""
    approved_type()
    ann = make_person()
    campaign = make_active_campaign(add_to_list_step(make_static_list()))
    now = datetime.now(UTC)
    record_rows(
        new_activity(ann.pk, occurred_at=now), source=Source(Channel.ADMIN, None, 1, reason="Merge 1: people 2")
    )
    process_due_work()
    assert entered(campaign.pk, ann.pk) == 1
