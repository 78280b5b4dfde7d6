"""Recording and reading activities over the native API."""

import json
from urllib.parse import quote

import pytest

from activities.models import FIRST_CUSTOM_ID, Activity
from activities.types.definition import ActivityFieldSpec
from people.definitions import lifecycle
from people.models import Person
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def check():
    return approved_type()


@pytest.fixture
def ann():
    return make_person(email="ann@example.com")


def custom():
    return Activity.objects.filter(activity_type_id__gte=FIRST_CUSTOM_ID)


def row(person, **more):
    return {
        "activity_type": "depositCheck",
        "person": person,
        "occurred_at": "2026-11-20T10:00:00Z",
        "primary_value": "No. 1",
        **more,
    }


def paths(reply):
    return {(fault.get("path"), fault["code"]) for fault in reply.json()["errors"]}


def ndjson(*rows):
    return b"".join(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in rows)


def stream(api, body, **headers):
    reply = api.post("activities/stream", body, content_type="application/x-ndjson", **headers)
    lines = [json.loads(line) for line in b"".join(reply.streaming_content).splitlines()]
    return lines[:-1], lines[-1]["summary"]


def test_one_is_recorded_and_shown(api, check, ann):
    reply = api.post("activities", row(ann.pk, attributes={"amount": 1250.5, "is_foreign": False}))
    assert reply.status_code == 201
    shown = reply.json()
    assert shown["attributes"] == {"amount": 1250.5, "is_foreign": False} and shown["source"] == "api"
    assert reply["Location"].endswith(f"/api/v1/activities/{shown['id']}")
    assert api.get(f"activities/{shown['id']}").json() == shown
    assert custom().get().user_id == api.get("me").json()["id"]


def test_amounts_keep_all_their_digits(api, check, ann):
    body = json.dumps(row(ann.pk, attributes={"amount": 0})).replace('"amount": 0', '"amount": 900000000000000.1001')
    reply = api.post("activities", body)
    assert b'"amount":900000000000000.1001' in reply.content


@pytest.mark.parametrize("who", [{"email": "ANN@example.com"}, {"id": None}, None])
def test_people_are_named_by_id_or_by_a_field_that_tells_them_apart(api, check, ann, who):
    who = ann.pk if who is None else {"id": ann.pk} if "id" in who else who
    assert api.post("activities", row(who)).json()["person"] == ann.pk


def test_people_are_created_only_when_asked_for_and_allowed(api, narrowed, check):
    new = {"email": "new@example.com"}
    assert paths(api.post("activities", row(new))) == {("/person", "unknown_person")}
    narrow = narrowed("activities.record_activity")
    refused = narrow.post("activities", row(new, create_person=True))
    assert refused.status_code == 403 and refused.json()["errors"][0]["expected"] == "people.add_person"
    made = api.post("activities", row(new, create_person=True))
    assert made.status_code == 201 and Person.objects.get(email="new@example.com").pk == made.json()["person"]


def test_an_external_id_is_stored_once_and_other_content_conflicts(api, check, ann):
    first = api.post("activities", row(ann.pk, external_id="T-1"))
    again = api.post("activities", row(ann.pk, external_id="T-1"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = api.post("activities", row(ann.pk, external_id="T-1", primary_value="No. 2"))
    assert other.status_code == 409 and other.json()["code"] == "external_id_reused"


def test_every_fault_of_a_row_has_its_place(api, check, ann):
    reply = api.post("activities", row(ann.pk, occurred_at="tomorrow", attributes={"amount": "twelve", "colour": 1}))
    assert reply.status_code == 422 and reply["Content-Type"] == "application/problem+json"
    assert paths(reply) == {
        ("/occurred_at", "wrong_type"),
        ("/attributes/amount", "wrong_type"),
        ("/attributes/colour", "unknown_field"),
    }
    assert reply.json()["errors"][1]["got"] == "twelve"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("[]", {(None, "wrong_type")}),
        ("7", {(None, "wrong_type")}),
        ('{"person": {}, "person": 1}', {(None, "given_twice")}),
        ('{"colour": 1}', {("/colour", "unknown_member")}),
        (
            '{"person": [1], "activity_type": true, "attributes": []}',
            {("/person", "wrong_type"), ("/activity_type", "wrong_type"), ("/attributes", "wrong_type")},
        ),
        ('{"person": {"email": "a", "id": 2}}', {("/person", "wrong_type")}),
        ('{"person": {"e~/mail": "a"}}', {("/person/e~0~1mail", "unknown_lookup_field")}),
        ('{"person": {"email": "\\u0000"}}', {("/person/email", "wrong_type")}),
        ('{"person": {"email": {"a": 1}}}', {("/person/email", "wrong_type")}),
        ('{"create_person": "yes"}', {("/create_person", "wrong_type")}),
    ],
)
def test_the_structure_is_checked_first(api, check, body, expected):
    reply = api.post("activities", body)
    assert reply.status_code == 422 and paths(reply) == expected


