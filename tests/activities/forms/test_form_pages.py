"""The team's pages and programs: making forms, putting them up, submissions, the script's allow-list, APIs."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from activities.forms import editing, export_kind, kiosk_links, sharing
from activities.models import Activity, Form, FormSubmission
from activities.tracking.scripts import site_config
from activities.tracking.senders import read_key
from people.core.errors import RejectedError
from people.fields import editing as field_editing
from people.files.exports.kinds import Marks, select_sql
from people.models import Person, PersonField
from tests.activities.forms.factories import fill_in, log_of, make_form
from tests.activities.visitors.factories import make_site
from tests.factories import make_person

pytestmark = pytest.mark.django_db
LIST = "/admin/activities/form/"
SETTINGS = {"name": "Brochure", "known_people": "blanks", "people_an_hour": "500", "rows": "3"}


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def test_a_form_is_made_changed_and_shared(staff):
    rows = {"field-0": "email", "order-0": "2", "field-1": "company", "label-1": "Firm", "order-1": "1", "field-2": ""}
    consent = {"consent_text": "Yes <b>", "consent_purpose": "email", "consent_version": "1"}
    made = staff.post(f"{LIST}add/", {**SETTINGS, **rows, **consent})
    form = Form.objects.get()
    assert made.headers["Location"] == f"{LIST}{form.pk}/share/"
    assert [(row.person_field.api_name, row.label) for row in form.fields.all()] == [("company", "Firm"), ("email", "")]
    page = staff.get(f"{LIST}{form.pk}/share/")
    assert "<svg" in page.text and f"/f/{form.key}/" in page.text and kiosk_links.kiosk_secret(form) not in page.text
    html = sharing.html_form(form, "https://ca.example.com")
    assert (
        f'action="https://ca.example.com/f/{form.key}/"' in html
        and "Yes &lt;b&gt;" in html
        and 'name="company"' in html
    )
    change = f"{LIST}{form.pk}/change/"
    assert 'value="Firm"' in staff.get(change).text
    stale = staff.post(change, {**SETTINGS, **rows, **consent, "name": "Other", "revision": "0"})
    assert stale.status_code == 200 or stale.status_code == 422
    assert staff.post(change, {**SETTINGS, **rows, **consent, "event": "Fair", "revision": "1"}).status_code == 302
    assert Form.objects.get().event == "Fair" and form.pk and "Fair" in staff.get(f"{LIST}{form.pk}/share/").text
    for answers, field in (
        ({"name": ""}, "name"),
        ({"next_url": "https://evil.example/"}, "next_url"),
        ({"consent_version": "1", "consent_text": "No"}, "consent_version"),
        ({"consent_version": ""}, "consent_version"),
    ):
        reply = staff.post(change, {**SETTINGS, **rows, **consent, "revision": "2", **answers})
        assert reply.context["form"].errors[field], answers
    assert staff.post(f"{LIST}{form.pk}/do/archive/").status_code == 302 and Form.objects.get().is_archived
    assert "Archived" in staff.get(LIST + "?is_archived__exact=1").text
    assert staff.post(f"{LIST}{form.pk}/do/delete/").headers["Location"] == LIST and not Form.objects.exists()


def test_a_field_in_use_stays_and_so_does_a_form_that_was_filled_in():
    plan = field_editing.create_person_field("Plan", "string", None, api_name="plan")
    form = make_form(fields=[{"field": "plan"}])
    with pytest.raises(RejectedError) as refusal:
        field_editing.delete_person_field(plan, None)
    assert "Brochure" in str(refusal.value)
    fill_in(form)
    with pytest.raises(RejectedError) as refusal:
        editing.delete_form(form, None)
    assert refusal.value.code == "in_use"
    assert PersonField.objects.filter(pk=plan.pk).exists()


def test_submissions_are_read_decided_and_exported_without_formulas(staff):
    form = make_form()
    row = fill_in(form, company="=cmd|' /C calc'!A0", first_name="<script>alert(1)</script>").submission
    spam = fill_in(form, "s@example.com", homepage_2="x").submission
    at = f"{LIST}{form.pk}/submissions/"
    page = staff.get(at).text
    assert "ada@example.com" in page and "s@example.com" not in page and "<script>alert(1)" not in page
    assert "s@example.com" in staff.get(f"{at}?state=spam").text
    assert "a field that nobody can see was filled in" in staff.get(f"{at}{spam.pk}/").text
    staff.post(f"{at}{spam.pk}/record/")
    spam.refresh_from_db()
    assert spam.state == "recorded" and Activity.objects.get(pk=spam.activity_id).is_backfill
    staff.post(f"{at}{row.pk}/spam/")
    row.refresh_from_db()
    assert row.state == "spam" and row.activity_id
    assert staff.post(f"{at}export/").headers["Location"].startswith("/admin/people/export/")
    statement = export_kind.submissions_statement({"form": form.pk, "state": "spam"})
    with connection.cursor() as cursor:
        cursor.execute(select_sql(statement, Marks.GUARDS), statement.parameters)
        names = [column.name for column in cursor.description]
        values = dict(zip(names, cursor.fetchone(), strict=True))
    assert values["company"].startswith("'=cmd") and values["email"] == "ada@example.com"


def test_the_script_of_a_site_reads_the_forms_that_are_named(staff):
    site = make_site()
    at = f"/admin/activities/eventsource/{site.pk}/forms/"
    assert "Another form" in staff.get(at).text
    block = {"forms": "1", "name-0": "signup", "rows-0": "2", "html-0-0": "mail", "field-0-0": "email"}
    assert staff.post(at, block).headers["Location"] == at
    known = read_key(site.keys.get().lookup)
    assert site_config("k", known.key.source, known.forms)["forms"] == [{"name": "signup", "fields": {"mail": "email"}}]
    assert 'value="mail"' in staff.get(at).text
    refused = staff.post(at, {**block, "field-0-0": "unsubscribed"})
    assert refused.status_code == 200 and "no opt-out" in refused.text
    assert staff.post(at, {"forms": "0"}).status_code == 302 and not site.site_forms.exists()


def test_programs_make_forms_and_submit_them(staff):
    body = {
        "name": "Fair",
        "fields_of_form": [{"field": "company"}],
        "consent": {"purpose": "news", "text": "T", "version": "1"},
    }
    made = staff.post("/api/v1/forms", json.dumps(body), content_type="application/json")
    assert made.status_code == 201, made.text
    form = made.json()
    assert [row["field"] for row in form["fields_of_form"]] == ["email", "company"] and "kiosk_key" not in form
    at = f"/api/v1/forms/{form['id']}"
    changed = staff.patch(at, json.dumps({"event": "Fair 2026"}), content_type="application/json")
    assert changed.json()["event"] == "Fair 2026"
    make_person(email="ada@example.com", company="Old")
    sent = {
        "values": {"email": "ada@example.com", "company": "New http://a http://b http://c"},
        "message_id": "m1",
        "consent_version": "1",
    }
    reply = staff.post(f"{at}/submissions", json.dumps(sent), content_type="application/json")
    assert (reply.status_code, reply.json()["state"], reply.json()["is_consent_recorded"]) == (201, "recorded", True)
    assert staff.post(f"{at}/submissions", json.dumps(sent), content_type="application/json").status_code == 200
    assert Person.objects.get().company.startswith("New"), "a program with a token is no stranger"
    for values, code in (({"email": "no"}, "wrong_type"), ({"email": "a@example.com", "x": "1"}, "unknown_field")):
        bad = staff.post(f"{at}/submissions", json.dumps({"values": values}), content_type="application/json")
        assert bad.status_code == 422 and code in bad.text, bad.text
    listed = staff.get(f"{at}/submissions?state=recorded").json()
    assert [row["id"] for row in listed["results"]] == [FormSubmission.objects.get().pk]
    number = listed["results"][0]["id"]
    assert staff.post(f"{at}/submissions/{number}/mark-spam").json()["state"] == "spam"
    assert (
        staff.post(f"{at}/submissions/{number}/record", "{}", content_type="application/json").json()["state"]
        == "recorded"
    )
    assert log_of(Person.objects.get().pk) == [(2, "Fair"), (90_003, "news")]
    assert staff.post(f"{at}/archive").json()["is_archived"] is True and staff.delete(at).status_code == 409
