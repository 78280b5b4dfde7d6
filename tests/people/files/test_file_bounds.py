"""Files that are small and would be large: bounded by what is read and kept, in rows, cells and bytes."""

import gzip
import io
import json
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import openpyxl
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from people.core.errors import RejectedError
from people.files import tabular, xlsx
from people.files.imports import jobs as import_jobs
from people.files.imports import report as import_report
from people.files.imports import runner as import_runner
from people.files.imports.plan import ImportPlan
from people.files.tabular import BadFileError
from people.files.unzip import open_unzipped
from people.models import Import
from tests.factories import approved_type

ROW = '<row r="1"><c r="A1" t="inlineStr"><is><t>email</t></is></c></row>'
CELL = '<c r="{}2" t="inlineStr"><is><t>a@example.com</t></is></c>'


def workbook(sheet, **parts):
    """A workbook whose first sheet has these rows, as XML."""
    made = io.BytesIO()
    openpyxl.Workbook().save(made)
    changed = io.BytesIO()
    with ZipFile(made) as old, ZipFile(changed, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                head, _data, tail = (
                    text.decode().partition("<sheetData/>")
                    if "<sheetData/>" in text.decode()
                    else text.decode().partition("<sheetData></sheetData>")
                )
                text = f"{head}<sheetData>{sheet}</sheetData>{tail}".encode()
            new.writestr(name, parts.get(name.rsplit("/", 1)[-1].removesuffix(".xml"), text))
    changed.seek(0)
    return changed


@pytest.mark.parametrize(
    ("sheet", "word"),
    [
        (ROW + f'<row r="2000000000">{CELL.format("A")}</row>', "1,048,576"),
        (ROW + f'<row r="2">{CELL.format("XFD")}</row>', "column 16384"),
        (ROW + f'<row r="2">{CELL.format("A")}</row>' * 2, "comes after"),
        (ROW + f'<row r="2">{"<c/>" * 5_000_000}</row>', "larger than is safe"),
        (
            '<row r="1">' + "".join(f'<c t="inlineStr"><is><t>c{n}</t></is></c>' for n in range(2_001)) + "</row>",
            "2001",
        ),
    ],
)
def test_a_workbook_is_read_no_further_than_its_cells_need(sheet, word, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_ROW_BYTES", 200_000)
    monkeypatch.setattr(xlsx, "MAX_RATIO", 10**6)
    read = 0
    with pytest.raises(BadFileError, match=word):
        for _row in xlsx.sheet_rows(workbook(sheet)):
            read += 1
    assert read <= 2


def test_rows_and_cells_that_are_left_out_are_empty():
    sheet = (
        ROW
        + f'<row r="4"><c r="C4"><v>1</v></c></row><row r="5"><c r="XFD5"/></row><row>{CELL.format("A").replace("2", "6")}</row>'
    )
    assert list(xlsx.sheet_rows(workbook(sheet))) == [["email"], [], [], [None, None, 1], [], ["a@example.com"]]


def test_strings_and_styles_beyond_their_limits_are_not_unpacked(monkeypatch):
    opened = []
    monkeypatch.setattr(xlsx, "_rows", lambda file: opened.append(file) or iter(()))
    for name, limit in (("sharedStrings", xlsx.MAX_SHARED_STRINGS), ("styles", xlsx.MAX_PART)):
        # stored lengths are a part's own claim; nothing needs to be unpacked to refuse it
        made = io.BytesIO()
        with ZipFile(made, "w") as archive:
            archive.writestr(f"xl/{name}.xml", b"x" * (limit + 1))
        with pytest.raises(BadFileError, match="unpacks to more"):
            list(xlsx.sheet_rows(made))
    assert not opened


def test_a_gzip_file_is_read_no_further_than_settings_allow(settings):
    settings.IMPORT_MAX_UNZIPPED_BYTES = 3 * 1024 * 1024
    packed = io.BytesIO(gzip.compress(b"email\n" + b"a@example.com\n" * 2_000_000))
    read = 0
    with pytest.raises(BadFileError, match="3 MB once it is unzipped"), open_unzipped(packed) as plain:
        while block := plain.read(1 << 16):
            read += len(block)
    assert read <= settings.IMPORT_MAX_UNZIPPED_BYTES


@pytest.fixture
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"email,na\0me\na@example.com,b\n", "column 2"),
        (b"email,\xff\xfe\x80\n" + b"a@example.com,b\n", ""),
        (b"email," + b"x" * 2_000 + b"\na@example.com,b\n", "column 2"),
        (b'{"' + b"k" * 2_000 + b'": 1}\n', "no JSON object"),
        (
            b"".join(b'{"k%d": 1}\n' % n for n in range(10)) + json.dumps({f"c{n}": 1 for n in range(3_000)}).encode(),
            "2000 columns",
        ),
    ],
)
def test_a_header_that_cannot_be_kept_is_refused_by_its_place(files, content, word):
    try:
        job = import_jobs.upload_file([content], "f.csv" if content[:1] != b"{" else "f.ndjson", "people", None)
    except RejectedError as refusal:
        outcome = (refusal.code, word in str(refusal))
    else:
        outcome = ("bad_file", not word and bool(Import.objects.get(pk=job.pk).shape["header"]))
    assert outcome == ("bad_file", True)


