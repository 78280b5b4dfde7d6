"""The life cycle of a type, verb by verb."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from activities.models import ActivityType
from activities.types.definition import ACTIVITY_TYPES, ActivityFieldSpec
from people.core import audit
from people.core.errors import ConflictError, NotAllowedError, RejectedError
from people.definitions import drafts, lifecycle
from tests.factories import CHECK_FIELDS, approved_type, draft_type, edit_description, type_names

pytestmark = pytest.mark.django_db
State = ActivityType.State


def fresh(activity_type):
    return ActivityType.objects.get(pk=activity_type.pk)


def user(*codenames, name="vera", **more):
    found = get_user_model().objects.create_user(name, **more)
    found.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return get_user_model().objects.get(pk=found.pk)


def codes(refusal):
    return [problem.code for problem in refusal.value.problems]


def test_from_draft_to_approved_with_draft_and_back():
    check = draft_type()
    assert check.state == State.DRAFT and check.pk >= 100_001
    lifecycle.approve_draft(check, None)
    assert fresh(check).state == State.APPROVED
    edit_description(fresh(check), "Something else")
    assert fresh(check).state == State.APPROVED_WITH_DRAFT
    assert fresh(check).live.description == "A cheque reached an account"
    lifecycle.discard_draft(fresh(check), None)
    assert fresh(check).state == State.APPROVED
    assert fresh(check).live.description == "A cheque reached an account"


def test_approval_gives_numbers_and_keeps_history():
    check = approved_type()
    edit_description(check, "two")
    lifecycle.approve_draft(check, None)
    versions = list(fresh(check).versions.order_by("number").values_list("number", "description"))
    assert versions == [(1, "A cheque reached an account"), (2, "two")]


def test_everything_wrong_is_said_at_once():
    with pytest.raises(RejectedError) as refusal:
        lifecycle.create_definition(
            ACTIVITY_TYPES,
            type_names("123 _", "12"),
            [ActivityFieldSpec("a b", "", "colour"), ActivityFieldSpec("c", "C")],
            None,
        )
    assert set(codes(refusal)) == {"bad_name", "missing_value", "no_primary", "unknown_data_type"}
    assert not ActivityType.objects.custom().exists()


@pytest.mark.parametrize(
    "other", [{"name": "deposit_check", "api_name": "x"}, {"name": "DEPOSIT  CHECK", "api_name": "x"}]
)
def test_names_that_differ_in_case_or_blanks_only_are_taken(other):
    draft_type()
    with pytest.raises(RejectedError) as refusal:
        draft_type(**{"name": other["name"].replace("_", " "), "api_name": other["api_name"]})
    assert "name_taken" in codes(refusal)


def test_an_api_name_of_an_approved_type_is_never_free_again():
    check = approved_type()
    lifecycle.delete_definition(check, None)
    with pytest.raises(RejectedError) as refusal:
        draft_type()
    assert codes(refusal) == ["api_name_taken"]
    assert draft_type(api_name="depositCheck2").state == State.DRAFT  # the other names are free


def test_a_deleted_type_comes_back_as_it_was():
    check = approved_type()
    edit_description(check, "a draft")
    lifecycle.retire_definition(check, None)
    lifecycle.delete_definition(check, None)
    lifecycle.undelete_definition(check, None)
    assert fresh(check).state == State.RETIRED and fresh(check).draft.description == "a draft"
    assert "Brought back after it was deleted" in {audit.entry_sentence(entry) for entry in LogEntry.objects.all()}
    with pytest.raises(RejectedError) as refusal:
        draft_type(api_name="other")
    assert set(codes(refusal)) == {"name_taken"}  # its names are its own again


def test_a_deleted_type_whose_name_is_taken_does_not_come_back():
    check = approved_type()
    lifecycle.delete_definition(check, None)
    draft_type(api_name="other")
    with pytest.raises(RejectedError) as refusal:
        lifecycle.undelete_definition(check, None)
    assert set(codes(refusal)) == {"name_taken"} and fresh(check).state == State.DELETED


@pytest.mark.parametrize("pk", [None, 12])
def test_only_a_deleted_type_of_the_team_is_brought_back(pk):
    there = approved_type() if pk is None else ActivityType.objects.get(pk=pk)
    with pytest.raises(RejectedError) as refusal:
        lifecycle.undelete_definition(there, None)
    assert codes(refusal) == ["standard_type" if pk else "not_deleted"]
    with pytest.raises(NotAllowedError):
        lifecycle.undelete_definition(there, user("approve_activitytype"))


def test_fields_are_put_into_the_order_that_is_given():
    check = draft_type()
    drafts.order_draft_fields(check, ["pages", "branch", "check"], None)
    names_now = list(fresh(check).draft.fields.values_list("api_name", flat=True))
    assert names_now == ["check", "pages", "branch", "amount", "deposited_on", "is_foreign"]
    with pytest.raises(RejectedError) as refusal:
        drafts.order_draft_fields(check, ["nope"], None)
    assert codes(refusal) == ["unknown_field"]


def test_a_never_approved_type_is_deleted_for_good():
    check = draft_type()
    lifecycle.delete_definition(check, None)
    assert not ActivityType.objects.filter(pk=check.pk).exists()
    assert draft_type().state == State.DRAFT


def test_before_approval_everything_can_change():
    check = draft_type()
    drafts.edit_draft_names(check, None, api_name="bankCheck", name="Bank Check")
    drafts.set_draft_fields(check, [ActivityFieldSpec("amount", "Amount", "integer", is_primary=True)], None)
    check = fresh(check)
    assert (check.api_name, check.draft.name) == ("bankCheck", "Bank Check")
    assert check.draft.fields.get().data_type == "integer"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda check: drafts.edit_draft_names(check, None, api_name="other"), "locked_api_name"),
        (
            lambda check: drafts.change_draft_fields(check, {"amount": {"data_type": "string"}}, None),
            "locked_data_type",
        ),
        (
            lambda check: drafts.change_draft_fields(
                check, {"check": {"is_primary": False}, "amount": {"is_primary": True}}, None
            ),
            "locked_primary",
        ),
        (lambda check: drafts.remove_draft_fields(check, ["check"], None), "no_primary"),
        (lambda check: drafts.remove_draft_fields(check, ["nothing"], None), "unknown_field"),
        (lambda check: drafts.add_draft_fields(check, [ActivityFieldSpec("amount", "Total")], None), "given_twice"),
        (lambda check: drafts.add_draft_fields(check, [ActivityFieldSpec("total", "amount")], None), "given_twice"),
    ],
)
def test_what_the_first_approval_fixed(change, code):
    check = approved_type()
    with pytest.raises(RejectedError) as refusal:
        change(check)
    assert code in codes(refusal)
    assert fresh(check).state == State.APPROVED  # no draft was left behind


def test_a_removed_field_stays_reserved_and_may_come_back_with_its_type():
    check = approved_type()
    drafts.remove_draft_fields(check, ["pages"], None)
    lifecycle.approve_draft(check, None)
    with pytest.raises(RejectedError) as refusal:
        drafts.add_draft_fields(fresh(check), [ActivityFieldSpec("pages", "Pages", "string")], None)
    assert codes(refusal) == ["locked_data_type"]
    drafts.add_draft_fields(fresh(check), [ActivityFieldSpec("pages", "Pages", "integer")], None)
    assert lifecycle.approve_draft(check, None).number == 3


def test_two_editors_of_one_draft():
    check = draft_type()
    seen = check.draft.revision
    drafts.edit_draft_names(check, None, expected_revision=seen, description="first")
    with pytest.raises(ConflictError):
        drafts.edit_draft_names(check, None, expected_revision=seen, description="second")
    assert fresh(check).draft.description == "first"


def test_an_approver_approves_what_they_saw():
    check = draft_type()
    seen = check.draft.revision
    edit_description(check, "changed meanwhile")
    with pytest.raises(ConflictError):
        lifecycle.approve_draft(check, None, expected_revision=seen)
    assert fresh(check).state == State.DRAFT


def test_a_draft_is_returned_with_a_reason_until_it_is_edited():
    check = draft_type()
    lifecycle.return_draft(check, None, "Which currency?")
    assert fresh(check).draft.return_reason == "Which currency?"
    edit_description(check, "In euros")
    assert fresh(check).draft.return_reason == ""
    with pytest.raises(RejectedError):
        lifecycle.return_draft(check, None, "  ")


def test_retire_and_restore():
    check = approved_type()
    lifecycle.retire_definition(check, None)
    assert fresh(check).state == State.RETIRED
    with pytest.raises(RejectedError):
        lifecycle.retire_definition(check, None)
    lifecycle.restore_definition(check, None)
    assert fresh(check).state == State.APPROVED


@pytest.mark.parametrize(
    "verb", [lifecycle.approve_draft, lifecycle.retire_definition, lifecycle.delete_definition, lifecycle.discard_draft]
)
def test_standard_types_refuse_every_verb(verb):
    with pytest.raises(RejectedError) as refusal:
        verb(ActivityType.objects.get(pk=12), None)
    assert codes(refusal) == ["standard_type"]


@pytest.mark.parametrize(
    ("verb", "right"),
    [
        (
            lambda check, by: lifecycle.create_definition(
                ACTIVITY_TYPES, type_names("Open Account", "openAccount"), CHECK_FIELDS, by
            ),
            "add_activitytype",
        ),
        (lambda check, by: drafts.edit_draft_names(check, by, description="x"), "change_activitytype"),
        (lambda check, by: lifecycle.approve_draft(check, by), "approve_activitytype"),
        (lambda check, by: lifecycle.return_draft(check, by, "no"), "approve_activitytype"),
        (lambda check, by: lifecycle.delete_definition(check, by), "delete_activitytype"),
    ],
)
def test_each_verb_asks_for_its_right(verb, right):
    check = draft_type()
    with pytest.raises(NotAllowedError) as refusal:
        verb(check, user())
    assert refusal.value.problems[0].expected == f"activities.{right}"
    verb(check, user(right, name="walter"))


def test_a_second_approver_where_required(settings):
    settings.REQUIRE_SECOND_APPROVER = True
    editor = user("add_activitytype", "change_activitytype", "approve_activitytype", name="edith")
    client = user(
        "change_activitytype",
        name="client",
        is_api_only=True,
        owner=user("change_activitytype", "approve_activitytype", name="olga"),
    )
    other = user("approve_activitytype", name="otto")
    check = lifecycle.create_definition(ACTIVITY_TYPES, type_names(), CHECK_FIELDS, editor)
    drafts.edit_draft_names(check, client, description="by the client")
    for involved in (editor, client.owner):
        assert not lifecycle.may_approve_draft(fresh(check), involved)
        with pytest.raises(RejectedError) as refusal:
            lifecycle.approve_draft(check, involved)
        assert codes(refusal) == ["second_approver"]
    lifecycle.approve_draft(check, other)
    assert fresh(check).state == State.APPROVED


def test_limits_hold_when_they_are_set(settings):
    settings.ACTIVITY_TYPES_LIMIT, settings.ACTIVITY_FIELDS_LIMIT = 1, 20
    check = draft_type()
    with pytest.raises(RejectedError) as refusal:
        draft_type("Order Book", "orderBook")
    assert codes(refusal) == ["too_many_types"]
    with pytest.raises(RejectedError) as refusal:
        drafts.add_draft_fields(check, [ActivityFieldSpec(f"f{i}", f"F {i}") for i in range(16)], None)
    assert codes(refusal) == ["too_many_fields"]


def test_every_verb_leaves_one_entry_that_reads_as_a_sentence():
    check = draft_type()
    lifecycle.approve_draft(check, None)
    edit_description(fresh(check), "x")
    lifecycle.discard_draft(check, None)
    lifecycle.retire_definition(check, None)
    entries = LogEntry.objects.filter(object_id=str(check.pk)).order_by("pk")
    assert [audit.entry_sentence(entry) for entry in entries] == [
        "Created",
        "Approved version 1",
        "Changed: description",
        "Discarded the draft",
        "Retired",
    ]
