"""Attendee lists of other products, as they are: recognised, mapped, confirmed, imported; by page, API and command."""

from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import translation

from activities.models import Activity, RefusedActivity
from activities.querysets import ATTEND_EVENT
from activities.recording import replay
from activities.types import attendee_lists, templates
from activities.types.definition import ActivityFieldSpec
from activities.types.name_proposals import propose_api_name, propose_names
from activities.types.standard_shapes import TYPES
from people.files import tabular
from people.files.imports import jobs as import_jobs
from people.files.imports import presets
from people.models import Import, Person
from tests.factories import approved_type
from tests.people.admin.wizard import Wizard

pytestmark = pytest.mark.django_db
CASES = Path(__file__).parents[1] / "cases"
ZOOM, EVENTBRITE = CASES / "zoom-header-block.csv", CASES / "month-names.csv"
CONFIRMED = {"create_people": "on", "starts_campaigns": "no"}
STANDARD, OWN = "activities:attendEvent", "activities:attendSession"


@pytest.fixture
def wizard(admin_client, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    return Wizard(admin_client)


def from_template(language="en"):
    """The type of the template as its wizard makes it in a language."""
    with translation.override(language):
        template = templates.TEMPLATES["attendance"]
        specs = [
            ActivityFieldSpec(propose_api_name(str(field.name)), str(field.name), field.data_type, is_primary=not place)
            for place, field in enumerate(template.fields)
        ]
        return approved_type(str(template.name), "attendSession", specs)


def recorded(type_id):
    rows = Activity.objects.filter(activity_type_id=type_id).order_by("occurred_at", "pk")
    return [(row.primary_value, f"{row.occurred_at:%m-%d %H:%M}", row.attributes) for row in rows]


def mapped(wizard):
    return {column: item for column, item in wizard.proposed().items() if item}


def fixed(wizard):
    form = wizard.page.context["form"]
    return {name.value(): value.value() for name, value in form.fixed_pairs() if name.value()}


def test_zoom_as_attend_event(wizard):
    wizard.upload(ZOOM.read_bytes(), "zoom.csv", STANDARD).ask_for("zoom_attendees")
    assert mapped(wizard) == {"Join Time": "occurred_at"}
    assert fixed(wizard) == {"primary_value": "Rye, Wheat & Spelt", "field.source": "Zoom"}
    page = " ".join(wizard.page.text.split())
    assert "We recognize this file: Zoom: attendee report of a webinar" in page
    assert "Only rows with “Attended” Yes are imported. Rows from “Other Attended” on are left out." in page
    preview = wizard.preview(**CONFIRMED)
    assert not wizard.errors and [row["problems"] for row in preview] == [[], [], []]
    job, page = wizard.record()
    assert (job.added, job.refused, job.created, job.rows_left_out, job.blank_rows) == (3, 0, 2, 4, 0)
    assert "Left out: 4 rows that don't belong to the list." in page
    assert recorded(ATTEND_EVENT) == [
        ("Rye, Wheat & Spelt", "11-18 16:00", {"source": "Zoom"}),
        ("Rye, Wheat & Spelt", "11-18 16:00", {"source": "Zoom"}),
        ("Rye, Wheat & Spelt", "11-18 16:31", {"source": "Zoom"}),
    ]
    assert {person.email for person in Person.objects.all()} == {"zoe.one@example.com", "zack.two@example.com"}


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_type_of_the_template_takes_both_files_without_a_choice(wizard, language):
    kind = from_template(language)
    minutes, left_at, ticket = (
        {"en": "minutes", "es": "minutos"}[language],
        {"en": "leftAt", "es": "salida"}[language],
        {"en": "ticketType", "es": "tipoDeEntrada"}[language],
    )
    wizard.upload(ZOOM.read_bytes(), "zoom.csv", OWN)
    assert mapped(wizard) == {
        "Join Time": "occurred_at",
        "Leave Time": f"field.{left_at}",
        "Time in Session (minutes)": f"field.{minutes}",
    }
    assert fixed(wizard) == {"primary_value": "Rye, Wheat & Spelt"}
    assert wizard.preview(**CONFIRMED) and not wizard.errors
    assert wizard.record()[0].added == 3
    assert [(moment, values[minutes], values[left_at][5:16]) for _event, moment, values in recorded(kind.pk)] == [
        ("11-18 16:00", 20, "11-18T16:20"),
        ("11-18 16:00", 66, "11-18T17:05"),
        ("11-18 16:31", 35, "11-18T17:05"),
    ]
    wizard.upload(EVENTBRITE.read_bytes(), "eventbrite.csv", OWN)
    assert mapped(wizard) == {
        "Event Date": "occurred_at",
        "Event Name": "primary_value",
        "Ticket Type": f"field.{ticket}",
    }
    assert wizard.preview(**CONFIRMED) and not wizard.errors
    assert wizard.record()[0].added == 2
    assert recorded(kind.pk)[0] == ("Jazz, Night", "10-03 21:00", {ticket: "VIP"})


def test_eventbrite_leaves_out_who_does_not_come(wizard):
    content = EVENTBRITE.read_text().replace("Attending", "Not Attending", 1)
    wizard.upload(content.encode(), "eventbrite.csv", STANDARD).ask_for("eventbrite_attendees")
    assert wizard.preview(**CONFIRMED)
    job, _page = wizard.record()
    assert (job.added, job.rows_left_out) == (1, 1)
    wizard.upload(content.encode(), "eventbrite.csv", STANDARD).ask_for("eventbrite_attendees")
    wizard.preview(**CONFIRMED, leave_out="")
    assert (Import.objects.latest("pk").plan).get("only_rows") is None


def test_what_a_type_of_another_kind_means_is_left_to_the_user(wizard):
    """A type about orders has a field for the moment that would be taken: nothing is guessed for good."""
    fields = [ActivityFieldSpec("ticket", "Ticket", is_primary=True), ActivityFieldSpec("od", "Order Date", "datetime")]
    approved_type("Order Ticket", "orderTicket", fields)
    wizard.upload(EVENTBRITE.read_bytes(), "eventbrite.csv", "activities:orderTicket")
    assert "occurred_at" not in wizard.proposed().values()
    wizard.ask_for("eventbrite_attendees")
    assert mapped(wizard)["Event Date"] == "occurred_at" and mapped(wizard)["Order Date"] == "field.od"
    approved_type("Do Other", "other", [ActivityFieldSpec("what", "What", is_primary=True)])
    wizard.upload(ZOOM.read_bytes(), "zoom.csv", "activities:other")
    assert fixed(wizard) == {}
    assert fixed(wizard.ask_for("zoom_attendees")) == {"primary_value": "Rye, Wheat & Spelt"}


def test_the_next_file_has_the_topic_of_its_own(wizard):
    """A file with the same columns proposes the plan of the last one, but not its topic."""
    from_template()
    wizard.upload(ZOOM.read_bytes(), "zoom.csv", OWN).preview(**CONFIRMED)
    assert wizard.record()[0].added == 3
    later = ZOOM.read_text(encoding="utf-8-sig").replace("Rye, Wheat & Spelt", "Sourdough").replace("11/18/", "12/18/")
    wizard.upload(later.encode(), "zoom.csv", OWN)
    assert fixed(wizard) == {"primary_value": "Sourdough"} and wizard.page.context["guess"].is_remembered


def test_the_table_is_found_below_longer_ones(wizard):
    """Sixty hosts above one attendee: the known header wins over the longest table."""
    text = ZOOM.read_text(encoding="utf-8-sig").splitlines()
    host = next(line for line in text if "Host Person" in line)
    place = text.index(host)
    content = "\n".join([*text[:place], *[host] * 60, *text[place + 1 :]])
    from_template()
    wizard.upload(content.encode(), "zoom.csv", OWN)
    assert mapped(wizard)["Join Time"] == "occurred_at"
    assert wizard.preview(**CONFIRMED) and wizard.record()[0].added == 3


def test_over_the_api(admin_client, settings, tmp_path):
    settings.FILES_DIR = tmp_path

    def put(job, **body):
        return admin_client.put(f"/api/v1/imports/{job['id']}/plan", body, content_type="application/json")

    upload = "/api/v1/imports?kind=activities&name=zoom.csv"
    job = admin_client.post(upload, ZOOM.read_bytes(), content_type="text/csv").json()
    assert job["preset"] == "zoom_attendees"
    for body, path in (({}, "/columns"), ({"preset": "eventbrite_attendees"}, "/preset"), ({"preset": "x"}, "/preset")):
        refused = put(job, **body)
        assert refused.status_code == 422 and refused.json()["errors"][0]["path"] == path, body
    given = {"constants": {"field.session": "Morning"}, "zone": "Europe/Madrid", "create_people": True}
    plan = put(job, preset="zoom_attendees", **given).json()["plan"]
    assert plan["subject"] == "attendEvent" and plan["columns"] == {"occurred_at": "Join Time"}
    assert plan["constants"] == {
        "field.session": "Morning",
        "primary_value": "Rye, Wheat & Spelt",
        "field.source": "Zoom",
    }
    assert plan["only_rows"] == {"Attended": ["Yes"]} and plan["ends_at"] == "Other Attended"
    other = admin_client.post(upload, b"email,what\na@example.com,x\n", content_type="text/csv").json()
    assert other["preset"] is None
    assert put(other, columns={}, only_rows={"nothing": ["x"]}).json()["errors"][0]["path"] == "/only_rows/nothing"


@pytest.mark.parametrize(
    ("file", "preset", "added"), [(ZOOM, "zoom_attendees", 3), (EVENTBRITE, "eventbrite_attendees", 2)]
)
def test_by_the_command(file, preset, added):
    out, err = StringIO(), StringIO()
    with suppress(SystemExit):
        arguments = ("--no-progress", "--preset", preset, "--create-people", "--zone", "Europe/Madrid")
        call_command("import_activities", str(file), *arguments, stdout=out, stderr=err)
    assert f"{added} added" in out.getvalue(), err.getvalue()
    assert len(recorded(ATTEND_EVENT)) == added
    assert ("Rows left out that are not of the list: 4." in err.getvalue()) == (file == ZOOM)


def test_a_refused_row_of_attend_event_is_replayed(wizard):
    content = ZOOM.read_text(encoding="utf-8-sig").replace('"zack.two@example.com"', "not an address")
    wizard.upload(content.encode(), "zoom.csv", STANDARD).ask_for("zoom_attendees").preview(**CONFIRMED)
    job, _page = wizard.record()
    assert (job.added, job.refused) == (2, 1)
    refused = RefusedActivity.objects.get()
    refused.raw = refused.raw.replace("not an address", "zack.two@example.com")
    refused.save()
    assert replay.replay_rows([refused.pk], None).recorded == 1
    assert len(recorded(ATTEND_EVENT)) == 3


def test_no_template_is_called_like_a_standard_type_or_another_template():
    for language in ("en", "es"):
        with translation.override(language):
            taken = {str(name).casefold() for shape in TYPES.values() for name in (shape.name, shape.filter_name)}
            for template in templates.TEMPLATES.values():
                proposal = propose_names(str(template.name), language)
                names = {str(template.name).casefold(), proposal.filter_name.casefold()}
                assert not names & taken, (language, template.name)
                taken |= names


def test_every_preset_has_a_real_file_and_names_only_its_columns():
    for preset, file in zip(attendee_lists.PRESETS, (ZOOM, EVENTBRITE), strict=True):
        with file.open("rb") as opened:
            shape = import_jobs.guess_file_shape(opened, file.name)
            above = tabular.rows_above_header(opened, shape, 50)
        columns = {*preset.header, *preset.moments, *(place.column for place in preset.columns), *preset.only_rows}
        assert presets.recognised_preset("activities", shape) is preset and columns <= {*shape.header}
        assert {place.column for place in preset.above} <= {str(cell) for cells in above for cell in cells}