def refused_file(count):
    return gzip.compress(b"email\n" + b"".join(b"no address %d\n" % number for number in range(count)))


@pytest.mark.django_db
def test_refused_rows_are_kept_within_a_limit_and_counted_beyond_it(files, settings):
    settings.IMPORT_REFUSED_BYTES_KEPT = 100_000
    job = import_jobs.upload_file([refused_file(3_000)], "f.csv.gz", "people", None)
    import_jobs.set_plan(job, ImportPlan(columns={"email": "email"}), None)
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    assert job.state == Import.State.COMPLETE and job.refused == 3_000
    with connection.cursor() as cursor:
        cursor.execute("select sum(pg_column_size(f.*)) from file_import_failure f")
        assert 10_000 < cursor.fetchone()[0] <= settings.IMPORT_REFUSED_BYTES_KEPT
    kept = job.failures.count()
    assert 0 < kept < 3_000 and len(b"".join(import_report.report_lines(job)).splitlines()) == kept + 1


@pytest.mark.django_db
def test_a_line_of_an_import_that_is_nested_deeply_or_has_huge_numbers_is_one_refused_row(files, api_of):
    lines = [
        '{"email": "a@example.com", "city": "x"}',
        '{"email": "b@example.com", "city": ' + "[" * 300 + "]" * 300 + "}",
        '{"email": "c@example.com", "annual_revenue": 1e-999999999}',
        '{"email": ' + str(10**30) + "}",
        '{"email": "\\ud800", "city": "\\u0000"}',
        '{"email": "d@example.com", "annual_revenue": 1e999999999}',
        '{"email": "e@example.com", "number_of_employees": 1e99999999999999999999}',
        '{"email": "z@example.com"}',
    ]
    job = import_jobs.upload_file(["\n".join(lines).encode()], "f.ndjson", "people", None)
    header = job.shape["header"]
    import_jobs.set_plan(job, ImportPlan(columns={name: name for name in header}), None)
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    assert (job.state, job.added, job.refused) == (Import.State.COMPLETE, 2, 6)
    assert len(b"".join(import_report.report_lines(job)).splitlines()) == 6
    broken = job.failures.order_by("row").first()
    job.failures.filter(row=broken.row).update(raw="[" * 5_000)
    listed = api_of(f"/api/v1/imports/{job.pk}/failures")
    assert listed.status_code == 200 and len(listed.json()["results"]) == 6
    assert len(b"".join(import_report.report_lines(job)).splitlines()) == 6


@pytest.fixture
def api_of(client, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("olga", password="x"))
    return client.get


GOOD = "".join(
    f'<row r="{n}"><c r="A{n}" t="inlineStr"><is><t>p{n}@example.com</t></is></c></row>' for n in range(2, 603)
)
UNREADABLE = {
    "a far row": '<row r="2000000000"><c r="A2000000000" t="inlineStr"><is><t>a@example.com</t></is></c></row>',
    "a far column": '<row r="{n}"><c r="XFD{n}" t="inlineStr"><is><t>a@example.com</t></is></c></row>',
    "a row before the others": '<row r="-5"><c r="A1" t="inlineStr"><is><t>a@example.com</t></is></c></row>',
}


