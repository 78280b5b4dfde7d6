"""Files of other products: what they write is read, left open or refused, and what we write we read back."""

import bz2
import io
import lzma
from contextlib import suppress
from datetime import UTC, date
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from activities.models import Activity
from activities.types.definition import ActivityFieldSpec
from people.core.errors import RejectedError
from people.datatypes import file_formats, formulas
from people.datatypes.file_formats import DateOrder, ValueFormat
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME
from people.files.exports import jobs as export_jobs
from people.files.exports import kinds as export_kinds
from people.files.imports import guessing
from people.files.imports import jobs as import_jobs
from people.files.imports import plan as import_plan
from people.files.imports import targets as import_targets
from people.models import Person
from people.persons import export_kind as person_export_kind
from tests.factories import approved_type, make_person

CASES = Path(__file__).parents[1] / "cases"
FIELDS = (
    ActivityFieldSpec("what", "What", is_primary=True),
    ActivityFieldSpec("n", "N", "integer"),
    ActivityFieldSpec("amt", "Amt", "currency"),
    ActivityFieldSpec("s", "S Text"),
    ActivityFieldSpec("joinTime", "Join Time", "datetime"),
)


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"


@pytest.fixture
def simple_act(db):
    return approved_type("Do Simple", "simpleAct", FIELDS)


