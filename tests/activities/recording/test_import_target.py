"""Types and activities from files, through the commands an operator types."""

import gzip
import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from activities.models import Activity, ActivityType
from people.models import Person

pytestmark = pytest.mark.django_db
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
HEADER = "order_id,customer_id,date,cds,amount\n"


def run(command, *arguments, **options):
    out = StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=StringIO(), **options)
    return out.getvalue().strip()


@pytest.fixture
def buy_cds():
    assert run("activity_types", "import", EXAMPLES / "buy-cds.json", "--approve") == "buyCds created and approved."
    return ActivityType.objects.get(api_name="buyCds")


def load(file, *more):
    return run(
        "import_activities",
        file,
        "--type",
        "buyCds",
        "--person",
        "customer{customer_id}@example.com",
        "--create-people",
        "--occurred-at",
        "date",
        "--primary",
        "order_id",
        "--external-id",
        "order_id",
        "--no-progress",
        *more,
    )


def test_types_travel_between_installations(buy_cds, tmp_path):
    assert run("activity_types", "import", EXAMPLES / "buy-cds.json", "--approve") == "buyCds unchanged."
    run("activity_types", "export", tmp_path / "types.json")
    document = json.loads((tmp_path / "types.json").read_text())
    assert run("activity_types", "import", tmp_path / "types.json") == "buyCds unchanged."
    document["activity_types"][0]["description"] = "Bought something"
    (tmp_path / "types.json").write_text(json.dumps(document))
    assert "Dry run" in run("activity_types", "import", tmp_path / "types.json", "--dry-run")
    assert ActivityType.objects.get(api_name="buyCds").state == "approved"
    assert run("activity_types", "import", tmp_path / "types.json") == "buyCds changed."
    assert ActivityType.objects.get(api_name="buyCds").state == "approved_with_draft"


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"activity_types": [7]}', '{"activity_types": [{"name": 7, "fields": []}]}']
)
def test_a_bad_type_file_changes_nothing(content, tmp_path):
    (tmp_path / "types.json").write_text(content)
    with pytest.raises(CommandError):
        run("activity_types", "import", tmp_path / "types.json")
    assert not ActivityType.objects.custom().exists()


def test_a_file_imported_twice_adds_nothing(buy_cds):
    sample = EXAMPLES / "purchases-sample.csv"
    assert load(sample) == "200 rows: 200 added, 0 already imported, 0 rejected, 48 people created."
    people = Person.objects.count()
    assert load(sample) == "200 rows: 0 added, 200 already imported, 0 rejected."
    assert Person.objects.count() == people
    assert Activity.objects.filter(activity_type_id=buy_cds.pk).count() == 200


def test_a_dry_run_checks_everything_and_keeps_nothing(buy_cds):
    text = load(EXAMPLES / "purchases-sample.csv", "--dry-run")
    assert text == (
        "Dry run, nothing was recorded: 200 rows: 200 added, 0 already imported, 0 rejected, 48 people would be created."
    )
    assert not Activity.objects.exists() and not Person.objects.exists()


def test_refused_rows_are_reported_and_the_others_recorded(buy_cds, tmp_path):
    (tmp_path / "f.csv").write_text(HEADER + "A,1,1997-01-01,1,1\nB,1,1997-01-01,one,1\nC,1,yesterday,1,\n")
    with pytest.raises(SystemExit) as stop:
        load(tmp_path / "f.csv", "--failures", str(tmp_path / "bad.csv"))
    assert stop.value.code == 1
    lines = (tmp_path / "bad.csv").read_text().splitlines()
    assert lines[0] == HEADER.strip() + ",import_row,import_problem"
    assert lines[1] == 'B,1,1997-01-01,one,1,3,"field cds: expected a whole number, got “one”"'
    assert Activity.objects.filter(activity_type_id=buy_cds.pk).count() == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"a,b\n1,2\n", "no column “.*”; the columns are a, b"),
        (b"\x1f\x8bnot gzip", "gzip file is broken"),
    ],
)
def test_files_that_are_none(buy_cds, tmp_path, content, said):
    (tmp_path / "f.csv").write_bytes(content)
    with pytest.raises(CommandError, match=said):
        load(tmp_path / "f.csv")


def test_gzip_byte_order_mark_and_ndjson(buy_cds, tmp_path):
    row = "A,1,1997-01-01,1,1.50\n"
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(("\ufeff" + HEADER + row).encode()))
    assert load(tmp_path / "f.csv.gz").startswith("1 rows: 1 added")
    line = {"order_id": "A", "customer_id": 1, "date": "1997-01-01", "cds": 1, "amount": 1.5}
    (tmp_path / "f.ndjson").write_text(json.dumps(line) + "\n\n")
    assert load(tmp_path / "f.ndjson") == "1 rows: 0 added, 1 already imported, 0 rejected."


def test_a_field_is_given_one_column(buy_cds):
    field = buy_cds.live.fields.filter(is_primary=False).first().api_name
    with pytest.raises(CommandError, match="given two columns"):
        run(
            "import_activities",
            EXAMPLES / "purchases-sample.csv",
            "--type",
            "buyCds",
            "--person",
            "{customer_id}",
            "--occurred-at",
            "date",
            "--primary",
            "order_id",
            "--field",
            f"{field}=order_id",
            "--field",
            f"{field}=date",
            "--no-progress",
        )
    assert not Activity.objects.exists()


@pytest.mark.parametrize("template", ["{customer_id", "{customer_id!r}", "{customer_id.__class__}", "{}"])
def test_templates_only_name_columns(buy_cds, template):
    with pytest.raises(CommandError):
        run(
            "import_activities",
            EXAMPLES / "purchases-sample.csv",
            "--type",
            "buyCds",
            "--person",
            template,
            "--occurred-at",
            "date",
            "--primary",
            "order_id",
            "--no-progress",
        )
