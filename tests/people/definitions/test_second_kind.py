"""The life cycle of definitions with a kind that is no activity type: the verbs depend on no kind."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from people.core import audit, references
from people.core.db import locks
from people.core.errors import ConflictError, NotAllowedError, RejectedError
from people.core.notifications import Notice
from people.definitions import differences, drafts, kinds, lifecycle
from people.models import Person
from tests.activities.recording.test_races import InThread
from tests.people.definitions.surveys.kind import SURVEYS, QuestionSpec, SurveyNames
from tests.people.definitions.surveys.models import Answers, ApprovedQuestion, Mailing, Survey, SurveyVersion

pytestmark = [pytest.mark.django_db, pytest.mark.one_server("makes tables of its own")]

QUESTIONS = (QuestionSpec("rating", "Rating", "integer", must_be_answered=True), QuestionSpec("reason", "Reason"))


def called(name="Visit", api_name="visit", plural="Visits", **more):
    return SurveyNames(api_name, name, plural, **more)


def draft(*arguments, by=None, fields=QUESTIONS, **more):
    return lifecycle.create_definition(SURVEYS, called(*arguments, **more), fields, by)


def approved(*arguments, **more):
    survey = draft(*arguments, **more)
    lifecycle.approve_draft(survey, None)
    return fresh(survey)


def fresh(survey):
    return Survey.objects.get(pk=survey.pk)


def user(name, *actions, **more):
    made = get_user_model().objects.create_user(name, **more)
    made.user_permissions.set(Permission.objects.filter(codename__in=[f"{action}_survey" for action in actions]))
    return get_user_model().objects.get(pk=made.pk)


def refused(verb, *arguments, **options):
    with pytest.raises(RejectedError) as refusal:
        verb(*arguments, **options)
    return [problem.code for problem in refusal.value.problems]


def answer(survey):
    """Write a row as a recorder does: hold the survey's lock with others, then look whether it takes rows."""
    with transaction.atomic():
        locks.acquire_shared([locks.lock_key(SURVEYS.lock, survey.pk)])
        found = Survey.objects.recordable().select_related("live").filter(pk=survey.pk).first()
        return found and Answers.objects.create(survey_id=found.pk, version=found.live.number).version


def test_a_whole_life():
    survey = draft()
    assert survey.state == Survey.State.DRAFT and refused(lifecycle.retire_definition, survey, None) == [
        "never_approved"
    ]
    assert lifecycle.approve_draft(survey, None).number == 1
    drafts.edit_draft_names(survey, None, name="Store visit", plural_name="Store visits")
    drafts.add_draft_fields(survey, [QuestionSpec("again", "Would you come again?", "boolean")], None)
    drafts.remove_draft_fields(survey, ["reason"], None)
    drafts.change_draft_fields(survey, {"rating": {"description": "1 to 5"}}, None)
    drafts.order_draft_fields(survey, ["again"], None)
    survey = fresh(survey)
    assert survey.state == Survey.State.APPROVED_WITH_DRAFT and str(survey) == "Visit"
    assert drafts.field_specs(survey.draft) == [
        QuestionSpec("again", "Would you come again?", "boolean"),
        QuestionSpec("rating", "Rating", "integer", "1 to 5", True),
    ]
    assert differences.version_differences(survey.live, survey.draft) == [
        "Name: “Visit” becomes “Store visit”",
        "Plural name: “Visits” becomes “Store visits”",
        "Would you come again? (Yes or no) added",
        "Rating: description changed",
        "Reason is no longer asked",
    ]
    assert [field.api_name for field in differences.removed_fields(survey)] == ["reason"]
    assert [field.api_name for field in differences.newly_fixed_fields(survey)] == ["again"]
    assert lifecycle.approve_draft(survey, None).number == 2
    lifecycle.retire_definition(survey, None)
    assert fresh(survey).state == Survey.State.RETIRED and refused(lifecycle.retire_definition, survey, None) == [
        "retired_type"
    ]
    lifecycle.restore_definition(survey, None)
    assert refused(lifecycle.restore_definition, survey, None) == ["not_retired"]
    lifecycle.delete_definition(survey, None)
    assert fresh(survey).state == Survey.State.DELETED
    assert refused(drafts.edit_draft_names, survey, None, name="Other") == ["unknown_type"]
    lifecycle.undelete_definition(survey, None)
    assert refused(lifecycle.undelete_definition, survey, None) == ["not_deleted"]
    assert fresh(survey).state == Survey.State.APPROVED and str(fresh(survey)) == "Store visit"
    entries = LogEntry.objects.filter(object_id=str(survey.pk), content_type__model="survey").order_by("pk")
    assert [audit.entry_sentence(entry) for entry in entries] == [
        "Created",
        "Approved version 1",
        "Changed: name, plural_name",
        *["Changed: fields"] * 4,
        "Approved version 2",
        "Retired",
        "Restored",
        "Deleted",
        "Brought back after it was deleted",
    ]


