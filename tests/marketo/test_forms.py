"""leads/submitForm.json: one record a call."""

import pytest

from activities.models import Activity, FormSubmission
from people.core.source import SYSTEM
from people.models import Person
from people.persons import upsert
from tests.activities.forms.factories import make_form
from tests.activities.visitors.factories import log_of, make_hit, make_site, make_visitor
from tests.marketo.conftest import code, result

pytestmark = pytest.mark.django_db
ADDRESS = "/rest/v1/leads/submitForm.json"


def test_a_form_is_submitted_for_a_lead(dialect):
    form = make_form()
    site = make_site(munchkin_id="287-GTJ-838")
    make_hit(make_visitor(site, "_mch-x"), site, "example.com/before")
    visitor = {
        "pageURL": "https://www.example.com/a",
        "queryString": "utm_source=x",
        "leadClientIpAddress": "192.0.2.77",
        "userAgentString": "curl/8",
    }
    row = {
        "leadFormFields": {"email": "ada@example.com", "firstName": "Ada"},
        "visitorData": visitor,
        "cookie": "id:287-GTJ-838&token:_mch-x",
    }
    (made,) = result(dialect.post(ADDRESS, {"formId": form.pk, "input": [row]}))
    ada = Person.objects.get()
    assert made == {"id": ada.pk, "status": "created"} and ada.first_name == "Ada"
    activity = Activity.objects.get(activity_type_id=2)
    assert activity.primary_value == "Brochure" and activity.attributes["utm_source"] == "x"
    assert activity.attributes["client_ip_address"] == "192.0.2.0"
    assert ("example.com/before", True) in log_of(ada.pk)
    again = {"leadFormFields": {"email": "ADA@example.com", "firstName": "Augusta"}}
    assert result(dialect.post(ADDRESS, {"formId": form.pk, "input": [again]})) == [{"id": ada.pk, "status": "updated"}]
    ada.refresh_from_db()
    assert (ada.first_name, ada.email) == ("Augusta", "ada@example.com")


def test_what_cannot_be_submitted_says_why(dialect):
    form = make_form()
    ada = {"email": "ada@example.com", "firstName": "Ada"}

    def send(fields=ada, form_id=form.pk, **more):
        return dialect.post(ADDRESS, {"formId": form_id, "input": [{"leadFormFields": fields, **more}]})

    assert code(dialect.post(ADDRESS, {"input": [{"leadFormFields": ada}]})) == "1002"
    assert code(send(form_id=999)) == code(send(form_id="x")) == "1013"
    assert code(dialect.post(ADDRESS, {"formId": form.pk, "input": [{"leadFormFields": ada}] * 2})) == "1003"
    assert code(send(fields={})) == "1002" and code(send(cookie="nonsense")) == "1012"
    for fields, reason in (
        ({**ada, "unsubscribed": False}, "1006"),
        ({"firstName": "Ada"}, "1002"),
        ({**ada, "email": "no"}, "1003"),
    ):
        (row,) = result(send(fields=fields))
        assert (row["status"], row["reasons"][0]["code"]) == ("skipped", reason), fields
    twins = [{"email": "ada@example.com"}] * 2
    upsert.upsert_people(twins, SYSTEM, action=upsert.UpsertAction.DUPLICATE)
    (row,) = result(send())
    assert row["reasons"][0]["code"] == "1007"
    assert {row.state for row in FormSubmission.objects.all()} == {"held"}
