"""Consents of a person over the native API."""

import pytest

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
