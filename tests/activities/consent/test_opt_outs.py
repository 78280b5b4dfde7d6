"""No person who has unsubscribed gets email again by accident: every channel, every way round."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from activities.consent import following
from activities.consent.state import CONSENTS, GIVEN, OF_CONSENT, WITHDRAWN, consent_state
from activities.log import retention
from activities.models import Activity
from activities.recording import import_target, recorder
from activities.recording.consents import record_consent
from activities.recording.rows import NewActivity, PersonLookup
from people.core.db.locks import LockSpace
from people.core.source import Channel, Source
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.files.imports.plan import ImportPlan
from people.models import Person, Suppression
from people.persons import import_undo, objections, upsert
from people.persons import merge as person_merge
from people.privacy import erasure
from tests.factories import make_person

pytestmark = pytest.mark.django_db
NATIVE = Source(Channel.API)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEEDED = [("consent_needed", ("unsubscribed",))]
LONG_AGO = datetime(2019, 5, 1, tzinfo=UTC)


@pytest.fixture
def olga():
    return get_user_model().objects.create_superuser("olga", password="x")


def say(person, is_given, at=None, source=NATIVE):
    outcome = record_consent(person.pk, "email", source, is_given=is_given, occurred_at=at)
    assert outcome.activity_id, outcome.problems
    return outcome.activity_id


def said(person):
    rows = Activity.objects.filter(person_id=person.pk, activity_type_id__in=CONSENTS).order_by("id")
    return [row.activity_type_id == GIVEN for row in rows]


def now_of(person):
    """(`unsubscribed`, its reason, the consent that counts)."""
    found = Person.objects.get(pk=person.pk)
    consent = consent_state([person.pk], "email").get(person.pk)
    return found.unsubscribed, found.unsubscribed_reason, consent and consent.is_given


def unsubscribed_before_consents(**values):
    """A person whom a version without consents unsubscribed: nothing is recorded."""
    person = make_person()
    Person.objects.filter(pk=person.pk).update(unsubscribed=True, unsubscribed_reason="Spam", **values)
    return Person.objects.get(pk=person.pk)


def problems(outcome):
    return [(problem.code, problem.path) for problem in outcome.problems]


def opts_out_and_in(source):
    ann = make_person(unsubscribed_reason="Too many")
    upsert.update_person(ann, {"unsubscribed": True}, source)
    assert said(ann) == [False]
    assert Activity.objects.get(person_id=ann.pk, activity_type_id=WITHDRAWN).attributes["source"].endswith(": olga")
    opted_in = upsert.update_person(ann, {"unsubscribed": False}, source)
    if source.channel is Channel.MARKETO:
        assert (problems(opted_in), said(ann), now_of(ann)) == ([], [False, True], (False, None, True))
        return
    assert problems(opted_in) == problems(upsert.update_person(ann, {"unsubscribed": ""}, source)) == NEEDED
    upsert.update_person(ann, {"first_name": "Ann"}, source)
    assert (said(ann), now_of(ann)) == ([False], (True, "Too many", False))


def syncs_a_suppressed_address(source, olga):
    """The objection holds at every sync of the same row, not at the first alone."""
    email = f"{source.channel.word}@example.com"
    erasure.erase_people([make_person(email=email, unsubscribed=True).pk], olga, NATIVE)
    row = {"email": email, "unsubscribed": False, "unsubscribed_reason": ""}
    for again in (False, True, True):
        (outcome,) = upsert.upsert_people([row], source)
        person = Person.objects.get(email=email)
        assert now_of(person) == (True, objections.REASON, False)
        assert problems(outcome) == (NEEDED if again and source.channel is not Channel.MARKETO else [])
    assert said(person) == [False]
    assert Suppression.objects.count() == 1
    say(person, True, LONG_AGO)  # from before the objection
    assert (now_of(person)[0], Suppression.objects.count()) == (True, 1)
    say(person, True)
    assert (now_of(person), Suppression.objects.count()) == ((False, None, True), 0)


def says_something_dated_ahead(source):
    bob, ahead = make_person(), timezone.now() + 2 * HOUR
    say(bob, False, ahead, source)
    assert now_of(bob) == (True, None, False)
    say(bob, True, timezone.now() + HOUR, source)
    assert now_of(bob) == (False, None, True)
    upsert.update_person(bob, {"unsubscribed": True}, source)
    assert now_of(bob) == (True, None, False)
    assert not consent_state([bob.pk], "email", ahead + DAY)[bob.pk].is_given


def brings_history(source):
    cleo = unsubscribed_before_consents()
    history = Source(source.channel, source.user_id, is_backfill=True)
    for at, way in ((LONG_AGO, history), (LONG_AGO + DAY, source), (None, history)):
        say(cleo, True, at, way)
        assert now_of(cleo) == (True, "Spam", True)
    say(cleo, True, None, source)
    assert now_of(cleo) == (False, None, True)


def says_two_things_in_one_batch(source):
    emails = [make_person().email, f"new{source.channel}@example.com"]
    rows = [{"email": email, "unsubscribed": is_out} for email in emails for is_out in (True, False)]
    outcomes = upsert.upsert_people([*rows, {"email": emails[0], "first_name": "Eve"}], source)
    expected = [] if source.channel is Channel.MARKETO else NEEDED
    assert [problems(outcome) for outcome in outcomes] == [[], expected, [], expected, []]
    for email in emails:
        person = Person.objects.get(email=email)
        assert (said(person), now_of(person)) == ([False], (True, None, False))


def test_no_channel_loses_an_objection(olga):
    for channel in Channel:
        source = Source(channel, olga.pk)
        opts_out_and_in(source)
        syncs_a_suppressed_address(source, olga)
        says_something_dated_ahead(source)
        brings_history(source)
        says_two_things_in_one_batch(source)


def test_who_signs_up_again_after_an_erasure_is_subscribed_and_by_an_old_consent_is_not(olga):
    for number, (at, is_subscribed) in enumerate([(timezone.now() - HOUR, True), (LONG_AGO, False)]):
        email = f"back{number}@example.com"
        erasure.erase_people([make_person(email=email, unsubscribed=True).pk], olga, NATIVE)
        Suppression.objects.update(created_at=timezone.now() - DAY)
        row = NewActivity(PersonLookup(email, "email", True), GIVEN, at, "email", [])
        (outcome,) = recorder.record_activities([row], NATIVE, may_record=CONSENTS)
        assert outcome.activity_id, outcome.problems
        person = Person.objects.get(email=email)
        assert now_of(person)[::2] == (not is_subscribed, is_subscribed)
        assert Suppression.objects.exists() is not is_subscribed


def test_the_undo_of_a_merge_keeps_what_was_withdrawn_after_it(olga):
    for withdraws in (True, False):
        winner, loser = make_person(), make_person(unsubscribed=True)
        merge = person_merge.merge_people(winner.pk, [loser.pk], olga, NATIVE)
        if withdraws:
            say(winner, False)
        person_merge.undo_merge(merge.pk, olga, NATIVE)
        assert now_of(winner) == ((True, None, False) if withdraws else (None, None, None))
        assert now_of(loser) == (True, None, False)


def test_a_consent_that_leaves_the_log_takes_along_the_subscription_that_it_made(olga):
    withdrew, never, twice = make_person(unsubscribed=True), make_person(), make_person(unsubscribed=True)
    former, let_in = unsubscribed_before_consents(), unsubscribed_before_consents()
    upsert.update_person(
        let_in, {"unsubscribed": False}, Source(Channel.API, is_consent=True)
    )  # as versions before did
    at = timezone.now()
    people = [withdrew, never, twice, former, let_in]
    given = [say(person, True, at) for person in people]
    say(twice, True)
    assert [now_of(person)[0] for person in people] == [False, None, False, False, False]
    assert retention.correct_activities(given, None) == len(people)
    assert [now_of(person)[0] for person in people] == [True, None, False, True, False]
    assert [now_of(person)[2] for person in people] == [False, None, True, None, None]
    say(former, True, at)  # recorded again, corrected
    assert now_of(former)[0] is False


def test_an_undone_import_of_consents_removes_them_and_the_subscriptions_that_they_made(settings, tmp_path):
    settings.FILES_DIR = tmp_path
    ann, bob = unsubscribed_before_consents(), make_person()
    at = timezone.now().isoformat()
    text = "".join(f"{line}\n" for line in ("email,when,purpose", f"{ann.email},{at},email", f"{bob.email},{at},email"))
    columns = {"occurred_at": "when", "primary_value": "purpose"}
    job = import_jobs.upload_file([text.encode()], "consents.csv", "activities", None)
    import_jobs.set_plan(job, ImportPlan(columns=columns, subject="consentGiven", person="{email}"), None)
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(job.pk)
    assert [now_of(person) for person in (ann, bob)] == [(False, None, True), (None, None, True)]
    job.refresh_from_db()
    import_undo.request_import_undo(job, "wrong file", None, queue=False)
    import_undo.run_import_undo(job.pk)
    assert [now_of(person) for person in (ann, bob)] == [(True, None, None), (None, None, None)]


def test_the_consents_of_people_are_found_by_their_own_index():
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(f"explain select 1 from activity where person_id = any('{{1,2}}') and {OF_CONSENT}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "activity_consent" in plan, plan


def test_an_erasure_keeps_the_objection_of_nobody_who_consented_last(olga):
    winner, same, other = make_person(), make_person(unsubscribed=True), make_person(unsubscribed=True)
    Person.objects.filter(pk=same.pk).update(email=winner.email.upper())
    person_merge.merge_people(winner.pk, [same.pk, other.pk], olga, NATIVE)
    say(winner, True)
    apart = make_person(email="a@example.com", unsubscribed=True)
    (shared,) = upsert.upsert_people([{"email": "a@example.com"}], NATIVE, action=upsert.UpsertAction.DUPLICATE)
    Person.objects.filter(pk=shared.person_id).update(unsubscribed=False)
    erasure.erase_people([winner.pk, apart.pk, shared.person_id], olga, NATIVE)
    suppressed = [make_person(email=email).unsubscribed for email in (winner.email, other.email, "a@example.com")]
    assert suppressed == [None, True, True]


def test_batches_of_consents_are_as_small_as_their_entries_ask_for_and_take_no_look_up_locks():
    target = import_target.ActivitiesTarget()
    for subject in ("consentGiven", "consentWithdrawn", ""):
        assert target.batch_of(ImportPlan(subject=subject)) * following.LOG_ENTRIES <= recorder.MAX_BATCH
    rows = [{"email": f"{number}@example.com", "unsubscribed": True} for number in range(3_000)]
    assert [len(part) for part in upsert.split_rows(rows)] == [2_500, 500]
    ann = make_person()
    held = look_up_locks()
    say(ann, False)
    say(ann, True)
    assert (look_up_locks(), now_of(ann)[0]) == (held, False)


def look_up_locks():
    with connection.cursor() as cursor:
        cursor.execute(
            """select count(*) from pg_locks
            where locktype = 'advisory' and pid = pg_backend_pid() and classid::bigint = %s""",
            [LockSpace.LOOKUP << 24],
        )
        return cursor.fetchone()[0]
