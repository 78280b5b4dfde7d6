"""One bad row never costs the others, whatever is bad in it and wherever it is."""

import json

import pytest

from activities.models import Activity, RefusedActivity
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from people.core.errors import MAX_PROBLEMS
from people.models import Person
from tests.factories import approved_type, make_person
from tests.marketo.conftest import result

pytestmark = pytest.mark.django_db
# JSON texts that a client may send in the place of any value
HOSTILE = [
    "1e-999999999",
    "1e999999999",
    "-1e999999999",
    "0e-999999999",
    "1e99999999999999999999999",
    "1e-99999999999999999999999",
    "9" * 400,
    "9" * 100_000,
    "0." + "0" * 5_000 + "1",
    "1." + "3" * 5_000,
    str(2**63),
    str(2**64),
    str(-(2**63) - 1),
    "1e15",
    "999999999999999.99999",
    "123456789012345.000100000000000000000000000001",
    "9007199254740993",
    '"1e-999999999"',
    '"' + "9" * 5_000 + '"',
    r'"a\u0000b"',
    r'"\ud800"',
    '"' + "x" * 40_000 + '"',
    "{}",
    "[]",
    "[" * 200 + "]" * 200,
    '{"' + "k" * 5_000 + '": 1}',
    r'{"\ud800": "\u0000"}',
    "true",
    "null",
    '"0001-01-01"',
    '"2201-01-01T00:00:00Z"',
]
LEAD_FIELDS = [
    "email",
    "firstName",
    "annualRevenue",
    "numberOfEmployees",
    "leadScore",
    "dateOfBirth",
    "unsubscribed",
    "website",
    "id",
    r"\ud800",
    r"a\u0000b",
    "x" * 5_000,
    "",
]
MEMBERS = ["leadId", "activityTypeId", "activityDate", "primaryAttributeValue", "attributes", "externalId"]
ATTRIBUTES = ["amount", "branch", "depositedOn", "isForeign", "pages", r"\ud800", r"a\u0000b", ""]


@pytest.mark.parametrize("field", LEAD_FIELDS, ids=lambda name: name[:12])
def test_a_lead_that_cannot_be_kept_leaves_the_others_as_they_are(dialect, field):
    rows = ['{"email": "a@example.com"}']
    for number, value in enumerate(HOSTILE):
        odd = f'"email": "bad{number}@example.com", "{field}": {value}' if field != "email" else f'"email": {value}'
        rows += [f"{{{odd}}}", f'{{"email": "z{number}@example.com"}}']
    answered = result(dialect.post("/rest/v1/leads.json", f'{{"input": [{", ".join(rows)}]}}'))
    assert len(answered) == len(rows)
    assert [outcome["status"] for outcome in answered[::2]] == ["created"] * (len(HOSTILE) + 1)


def attributes(activity_type, lead, member, value):
    row = dict.fromkeys(MEMBERS) | {
        "leadId": lead.pk,
        "activityTypeId": activity_type.pk,
        "activityDate": "2026-11-20T10:00:00Z",
        "primaryAttributeValue": "1",
        "attributes": [],
    }
    text = json.dumps(row)
    if member in MEMBERS:
        old = f'"{member}": {json.dumps(row[member])}'
        assert old in text
        return text.replace(old, f'"{member}": {value}')
    return text.replace('"attributes": []', f'"attributes": [{{"apiName": "{member}", "value": {value}}}]')


@pytest.mark.parametrize("member", MEMBERS + ATTRIBUTES)
def test_an_activity_that_cannot_be_kept_leaves_the_others_as_they_are(dialect, api_of, member):
    activity_type, lead = approved_type(), make_person()
    good = attributes(activity_type, lead, "amount", "1.5")
    rows = [good]
    for value in HOSTILE:
        rows += [attributes(activity_type, lead, member, value), good]
    answered = result(dialect.post("/rest/v1/activities/external.json", f'{{"input": [{", ".join(rows)}]}}'))
    assert len(answered) == len(rows)
    assert [outcome["status"] for outcome in answered[::2]] == ["added"] * (len(HOSTILE) + 1)
    # and what was refused is there to be seen, every one of it
    listed = api_of("/api/v1/quarantine?page_size=300")
    assert listed.status_code == 200, listed.content[:300]
    assert len(json.loads(listed.content)["results"]) == RefusedActivity.objects.count()


@pytest.fixture
def api_of(client, owner):
    reader = client_editing.create_client("Reader", owner, None, client_editing.grantable_rights())
    token = tokens.issue_token(reader.client).text
    return lambda path: client.get(path, headers={"Authorization": f"Bearer {token}"})


def test_a_row_of_very_many_unknown_attributes_is_refused_in_few_words_and_little_work(dialect, monkeypatch):
    activity_type, lead = approved_type(), make_person()
    compared = []
    monkeypatch.setattr(
        "activities.recording.schema.get_close_matches", lambda *_given, **_more: compared.append(1) or []
    )
    many = ", ".join(f'{{"apiName": "no{number}", "value": {number}}}' for number in range(20_000))
    row = attributes(activity_type, lead, "amount", "1.5")
    bad = row.replace('{"apiName": "amount", "value": 1.5}', many)
    reply = dialect.post("/rest/v1/activities/external.json", f'{{"input": [{bad}, {row}]}}')
    refused, added = result(reply)
    assert added["status"] == "added" and Activity.objects.filter(activity_type_id=activity_type.pk).count() == 1
    assert len(refused["errors"]) == MAX_PROBLEMS + 1
    assert "19980 more" in refused["errors"][-1]["message"]
    assert len(compared) == MAX_PROBLEMS and len(reply.content) < 10_000
    kept = RefusedActivity.objects.get()
    assert len(kept.raw) + len(json.dumps(kept.problems)) < 300_000


def test_a_lead_of_very_many_unknown_fields_is_refused_in_few_words(dialect):
    many = ", ".join(f'"no{number}": {number}' for number in range(20_000))
    reply = dialect.post(
        "/rest/v1/leads.json", f'{{"input": [{{"email": "a@example.com", {many}}}, {{"email": "b@example.com"}}]}}'
    )
    refused, created = result(reply)
    assert created["status"] == "created" and Person.objects.count() == 1
    assert len(refused["reasons"]) == MAX_PROBLEMS + 1 and len(reply.content) < 10_000
