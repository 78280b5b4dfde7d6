"""Effects of a submission: once, for the right person, and no more than a stranger may."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from activities.forms import editing, moderation
from activities.forms.kiosk_links import kiosk_secret
from activities.forms.reading import CONSENT, HONEYPOT
from activities.forms.submitting import Sender, Way
from activities.models import Activity, Association, FormSubmission
from activities.recording.consents import record_consent
from activities.rights import CHANGE_FORMSUBMISSION, RECORD_ACTIVITY
from activities.tracking.addresses import parse_address
from activities.tracking.agents import parse_agent
from people.core.errors import NotAllowedError, RejectedError
from people.core.notifications import Notice
from people.core.source import SYSTEM, Channel
from people.models import Person
from people.persons import merge, upsert
from people.privacy import erasure
from tests.activities.forms.factories import AGENT, TERMS, fill_in, log_of, make_form
from tests.activities.visitors.factories import log_of as visits_of
from tests.activities.visitors.factories import make_hit, make_site, make_visitor
from tests.factories import make_person, user_with

pytestmark = pytest.mark.django_db
GUEST = {"email": "gus@example.com", "first_name": "Gus"}
TOKEN = "0123456789abcdef" * 2


def test_somebody_new_is_created_recorded_and_consents():
    vera = get_user_model().objects.create_user("vera", password="x")
    form = make_form(notified=[vera])
    row = fill_in(form, version="1", company="Analytical Engines").submission
    ada = Person.objects.get()
    assert (row.state, row.person_id, row.has_created_person, row.is_consent_recorded) == (
        "recorded",
        ada.pk,
        True,
        True,
    )
    assert (ada.email, ada.first_name, ada.company) == ("ada@example.com", "Ada", "Analytical Engines")
    assert log_of(ada.pk) == [(2, "Brochure"), (90_003, "email")]
    activity = Activity.objects.get(pk=row.activity_id)
    assert (activity.channel, activity.origin_id) == (Channel.FORM, form.pk)
    assert activity.attributes["webform_id"] == form.pk
    assert "company: Analytical Engines" in activity.attributes["form_fields"].splitlines()
    consent = Activity.objects.get(activity_type_id=90_003)
    assert (consent.attributes["text"], consent.attributes["text_version"]) == ("Write to me about cars.", "1")
    created = Activity.objects.get(activity_type_id=12)
    assert created.attributes["source_type"] == "Web form"
    assert [str(notice) for notice in Notice.objects.all()] == ["Somebody filled in “Brochure”."]
    fill_in(form, "bob@example.com")
    assert Notice.objects.count() == 1, "one until it is read"


def test_the_same_submission_counts_once_and_an_id_stands_for_one_content():
    form = make_form()
    first = fill_in(form)
    assert fill_in(form).is_repeat and fill_in(form).submission.pk == first.submission.pk
    assert fill_in(form, company="Other").is_repeat is False
    kept = fill_in(form, "cy@example.com", message_id="0123abcd")
    assert fill_in(form, "cy@example.com", message_id="0123abcd").submission.pk == kept.submission.pk
    with pytest.raises(RejectedError) as refusal:
        fill_in(form, "dan@example.com", message_id="0123abcd")
    assert refusal.value.code == "external_id_reused"
    assert FormSubmission.objects.count() == 3 and not Person.objects.filter(email="dan@example.com").exists()
    assert log_of(first.submission.person_id) == [(2, "Brochure")] * 2


def test_a_stranger_fills_in_blanks_of_somebody_known_and_nothing_else():
    ada = make_person(email="Ada@example.com", first_name="Augusta", person_score=7)
    form = make_form()
    fill_in(form, company="Engines", person_score="99", unsubscribed="true", last_name="Byron")
    ada.refresh_from_db()
    assert (ada.email, ada.first_name, ada.company, ada.person_score) == ("Ada@example.com", "Augusta", "Engines", 7)
    assert (ada.unsubscribed, ada.last_name) == (None, None), "not of the form"
    editing.change_form(form, None, known_people="update")
    form.refresh_from_db()
    fill_in(form, company="Looms")
    ada.refresh_from_db()
    assert (ada.email, ada.first_name, ada.company) == ("Ada@example.com", "Ada", "Looms")
    for field in ("unsubscribed", "person_score", "created_at", "nothing"):
        with pytest.raises(RejectedError) as refusal:
            editing.change_form(form, None, fields=[{"field": field}])
        assert refusal.value.code == "unknown_field", field


def test_nobody_is_opted_in_by_a_form_who_had_objected():
    ada = make_person(email="ada@example.com")
    form = make_form()
    upsert.update_person(ada, {"unsubscribed": True}, SYSTEM)
    row = fill_in(form, version="1").submission
    ada.refresh_from_db()
    assert (row.state, row.is_consent_recorded, row.consent.version) == ("recorded", False, "1")
    assert ada.unsubscribed is True and (90_003, "email") not in log_of(ada.pk)
    record_consent(ada.pk, "email", SYSTEM, is_given=True)
    assert fill_in(form, version="1", company="X").submission.is_consent_recorded
    bob = make_person(email="bob@example.com", unsubscribed=True)
    erasure.erase_people([bob.pk], None, SYSTEM)
    assert fill_in(form, "bob@example.com", version="1").submission.is_consent_recorded is False
    assert Person.objects.get(email="bob@example.com").unsubscribed is True
    for version in ("2", "v'; drop", "\0", "x" * 5000):
        with pytest.raises(RejectedError) as refusal:
            fill_in(form, "eve@example.com", version=version)
        assert refusal.value.code == "unknown_version", version
    with pytest.raises(RejectedError) as refusal:
        editing.change_form(form, None, consent={"purpose": "email", "text": "Anything.", "version": "1"})
    assert refusal.value.problems[0].path == ("consent", "version")
    editing.change_form(form, None, consent={"purpose": "email", "text": "Anything.", "version": "2"})


def test_a_withdrawn_text_is_agreed_to_only_within_a_day_of_its_end(client):
    """The present text, or one that a page could still show; of a kiosk's form, when it was filled in."""
    form = make_form(event="Fair")
    present = {"purpose": "email", "text": "Anything.", "version": "2"}
    form = editing.change_form(form, None, consent=present)
    assert fill_in(form, "fay@example.com", version="1").submission.consent.text == "Write to me about cars."
    ended = timezone.now() - timedelta(hours=25)
    form.consents.filter(version="1").update(withdrawn_at=ended)
    reply = client.post(f"/f/{form.key}/", {"email": "gil@example.com", "first_name": "Gil", CONSENT: "1"})
    assert reply.status_code == 422 and "out of date" in reply.text
    assert fill_in(form, "gil@example.com", version="2").submission.consent.version == "2"
    now = int(timezone.now().timestamp() * 1000)
    items = [
        {
            "id": f"item-0000000{hours}",
            "at": now - hours * 3_600_000,
            "values": {**GUEST, CONSENT: "1", "company": str(hours)},
        }
        for hours in (0, 2)
    ]
    body = json.dumps({"sent": now, "items": items})
    client.post(f"/k/{kiosk_secret(form)}/", body, content_type="application/json", headers={"User-Agent": AGENT})
    late, early = FormSubmission.objects.filter(way="kiosk").order_by("occurred_at").reverse()
    assert (late.state, late.consent, early.state, early.consent.version) == ("held", None, "recorded", "1")
    form.consents.filter(version="1").update(withdrawn_at=None)  # by the version before, which notes no end
    form.consents.filter(version="2").update(created_at=ended)
    form.refresh_from_db()
    with pytest.raises(RejectedError):
        fill_in(form, "hal@example.com", version="1")
    again = editing.change_form(form, None, consent=TERMS)
    assert fill_in(again, "hal@example.com", version="1").submission.consent.withdrawn_at is None
    gone = editing.change_form(again, None, consent=None)
    form.consents.update(withdrawn_at=ended)
    with pytest.raises(RejectedError):
        fill_in(gone, "ida@example.com", version="1")