def test_a_draft_is_returned_discarded_and_deleted():
    survey = draft()
    lifecycle.return_draft(survey, None, " Which shop? ")
    assert fresh(survey).draft.return_reason == "Which shop?"
    assert refused(lifecycle.discard_draft, survey, None) == ["never_approved"]
    lifecycle.delete_definition(survey, None)
    assert not Survey.objects.exists() and draft().state == Survey.State.DRAFT  # nothing of it is reserved
    other = approved("Call", "call", "Calls")
    assert refused(lifecycle.discard_draft, other, None) == ["no_draft"]
    drafts.edit_draft_names(other, None, description="by telephone")
    lifecycle.discard_draft(other, None)
    assert fresh(other).draft is None and fresh(other).live.description == ""


def test_everything_wrong_is_said_at_once_in_the_words_of_the_kind():
    draft()
    with pytest.raises(RejectedError) as refusal:
        draft(
            "VISIT", "9", "", fields=[QuestionSpec("a b", "", "link"), QuestionSpec("c", "C"), QuestionSpec("d", "c")]
        )
    assert {(problem.code, problem.path) for problem in refusal.value.problems} == {
        ("bad_name", ("api_name",)),
        ("name_taken", ("name",)),
        ("missing_value", ("plural_name",)),
        ("bad_name", ("fields", "a b")),
        ("missing_value", ("fields", "a b")),
        ("unknown_data_type", ("fields", "a b")),
        ("given_twice", ("fields", "d")),
    }
    assert "“VISIT” is too like a name of the survey visit." in str(refusal.value)
    assert "Use one of string, integer, boolean" in str(refusal.value)
    assert refused(draft, "Call", "call", "Calls", fields=[QuestionSpec(f"q{n}", f"Q {n}") for n in range(5)]) == [
        "too_many_fields"
    ]
    draft("Call", "call", "Calls")
    draft("Chat", "chat", "Chats")
    assert refused(draft, "Form", "form", "Forms") == ["too_many_types"]


def test_what_an_approval_reserved_is_reserved_for_ever():
    survey = approved()
    assert refused(drafts.edit_draft_names, survey, None, api_name="other") == ["locked_api_name"]
    drafts.remove_draft_fields(survey, ["reason"], None)
    lifecycle.approve_draft(survey, None)
    reason = QuestionSpec("reason", "Reason", "boolean")
    assert refused(drafts.add_draft_fields, survey, [reason], None) == ["locked_data_type"]
    drafts.add_draft_fields(survey, [QuestionSpec("reason", "Why?")], None)
    lifecycle.approve_draft(survey, None)
    assert dict(fresh(survey).approved_fields.values_list("api_name", "data_type")) == {
        "rating": "integer",
        "reason": "string",
    }
    lifecycle.delete_definition(survey, None)
    assert refused(draft) == ["api_name_taken"]  # also of one that was deleted; what people read is free
    other = draft(api_name="visit2")
    assert set(refused(lifecycle.undelete_definition, survey, None)) == {"name_taken"}
    lifecycle.delete_definition(other, None)
    lifecycle.undelete_definition(survey, None)
    assert refused(draft, "visit", "v", "VISITS") == ["name_taken"] * 2  # they are its own again


def test_nothing_in_use_goes_and_the_refusal_names_what_uses_it():
    survey = approved()
    rating = ApprovedQuestion.objects.get(survey=survey, api_name="rating")
    mailing = Mailing.objects.create(name="Thank you", question=rating)
    drafts.remove_draft_fields(survey, ["rating"], None)
    with pytest.raises(RejectedError) as refusal:
        lifecycle.approve_draft(survey, None)
    assert refusal.value.code == "in_use" and "mailing “Thank you”" in str(refusal.value)
    assert fresh(survey).live.number == 1 and fresh(survey).draft is not None
    assert refused(lifecycle.delete_definition, survey, None) == ["in_use"]
    assert references.uses_of(*lifecycle.deletion_blockers(survey))[0].user == mailing
    lifecycle.retire_definition(survey, None)  # a survey in use can be retired
    mailing.question = None
    mailing.survey = survey
    mailing.save()
    assert lifecycle.approve_draft(survey, None).number == 2
    assert refused(lifecycle.delete_definition, survey, None) == ["in_use"]
    mailing.delete()
    lifecycle.delete_definition(survey, None)


