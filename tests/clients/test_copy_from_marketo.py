"""The script of docs/migrating-from-marketo.md, with one instance as both sides."""

import importlib.util

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model

from activities.models import Activity, ActivityType
from activities.recording.recorder import record_activities
from config.access.clients import editing as client_editing
from people.definitions import drafts
from people.files.imports import runner as import_runner
from people.files.models import Import
from people.lists import static_lists
from people.models import PersonField
from tests.factories import MARKETO, approved_type, draft_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def script(live_server, monkeypatch):
    owner = get_user_model().objects.create_superuser("olga", password="x")
    rights = (*client_editing.DEFAULT_RIGHTS, "activities.record_standard_activity")
    credentials = client_editing.create_client("Mover", owner, None, rights)
    for prefix in ("MARKETO_", ""):
        monkeypatch.setenv(f"{prefix}HOST", live_server.url)
        monkeypatch.setenv(f"{prefix}CLIENT_ID", credentials.client_id)
        monkeypatch.setenv(f"{prefix}CLIENT_SECRET", credentials.client_secret)
    spec = importlib.util.spec_from_file_location("copying", settings.BASE_DIR / "docs/examples/copy_from_marketo.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_every_step(script, capsys):
    approved_type()
    draft_type("Attend Workshop", "attendWorkshop")
    ann, bob = make_person(), make_person()
    record_rows(new_activity(ann.pk), new_activity(bob.pk))
    seeds = static_lists.create_static_list("Seeds", None)
    static_lists.add_members(seeds, [ann.pk, bob.pk], MARKETO)
    sides = script.Side("MARKETO_"), script.Side("")
    script.fields(*sides)
    assert PersonField.objects.get(api_name="marketoId").is_unique
    sides[1].ask("/rest/v1/leads.json", {"input": [{"email": ann.email, "marketoId": ann.pk}]})
    script.types(*sides)
    script.lists(*sides)
    with pytest.raises(SystemExit) as end:
        script.check(*sides)
    assert end.value.code is False  # 0 for the shell
    assert capsys.readouterr().out.splitlines() == [
        "field marketoId: created",
        "89 fields of Marketo were here already; left: -",
        "type depositCheck: there already",
        "type attendWorkshop: draft, left out",
        "list Seeds: there already, 1 of 2 members",
        "type depositCheck: 2 there, 2 here",
        "list Seeds: 2 there, 2 here",
    ]


def test_what_programs_record_here_since_the_switch_is_left_out_of_the_check(script, monkeypatch, capsys):
    approved_type()
    record_rows(
        new_activity(make_person().pk, occurred_at="2026-11-20T13:54:59Z"),
        new_activity(make_person().pk, occurred_at="2026-11-20T13:56Z"),
    )
    monkeypatch.setenv("UNTIL", "2026-11-20T13:55")
    with pytest.raises(SystemExit):
        script.check(script.Side("MARKETO_"), script.Side(""))
    assert capsys.readouterr().out == "type depositCheck: 1 there, 1 here\n"


def test_history_of_standard_activities_comes_by_import(script, monkeypatch, capsys, settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"
    monkeypatch.chdir(tmp_path)
    ann = make_person()
    visit = new_activity(ann.pk, "visitWebPage", primary_value="/pricing", **{"User Agent": "Safari"})
    record_activities([visit], MARKETO, may_record=frozenset({1}))
    here_are = ActivityType.objects.filter(pk__in=script.HISTORY).values_list("pk", flat=True)
    monkeypatch.setattr(script, "HISTORY", tuple(here_are))  # Marketo has them all
    sides = script.Side("MARKETO_"), script.Side("")
    script.fields(*sides)
    sides[1].ask("/rest/v1/leads.json", {"input": [{"email": ann.email, "marketoId": ann.pk}]})
    monkeypatch.setattr(script.time, "sleep", lambda _seconds: import_runner.run_import(Import.objects.latest("pk").pk))
    capsys.readouterr()
    script.history(*sides)
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "history: 1 activities of Marketo in history.csv"
    assert told[1].endswith("complete, 1 added, 0 repeated, 0 refused")
    _there, here = Activity.objects.filter(activity_type_id=1).order_by("pk")
    assert here.is_backfill and (here.primary_value, here.attributes) == ("/pricing", {"user_agent": "Safari"})


def test_a_type_is_made_and_approved_where_it_is_missing(script, monkeypatch, capsys):
    check = approved_type()
    there, here = script.Side("MARKETO_"), script.Side("")
    described = there.get("/rest/v1/activities/external/type/depositCheck/describe.json")[0]
    renamed = described | {"apiName": "depositCheque", "name": "Deposit Cheque", "triggerName": "A", "filterName": "B"}
    monkeypatch.setattr(there, "get", lambda path, **_query: [renamed])
    script.types(there, here)
    made = ActivityType.objects.get(api_name="depositCheque")
    assert made.is_recordable and drafts.field_specs(made.live)[1:] == drafts.field_specs(check.live)[1:]
    assert capsys.readouterr().out == "type depositCheque: created\n"


def test_fields_that_are_not_here_are_created_and_those_that_cannot_be_are_named(script, monkeypatch, capsys):
    there, here = script.Side("MARKETO_"), script.Side("")
    PersonField.objects.create(api_name="ourSize", label="Shoe Size", data_type="integer")
    beyond = [
        {"name": "billingCity", "displayName": "Billing City", "dataType": "string", "isCustom": False},
        {"name": "sfdcType", "displayName": "SFDC Type", "dataType": "string", "isCustom": False},
        {"name": "notes", "displayName": "Notes", "dataType": "textarea", "isCustom": True},
        {"name": "shoeSize", "displayName": "Shoe Size", "dataType": "integer", "isCustom": True},
        {"name": "tags", "displayName": "Tags", "dataType": "array", "isCustom": True},
    ]
    monkeypatch.setattr(there, "get", lambda path, **_query: beyond)
    for _twice in range(2):
        script.fields(there, here)
    first, second = (lines.splitlines() for lines in capsys.readouterr().out.split("left: shoeSize, tags\n")[:2])
    assert first[:3] == ["field marketoId: created", "field sfdcType: created", "field notes: created"]
    assert first[3] == "field shoeSize: left: its label or its name in another spelling is taken here"
    assert first[4].startswith("field tags: left: Invalid data for 'dataType'")
    assert first[5] == "1 fields of Marketo were here already; "
    assert [line.split(":")[0] for line in second[:-1]] == ["field marketoId", "field shoeSize", "field tags"]
    assert PersonField.objects.get(api_name="notes").data_type == "text"
    assert not PersonField.objects.filter(api_name="billingCity").exists()  # until a person has a value
