"""Files of other products go through the pages of an import, with what a marketer would choose there."""

from datetime import date
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from django.core.management import call_command

from activities.consent.state import consent_state
from activities.models import Activity
from activities.types.definition import ActivityFieldSpec
from people.files.exports import jobs as export_jobs
from people.models import Import, Person
from people.persons import export_kind as person_export_kind
from tests.factories import approved_type, make_person
from tests.people.admin.wizard import Wizard

pytestmark = pytest.mark.django_db
CASES = Path(__file__).parents[1] / "cases"
ZOOM = CASES / "zoom-header-block.csv"
SIMPLE = (
    ActivityFieldSpec("what", "What", is_primary=True),
    ActivityFieldSpec("n", "N", "integer"),
    ActivityFieldSpec("amt", "Amt", "currency"),
    ActivityFieldSpec("flag", "Flag", "boolean"),
    ActivityFieldSpec("d", "D", "date"),
    ActivityFieldSpec("dt", "Dt", "datetime"),
    ActivityFieldSpec("s", "S Text"),
    ActivityFieldSpec("f", "F", "float"),
)
WEBINAR = (
    ActivityFieldSpec("webinar", "Webinar", is_primary=True),
    ActivityFieldSpec("minutes", "Time in Session (minutes)", "integer"),
    ActivityFieldSpec("joinTime", "Join Time", "datetime"),
    ActivityFieldSpec("leaveTime", "Leave Time", "datetime"),
    ActivityFieldSpec("isGuest", "Is Guest", "boolean"),
    ActivityFieldSpec("country", "Country"),
)
TICKET = (
    ActivityFieldSpec("eventName", "Event Name", is_primary=True),
    ActivityFieldSpec("orderDate", "Order Date", "datetime"),
    ActivityFieldSpec("ticketType", "Ticket Type"),
)
SIMPLE_ACTS, PEOPLE = "activities:simpleAct", "people:"


@pytest.fixture
def wizard(admin_client, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    return Wizard(admin_client)


@pytest.fixture
def simple_act(db):
    return approved_type("Do Simple", "simpleAct", SIMPLE)


def case(wizard, name, contents=SIMPLE_ACTS):
    return wizard.upload((CASES / name).read_bytes(), name, contents)


def recorded(activity_type):
    return Activity.objects.filter(activity_type_id=activity_type.pk)


def workbook(path):
    """The rows of a CSV file as an XLSX workbook, as a spreadsheet saves it."""
    import csv

    book = openpyxl.Workbook()
    for cells in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()):
        book.active.append([cell or None for cell in cells])
    content = BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_the_table_below_other_lines(wizard, format_):
    webinar = approved_type("Zoom Webinar", "zoomWebinar", WEBINAR)
    content = ZOOM.read_bytes() if format_ == "csv" else workbook(ZOOM)
    wizard.upload(content, f"zoom.{format_}", "activities:zoomWebinar")
    proposed = wizard.proposed()
    assert "occurred_at" not in proposed.values()
    assert [column for column, _sample in wizard.page.context["guess"].candidates["occurred_at"]] == [
        "Registration Time",
        "Join Time",
        "Leave Time",
    ]
    assert proposed["Join Time"] == "field.joinTime" and proposed["Is Guest"] == "field.isGuest"
    above = " ".join(wizard.page.text.split())
    assert "8 rows above the header are left out" in above and "Rye, Wheat &amp; Spelt · 812 3456 7890" in above
    preview = wizard.preview(
        {"Join Time": "occurred_at", "Registration Time": ""},
        fixed_field_0="primary_value",
        fixed_value_0="Rye, Wheat & Spelt",
        create_people="on",
        starts_campaigns="no",
    )
    assert not wizard.errors and [row["problems"] for row in preview] == [[], [], []], "who did not come is left out"
    assert "8 rows above the header are left out" in " ".join(wizard.page.text.split())
    job, page = wizard.record()
    assert (job.added, job.refused, job.created, job.rows_left_out) == (3, 0, 2, 4)
    assert "Left out: 8 rows above the header." in page and "Left out: 4 rows that don't belong to the list." in page
    assert set(recorded(webinar).values_list("primary_value", flat=True)) == {"Rye, Wheat & Spelt"}
    assert sorted(attributes["minutes"] for attributes in recorded(webinar).values_list("attributes", flat=True)) == [
        20,
        35,
        66,
    ]