def test_in_a_batch_every_row_counts_on_its_own(api, check, ann):
    rows = [row(ann.pk), row(0), 7, row(ann.pk, external_id="T"), row(ann.pk, external_id="T")]
    answer = api.post("activities/batch", {"activities": rows})
    assert not answer.renderer_context and "_body" not in vars(answer.wsgi_request), "the collector is left no body"
    reply = answer.json()
    assert [result["status"] for result in reply["results"]] == ["added", "refused", "refused", "added", "repeated"]
    assert (reply["added"], reply["repeated"], reply["refused"]) == (2, 1, 2)
    assert reply["results"][1]["errors"][0]["path"] == "/person"
    assert custom().count() == 2


def test_a_batch_has_one_to_a_thousand_rows(api, check, ann):
    assert api.post("activities/batch", {"activities": []}).status_code == 422
    assert api.post("activities/batch", {"rows": []}).status_code == 422
    assert api.post("activities/batch", {"activities": [row(ann.pk)] * 1001}).status_code == 413
    assert api.post("activities/batch", {"activities": [row(ann.pk)] * 1000}).json()["added"] == 1000


def test_validating_keeps_nothing(api, check):
    rows = [row({"email": "new@example.com"}, create_person=True), row(0)]
    reply = api.post("activities/validate", {"activities": rows}).json()
    assert [result["status"] for result in reply["results"]] == ["valid", "refused"] and reply["valid"] == 1
    assert not Person.objects.exists() and not custom().exists()


def test_a_stream_reports_a_broken_line_and_records_the_rest(api, check, ann):
    outcomes, summary = stream(
        api, ndjson(row(ann.pk), b'{"person": \n', b"\n", row(ann.pk), b"[" * 5000 + b"\n", row(0))
    )
    assert [(outcome["line"], outcome["status"]) for outcome in outcomes] == [
        (1, "added"),
        (2, "refused"),
        (4, "added"),
        (5, "refused"),
        (6, "refused"),
    ]
    assert outcomes[1]["errors"][0]["code"] == "invalid_json"
    assert summary == {"lines": 5, "added": 2, "repeated": 0, "refused": 3}


def test_a_stream_of_several_chunks_sent_again_with_its_key_doubles_nothing(api, check, ann):
    rows = [row(ann.pk, primary_value=str(number)) for number in range(2_500)]
    cut_off, _summary = stream(api, ndjson(*rows[:1_200]), Idempotency_Key="upload-7")
    outcomes, summary = stream(api, ndjson(*rows), Idempotency_Key="upload-7")
    assert summary == {"lines": 2_500, "added": 1_300, "repeated": 1_200, "refused": 0}
    assert [outcome["id"] for outcome in outcomes[:1_200]] == [outcome["id"] for outcome in cut_off]
    assert custom().count() == 2_500


def test_an_overlong_line_spoils_itself_only(api, check, ann):
    long = b'{"person": "' + b"x" * 2_000_000 + b'"}\n'
    outcomes, _summary = stream(api, ndjson(row(ann.pk), long, row(ann.pk)))
    assert [outcome["status"] for outcome in outcomes] == ["added", "refused", "added"]
    assert outcomes[1]["errors"][0]["code"] == "too_large"


def test_a_stream_is_ndjson(api, check):
    assert api.post("activities/stream", "{}", content_type="application/json").status_code == 415


def ids(reply):
    assert reply.status_code == 200, reply.content
    return [found["id"] for found in reply.json()["results"]]


