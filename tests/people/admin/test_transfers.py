"""The pages of imports and exports, as a marketer walks through them."""

from dataclasses import replace

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from activities.models import Activity
from people.core.errors import NotAllowedError
from people.files.exports import jobs as export_jobs
from people.files.imports import jobs as import_jobs
from people.files.imports import plan as import_plan
from people.files.imports import runner as import_runner
from people.lists import static_lists
from people.models import Export, Import, Person
from people.rights import ADD_PERSON, CHANGE_PERSON
from tests.factories import approved_type, make_person, user_with

pytestmark = pytest.mark.django_db
TEXT = "Customer,Day,Check,Amount\n1,3/4/2026,A,1\n2,3/4/2026,<b>B</b>,x\n"


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


def user(role):
    found = get_user_model().objects.create_user(role.lower(), password="x", is_staff=True)
    found.groups.add(Group.objects.get(name=role))
    return found


@pytest.fixture
def marketer(client):
    approved_type()
    client.force_login(user("Marketer"))
    return client


def upload(client, text=TEXT, contents="activities:depositCheck", name="checks.csv"):
    data = {"contents": contents, "file": SimpleUploadedFile(name, text if isinstance(text, bytes) else text.encode())}
    return client.post(reverse("admin:people_import_add"), data)


CHOICES = {
    "column_0": "",
    "column_1": "occurred_at",
    "column_2": "primary_value",
    "column_3": "field.amount",
    "person": "c{Customer}@example.com",
    "create_people": "on",
    "lookup_field": "email",
    "external_id": "hash",
    "date_order": "dmy",
    "decimal": ".",
    "zone": "Europe/Madrid",
    "starts_campaigns": "yes",
    "subject": "depositCheck",
}


def test_a_file_goes_through_every_step(marketer):
    answer = upload(marketer)
    assert answer.status_code == 302
    columns = marketer.get(answer.url)
    page = columns.content.decode()
    assert "tell how the file writes its dates" in page and "— choose —" in page and "Check (required)" in page
    job = Import.objects.get()
    unanswered = marketer.post(answer.url, {**CHOICES, "date_order": ""}).content.decode()
    assert "Choose one." in unanswered and not Import.objects.get().plan
    preview = marketer.post(answer.url, CHOICES).content.decode()
    assert "2026-04-02T22:00:00Z" in preview and "c1@example.com" in preview
    assert (
        "field Amount: expected an amount" in preview
        and "&lt;b&gt;B&lt;/b&gt;" in preview
        and not Activity.objects.exists()
    )
    marketer.post(reverse("admin:people_import_step", args=[job.pk, "check"]))
    fragment = marketer.get(reverse("admin:people_import_progress", args=[job.pk])).content.decode()
    assert 'hx-trigger="every 1s"' in fragment
    import_runner.run_import(job.pk)
    checked = marketer.get(reverse("admin:people_import_change", args=[job.pk])).content.decode()
    assert "to be added" in checked and "Import the valid rows" in checked and "every 1s" not in checked
    marketer.post(reverse("admin:people_import_step", args=[job.pk, "start"]))
    import_runner.run_import(job.pk)
    report = marketer.get(reverse("admin:people_import_change", args=[job.pk])).content.decode()
    assert "Complete" in report and "field Amount: expected an amount" in report
    download = marketer.get(reverse("admin:people_import_report", args=[job.pk]))
    assert b"2,3/4/2026,<b>B</b>,x,3," in b"".join(download)
    assert download["Content-Disposition"] == 'attachment; filename="checks-refused.csv"'
    assert download["Content-Type"].startswith("text/plain")
    assert "1 added, 1 rejected" in marketer.get(reverse("admin:people_import_changelist")).content.decode()
    assert Person.objects.filter(email="c1@example.com").exists()


def test_the_next_file_of_that_shape_is_understood_at_once(marketer):
    marketer.post(upload(marketer).url, CHOICES)
    page = marketer.get(upload(marketer, TEXT.replace("A,1", "C,7")).url).content.decode()
    assert "was imported before" in page and "c{Customer}@example.com" in page and "— choose —" not in page


def test_a_field_mapped_twice_is_told_beside_the_column(marketer):
    page = marketer.post(upload(marketer).url, {**CHOICES, "column_0": "field.amount"}).content.decode()
    assert "“Customer” is already mapped to this." in page