def command(name, file, *arguments):
    out, err = StringIO(), StringIO()
    with suppress(SystemExit):
        call_command(name, str(file), "--no-progress", *arguments, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue()


def record(file, *more):
    return command("import_activities", file, "--type", "simpleAct", "--create-people", *more)


def guessed(name, kind="activities", subject="simpleAct", content=None):
    job = import_jobs.upload_file([content or (CASES / name).read_bytes()], name, kind, None)
    return guessing.guess_plan(job, subject, "UTC", import_jobs.sample_rows(job)), job


def test_the_table_below_other_lines_is_read(simple_act):
    out, err = record(
        CASES / "zoom-header-block.csv",
        "--person",
        "{Email}",
        "--occurred-at",
        "Join Time",
        "--dates",
        "mdy",
        "--set",
        "primary_value=Rye",
    )
    assert "3 added" in out and "Columns left out" in err
    assert Person.objects.count() == 2
    assert set(Activity.objects.filter(activity_type_id=simple_act.pk).values_list("primary_value", flat=True)) == {
        "Rye"
    }


def test_month_names(simple_act):
    out, _err = record(
        CASES / "month-names.csv",
        "--person",
        "{Email}",
        "--occurred-at",
        "Order Date",
        "--primary",
        "Event Name",
        "--dates",
        "mdy",
    )
    assert "2 added" in out
    moments = Activity.objects.filter(activity_type_id=simple_act.pk).values_list("occurred_at", flat=True)
    assert {moment.isoformat() for moment in moments} == {"2026-09-26T19:05:00+00:00"}


@pytest.mark.django_db
def test_a_header_twice_costs_nothing():
    out, _err = command(
        "import_people",
        CASES / "duplicate-header-typeform.csv",
        "--field",
        "email=Your email?",
        "--field",
        "title=Anything else? (2)",
    )
    assert "2 added" in out
    assert Person.objects.get(email="ty.two@example.com").title == "no"


@pytest.mark.django_db
def test_nobody_is_found_by_an_id_unasked():
    guess, _job = guessed("id-column-overwrites-strangers.csv", "people", "")
    assert guess.plan.lookup_field == "email" and guess.plan.columns["email"] == "Work Email"
    assert "id" not in guess.plan.columns
    guess, _job = guessed("f.csv", "people", "", b"ID,First Name\n1,Wanda\n")
    assert "lookup_field" in guess.questions and "id" not in guess.plan.columns


@pytest.mark.django_db
def test_the_preview_knows_whom_a_row_hits():
    wanda = make_person(email="wanda@example.com", first_name="Ximena")
    target = import_targets.TARGETS["people"]
    hits = target.hits([{"email": "wanda@example.com", "first_name": "Wanda"}], import_plan.ImportPlan())
    assert hits[0].address.endswith(f"/{wanda.pk}/change/") and hits[0].changes == [("First Name", "Ximena", "Wanda")]


def test_only_mapped_columns_answer_the_order_of_dates(simple_act):
    guess, _job = guessed("date-order-from-ignored-column.csv")
    assert "date_order" in guess.questions


def test_a_thousands_point_is_asked(simple_act):
    guess, _job = guessed("thousands-point.csv")
    assert "decimal" in guess.questions


@pytest.mark.parametrize(
    ("values", "mark"),
    [
        (["1.234"], None),
        (["1,234"], None),
        (["1.234.567"], ","),
        (["1,234,567"], "."),
        (["0.125"], "."),
        (["12345.678"], "."),
        (["0,125"], ","),
        (["1.5", "1,5"], None),
        (["+1.50"], "."),
        (["17"], "."),
    ],
)
def test_marks_that_may_be_either_decide_nothing(values, mark):
    assert file_formats.likely_decimal(values) == mark


def test_refused_rows_leave_nobody_behind(simple_act):
    out, _err = record(
        CASES / "refused-rows-create-people.csv",
        "--person",
        "{Email}",
        "--occurred-at",
        "When",
        "--primary",
        "What",
        "--field",
        "n=N",
    )
    assert "0 added" in out and "2 rejected" in out
    assert not Person.objects.exists() and not Activity.objects.exists()


def test_a_dry_run_takes_no_ids(simple_act, tmp_path):
    (tmp_path / "f.csv").write_text("Email,What,When\na@example.com,A,2026-11-05\nb@example.com,B,2026-11-05\n")
    before = make_person().pk
    arguments = ("--person", "{Email}", "--occurred-at", "When", "--primary", "What")
    assert "2 added" in record(tmp_path / "f.csv", *arguments, "--dry-run")[0]
    assert Person.objects.count() == 1
    assert make_person().pk == before + 1
    assert "2 added" in record(tmp_path / "f.csv", *arguments)[0]
    assert Person.objects.count() == 4


@pytest.mark.django_db
def test_blanks_around_text_are_no_part_of_it():
    command("import_people", CASES / "blanks-around-text.csv")
    assert set(Person.objects.values_list("country", flat=True)) == {"Spain"}
    assert Person.objects.filter(first_name="Bob").exists()


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f", "\u3000", "\u200b", "\ufeff", "\u2060", "\t"])
@pytest.mark.parametrize("data_type", ["string", "phone", "email", "link"])
def test_invisible_characters(blank, data_type):
    kind = BY_NAME[data_type]
    text = kind.example.strip()
    assert kind.parse(f"{blank}{text}{blank}", UTC) == text
    assert is_blank(blank * 2)


@pytest.mark.django_db
def test_one_row_of_another_encoding_does_not_decide_for_the_others():
    out, _err = command("import_people", CASES / "one-latin1-row.csv")
    assert "3 added" in out and "1 rejected" in out
    assert set(Person.objects.values_list("city", flat=True)) == {"Málaga"}


@pytest.mark.django_db
def test_dates_written_as_their_midnight():
    out, _err = command("import_people", CASES / "date-with-midnight.csv", "--dates", "dmy")
    assert "3 added" in out
    assert set(Person.objects.values_list("date_of_birth", flat=True)) == {date(1980, 11, 5)}


def test_zones_by_name_and_blanks_around_moments(simple_act):
    out, _err = record(CASES / "utc-suffix.csv", "--person", "{Email}", "--occurred-at", "When", "--primary", "What")
    assert "3 added" in out


@pytest.mark.django_db
def test_nobody_is_born_in_the_future():
    command("import_people", CASES / "two-digit-birth-year.csv", "--dates", "dmy")
    assert Person.objects.get().date_of_birth == date(1930, 11, 5)


def test_columns_are_taken_by_label_and_the_others_named(simple_act):
    out, err = record(CASES / "labels.csv", "--person", "{Email}", "--occurred-at", "When", "--primary", "What")
    assert "1 added" in out and "left out" not in err
    (activity,) = Activity.objects.filter(activity_type_id=simple_act.pk)
    assert activity.attributes == {"n": 5, "s": "hello"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "said"),
    [("subscribers.zip", "ZIP archive \\(files in it: 2,"), ("table-as.xls", "web page"), ("x.xls", "old Excel file")],
)
def test_what_is_no_table_is_called_what_it_is(name, said):
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 if name == "x.xls" else (CASES / name).read_bytes()
    with pytest.raises(RejectedError, match=said):
        import_jobs.upload_file([content], name, "people", None)


