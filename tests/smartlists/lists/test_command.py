"""Smart lists from the command line: out as text, in again, counted, written and explained."""

import json
import subprocess
import sys
from io import BytesIO, StringIO

import pytest
from django.core.management import CommandError, call_command

from people.core.errors import RejectedError
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from smartlists.lists import export_kind as list_export_kind
from smartlists.models import SmartList
from tests.factories import approved_type
from tests.smartlists.evaluation.test_evaluator import deposit, people
from tests.smartlists.lists.test_editing import form, nested
from tests.smartlists.rule_factories import activity_filter, field_constraint, person_field_filter

pytestmark = pytest.mark.django_db


def run(*arguments):
    out, err = StringIO(), StringIO()
    call_command("smart_list", *arguments, stdout=out, stderr=err)
    return out.getvalue()


@pytest.fixture
def lists():
    approved_type()
    inner = list_editing.create_smart_list(
        "Rich", form(activity_filter(field_constraint("amount", "at least", "500"))), None, description="Who has money"
    )
    return inner, list_editing.create_smart_list(
        "Rich Spaniards / 2026", form(person_field_filter("country", "is", "Spain"), nested(inner)), None
    )


def test_lists_go_out_as_text_and_come_back(lists, tmp_path):
    assert "2 lists written" in run("export", "--folder", str(tmp_path))
    files = sorted(str(file) for file in tmp_path.iterdir())
    assert "did" in run("export", "rich")
    before = list(SmartList.objects.order_by("name").values("name", "description"))
    assert "unchanged" in run("import", *files)
    list_editing.delete_smart_list(lists[1], None)
    list_editing.delete_smart_list(lists[0], None)
    assert "Dry run" in run("import", "--dry-run", *files) and not SmartList.objects.exists()
    # the first file names the list of the second
    assert run("import", *reversed(files)).count("created") == 2
    assert list(SmartList.objects.order_by("name").values("name", "description")) == before
    list_editing.change_smart_list(SmartList.objects.get(name="Rich"), None, description="x")
    assert "Rich changed" in run("import", *files)


def test_bad_files_change_nothing(lists, tmp_path):
    good, bad, unnamed = tmp_path / "good", tmp_path / "bad", tmp_path / "unnamed"
    good.write_text(json.dumps({"name": "New", "rules": form()}))
    bad.write_text(json.dumps({"name": "Bad", "rules": form(person_field_filter("contry", "is", "x"))}))
    unnamed.write_text(json.dumps(form()))
    with pytest.raises(CommandError, match=r"bad filters 1 field: .*country"):
        run("import", str(good), str(bad))
    with pytest.raises(CommandError, match="does not name"):
        run("import", str(unnamed))
    with pytest.raises(CommandError, match="No such file"):
        run("import", str(tmp_path / "missing"))
    for content in (b"{", b"\xff\xfe", b'{"filters": 3}'):
        bad.write_bytes(content)
        with pytest.raises(CommandError):
            run("evaluate", "--file", str(bad))
    assert SmartList.objects.count() == 2


def test_the_count_comes_last(lists, tmp_path):
    ann, bob = people({"country": "Spain"}, {"country": "Spain"})
    deposit(ann, amount="900")
    assert run("evaluate", "rich", "--count") == "1\n"
    assert run("evaluate", "Rich Spaniards / 2026") == "1 people.\n"
    assert SmartList.objects.get(name="Rich").current.count == 1
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(form(person_field_filter("country", "is", "Spain"))))
    assert run("evaluate", "--file", str(file), "--count").splitlines()[-1] == "2"
    members = tmp_path / "members.csv"
    run("evaluate", "rich", "--members", str(members), "--fields", "country")
    assert members.read_text() == f"id,country\n{ann},Spain\n"
    with pytest.raises(CommandError):
        run("evaluate", "--file", str(file), "--members", str(members))
    with pytest.raises(CommandError):
        run("evaluate", "No such list")
    assert bob


def test_one_person_is_explained(lists):
    (ann,) = people({"country": "Spain", "email": "ann@example.com"})
    number = deposit(ann, amount="400")
    said = run("explain", "Rich Spaniards / 2026", "--person", "ANN@example.com")
    assert "1. yes" in said and "2. no" in said and "100 USD too low" in said
    assert said.endswith("Not on the list.\n")
    deposit(ann, amount="600")
    assert f"activity {number + 1} " in run("explain", "rich", "--person", str(ann))
    with pytest.raises(CommandError, match="0 people"):
        run("explain", "rich", "--person", "nobody@example.com")


def test_members_are_written_in_pieces_with_one_heading(monkeypatch):
    monkeypatch.setattr(list_export_kind, "PIECE", 2)
    ids = people(*({"country": "Spain"} for _ in range(5)))
    stored = stored_evaluations.evaluate_list(list_editing.create_smart_list("All", form(), None), None)
    out = BytesIO()
    assert list_export_kind.write_members(stored, out, ["country"]) == 5
    assert out.getvalue().decode().splitlines() == ["id,country", *(f"{pk},Spain" for pk in ids)]
    out = BytesIO()
    assert list_export_kind.write_members(stored, out, ["country"], "ndjson") == 5
    assert len(out.getvalue().splitlines()) == 5
    with pytest.raises(RejectedError, match="contry"):
        list_export_kind.write_members(stored, out, ["contry"])
    empty = stored_evaluations.evaluate_list(
        list_editing.create_smart_list("Nobody", {"match": "any", "filters": []}, None), None
    )
    out = BytesIO()
    assert list_export_kind.write_members(empty, out, ["country"]) == 0 and out.getvalue() == b"id,country\n"


def test_help_needs_no_database():
    assert subprocess.run([sys.executable, "manage.py", "smart_list", "--help"], capture_output=True, check=True).stdout
