"""Recording and reading over the Marketo API."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.log import withdrawal
from activities.models import Activity, RefusedActivity
from activities.recording.quarantine import room
from config.access.models import ApiClient
from config.marketo.wire import paging
from people.core.source import Channel, Source
from people.persons import deletion
from people.persons import merge as person_merge
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.hypothesis_profiles import examples

EXTERNAL = "/rest/v1/activities/external.json"


@pytest.fixture
def check(db):
    return approved_type()


def row(lead, check, **changes):
    return {
        "leadId": lead.pk,
        "activityDate": "2026-11-20T11:00:00+01:00",
        "activityTypeId": check.pk,
        "primaryAttributeValue": "No. 1",
        "attributes": [{"apiName": "amount", "value": 1250.5}, {"name": "Branch", "value": "Málaga"}],
    } | changes


def test_misnamed_attributes_skip_their_row_and_other_unknown_members_are_warned_of(dialect, check):
    ann = make_person()
    attributes = [{"apiName": "amount", "value": 5}]
    misnamed = {name: value for name, value in row(ann, check).items() if name != "attributes"}
    rows = [
        row(ann, check),
        misnamed | {"attribute": attributes},
        row(ann, check, Attributes=attributes),
        row(ann, check, colour="red", tags=["a"]),
        row(ann, check, id=1, marketoGUID="1", status="added", errors=[], apiName="x"),
    ]
    body = dialect.post(EXTERNAL, {"input": rows}).json()
    assert [entry["status"] for entry in body["result"]] == ["added", "skipped", "skipped", "added", "added"]
    assert [entry["errors"][0]["code"] for entry in body["result"] if "errors" in entry] == ["1006", "1006"]
    assert "attribute" in body["result"][1]["errors"][0]["message"]
    assert [warning["message"].partition(";")[0] for warning in body["warnings"]] == [
        "Row 4: field 'colour' not found",
        "Row 4: field 'tags' not found",
    ]
    assert "warnings" not in dialect.post(EXTERNAL, {"input": [rows[0], rows[4]]}).json()
    many = dialect.post(EXTERNAL, {"input": [row(ann, check, **{"x" * 5_000: n}) for n in range(100)]})
    assert len(many.json()["warnings"]) == 20 and len(many.content) < 60_000


def test_good_rows_are_added_and_bad_ones_skipped_in_order(dialect, check):
    ann = make_person()
    reply = dialect.post(
        EXTERNAL,
        {
            "input": [
                row(ann, check),
                row(ann, check, leadId=999_999),
                row(ann, check, activityDate=None),
                row(ann, check, attributes=[{"apiName": "pages", "value": "abc"}]),
                row(ann, check, attributes=[{"apiName": "colour", "value": "red"}]),
                row(ann, check, activityTypeId=12),
                row(ann, check, primaryAttributeValue="x" * 256),
                row(ann, check, attributes=None),
            ]
        },
    )
    assert (reply.status_code, reply["Content-Type"]) == (200, "application/json;charset=UTF-8")
    body = reply.json()
    assert body["success"] is True and set(body) == {"requestId", "result", "success"}
    assert [entry["status"] for entry in body["result"]] == ["added"] + ["skipped"] * 6 + ["added"]
    assert [entry["errors"][0] for entry in body["result"][1:6]] == [
        {"code": "1004", "message": "Lead not found"},
        {"code": "1002", "message": "Missing value for the required parameter 'activityDate'"},
        {"code": "1001", "message": "Invalid value 'abc'. Required of type 'Integer'"},
        {"code": "1006", "message": "Field 'colour' not found"},
        {
            "code": "1003",
            "message": "Invalid data for 'activityTypeId': standard activities are recorded by the product itself",
        },
    ]
    assert body["result"][6]["errors"][0]["code"] == "1003"
    stored = Activity.objects.get(pk=body["result"][0]["id"])
    assert stored.attributes["branch"] == "Málaga" and body["result"][0]["marketoGUID"] == str(stored.pk)


def test_an_external_id_sent_again_answers_added_with_the_same_id(dialect, check):
    ann = make_person()
    body = {"input": [row(ann, check, externalId="T-1")]}
    first, second = (dialect.post(EXTERNAL, body).json()["result"] for _ in range(2))
    assert first == second
    assert Activity.objects.filter(activity_type_id=check.pk).count() == 1


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        ("{", "application/json", "609"),
        (b"\xff", "application/json", "609"),
        ("[" * 100_000, "application/json", "609"),
        ('{"input": NaN}', "application/json", "609"),
        ("{}", "text/plain", "612"),
        ("{}", "application/json", "1003"),
        ("[]", "application/json", "1003"),
        ('{"input": []}', "application/json", "1003"),
        (json.dumps({"input": [{}] * 301}), "application/json", "1003"),
    ],
)
def test_what_refuses_the_whole_call(dialect, check, body, content_type, code):
    reply = dialect.post(EXTERNAL, body, content_type)
    assert reply.status_code == 200
    assert (reply.json()["success"], reply.json()["errors"][0]["code"]) == (False, code)


def test_strange_values_spoil_their_own_row_only(dialect, check):
    lead = make_person().pk
    head = f'"leadId": {lead}, "activityTypeId": {check.pk}, "activityDate": "2026-11-20", "primaryAttributeValue": '
    rows = [
        head + '"\\ud800"',
        head + '"a\\u0000b"',
        head + '"x", "attributes": [{"apiName": "amount", "value": 1e400}]',
        head + '"x", "attributes": [{"apiName": "pages", "value": ' + "9" * 100_000 + "}]",
        head + '"fine"',
    ]
    reply = dialect.post(EXTERNAL, '{"input": [' + ", ".join("{" + entry + "}" for entry in rows) + "]}").json()
    assert [entry["status"] for entry in reply["result"]] == ["skipped"] * 4 + ["added"]


def test_other_answers(dialect, check):
    assert dialect.get(EXTERNAL).json()["errors"][0]["code"] == "605"
    assert dialect.get("/rest/v1/nothing.json").json()["errors"][0]["code"] == "610"
    asset = dialect.get("/rest/asset/v1/nothing.json").json()
    assert (asset["errors"][0]["code"], asset["warnings"]) == ("610", [])
    assert dialect.post(EXTERNAL, b"x" * 1_048_577).status_code == 413
    assert dialect.get("/rest/v1/leads.json", filterValues="x" * 9_000).status_code == 414


def test_a_call_costs_at_most_twelve_statements_whatever_it_holds(dialect, check, monkeypatch):
    monkeypatch.setattr(room, "RECOUNT_AFTER", timedelta(hours=1))  # one more a minute, of senders of refused rows
    leads = [make_person() for _ in range(10)]
    sent_before = [row(leads[i % 10], check, externalId=f"T{i}") for i in range(100)]
    dialect.post(EXTERNAL, {"input": [*sent_before, {"leadId": None}]})
    new = [row(leads[i % 10], check, externalId=f"T{i}") for i in range(100, 199)]
    changed = [row(leads[0], check, externalId="T0", primaryAttributeValue="Another")]
    plain = [row(leads[i % 10], check) for i in range(50)]
    refused = [row(leads[0], check, activityTypeId=None), {"leadId": None}, row(leads[0], check, leadId=999_999)]
    ApiClient.objects.update(last_used_at=None)
    with CaptureQueriesContext(connection) as queries:
        reply = dialect.post(EXTERNAL, {"input": [*sent_before, *new, new[0], *changed, *plain, *refused]}).json()
    statuses = [entry["status"] for entry in reply["result"]]
    assert statuses == ["added"] * 200 + ["skipped"] + ["added"] * 50 + ["skipped"] * 3
    assert any("refused_activity" in query["sql"] for query in queries), "the refused rows, to be looked at later"
    assert len(queries) <= 12, "\n".join(query["sql"][:80] for query in queries)

    uniform = [*sent_before[:50], *new[:50], *changed, row(leads[0], check, leadId=999_999, externalId="T-")]
    uniform.append(row(leads[0], check, externalId="T+"))
    uniform = [
        entry | {"attributes": [{"apiName": "amount", "value": 1250.5}, {"apiName": "branch", "value": "Málaga"}]}
        for entry in uniform
    ]
    ApiClient.objects.update(last_used_at=None)
    with CaptureQueriesContext(connection) as queries:
        reply = dialect.post(EXTERNAL, {"input": uniform}).json()
    assert [entry["status"] for entry in reply["result"]] == ["added"] * 100 + ["skipped"] * 2 + ["added"]
    assert len(queries) <= 12, "\n".join(query["sql"][:80] for query in queries)


def test_calls_of_one_shape_are_answered_and_kept_as_any_other(dialect, check):
    ann, twin, gone = make_person(), make_person(), make_person()
    person_merge.merge_people(ann.pk, [twin.pk], None, Source(Channel.SYSTEM))
    deletion.delete_people([gone.pk], None, Source(Channel.SYSTEM))
    values = [(1, "red"), ("1.50", "red"), (1.5, None), ("x", "y" * 256), (1e99, {}), (10**30, ["a"]), (True, "\0")]
    rows = [
        row(ann, check, attributes=[{"apiName": "branch", "value": branch}, {"apiName": "amount", "value": amount}])
        for amount, branch in values
    ]
    usual = rows[0]["attributes"]
    for changes in (
        {"leadId": twin.pk},
        {"leadId": gone.pk},
        {"leadId": str(ann.pk)},
        {"leadId": True},
        {"leadId": []},
        {"activityDate": "2199-01-01"},
        {"activityDate": None},
        {"activityDate": [1]},
        {"primaryAttributeValue": " "},
        {"primaryAttributeValue": 7},
        {"externalId": 5},
        {"externalId": "x" * 256},
        {"externalId": " "},
    ):
        rows.append(row(ann, check, **{"attributes": usual} | changes))
    with time_machine.travel(timezone.now(), tick=False):  # messages name the latest moment
        of_one_shape = dialect.post(EXTERNAL, {"input": rows}).json()["result"]
        other = dialect.post(EXTERNAL, {"input": [*rows, {}]}).json()["result"][:-1]
    assert [entry.get("errors") for entry in of_one_shape] == [entry.get("errors") for entry in other]
    refused = [entry for entry in other if "errors" in entry]
    kept = RefusedActivity.objects.filter(times=2).count()
    assert len(refused) == kept and 10 < kept < len(rows)
    shapes = {
        (stored.primary_value, str(stored.attributes)) for stored in Activity.objects.filter(activity_type_id=check.pk)
    }
    stored = Activity.objects.filter(activity_type_id=check.pk).count()
    assert len(shapes) > 3 and stored == 2 * (len(rows) - kept) - 1, "the external id is there once"


@pytest.mark.django_db(transaction=True)  # the mark stays below what the reading transaction itself wrote
def test_following_tokens_gives_every_activity_once(dialect, check):
    ann = make_person()
    token = dialect.get("/rest/v1/activities/pagingtoken.json", sinceDatetime="2026-11-20").json()["nextPageToken"]
    record_rows(*(new_activity(ann.pk, primary_value=f"No. {i}", amount=i) for i in range(7)))
    record_rows(new_activity(ann.pk, occurred_at="2001-01-01", primary_value="back-dated"))
    seen, more = [], True
    while more:
        page = dialect.get(
            "/rest/v1/activities.json", nextPageToken=token, activityTypeIds=check.pk, batchSize=3
        ).json()
        assert not any("campaignId" in entry for entry in page["result"])
        seen += [entry["primaryAttributeValue"] for entry in page["result"]]
        token, more = page["nextPageToken"], page["moreResult"]
    assert seen == [f"No. {i}" for i in range(7)] + ["back-dated"]
    record_rows(new_activity(ann.pk, primary_value="later"), source=Source(Channel.CAMPAIGN, origin_id=44))
    page = dialect.get("/rest/v1/activities.json", nextPageToken=token, activityTypeIds=check.pk).json()
    (later,) = page["result"]
    assert later["activityDate"] == "2026-11-20T10:00:00Z" and later["attributes"] == []
    assert later["campaignId"] == 44


@pytest.mark.django_db(transaction=True)  # the mark stays below what the reading transaction itself wrote
def test_older_activities_before_the_token_are_left_out(dialect, check):
    ann = make_person()
    record_rows(
        new_activity(ann.pk, occurred_at="2026-01-01", primary_value="old"),
        new_activity(ann.pk, primary_value="new", amount="0.1"),
    )
    token = dialect.get("/rest/v1/activities/pagingtoken.json", sinceDatetime="2026-06-01").json()["nextPageToken"]
    page = dialect.get("/rest/v1/activities.json", nextPageToken=token, activityTypeIds=f"{check.pk},1").json()
    assert [entry["primaryAttributeValue"] for entry in page["result"]] == ["new"]
    assert page["result"][0]["attributes"] == [{"name": "Amount", "apiName": "amount", "value": 0.1}]


@given(token=st.text(max_size=60) | st.binary(max_size=30).map(lambda raw: raw.hex()))
@settings(max_examples=examples(25, 400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tampered_token_is_refused(dialect, token):
    if paging.decode_position(token.strip()) is None:
        reply = dialect.get("/rest/v1/activities.json", nextPageToken=token, activityTypeIds=1).json()
        assert reply["errors"][0]["code"] in {"1002", "1003"}


@pytest.mark.usefixtures("own_rows_read")
def test_a_withdrawn_activity_is_missing_from_pages_and_may_be_recorded_again(dialect, owner, check):
    ann = make_person()
    rows = [new_activity(ann.pk, external_id="a"), new_activity(ann.pk, external_id="b")]
    token = dialect.get("/rest/v1/activities/pagingtoken.json", sinceDatetime="2026-11-20").json()["nextPageToken"]
    first, second = record_rows(*rows, source=Source(Channel.ADMIN, owner.pk))
    withdrawal.withdraw_activity(first.activity_id, owner)
    page = dialect.get("/rest/v1/activities.json", nextPageToken=token, activityTypeIds=check.pk).json()
    assert [entry["id"] for entry in page["result"]] == [second.activity_id]
    again = dialect.post(EXTERNAL, {"input": [row(ann, check, externalId="a")]})
    assert [entry["status"] for entry in again.json()["result"]] == ["added"]
    assert again.json()["result"][0]["id"] != first.activity_id