def test_what_is_missing_in_the_plan_is_told(marketer):
    page = marketer.post(upload(marketer).url, {**CHOICES, "person": "", "column_2": ""}).content.decode()
    assert "Say which column names the person" in page and "No column is mapped to “Check”: choose one." in page
    assert not Import.objects.get().plan


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty"), (b"PK\x03\x04zip", "workbook"), (b"\x1f\x8bx", "gzip file is broken")]
)
def test_files_that_are_none_are_refused_on_the_page(marketer, content, said):
    assert said in upload(marketer, content).content.decode()
    assert not Import.objects.exists()


def test_a_file_can_be_read_again_in_another_way(marketer):
    answer = upload(marketer, "a;b\n1,5;2\n")
    assert "ca-table" in marketer.get(answer.url).content.decode()
    again = marketer.post(
        answer.url, {"reshape": "1", "delimiter": ",", "encoding": "utf-8", "subject": "depositCheck"}
    )
    assert again.status_code == 302
    assert Import.objects.get().shape["header"] == ["a;b"]


def test_people_from_a_workbook_of_another_name(marketer, tmp_path):
    answer = upload(marketer, "Email;Vorname\nann@example.com;Änn\n".encode("windows-1252"), "people:", "../../p.csv")
    values = {
        "column_0": "email",
        "column_1": "first_name",
        "lookup_field": "email",
        "action": "upsert",
        "date_order": "ymd",
        "decimal": ".",
        "zone": "UTC",
        "subject": "",
    }
    page = marketer.post(answer.url, values).content.decode()
    assert "Änn" in page and Import.objects.get().name == "p.csv"


def test_people_of_a_file_go_into_the_list_that_is_chosen(marketer):
    vips, away = static_lists.create_static_list("VIPs", None), static_lists.create_static_list("Away", None)
    static_lists.archive_static_list(away, None)
    ann = make_person(email="ann@example.com")
    text = "Email,First name\nann@example.com,Ann\nbob@example.com,Bob\nno address,Zoe\n"
    answer = upload(marketer, text, "people:", "p.csv")
    offered = marketer.get(answer.url).context["form"].fields["static_list"].choices
    assert [label for _pk, label in offered][1:] == ["VIPs"]
    values = {
        "column_0": "email",
        "column_1": "first_name",
        "lookup_field": "email",
        "action": "upsert",
        "date_order": "ymd",
        "decimal": ".",
        "zone": "UTC",
        "subject": "",
        "static_list": vips.pk,
    }
    unanswered = marketer.post(answer.url, values).content.decode()
    assert "Should these changes start smart campaigns?" in unanswered and not Import.objects.get().plan
    values["starts_campaigns"] = "no"
    assert marketer.post(answer.url, values).context["preview"] is not None
    assert Import.objects.get().plan["starts_campaigns"] is False
    job = Import.objects.get()
    assert not vips.members.exists()
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(job.pk)
    assert set(vips.members.values_list("person__email", flat=True)) == {"ann@example.com", "bob@example.com"}
    assert vips.members.filter(person=ann).exists()
    assert "VIPs</a>" in marketer.get(reverse("admin:people_import_change", args=[job.pk])).text
    # the next file of that shape is mapped alike, and goes nowhere unasked
    form = marketer.get(upload(marketer, text, "people:", "p2.csv").url).context["form"]
    assert form["static_list"].initial is None and form["column_0"].initial == "email"


def test_an_empty_list_says_what_to_do_next(marketer):
    page = marketer.get(reverse("admin:people_import_changelist"))
    assert "Import people, activities or objects from a file" in page.text and "Add import" in page.text
    searched = marketer.get(reverse("admin:people_import_changelist"), {"q": "x"})
    assert "No results for this search." in searched.text and "Reset filters" in searched.text


def test_putting_people_into_a_list_needs_its_right():
    importer = user_with(ADD_PERSON, CHANGE_PERSON)
    job = import_jobs.upload_file([b"email\nann@example.com\n"], "p.csv", "people", importer)
    plan = import_plan.ImportPlan(columns={"email": "email"})
    import_jobs.set_plan(job, plan, importer)
    with pytest.raises(NotAllowedError):
        import_jobs.set_plan(job, replace(plan, static_list=static_lists.create_static_list("VIPs", None).pk), importer)