def zipped(*names):
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return content.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (zipped(), "an archive"),
        (zipped("a.csv"), r"ZIP archive \(files in it: 1,"),
        (zipped("[Content_Types].xml", "xl/workbook.bin"), r"\.xlsb"),
        (zipped("[Content_Types].xml", "word/document.xml"), "a document"),
        (bz2.compress(b"email\n"), "an archive"),
        (lzma.compress(b"email\n"), "an archive"),
        (b"\x28\xb5\x2f\xfd\x04\0", "an archive"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a picture"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a picture"),
        (b"GIF89a\1\0", "a picture"),
        (b"%PDF-1.7\n", "a PDF"),
        (b'[{"email": "ann@example.com"}]', "JSON document"),
        (b"\xef\xbb\xbf \n[\n  {", "JSON document"),
        (b"MIME-Version: 1.0\nContent-Type: multipart/related\n", "web page"),
    ],
)
def test_the_message_of_a_file_that_is_no_table_names_its_format(content, expected):
    with pytest.raises(RejectedError, match=expected):
        import_jobs.upload_file([content], "list.csv", "people", None)


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("Sep 26, 2026 7:05 PM", "2026-09-26T19:05:00Z"),
        ("26 sep 2026", "2026-09-26T00:00:00Z"),
        ("26 de septiembre de 2026 a las 7:05 p. m.", "2026-09-26T19:05:00Z"),
        ("Sat, 26 Sep 2026 19:05:00 GMT", "2026-09-26T19:05:00Z"),
        ("Thu Nov 05 2026 14:03:22 GMT+0100 (Central European Standard Time)", "2026-11-05T13:03:22Z"),
        ("2026-11-05 14:03:22 Europe/Madrid", "2026-11-05T13:03:22Z"),
        ("5 nov. 2026 14:03", "2026-11-05T14:03:00Z"),
        ("3/4/2026 12:05 a. m.", "2026-04-03T00:05:00Z"),
        ("mié, 4 mar 2026 9:05 CET", "2026-03-04T08:05:00Z"),
    ],
)
def test_moments_in_words(written, iso):
    kind = BY_NAME["datetime"]
    assert kind.to_text(kind.parse(ValueFormat(DateOrder.DMY).reader(kind)(written), UTC)) == iso


@pytest.mark.parametrize("written", ["26 foo 2026", "31 feb 2026", "2026-11-05 14:03 CST", "Sep 26", "25:10 PM"])
def test_what_means_nothing_for_certain_is_refused(written):
    kind = BY_NAME["datetime"]
    with pytest.raises(BadValueError):
        kind.parse(ValueFormat(DateOrder.DMY).reader(kind)(written), UTC)


MONTHS = (
    [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
)


@given(st.dates(date(1970, 1, 1), date(2069, 12, 31)))
def test_every_notation_of_a_date_is_read_back(day):
    kind = BY_NAME["date"]
    spanish, english = (names[day.month - 1] for names in MONTHS)
    notations = {
        "dmy": (f"{day.day}/{day.month}/{day.year}", f"{day:%d.%m.%Y}", f"{day:%d-%m-%Y}"),
        "mdy": (f"{day.month}/{day.day}/{day.year}", f"{day:%m-%d-%Y}"),
        "ymd": (
            f"{day:%Y/%m/%d}",
            f"{day:%Y-%m-%d} 00:00:00",
            f"{day.day} de {spanish} de {day.year}",
            f"{day.day}-{english[:3]}-{day.year}",
            f"{english} {day.day}, {day.year}",
            f"{day}T00:00:00.000Z",
        ),
    }
    for order, texts in notations.items():
        read = ValueFormat(DateOrder(order)).reader(kind)
        for text in texts:
            assert kind.parse(read(text), UTC) == day


@given(st.text(alphabet="'=+-@|%\t\rab0 .,", max_size=8))
def test_the_mark_of_spreadsheets_has_an_inverse(text):
    assert formulas.unguard_formula(formulas.guard_formula(text)) == text
    assert formulas.unguard_formula(formulas.escape_apostrophe(text)) == text


TEXTS = (
    "+34 600 123 456",
    "-",
    "'s-Hertogenbosch",
    "'=1",
    "''+x",
    "'@ana",
    "'",
    "''",
    "'%",
    "'+4",
    "''@''",
    "=1",
    "=SUM(A1)",
    "-5",
    "'-5",
    "@me",
    '"q", x',
    "a\nb",
)


@pytest.mark.django_db
@pytest.mark.parametrize("excel_safe", [True, False])
@pytest.mark.parametrize("format", [format for format in export_kinds.FORMATS if format != "parquet"])
def test_an_export_imported_again_changes_nobody(excel_safe, format, tmp_path):
    """Exported texts are read as they were, without options, whatever apostrophes they have."""
    given = [
        make_person(
            title=text,
            phone=text.replace("\n", " "),
            annual_revenue="1234.5",
            date_of_birth="1980-11-05",
            unsubscribed=True,
            person_score=7,
            address=text,
        )
        for text in TEXTS
    ]
    file = io.BytesIO()
    export_jobs.write_export(person_export_kind.people_statement({}), format, file, excel_safe=excel_safe)
    path = tmp_path / ("p.ndjson" if format == "ndjson" else "p.csv")
    path.write_bytes(file.getvalue())
    before = list(Person.objects.order_by("pk").values())
    out, _err = command("import_people", path)
    assert f"{len(given)} updated" in out
    assert list(Person.objects.order_by("pk").values()) == before
