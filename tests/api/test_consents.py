"""Consents of a person over the native API."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from activities.consent.people_filter import STATES, with_consent
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from people.models import Person
from tests.api.conftest import Api
from tests.factories import make_person

pytestmark = pytest.mark.django_db


def consent(person, kind, occurred_at):
    return {
        "activity_type": kind,
        "person": person.pk,
        "occurred_at": occurred_at,
        "primary_value": "email",
        "attributes": {"text": "News by email", "text_version": "3"},
    }


def test_what_counts_is_read_for_any_moment_and_odd_parameters_are_refused_as_such(api):
    ann = make_person()
    for kind, moment in (("consentGiven", "2026-03-01T10:00:00Z"), ("consentWithdrawn", "2026-05-01T10:00:00Z")):
        assert api.post("activities", consent(ann, kind, moment)).status_code == 201, kind
    address = f"activities/consents?person={ann.pk}"
    (now,) = api.get(address).json()["consents"]
    assert (now["purpose"], now["state"], now["text_version"]) == ("email", "withdrawn", "3")
    (before,) = api.get(f"{address}&at=2026-04-01T00:00:00Z").json()["consents"]
    assert before["state"] == "given"
    assert api.get(f"{address}&at=2026-02-01T00:00:00Z").json()["consents"] == []
    assert api.get("activities/consents?person=99999999").status_code == 404
    for query, code in (
        ("", "missing_value"),
        ("person=", "wrong_type"),
        ("person=-942", "out_of_range"),
        ("person=99999999999999999999", "out_of_range"),
        ("person=²", "wrong_type"),
        (f"person={ann.pk}&at=yesterday", "wrong_type"),
        (f"person={ann.pk}&on=2026-01-01", "unknown_filter"),
    ):
        reply = api.get(f"activities/consents?{query}")
        assert (reply.status_code, reply.json()["code"]) == (400, code), query


def test_people_are_listed_by_their_consents(api):
    given, withdrawn, again, other, nobody = (make_person() for _number in range(5))
    spoken = (
        (given, "consentGiven", "2026-03-01T10:00:00Z"),
        (withdrawn, "consentGiven", "2026-03-01T10:00:00Z"),
        (withdrawn, "consentWithdrawn", "2026-04-01T10:00:00Z"),
        (again, "consentWithdrawn", "2026-03-01T10:00:00Z"),
        (again, "consentGiven", "2026-05-01T10:00:00Z"),
    )
    for person, kind, moment in spoken:
        assert api.post("activities", consent(person, kind, moment)).status_code == 201
    call = consent(other, "consentGiven", "2026-03-01T10:00:00Z") | {"primary_value": "calls: sales"}
    assert api.post("activities", call).status_code == 201

    def listed(query):
        return [person["id"] for person in api.get(f"people?{query}&ordering=id").json()["results"]]

    assert listed("consent=email:given") == [given.pk, again.pk]
    assert listed("consent=EMail:withdrawn") == [withdrawn.pk]
    assert listed("consent=email:unknown") == [other.pk, nobody.pk]
    assert listed("consent=Calls: Sales:given") == [other.pk]
    assert listed(f"consent=email:given&email={again.email}") == [again.pk]
    for odd in ("", "email", "email:", ":given", "email:maybe", f"{'x' * 256}:given", "%00:given"):
        reply = api.get(f"people?consent={odd}")
        assert (reply.status_code, reply.json()["code"]) == (400, "wrong_type"), odd


def test_consents_of_people_need_the_right_to_see_activities(client):
    owner = get_user_model().objects.create_superuser("olga")
    program = client_editing.create_client("Reader", owner, None, ["people.view_person"]).client
    reader = Api(client, tokens.issue_token(program).text)
    assert reader.get("people").status_code == 200
    assert reader.get("people?consent=email:given").status_code == 403


def test_people_of_a_consent_are_found_by_the_index_of_consents():
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
    for state in STATES:
        plan = with_consent(Person.objects.live(), "email", state).order_by("pk")[:300].explain()
        assert "activity_consent" in plan, plan