def test_standard_fields_are_offered_and_guessed_in_spanish(marketer):
    headers = {"HTTP_ACCEPT_LANGUAGE": "es"}
    data = {
        "contents": "people:",
        "file": SimpleUploadedFile("p.csv", "Correo electrónico,Apellidos,Puesto\na@b.example,Núñez,x\n".encode()),
    }
    shown = marketer.post(reverse("admin:people_import_add"), data, follow=True, **headers)
    form = shown.context["form"]
    assert [form.fields[f"column_{place}"].initial for place in range(3)] == ["email", "last_name", ""]
    assert ">Apellidos</option>" in shown.text and ">Last Name</option>" not in shown.text


def test_who_may_not_sees_nothing(client, marketer):
    upload(marketer)
    job = Import.objects.get()
    client.force_login(user("Viewer"))
    for name, arguments in (
        ("changelist", []),
        ("add", []),
        ("change", [job.pk]),
        ("columns", [job.pk]),
        ("report", [job.pk]),
    ):
        assert client.get(reverse(f"admin:people_import_{name}", args=arguments)).status_code == 403
    assert client.post(reverse("admin:people_import_step", args=[job.pk, "start"])).status_code == 403
    for name in ("changelist", "add"):
        assert client.get(reverse(f"admin:people_export_{name}")).status_code == 403


@pytest.fixture
def exporter(client):
    client.force_login(user("Exporter"))
    return client


def test_an_export_is_asked_for_written_and_fetched(exporter):
    make_person(email="ann@example.com", first_name="=1+1")
    answer = exporter.post(reverse("admin:people_export_add"), {"contents": "people:all", "format": "csv"})
    export = Export.objects.get()
    assert 'hx-trigger="every 1s"' in exporter.get(answer.url).content.decode()
    assert exporter.get(reverse("admin:people_export_file", args=[export.pk])).status_code == 404
    export_jobs.run_export(export.pk)
    assert "Download" in exporter.get(answer.url).content.decode()
    file = exporter.get(reverse("admin:people_export_file", args=[export.pk]))
    assert b",'=1+1," in b"".join(file) and file["Content-Disposition"].startswith('attachment; filename="people-')
    assert "Download" in exporter.get(reverse("admin:people_export_changelist")).content.decode()


def test_nobody_else_sees_an_export(exporter, client):
    exporter.post(reverse("admin:people_export_add"), {"contents": "people:all", "format": "csv"})
    export = Export.objects.get()
    export_jobs.run_export(export.pk)
    other = get_user_model().objects.create_user("eva", is_staff=True)
    other.groups.add(Group.objects.get(name="Exporter"))
    client.force_login(other)
    assert client.get(reverse("admin:people_export_file", args=[export.pk])).status_code == 403
    assert client.get(reverse("admin:people_export_change", args=[export.pk])).status_code == 403


def test_an_export_of_days_means_days_of_the_user(exporter, client):
    approved_type()
    exporter_user = get_user_model().objects.get(username="exporter")
    exporter_user.groups.add(Group.objects.get(name="Viewer"))
    exporter_user.time_zone = "Europe/Madrid"
    exporter_user.save()
    exporter.post(
        reverse("admin:people_export_add"),
        {"contents": "activities:depositCheck", "format": "csv", "since": "2026-11-20", "until": "2026-11-20"},
    )
    parameters = Export.objects.get().parameters
    assert (parameters["since"], parameters["until"]) == ("2026-11-20T00:00:00+01:00", "2026-11-21T00:00:00+01:00")


def test_columns_mapped_later_are_asked_about(marketer):
    answer = upload(marketer, "Customer,Whenever,App,What\nx@example.com,05/11/2026,2.14.0,A\n")
    values = {**CHOICES, "person": "{Customer}", "column_1": "", "column_3": "primary_value", "column_2": ""}
    asked = marketer.post(answer.url, {**values, "column_1": "occurred_at", "asked": ""})
    assert "The file leaves this open." in asked.text and not Import.objects.get().plan
    again = marketer.post(answer.url, {**values, "column_1": "occurred_at", "asked": "date_order"})
    assert again.context["preview"] is not None


def test_the_header_below_other_lines_is_chosen(marketer):
    answer = upload(marketer, "Report\nMade,today\nCustomer,When,What\nx@example.com,2026-11-05,A\n")
    reshaped = {"reshape": "1", "delimiter": ",", "encoding": "utf-8", "header_row": "3", "subject": "depositCheck"}
    marketer.post(answer.url, reshaped)
    assert Import.objects.get().shape["header"] == ["Customer", "When", "What"]
