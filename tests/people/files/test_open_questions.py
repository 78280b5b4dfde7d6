"""Questions that a file leaves open are shown, or refused with the missing option: no default is taken."""

from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation
from django.utils.translation import gettext

from activities.types.definition import ActivityFieldSpec
from people.core.errors import RejectedError
from people.fields.catalog import READ_ONLY, STANDARD
from people.files import tabular
from people.files.imports import guessing
from people.files.imports import jobs as import_jobs
from people.files.imports.plan import ImportPlan
from people.files.imports.targets import TARGETS
from people.models import Import, Person
from tests.factories import approved_type

pytestmark = pytest.mark.django_db
LATIN = "email,first_name,city\na@example.com,José,Málaga\nb@example.com,Zoë,León\n"
PEOPLE = ImportPlan(columns={"email": "email", "first_name": "first_name", "city": "city"})


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"


def imported(tmp_path, content, *arguments):
    (tmp_path / "f.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    out, err = StringIO(), StringIO()
    with suppress(SystemExit):
        call_command("import_people", str(tmp_path / "f.csv"), "--no-progress", *arguments, stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


def born(*texts):
    return "email,date_of_birth\n" + "".join(f"p{n}@example.com,{text}\n" for n, text in enumerate(texts))


@pytest.mark.parametrize(
    ("content", "option", "answer"),
    [
        (born("05/11/1980", "06/11/1980"), "--dates", "dmy"),
        (born("05.11.80"), "--dates", "mdy"),
        ('email,annual_revenue\na@example.com,"1.234"\n', "--decimal", ","),
        ('email,annual_revenue\na@example.com,"1,234"\n', "--decimal", "."),
        (LATIN.encode("windows-1252"), "--encoding", "windows-1252"),
        (LATIN.encode("mac_roman"), "--encoding", "mac_roman"),
    ],
)
def test_the_command_refuses_what_is_open_and_names_the_option(tmp_path, content, option, answer):
    with pytest.raises(CommandError, match=option):
        imported(tmp_path, content)
    assert not Import.objects.exists() and not Person.objects.exists()
    assert " 0 rejected" in imported(tmp_path, content, option, answer)
    assert Person.objects.exists()


def test_what_the_file_says_is_not_asked(tmp_path):
    assert "2 added" in imported(tmp_path, born("25/12/1980", "05/11/1980"))
    assert sorted(str(one) for one in Person.objects.values_list("date_of_birth", flat=True)) == [
        "1980-11-05",
        "1980-12-25",
    ]
    assert "1 added" in imported(tmp_path, 'email,annual_revenue\nc@example.com,"1.234,50"\n')
    assert str(Person.objects.get(email="c@example.com").annual_revenue) == "1234.5000"


def test_the_api_refuses_what_is_open_and_takes_encoding_and_header_row(client, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("olga", password="x"))

    def sent(content, query="", method="post", path="/api/v1/imports?kind=people&name=f.csv"):
        kind = "text/csv" if method == "post" else "application/json"
        return getattr(client, method)(path + query, content, content_type=kind)

    made = sent(born("05/11/1980").encode()).json()
    address = f"/api/v1/imports/{made['id']}/plan"
    plan = {"columns": {"email": "email", "date_of_birth": "date_of_birth"}}
    refused = client.put(address, plan, content_type="application/json")
    assert refused.status_code == 422 and refused.json()["errors"][0]["path"] == "/date_order"
    assert client.put(address, plan | {"date_order": "dmy"}, content_type="application/json").status_code == 200
    latin = ("Report of today\n\n" + LATIN).encode("windows-1252")
    made = sent(latin).json()
    plan = {"columns": dict(PEOPLE.columns)}
    refused = client.put(f"/api/v1/imports/{made['id']}/plan", plan, content_type="application/json")
    assert refused.status_code == 422 and refused.json()["errors"][0]["path"] == "/encoding"
    made = sent(latin, "&encoding=windows-1252&header_row=3").json()
    assert made["columns"] == ["email", "first_name", "city"]
    assert client.put(f"/api/v1/imports/{made['id']}/plan", plan, content_type="application/json").status_code == 200
    for query in ("&encoding=klingon", "&header_row=0", "&header_row=x", "&header_row=99999", "&encoding=%00"):
        assert sent(latin, query).status_code == 400, query


def test_the_wizard_asks_for_the_encoding_and_shows_what_each_makes_of_the_file(client, admin_user):
    client.force_login(admin_user)
    job = import_jobs.upload_file([LATIN.encode("mac_roman")], "f.csv", "people", admin_user)
    address = f"/admin/people/import/{job.pk}/columns/"
    page = client.get(address).content.decode()
    assert "Which of these is correct?" in page and "José,Málaga" in page
    answers = {
        "subject": "",
        "asked": "",
        "column_0": "email",
        "column_1": "first_name",
        "column_2": "city",
        "lookup_field": "email",
        "action": "upsert",
        "starts_campaigns": "no",
        "date_order": "ymd",
        "decimal": ".",
        "zone": "UTC",
    }
    page = client.post(address, answers).content.decode()
    job.refresh_from_db()
    assert job.plan is None and "Which of these is correct?" in page
    page = client.post(address, answers | {"encoding": "mac_roman"}).content.decode()
    job.refresh_from_db()
    assert job.plan and job.shape["encoding"] == "mac_roman" and "Málaga" in page
    assert "Which of these is correct?" not in page


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_that_say_what_they_are_are_not_asked(encoding):
    job = import_jobs.upload_file([LATIN.encode(encoding)], "f.csv", "people", None)
    import_jobs.set_plan(job, PEOPLE, None)
    first, second = import_jobs.sample_rows(job)
    assert list(first.cells) == ["a@example.com", "José", "Málaga"] and second.cells[2] == "León"


@pytest.mark.parametrize("encoding", [name for name in tabular.ENCODINGS if name not in ("utf-8",)])
def test_every_encoding_offered_is_read(encoding):
    """Also with a byte order mark where the name leaves none to be expected."""
    content = "email,city\na@example.com,Lima\n"
    marks = ("", "\ufeff") if encoding.startswith("utf-16-") else ("",)
    for mark in marks:
        job = import_jobs.upload_file([(mark + content).encode(encoding)], "f.csv", "people", None, encoding=encoding)
        assert list(job.shape["header"]) == ["email", "city"]
        assert [list(line.cells) for line in import_jobs.sample_rows(job)] == [["a@example.com", "Lima"]]


def test_no_file_of_another_encoding_is_taken_for_one_unasked():
    for encoding in ("windows-1252", "mac_roman", "iso-8859-15", "cp850"):
        job = import_jobs.upload_file([LATIN.encode(encoding)], "f.csv", "people", None)
        with pytest.raises(RejectedError, match="UTF-8"):
            import_jobs.set_plan(job, PEOPLE, None)


SEVERAL = "Buyer Email,Guest Email,Ordered,Joined,Title\na@example.com,b@example.com,2026-11-10,2026-11-18,Rye\n"


@pytest.fixture
def talk(db):
    fields = (ActivityFieldSpec("title", "Title", is_primary=True), ActivityFieldSpec("joined", "Joined", "datetime"))
    return approved_type("Hear Talk", "hearTalk", fields)


def test_the_wizard_asks_which_of_several_columns_is_the_moment_and_the_person(client, admin_user, talk):
    client.force_login(admin_user)
    job = import_jobs.upload_file([SEVERAL.encode()], "f.csv", "activities", admin_user)
    address = f"/admin/people/import/{job.pk}/columns/?subject=hearTalk"
    response = client.get(address)
    form, page = response.context["form"], response.content.decode()
    assert "occurred_at" not in form.guess.plan.columns and form.guess.plan.person == ""
    assert "Which column is “Occurred at”?" in page and "Which column is “Person (column or template)”?" in page
    asked = {name: [column for column, _sample in pairs] for name, pairs in form.guess.candidates.items()}
    assert asked == {"occurred_at": ["Ordered", "Joined"], "person": ["Buyer Email", "Guest Email"]}
    assert "<li>Joined: <code>2026-11-18</code></li>" in page
    for label in ("Title", "Título"):  # a name twice is no answer either
        content = SEVERAL.replace("Buyer Email", "title ").replace("Title", label)
        job = import_jobs.upload_file([content.encode()], "f.csv", "activities", admin_user)
        guess = guessing.guess_plan(job, "hearTalk", "UTC", import_jobs.sample_rows(job))
        assert ("primary_value" in guess.plan.columns) == (label == "Título")


def test_an_import_of_people_asks_which_of_several_columns_is_the_address(client, admin_user):
    client.force_login(admin_user)
    job = import_jobs.upload_file([SEVERAL.encode()], "f.csv", "people", admin_user)
    response = client.get(f"/admin/people/import/{job.pk}/columns/")
    assert "email" not in response.context["form"].guess.plan.columns
    assert "<li>Guest Email: <code>b@example.com</code></li>" in response.content.decode()


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("name", sorted(set(STANDARD) - READ_ONLY))
def test_a_column_named_as_the_product_shows_a_field_is_mapped_to_it(name, language):
    with translation.override(language):
        label = gettext(STANDARD[name][0])
    shape = tabular.FileShape(format="csv", header=[label], delimiter=";")
    for reader in ("en", "es"):
        with translation.override(reader):
            items = [item for item in TARGETS["people"].mappable("") if item.is_guessed]
            assert guessing.guess_columns(items, shape) == {name: label}


@pytest.mark.parametrize("column", ["Subscribed", "Suscrito", "Opt-in", "Alta"])
def test_a_column_that_says_the_opposite_is_never_mapped_and_warned_of(client, admin_user, column):
    client.force_login(admin_user)
    content = f"email,{column}\na@example.com,yes\n"
    job = import_jobs.upload_file([content.encode()], "f.csv", "people", admin_user)
    address = f"/admin/people/import/{job.pk}/columns/"
    response = client.get(address)
    form = response.context["form"]
    assert form.guess.plan.columns == {"email": "email"} and "the\n      opposite" not in response.text
    values = {name: "" if form[name].value() is None else form[name].value() for name in form.fields}
    page = client.post(address, {**values, "asked": "", "column_1": "unsubscribed"})
    assert page.context["contrary"] == [(column, "Unsubscribed")] and f"“{column}” seems to mean" in page.text
    assert page.context["current"] == 2, "the page asks for columns"


def test_the_api_and_the_commands_name_the_columns_that_can_be_what_is_not_mapped(client, admin_user, talk, tmp_path):
    client.force_login(admin_user)
    job = import_jobs.upload_file([SEVERAL.encode()], "f.csv", "activities", admin_user)
    plan = {"subject": "hearTalk", "columns": {"primary_value": "Title"}}
    refused = client.put(f"/api/v1/imports/{job.pk}/plan", plan, content_type="application/json")
    errors = {error["path"]: error["expected"] for error in refused.json()["errors"]}
    assert refused.status_code == 422 and set(errors) == {"/columns/occurred_at", "/person"}
    assert "Ordered (2026-11-10), Joined (2026-11-18)" in errors["/columns/occurred_at"].replace("'", "")
    (tmp_path / "f.csv").write_text(SEVERAL)
    with pytest.raises(CommandError) as caught:
        call_command("import_activities", str(tmp_path / "f.csv"), "--type=hearTalk", "--primary=Title")
    assert "--occurred-at is needed. Columns that it can be: Ordered" in str(caught.value)
    assert "--person is needed. Columns that it can be: Buyer Email" in str(caught.value)
    with pytest.raises(CommandError, match=r"Buyer Email.*Guest Email"):
        call_command("import_people", str(tmp_path / "f.csv"))