@pytest.mark.parametrize(
    ("action", "verb"),
    [
        ("add", lambda survey, by: draft("Call", "call", "Calls", by=by)),
        ("change", lambda survey, by: drafts.edit_draft_names(survey, by, description="x")),
        ("change", lambda survey, by: drafts.set_draft_fields(survey, QUESTIONS[:1], by)),
        ("change", lambda survey, by: drafts.rewrite_draft(survey, called(), QUESTIONS[:1], by)),
        ("change", lambda survey, by: lifecycle.set_folder_and_owner(survey, by, None, by)),
        ("approve", lambda survey, by: lifecycle.approve_draft(survey, by)),
        ("approve", lambda survey, by: lifecycle.return_draft(survey, by, "no")),
        ("delete", lambda survey, by: lifecycle.delete_definition(survey, by)),
    ],
)
def test_each_verb_asks_for_the_right_of_the_kind(action, verb):
    survey = draft()
    with pytest.raises(NotAllowedError) as refusal:
        verb(survey, user("nina", *{"add", "change", "approve", "delete"} - {action}))
    assert refusal.value.problems[0].expected == f"surveys.{action}_survey"
    verb(survey, user("olga", action))


def test_a_second_approver_and_who_is_told(settings):
    settings.REQUIRE_SECOND_APPROVER = True
    edith = user("edith", "add", "change", "approve")
    client = user("client", "change", is_api_only=True, owner=user("olga", "change", "approve"))
    otto = user("otto", "approve")
    survey = draft(by=edith)
    drafts.edit_draft_names(survey, client, description="by the client")
    for involved in (edith, client.owner):
        assert not lifecycle.may_approve_draft(fresh(survey), involved)
        assert refused(lifecycle.approve_draft, survey, involved) == ["second_approver"]
    assert lifecycle.may_approve_draft(fresh(survey), otto)
    told = Notice.objects.order_by("pk").values_list("user__username", "kind")
    assert ("otto", "draft_waits") in told
    lifecycle.approve_draft(survey, otto)
    assert ("otto", "draft_waits") not in told.all() and ("edith", "draft_approved") in told.all()
    assert ("edith", "draft_waits") in told  # of what the client changed


def test_what_is_no_definition_has_no_kind():
    assert kinds.definition_kind(draft()) is SURVEYS and kinds.definition_kind(SurveyVersion()) is SURVEYS
    with pytest.raises(LookupError):
        kinds.definition_kind(Person())


def test_the_models_of_the_product_are_as_their_migrations_say():
    """The tables of activity types come from the same bases, and none of them changed for that."""
    call_command("makemigrations", "activities", "people", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize(
    "statement",
    [
        "update survey_version set name = 'x' where number = 1",
        "delete from survey_version where number = 1",
        "delete from approved_question",
        "update approved_question set data_type = 'string'",
        "update survey_version set number = 2",
    ],
)
def test_the_database_of_a_kind_keeps_what_was_approved(statement):
    approved()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


# at the same moment: two real connections


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "verb",
    [
        lambda survey, seen, text: drafts.edit_draft_names(survey, None, seen, description=text),
        lambda survey, seen, text: drafts.set_draft_fields(
            survey, [QuestionSpec("a", "A", description=text)], None, seen
        ),
    ],
)
def test_the_second_of_two_editors_overwrites_nothing(verb):
    survey = draft()
    seen = survey.draft.revision
    with transaction.atomic():
        verb(survey, seen, "first")
        second = InThread(lambda: verb(survey, seen, "second"))
        assert second.is_waiting()
    with pytest.raises(ConflictError):
        second.result()
    written = fresh(survey).draft
    assert "first" in {written.description, *written.fields.values_list("description", flat=True)}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("api_name", ["visit", "other"])
def test_the_second_of_two_who_take_a_name_is_told_that_it_is_taken(api_name):
    with transaction.atomic():
        draft()
        second = InThread(lambda: draft(api_name=api_name))
        assert second.is_waiting()
    assert set(refused(second.result)) == {"name_taken"} | ({"api_name_taken"} if api_name == "visit" else set())
    assert Survey.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_approver_does_not_approve_what_was_edited_meanwhile():
    survey = draft()
    seen = survey.draft.revision
    with transaction.atomic():
        drafts.edit_draft_names(survey, None, description="changed")
        approving = InThread(lambda: lifecycle.approve_draft(survey, None, seen))
        assert approving.is_waiting()
    with pytest.raises(ConflictError):
        approving.result()
    assert fresh(survey).state == Survey.State.DRAFT


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", [lifecycle.retire_definition, lifecycle.delete_definition])
def test_nothing_is_written_once_a_retire_or_delete_has_committed(verb):
    survey = approved()
    with transaction.atomic():
        verb(survey, None)
        writing = InThread(lambda: answer(survey))
        assert writing.is_waiting()
    assert writing.result() is None and not Answers.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_retire_and_approve_wait_for_rows_being_written():
    survey = approved()
    drafts.edit_draft_names(survey, None, description="two")
    with transaction.atomic():
        assert answer(survey) == 1
        approving = InThread(lambda: lifecycle.approve_draft(survey, None))
        assert approving.is_waiting()
    assert approving.result().number == 2 and answer(survey) == 2
    with transaction.atomic():
        answer(survey)
        retiring = InThread(lambda: lifecycle.retire_definition(survey, None))
        assert retiring.is_waiting()
    retiring.result()
    assert answer(survey) is None and Answers.objects.count() == 3