@pytest.fixture
def log(check, ann):
    approved_type("Attend Webinar", "attendWebinar", fields=lifecycle_fields())
    bob = make_person(email="bob@example.com")
    outcomes = record_rows(
        new_activity(ann.pk, "depositCheck", "2026-11-20T10:00:00Z", "No. 1", amount=100, branch="Sol", pages=2),
        new_activity(bob.pk, "depositCheck", "2026-11-21T10:00:00Z", "No. 2", amount="700.5", branch="SOL Norte"),
        new_activity(ann.pk, "attendWebinar", "2026-11-19T10:00:00Z", "Bread", minutes=50),
        new_activity(bob.pk, "attendWebinar", "2026-11-18T10:00:00Z", "Cake"),
    )
    return [outcome.activity_id for outcome in outcomes]


def lifecycle_fields():

    return (
        ActivityFieldSpec("webinar", "Webinar", is_primary=True),
        ActivityFieldSpec("minutes", "Minutes", "integer"),
    )


CUSTOM = "activity_type=depositCheck,attendWebinar"


FOUND = (
    ("activity_type=depositCheck", {0, 1}),
    ("person__email=ANN@example.com&" + CUSTOM, {0, 2}),
    ("attributes.amount__gt=500", {1}),
    ("attributes.amount__lte=100", {0}),
    ("attributes.amount__in=100,7", {0}),
    ("attributes.branch=sol", {0}),
    ("attributes.branch__startswith=sol", {0, 1}),
    ("attributes.branch__contains=norte", {1}),
    ("attributes.pages__isempty=true&activity_type=depositCheck", {1}),
    ("attributes.minutes=50", {2}),
    ("attributes.webinar=cake", {3}),
    ("primary_value__startswith=no.", {0, 1}),
    ("occurred_at__gte=2026-11-20&" + CUSTOM, {0, 1}),
    ("occurred_at__lt=2026-11-19T00:00:00Z&" + CUSTOM, {3}),
    ("source=dialect,import&" + CUSTOM, {0, 1, 2, 3}),
    ("source=api", set()),
    ("original_person__isempty=false", set()),
)


@pytest.mark.django_db(transaction=True)
def test_filters_find_what_they_say(api, log):
    for query, expected in FOUND:
        assert set(ids(api.get(f"activities?{query}"))) == {log[index] for index in expected}, query


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("colour=red", "unknown_filter"),
        ("attributes.colour=red", "unknown_filter"),
        ("attributes.amount__startswith=1", "unknown_filter"),
        ("attributes.amount__gt=twelve", "wrong_type"),
        ("activity_type=buyCar", "unknown_type"),
        ("occurred_at__gte=yesterday", "wrong_type"),
        ("occurred_at__gte=", "missing_value"),
        ("source=moon", "wrong_type"),
        ("person=1e3", "wrong_type"),
        ("page_size=1001", "out_of_range"),
        ("ordering=amount", "unknown_ordering"),
        ("ordering=-occurred_at", "unknown_ordering"),
        ("fields=colour", "unknown_field"),
        ("primary_value=%00", "wrong_type"),
    ],
)
def test_what_cannot_be_asked_is_told_with_what_can(api, log, query, code):
    reply = api.get(f"activities?{query}")
    assert reply.status_code == 400, reply.content
    (fault,) = reply.json()["errors"]
    assert fault["code"] == code and fault["parameter"] == query.split("=")[0]


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("occured_at__gte", "occurred_at__gte"),
        ("recorded", "recorded_at"),
        ("attributes.<name>", "attributes.<api_name>"),
    ],
)
def test_an_unknown_filter_is_told_with_those_that_come_closest(api, log, name, close):
    (fault,) = api.get(f"activities?{quote(name)}=1").json()["errors"]
    assert close in fault["expected"].split(", ") and len(fault["expected"].split(", ")) <= 5
    assert name in fault["message"] and close in fault["message"]


@pytest.mark.parametrize("resource", ["people", "activities", "static-lists", "activity-types/depositCheck"])
def test_unknown_filters_cost_no_long_answer(api, log, resource):
    query = "&".join(f"colour_of_{number}=red" for number in range(50))
    reply = api.get(f"{resource}?{query}")
    assert reply.status_code == 400 and len(reply.content) < 4_000
    assert [fault["parameter"] for fault in reply.json()["errors"]] == [f"colour_of_{number}" for number in range(5)]


