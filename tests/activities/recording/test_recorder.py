"""Recording: what is added, what is refused, and with which problems."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.models import Activity, ActivityKey
from activities.recording import recorder
from activities.recording.rows import NewActivity, PersonLookup, RecordStatus
from activities.types.definition import ActivityFieldSpec
from people.core.errors import located_message
from people.definitions import lifecycle
from tests.factories import CHECK_FIELDS, MARKETO, approved_type, draft_type, make_person, new_activity, record_rows
from tests.hypothesis_profiles import examples

pytestmark = pytest.mark.django_db


@pytest.fixture
def check():
    return approved_type()


def problems_of(*rows):
    return [
        [located_message(problem.under(index)) for problem in outcome.problems]
        for index, outcome in enumerate(record_rows(*rows))
    ]


def test_an_activity_is_stored_in_canonical_form(check):
    ann = make_person()
    (outcome,) = record_rows(
        new_activity(
            ann.pk,
            occurred_at="2026-11-20T11:00:00+01:00",
            amount="1250.50",
            branch="Málaga",
            deposited_on="2026-11-19",
            is_foreign="true",
            pages=3.0,
        )
    )
    stored = Activity.objects.get(pk=outcome.activity_id)
    assert outcome.status is RecordStatus.ADDED
    assert stored.occurred_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert stored.primary_value == "No. 1"
    assert stored.attributes == {
        "amount": Decimal("1250.5"),
        "branch": "Málaga",
        "deposited_on": "2026-11-19",
        "is_foreign": True,
        "pages": 3,
    }
    assert (stored.person_id, stored.activity_type_id, stored.version) == (ann.pk, check.pk, 1)


def test_amounts_keep_all_their_digits(check):
    (outcome,) = record_rows(new_activity(make_person().pk, amount="123456789012345.6789"))
    assert Activity.objects.get(pk=outcome.activity_id).attributes["amount"] == Decimal("123456789012345.6789")


def test_blank_is_no_value_but_zero_and_false_are(check):
    (outcome,) = record_rows(new_activity(make_person().pk, amount=0, branch="  ", is_foreign=False, pages=None))
    assert Activity.objects.get(pk=outcome.activity_id).attributes == {"amount": 0, "is_foreign": False}


def test_one_bad_row_never_costs_the_others(check):
    ann = make_person()
    outcomes = record_rows(new_activity(ann.pk), new_activity(ann.pk, amount="twelve"), new_activity(ann.pk))
    assert [outcome.status for outcome in outcomes] == [RecordStatus.ADDED, RecordStatus.REFUSED, RecordStatus.ADDED]
    assert located_message(outcomes[1].problems[0].under(1)) == (
        "row 2, field amount: expected an amount like 1250.50, got “twelve”"
    )
    assert Activity.objects.filter(activity_type_id=check.pk).count() == 2


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"amount": "12,50"}, "wrong_type"),
        ({"amount": True}, "wrong_type"),
        ({"amount": 10**15}, "out_of_range"),
        ({"amount": "0.00001"}, "out_of_range"),
        ({"amount": float("nan")}, "wrong_type"),
        ({"amount": 10**5000}, "out_of_range"),
        ({"pages": 2**53}, "out_of_range"),
        ({"pages": 1.5}, "wrong_type"),
        ({"pages": "007"}, "wrong_type"),
        ({"pages": Decimal("1e400")}, "out_of_range"),
        ({"is_foreign": 1}, "wrong_type"),
        ({"branch": "a\0b"}, "wrong_type"),
        ({"branch": "\ud800"}, "wrong_type"),
        ({"branch": "x" * 256}, "too_long"),
        ({"branch": {"deep": []}}, "wrong_type"),
        ({"deposited_on": "0001-01-01"}, "out_of_range"),
        ({"deposited_on": "2026-02-30"}, "wrong_type"),
        ({"deposited_on": "20/11/2026"}, "wrong_type"),
        ({"branhc": "Madrid"}, "unknown_field"),
        ({"check": "No. 2"}, "unknown_field"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(check, attributes, code):
    (outcome,) = record_rows(new_activity(make_person().pk, **attributes))
    assert outcome.status is RecordStatus.REFUSED
    assert [problem.code for problem in outcome.problems] == [code]
    assert outcome.problems[0].path == ("attributes", next(iter(attributes)))
    assert not Activity.objects.filter(activity_type_id=check.pk).exists()


def test_an_unknown_field_names_the_one_that_was_meant(check):
    assert problems_of(new_activity(make_person().pk, branhc="Madrid")) == [
        ["row 1, field branhc: is not a field of this type; did you mean branch?"]
    ]


def test_fields_may_be_named_as_people_see_them(check):
    (outcome,) = record_rows(new_activity(make_person().pk, **{"Deposited On": "2026-11-19"}))
    assert Activity.objects.get(pk=outcome.activity_id).attributes == {"deposited_on": "2026-11-19"}


def test_a_field_given_by_both_its_names_is_refused(check):
    assert problems_of(new_activity(make_person().pk, **{"Amount": 1, "amount": 2})) == [
        ["row 1, field amount: given twice"]
    ]


@pytest.mark.parametrize("moment", ["", None, "yesterday", "2026-13-01", 12, [], "1899-12-31T23:59:59Z", "2201-01-01"])
def test_a_moment_must_be_one(check, moment):
    (outcome,) = record_rows(new_activity(make_person().pk, occurred_at=moment))
    assert [problem.path for problem in outcome.problems] == [("occurred_at",)]


def test_activities_may_lie_a_day_ahead_and_no_more(check):
    ann, now = make_person(), timezone.now()
    early, late = record_rows(
        new_activity(ann.pk, occurred_at=now + timedelta(hours=23)),
        new_activity(ann.pk, occurred_at=now + timedelta(hours=25)),
    )
    assert (early.status, late.problems[0].code) == (RecordStatus.ADDED, "out_of_range")


@pytest.mark.parametrize("reference", [999_999, None, True, "ann@example.com", 1.5, [], {}, -1, 2**31, 10**30])
def test_a_person_must_be_known(check, reference):
    (outcome,) = record_rows(new_activity(reference))
    assert [problem.path for problem in outcome.problems] == [("person",)]


@pytest.mark.parametrize("reference", [99, None, "nothing", True, [], {}, 10**30])
def test_a_type_must_be_known(check, reference):
    (outcome,) = record_rows(new_activity(make_person().pk, reference))
    assert [problem.path for problem in outcome.problems] == [("activity_type",)]


def test_only_live_custom_types_take_activities(check):
    ann = make_person()
    draft_type("Attend Webinar", "attendWebinar")
    retired = approved_type("Order Book", "orderBook")
    lifecycle.retire_definition(retired, None)
    codes = [
        outcome.problems[0].code
        for outcome in record_rows(
            new_activity(ann.pk, "attendWebinar"), new_activity(ann.pk, retired.pk), new_activity(ann.pk, 12)
        )
    ]
    assert codes == ["unapproved_type", "retired_type", "standard_type"]


def test_the_primary_value_is_required_and_short(check):
    ann = make_person()
    assert problems_of(new_activity(ann.pk, primary_value=" "), new_activity(ann.pk, primary_value="x" * 256)) == [
        ["row 1, field primary_value: a value for the primary field Check is missing"],
        [f"row 2, field primary_value: expected at most 255 characters, got “{'x' * 79}…”"],
    ]


def test_all_attributes_together_are_bounded():
    fields = [CHECK_FIELDS[0], *(recording_field(number) for number in range(3))]
    approved_type("Write Letter", "writeLetter", fields)
    (outcome,) = record_rows(
        new_activity(make_person().pk, "writeLetter", **{f"text{number}": "é" * 15_000 for number in range(3)})
    )
    assert [problem.code for problem in outcome.problems] == ["too_large"]


def recording_field(number):

    return ActivityFieldSpec(f"text{number}", f"Text {number}", "text")


def test_the_same_external_id_is_stored_once(check):
    row = new_activity(make_person().pk, external_id="T-1", amount="10.50")
    first, second = record_rows(row)[0], record_rows(row)[0]
    assert (first.status, second.status) == (RecordStatus.ADDED, RecordStatus.REPEATED)
    assert first.activity_id == second.activity_id
    assert Activity.objects.filter(activity_type_id=check.pk).count() == ActivityKey.objects.count() == 1


def test_equal_content_in_another_notation_is_a_repeat(check):
    ann = make_person()
    record_rows(new_activity(ann.pk, external_id="T-1", occurred_at="2026-11-20T10:00:00Z", amount="10.50", pages=3))
    (again,) = record_rows(
        new_activity(ann.pk, external_id="T-1", occurred_at="2026-11-20T11:00:00+01:00", pages="3", amount=10.5)
    )
    assert again.status is RecordStatus.REPEATED


def test_the_same_external_id_with_other_content_is_refused(check):
    ann = make_person()
    record_rows(new_activity(ann.pk, external_id="T-1", amount=1))
    (outcome,) = record_rows(new_activity(ann.pk, external_id="T-1", amount=2))
    assert outcome.problems[0].code == "external_id_reused"


def test_repeats_within_one_batch_share_the_id(check):
    ann = make_person()
    row = new_activity(ann.pk, external_id="T-1")
    first, second, other = record_rows(row, row, new_activity(ann.pk, external_id="T-1", amount=5))
    assert (first.status, second.status) == (RecordStatus.ADDED, RecordStatus.REPEATED)
    assert first.activity_id == second.activity_id
    assert other.problems[0].code == "external_id_reused"


def test_external_ids_are_apart_per_person_and_type(check):
    approved_type("Order Book", "orderBook")
    ann, bob = make_person(), make_person()
    outcomes = record_rows(
        new_activity(ann.pk, external_id="1"),
        new_activity(bob.pk, external_id="1"),
        new_activity(ann.pk, "orderBook", external_id="1"),
    )
    assert {outcome.status for outcome in outcomes} == {RecordStatus.ADDED}


def test_an_external_id_too_long_for_an_index_is_refused(check):
    (outcome,) = record_rows(new_activity(make_person().pk, external_id="é" * 2700))
    assert outcome.problems[0].path == ("external_id",)


def test_people_are_found_and_created_by_email(check):
    ann = make_person(email="ann@example.com")
    known, new, unknown = record_rows(
        new_activity(PersonLookup("ANN@example.com")),
        new_activity(PersonLookup("new@example.com", create=True)),
        new_activity(PersonLookup("x@example.com")),
    )
    assert Activity.objects.get(pk=known.activity_id).person_id == ann.pk
    assert new.status is RecordStatus.ADDED
    assert unknown.problems[0].code == "unknown_person"


def test_several_people_with_one_email_are_never_guessed_between(check):
    from people.persons import upsert

    upsert.upsert_people([{"email": "twins@example.com"}] * 2, MARKETO, action=upsert.UpsertAction.DUPLICATE)
    (outcome,) = record_rows(new_activity(PersonLookup("twins@example.com")))
    assert outcome.problems[0].code == "ambiguous_person"


def test_a_row_pins_the_version_that_checked_it(check):
    from people.definitions import drafts

    ann = make_person()
    drafts.remove_draft_fields(check, ["branch"], None)
    before = record_rows(new_activity(ann.pk, branch="Madrid"))[0]
    lifecycle.approve_draft(check, None)
    after = record_rows(new_activity(ann.pk, branch="Madrid"), new_activity(ann.pk))
    assert Activity.objects.get(pk=before.activity_id).version == 1
    assert after[0].problems[0].code == "unknown_field"
    assert Activity.objects.get(pk=after[1].activity_id).version == 2


def test_a_dry_run_keeps_nothing(check):
    outcomes = recorder.record_activities(
        [new_activity(PersonLookup("new@example.com", create=True))], MARKETO, dry_run=True
    )
    assert outcomes[0].status is RecordStatus.ADDED
    assert not Activity.objects.exists()


def test_three_hundred_rows_cost_few_statements(check):
    people = [make_person().pk for _ in range(20)]
    rows = [new_activity(people[i % 20], external_id=f"T{i}", amount=i) for i in range(300)]
    record_rows(rows[0])
    with CaptureQueriesContext(connection) as queries:
        record_rows(*rows[1:])
    assert len(queries) <= 11  # savepoints, types by name and keys included


@pytest.mark.parametrize("name", ["\0", "deposit\0Check", "\ud800", "x" * 300, ""])
def test_a_type_by_a_name_that_cannot_be_one_is_refused(check, name):
    (outcome,) = record_rows(new_activity(make_person().pk, name))
    assert outcome.problems[0].code in {"unknown_type", "missing_value"}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    rows=st.lists(st.tuples(JSON_VALUES, JSON_VALUES, JSON_VALUES, JSON_VALUES, JSON_VALUES), min_size=1, max_size=4)
)
@settings(max_examples=examples(40, 600), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_in_every_row_has_an_outcome(check, rows):
    batch = [
        NewActivity(*values[:3], values[3], [("amount", values[4]), ("branch", values[3])], values[2])
        for values in rows
    ]
    outcomes = record_rows(*batch)
    assert len(outcomes) == len(rows)
    assert all(outcome.problems for outcome in outcomes if outcome.status is RecordStatus.REFUSED)