def test_another_way_or_an_honest_form_after_spam_is_no_repeat():
    form = make_form(event="Fair")
    page, kiosk = fill_in(form), fill_in(form, sender=Sender(Way.KIOSK, parse_agent(AGENT)))
    assert not kiosk.is_repeat and kiosk.submission.state == "recorded"
    html = Sender(Way.HTML, parse_agent(AGENT))
    assert not fill_in(form, sender=html).is_repeat and fill_in(form, sender=html).is_repeat
    moderation.mark_as_spam(page.submission, None)
    honest = fill_in(form)
    assert (honest.is_repeat, honest.submission.state) == (False, "recorded")
    assert fill_in(form).submission.pk == honest.submission.pk
    moderation.mark_as_spam(honest.submission, None)
    assert fill_in(form).submission.pk not in (page.submission.pk, honest.submission.pk)
    bot = fill_in(form, "bot@example.com", **{HONEYPOT: "x"}).submission
    assert fill_in(form, "bot@example.com", **{HONEYPOT: "x"}).submission.pk == bot.pk, "spam again is a repeat"
    assert fill_in(form, "bot@example.com").submission.state == "recorded", "and an honest one is not"


def test_spam_is_stored_not_recorded_and_can_be_recorded_after_all():
    form = make_form()
    robot = Sender(Way.HTML, parse_agent("curl/8.0"))
    links = {"company": "http://a http://b [url=c]"}
    rows = [
        fill_in(form, "a@example.com", **{HONEYPOT: "x"}).submission,
        fill_in(form, "b@example.com", **links).submission,
        fill_in(form, "c@example.com", sender=robot).submission,
    ]
    assert [(row.state, row.reason) for row in rows] == [("spam", "honeypot"), ("spam", "links"), ("spam", "bot")]
    assert not Person.objects.exists() and not Activity.objects.exists() and not Notice.objects.exists()
    row = moderation.restore_submission(rows[0], None)
    activity = Activity.objects.get(pk=row.activity_id)
    assert (row.state, activity.is_backfill) == ("recorded", True)
    assert activity.occurred_at == row.occurred_at
    assert moderation.mark_as_spam(row, None).state == "spam"
    assert moderation.restore_submission(row, None).activity_id == activity.pk
    assert Activity.objects.filter(activity_type_id=2).count() == 1
    as_new = moderation.restore_submission(rows[1], None, as_new=True)
    assert not Activity.objects.get(pk=as_new.activity_id).is_backfill
    FormSubmission.objects.update(received_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert moderation.delete_old_spam() == 1 and FormSubmission.objects.count() == 2


def test_who_may_only_moderate_records_nothing():
    row = fill_in(make_form(), "a@example.com", **{HONEYPOT: "x"}).submission
    moderator = user_with(CHANGE_FORMSUBMISSION)
    with pytest.raises(NotAllowedError):
        moderation.restore_submission(row, moderator)
    assert not Activity.objects.exists()
    allowed = user_with(CHANGE_FORMSUBMISSION, RECORD_ACTIVITY)
    assert moderation.restore_submission(row, allowed).state == "recorded"


def test_what_cannot_be_decided_waits_and_costs_nobody():
    twins = [{"email": "two@example.com"}] * 2
    upsert.upsert_people(twins, SYSTEM, action=upsert.UpsertAction.DUPLICATE)
    form = make_form(people_an_hour=1)
    fill_in(form, "first@example.com")
    waiting = fill_in(form, "second@example.com").submission
    several = fill_in(form, "two@example.com").submission
    assert (waiting.state, waiting.reason) == ("held", "over_cap")
    assert (several.state, several.reason) == ("held", "ambiguous_person")
    assert Person.objects.count() == 3
    assert moderation.restore_submission(waiting, None).state == "recorded"
    with pytest.raises(RejectedError):
        moderation.restore_submission(several, None)
    several.refresh_from_db()
    assert several.state == "held"
    editing.archive_form(form, None)
    form.refresh_from_db()
    with pytest.raises(RejectedError) as refusal:
        fill_in(form, "third@example.com")
    assert refusal.value.code == "wrong_state"


def test_the_browser_becomes_the_persons_unless_it_is_somebody_elses_by_stronger_evidence():
    site = make_site()
    visitor = make_visitor(site, TOKEN)
    make_hit(visitor, site, "example.com/before")
    form = make_form(website=site)
    sender = Sender(Way.PAGE, parse_agent(AGENT), token=TOKEN)
    ada = fill_in(form, sender=sender).submission
    assert (ada.visitor_id, visits_of(ada.person_id)[0]) == (visitor.pk, ("example.com/before", True))
    assert Association.objects.get().evidence == Association.Evidence.FORM
    Association.objects.update(evidence=Association.Evidence.SERVER)
    bob = fill_in(form, "bob@example.com", sender=sender).submission
    assert (bob.state, bob.visitor_id) == ("recorded", None)
    assert (
        fill_in(form, "cy@example.com", sender=Sender(Way.PAGE, parse_agent(AGENT), token="x")).submission.visitor_id
        is None
    )


def test_submissions_are_merged_exported_and_erased_with_their_person():
    form = make_form()
    ada, bob = (fill_in(form, f"{name}@example.com").submission.person_id for name in ("ada", "bob"))
    spam = fill_in(form, "ada@example.com", **{HONEYPOT: "x"}).submission
    done = merge.merge_people(bob, [ada], None, SYSTEM)
    assert {*FormSubmission.objects.filter(state="recorded").values_list("person_id", flat=True)} == {bob}
    merge.undo_merge(done.pk, None, SYSTEM)
    assert FormSubmission.objects.filter(person_id=ada).count() == 1
    erasure.erase_people([ada], None, SYSTEM)
    assert not FormSubmission.objects.filter(pk=spam.pk).exists(), "it named her"
    rows = []
    for number, at in enumerate(
        ("?u=x%3Aeve%40example.com&b=1", "?u=eve@example.com%20", "/eve%40Example.com/", "?u=other")
    ):
        page = parse_address(f"https://www.example.com/{at}")
        sender = Sender(Way.HTML, parse_agent(AGENT), page=None if number % 2 else page, referrer=page)
        rows.append(fill_in(form, f"x{number}@example.com", sender=sender, **{HONEYPOT: "x"}).submission.pk)
    eve = fill_in(form, "eve@example.com").submission.person_id
    erasure.erase_people([eve], None, SYSTEM)
    assert {*FormSubmission.objects.filter(pk__in=rows).values_list("pk", flat=True)} == {rows[3]}, "the page named her"
    FormSubmission.objects.filter(pk__in=rows).delete()
    assert list(FormSubmission.objects.values_list("person_id", flat=True)) == [bob]