def test_month_names(wizard):
    ticket = approved_type("Order Ticket", "eventTicket", TICKET)
    case(wizard, "month-names.csv", "activities:eventTicket")
    assert "occurred_at" not in wizard.proposed().values(), "it can be either date"
    columns = {"Order Date": "occurred_at", "Event Date": ""}
    assert wizard.preview(columns, create_people="on", starts_campaigns="no", zone="Europe/Madrid")
    job, _page = wizard.record()
    assert (job.added, job.refused) == (2, 0)
    moments = recorded(ticket).values_list("occurred_at", flat=True)
    assert {moment.isoformat() for moment in moments} == {"2026-09-26T17:05:00+00:00"}


def test_a_header_twice(wizard):
    case(wizard, "duplicate-header-typeform.csv", PEOPLE)
    assert wizard.proposed()["Your email?"] == "email"
    assert wizard.preview({"Anything else? (2)": "title"}, starts_campaigns="no")
    job, _page = wizard.record()
    assert (job.added, job.refused) == (2, 0) and Person.objects.get(email="ty.two@example.com").title == "no"


def test_ids_of_another_system(wizard):
    strangers = [make_person(first_name="Ximena"), make_person(first_name="Nikos")]
    content = (CASES / "id-column-overwrites-strangers.csv").read_text()
    first, second = (person.pk for person in strangers)
    content = content.replace("\n1,", f"\n{first},").replace("\n2,", f"\n{second},")
    wizard.upload(content.encode(), "people.csv", PEOPLE)
    assert wizard.proposed()["ID"] == ""
    preview = wizard.preview(starts_campaigns="no")
    assert preview and not any(row["hit"] for row in preview)
    job, _page = wizard.record()
    assert (job.added, job.updated) == (2, 0)
    assert [Person.objects.get(pk=person.pk).first_name for person in strangers] == ["Ximena", "Nikos"]


def test_dates_of_either_order_are_asked(wizard, simple_act):
    case(wizard, "date-order-from-ignored-column.csv")
    values = {"create_people": "on", "starts_campaigns": "no"}
    assert wizard.preview(**values) is None and wizard.errors == {"date_order"}
    assert b"tell how the file writes its dates" in wizard.page.content
    assert wizard.preview(date_order="dmy", **values)
    assert b"tell how the file writes its dates" not in wizard.page.content  # answered
    job, _page = wizard.record()
    days = {moment.date() for moment in recorded(simple_act).values_list("occurred_at", flat=True)}
    assert job.added == 2 and days <= {date(2026, 11, day) for day in (4, 5, 6)}


def test_a_thousands_point_is_asked(wizard, simple_act):
    case(wizard, "thousands-point.csv")
    values = {"create_people": "on", "starts_campaigns": "no"}
    assert wizard.preview(**values) is None and wizard.errors == {"decimal"}
    assert wizard.preview(decimal=",", **values)
    assert wizard.record()[0].added == 3
    amounts = [attributes["amt"] for attributes in recorded(simple_act).values_list("attributes", flat=True)]
    assert sorted(float(amount) for amount in amounts) == [17, 1234, 2500]


def test_refused_rows_leave_nobody(wizard, simple_act):
    case(wizard, "refused-rows-create-people.csv")
    wizard.preview({"When": "occurred_at"}, create_people="on", starts_campaigns="yes")
    job, _page = wizard.record()
    assert (job.added, job.refused, job.created) == (0, 2, 0) and not Person.objects.exists()