@pytest.mark.django_db
@pytest.mark.parametrize("row", UNREADABLE.values(), ids=UNREADABLE)
def test_a_workbook_with_an_unreadable_row_is_imported_up_to_it(files, row, monkeypatch):
    """Whatever a row's number or a cell's column, no more rows are made than the file has."""
    content = workbook(ROW + GOOD + row.format(n=603)).getvalue()
    made = []
    of_rows = tabular.READERS["xlsx"]
    monkeypatch.setitem(
        tabular.READERS, "xlsx", lambda file, shape: (made.append(line) or line for line in of_rows(file, shape))
    )
    job = import_jobs.upload_file([content], "f.xlsx", "people", None)
    import_jobs.set_plan(job, ImportPlan(columns={"email": "email"}), None)
    import_jobs.take_step(job, "start", None, queue=False)
    made.clear()
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    assert job.state == Import.State.FAILED and job.fault and len(made) <= 601 and job.rows <= 601


UNREADABLE_FILES = {
    **{
        name: ("f.xlsx", lambda row=row: workbook(ROW + row.format(n=2)).getvalue()) for name, row in UNREADABLE.items()
    },
    "an endless line": ("f.csv.gz", lambda: gzip.compress(b"email\n" + b"a," * 5_000_000)),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "content"), UNREADABLE_FILES.values(), ids=UNREADABLE_FILES)
def test_unreadable_first_rows_are_refused_wherever_a_file_comes_in(files, name, content, client, admin_user, tmp_path):
    """The guesses of a plan read the first rows, so an upload does: the API, the pages and the command refuse alike."""
    file = content()
    client.force_login(admin_user)
    with pytest.raises(RejectedError) as refusal:
        import_jobs.upload_file([file], name, "people", None)
    assert refusal.value.code == "bad_file"
    reply = client.post(f"/api/v1/imports?kind=people&name={name}", file, content_type="application/octet-stream")
    assert (reply.status_code, reply.json()["code"]) == (422, "bad_file")
    path = tmp_path / name
    path.write_bytes(file)
    with pytest.raises(CommandError, match=str(refusal.value)[:40]):
        call_command("import_people", str(path), "--no-progress")
    assert not Import.objects.exists() and not any(import_jobs.imports_folder().iterdir())
    readable = workbook(ROW).getvalue() if name == "f.xlsx" else gzip.compress(b"email\n")
    job = import_jobs.upload_file([readable], name, "people", admin_user)
    (import_jobs.imports_folder() / job.stored_as).write_bytes(file)  # a file that a version before took
    plan = {"columns": {"email": "email"}}
    reply = client.put(f"/api/v1/imports/{job.pk}/plan", plan, content_type="application/json")
    assert (reply.status_code, reply.json()["code"]) == (422, "bad_file")
    page = client.get(f"/admin/people/import/{job.pk}/columns/", follow=True)
    assert page.status_code == 200 and str(refusal.value)[:20] in page.content.decode()


def test_a_part_that_says_less_of_itself_than_it_unpacks_to_is_read_no_further():
    """260 MB of shared strings with 1 KB in their directory."""
    made = io.BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        archive.writestr("xl/sharedStrings.xml", b"<si><t>x</t></si>" * 1_000_000)
    lied = made.getvalue().replace((17_000_000).to_bytes(4, "little"), (1_000).to_bytes(4, "little"))
    assert lied != made.getvalue()
    with ZipFile(io.BytesIO(lied)) as archive, pytest.raises(BadZipFile, match="CRC"):
        archive.read("xl/sharedStrings.xml")
    with pytest.raises(BadFileError):
        list(xlsx.sheet_rows(io.BytesIO(lied)))


@pytest.mark.django_db
def test_refused_activities_grow_no_table_beyond_the_limit(files, settings):
    settings.IMPORT_REFUSED_BYTES_KEPT = 100_000
    approved_type()
    lines = b"email,when,check\n" + b"".join(b"ghost%d@example.com,soon,No. 1\n" % number for number in range(3_000))
    job = import_jobs.upload_file([gzip.compress(lines)], "f.csv.gz", "activities", None)
    plan = ImportPlan(
        columns={"occurred_at": "when", "primary_value": "check"},
        subject="depositCheck",
        person="{email}",
        create_people=True,
    )
    import_jobs.set_plan(job, plan, None)
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    assert (job.refused, job.created) == (3_000, 0)
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(sum(pg_column_size(f.*)), 0) from file_import_failure f")
        (failures,) = cursor.fetchone()
        cursor.execute("select coalesce(sum(pg_column_size(r.*)), 0) from refused_activity r")
        (waiting,) = cursor.fetchone()
    assert failures <= settings.IMPORT_REFUSED_BYTES_KEPT and waiting <= 2 * settings.IMPORT_REFUSED_BYTES_KEPT