@pytest.mark.django_db(transaction=True)
def test_the_log_is_paged_by_cursor_and_can_be_followed(api, log, ann):
    first = api.get("activities?page_size=3&" + CUSTOM).json()
    assert [one["id"] for one in first["results"]] == log[:3]
    second = api.client.get(first["next"], headers=api.headers).json()
    assert [one["id"] for one in second["results"]] == log[3:] and second["next"] is None
    later = record_rows(new_activity(ann.pk, occurred_at="2020-01-01T00:00:00Z"))[0].activity_id
    third = api.get(f"activities?{CUSTOM}&cursor={second['cursor']}").json()
    assert [one["id"] for one in third["results"]] == [later]


@pytest.mark.django_db(transaction=True)
def test_time_orders_one_type_or_one_person(api, log, ann):
    assert ids(api.get(f"activities?person={ann.pk}&ordering=-occurred_at&{CUSTOM}")) == [log[0], log[2]]
    page = api.get("activities?activity_type=depositCheck&ordering=occurred_at&page_size=1").json()
    assert [one["id"] for one in page["results"]] == [log[0]]
    assert ids(api.client.get(page["next"], headers=api.headers)) == [log[1]]


def test_a_cursor_of_another_list_is_no_page(api, log):
    cursor = api.get(f"activities?{CUSTOM}").json()["cursor"]
    assert api.get(f"activity-types?cursor={cursor}").status_code == 404
    for nonsense in ("x", "W10", "WyJsb2ciLCAieCJd", "%F0%9F%98%80"):
        assert api.get(f"activities?cursor={nonsense}").json()["code"] == "bad_cursor"


@pytest.mark.django_db(transaction=True)
def test_a_list_shows_each_as_its_own_address_does(api, log, check, ann):
    row = {"activity_type": "depositCheck", "person": ann.pk, "primary_value": "No. 1"}
    api.post("activities", row | {"occurred_at": "2026-11-20T10:00:00.5Z", "attributes": {"amount": 1250.1234}})
    api.post("activities", row | {"occurred_at": "2001-01-01T12:00:00+02:00", "attributes": {"branch": "Málaga"}})
    shown = api.get("activities").json()["results"]
    assert len(shown) > 2
    assert [api.get(f"activities/{one['id']}").json() for one in shown] == shown


@pytest.mark.django_db(transaction=True)
def test_sparse_fields_leave_out_the_rest(api, log):
    assert api.get("activities?fields=id,person&activity_type=depositCheck&page_size=1").json()["results"] == [
        {"id": log[0], "person": Activity.objects.get(pk=log[0]).person_id}
    ]
    assert list(api.get(f"activities/{log[0]}?fields=version").json()) == ["id", "version"]


def test_what_is_not_there_is_404(api, check):
    assert api.get("activities/99999999999999999999").status_code == 404
    assert api.get("activities/0").status_code == 404


def test_reading_and_recording_need_their_rights(narrowed, log):
    assert narrowed("activities.record_activity").get("activities").status_code == 403
    assert narrowed("activities.view_activity").post("activities", {}).status_code == 403


def test_a_retired_type_takes_nothing(api, check, ann):
    lifecycle.retire_definition(check, None)
    assert paths(api.post("activities", row(ann.pk))) == {("/activity_type", "retired_type")}


def test_the_answer_to_a_stream_is_bounded_by_its_lines(api, check, ann, monkeypatch):
    monkeypatch.setattr("activities.recording.stream.DETAILED_BYTES", 10_000)
    body = b"1\n" * 5_000 + ndjson(row(ann.pk)) + b"1\n" * 5_000
    reply = api.post("activities/stream", body, content_type="application/x-ndjson")
    content = b"".join(reply.streaming_content) if reply.streaming else reply.content
    assert len(content) < 10_000 + 2 * len(body)
    *outcomes, summary = map(json.loads, content.splitlines())
    assert summary["summary"]["refused"] == 10_000 and summary["summary"]["added"] == 1
    told = [
        line for outcome in outcomes for line in range(outcome["line"], outcome.get("to_line", outcome["line"]) + 1)
    ]
    assert told == list(range(1, 10_002))