@pytest.mark.parametrize("excel_safe", [False, True])
def test_our_export_comes_back_unchanged(wizard, excel_safe):
    values = {"title": "-", "phone": "+34 600 123 456", "city": "'s-Hertogenbosch"}
    person = make_person(email="round.trip@example.com", first_name="Rita", **values)
    file = BytesIO()
    export_jobs.write_export(person_export_kind.people_statement({}), "csv", file, excel_safe=excel_safe)
    wizard.upload(file.getvalue(), "people.csv", PEOPLE)
    preview = wizard.preview(starts_campaigns="no", lookup_field="email")
    assert not wizard.errors and preview and not any(row["problems"] for row in preview)
    assert all(not row["hit"].changes for row in preview)
    wizard.record()
    person.refresh_from_db()
    assert {name: getattr(person, name) for name in values} == values


def test_blanks_around_text(wizard):
    case(wizard, "blanks-around-text.csv", PEOPLE)
    assert wizard.preview(starts_campaigns="no")
    assert wizard.record()[0].added == 2
    assert set(Person.objects.values_list("country", flat=True)) == {"Spain"}
    assert Person.objects.filter(first_name="Bob").exists()


def test_one_row_of_another_encoding(wizard):
    case(wizard, "one-latin1-row.csv", PEOPLE)
    wizard.preview(starts_campaigns="no")
    assert not wizard.errors
    job, _page = wizard.record()
    assert (job.added, job.refused) == (3, 1)
    assert set(Person.objects.values_list("city", flat=True)) == {"Málaga"}


@pytest.mark.parametrize(
    ("name", "born"), [("date-with-midnight.csv", date(1980, 11, 5)), ("two-digit-birth-year.csv", date(1930, 11, 5))]
)
def test_dates_of_birth(wizard, name, born):
    case(wizard, name, PEOPLE)
    assert wizard.preview(starts_campaigns="no") is None and wizard.errors == {"date_order"}
    assert wizard.preview(starts_campaigns="no", date_order="dmy")
    assert wizard.record()[0].refused == 0
    assert set(Person.objects.values_list("date_of_birth", flat=True)) == {born}


def test_zones_by_name(wizard, simple_act):
    case(wizard, "utc-suffix.csv")
    assert wizard.proposed() == {"Email": "", "What": "primary_value", "When": "occurred_at"}
    assert wizard.preview(create_people="on", starts_campaigns="no", zone="America/Bogota")
    assert wizard.record()[0].added == 3
    moments = {moment.hour for moment in recorded(simple_act).values_list("occurred_at", flat=True)}
    assert moments == {14}


def test_changes_have_their_values(wizard):
    person = make_person(email="lc.three@example.com", city="Lima", person_score=5)
    content = b"email,city,firstName,leadScore\nlc.three@example.com,Quito,Ann,9\n"
    wizard.upload(content, "changes.csv", PEOPLE)
    assert wizard.proposed() == {
        "email": "email",
        "city": "city",
        "firstName": "first_name",
        "leadScore": "person_score",
    }
    assert wizard.preview(starts_campaigns="yes")[0]["hit"].changes
    assert wizard.record()[0].updated == 1
    log = Activity.objects.filter(person_id=person.pk)
    changes = log.filter(activity_type_id=13).values_list("primary_value", "attributes")
    assert {name: (values.get("old_value"), values["new_value"]) for name, values in changes} == {
        "city": ("Lima", "Quito"),
        "first_name": (None, "Ann"),
    }
    assert log.filter(activity_type_id=22).count() == 1


def test_rows_saved_again_by_a_spreadsheet(wizard, simple_act):
    for name in ("same-rows.csv", "same-rows.csv", "same-rows-resaved.csv", "same-rows-iso.csv"):
        case(wizard, name)
        answers = {"date_order": "dmy", "decimal": ","} if "resaved" in name else {}
        values = {"create_people": "on", "starts_campaigns": "no", "zone": "UTC", **answers}
        assert wizard.preview({"When": "occurred_at"}, **values), (name, wizard.errors)
        wizard.record()
        assert recorded(simple_act).count() == 2, name


def test_columns_by_label(wizard, simple_act):
    case(wizard, "labels.csv")
    assert wizard.proposed()["N"] == "field.n" and wizard.proposed()["S Text"] == "field.s"
    assert wizard.preview({"When": "occurred_at"}, create_people="on", starts_campaigns="no")
    assert wizard.record()[0].added == 1
    assert recorded(simple_act).get().attributes == {"n": 5, "s": "hello"}


@pytest.mark.parametrize(
    ("name", "message"), [("subscribers.zip", "ZIP archive (files in it: 2"), ("table-as.xls", "This is a web page")]
)
def test_what_is_no_table(wizard, name, message):
    assert message in case(wizard, name, PEOPLE).page.text
    assert not Import.objects.exists()


def test_blank_rows_are_counted(wizard, capsys, tmp_path):
    content = b"List of guests\n\nEmail Address,First Name\n\na@example.com,Ann\n\n\nb@example.com,Bob\n\n"
    wizard.upload(content, "guests.csv", PEOPLE)
    assert wizard.preview(starts_campaigns="no")
    job, page = wizard.record()
    assert (job.added, job.rows_above, job.blank_rows) == (2, 1, 3)
    assert "Left out: 1 row above the header." in page and "Left out: 3 blank rows." in page
    described = wizard.client.get(f"/api/v1/imports/{job.pk}").json()
    assert (described["rows_above"], described["blank_rows"]) == (1, 3)
    (tmp_path / "guests.csv").write_bytes(content)
    call_command("import_people", str(tmp_path / "guests.csv"), "--no-progress")
    printed = capsys.readouterr().err
    assert "Rows above the header left out: 1." in printed and "Blank rows left out: 3." in printed


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_rows_of_one_table_are_never_taken_for_lines_above_it(wizard, format_, tmp_path):
    """A column without a name, or with a year for its name, makes no other row the header."""
    path = tmp_path / "f.csv"
    path.write_text("Email Address,2026,,City\na@example.com,x,y,Rome\nb@example.com,x,y,Paris\n")
    wizard.upload(path.read_bytes() if format_ == "csv" else workbook(path), f"f.{format_}", PEOPLE)
    assert list(wizard.proposed()) == ["Email Address", "2026", "column 3", "City"]


def test_consents_of_a_file(wizard):
    """A list of another tool becomes activities with purpose, text, version and source; the latest counts."""
    content = (
        b"Email;Said at;Purpose;Text;Version;Source\n"
        b"ann@example.com;2026-03-01T10:00:00Z;newsletter;Send me news;v2;Fair in Vigo\n"
        b"bob@example.com;2026-03-01T10:00:00Z;newsletter;Send me news;v2;Fair in Vigo\n"
        b"eve@example.com;2026-03-01T10:00:00Z;;Send me news;v2;Fair in Vigo\n"
    )
    wizard.upload(content, "consents.csv", "activities:consentGiven")
    proposed = wizard.proposed()
    assert (proposed["Purpose"], proposed["Text"], proposed["Source"]) == (
        "primary_value",
        "field.text",
        "field.source",
    )
    columns = {"Said at": "occurred_at", "Version": "field.text_version"}
    assert wizard.preview(columns, create_people="on", starts_campaigns="no"), wizard.errors
    job, _page = wizard.record()
    assert (job.added, job.refused, job.created) == (2, 1, 2)
    withdrawal = b"Email;When;Purpose\nbob@example.com;2026-04-01T10:00:00Z;Newsletter\n"
    wizard.upload(withdrawal, "withdrawals.csv", "activities:consentWithdrawn")
    assert wizard.preview({"When": "occurred_at"}, starts_campaigns="no"), wizard.errors
    assert wizard.record()[0].added == 1
    ann, bob = (Person.objects.get(email=f"{name}@example.com").pk for name in ("ann", "bob"))
    states = consent_state([ann, bob], "newsletter")
    assert [states[pk].is_given for pk in (ann, bob)] == [True, False]
    said = states[ann]
    assert (said.purpose, said.text, said.text_version, said.source) == (
        "newsletter",
        "Send me news",
        "v2",
        "Fair in Vigo",
    )
    assert Activity.objects.get(pk=said.activity_id).is_backfill
