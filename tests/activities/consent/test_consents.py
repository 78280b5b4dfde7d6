"""Consents as activities, from which the state at any date follows; `unsubscribed` agrees with them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from activities.consent.state import GIVEN, WITHDRAWN, consent_state, consents_of_person
from activities.models import Activity
from activities.recording import column_recorder
from activities.recording.columns import ActivityColumns
from activities.recording.consents import record_consent
from people.core.errors import RejectedError
from people.core.source import SYSTEM, Channel, Source
from people.models import Person, Suppression
from people.persons import merge as person_merge
from people.persons import upsert
from people.privacy import erasure
from tests.factories import MARKETO, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db
NATIVE = Source(Channel.API)
DAY = timedelta(days=1)
NOW = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture
def olga():
    return get_user_model().objects.create_superuser("olga", password="x")


def say(person, is_given, purpose="email", days_ago=0, source=NATIVE, **more):
    outcome = record_consent(person.pk, purpose, source, is_given=is_given, occurred_at=NOW - days_ago * DAY, **more)
    assert outcome.activity_id, outcome.problems


def said(person):
    rows = Activity.objects.filter(person_id=person.pk, activity_type_id__in=(GIVEN, WITHDRAWN)).order_by("id")
    return [(row.primary_value, row.activity_type_id == GIVEN) for row in rows]


def is_unsubscribed(person):
    return Person.objects.get(pk=person.pk).unsubscribed


def state(person, purpose="email", at=None):
    consent = consent_state([person.pk], purpose, at).get(person.pk)
    return None if consent is None else consent.is_given


def test_the_state_at_any_date_follows_from_what_was_said():
    ann = make_person()
    say(ann, True, "News", 10, text="I agree.", text_version="2", origin="Form")
    say(ann, False, "NEWS", 4)
    say(ann, True, "news", 4)  # the same moment: the withdrawal counts
    assert [state(ann, "news", NOW - days * DAY) for days in (11, 10, 5, 4, 0)] == [None, True, True, False, False]
    (consent,) = consents_of_person(ann.pk, NOW - 5 * DAY)
    assert (consent.purpose, consent.text, consent.text_version, consent.source) == ("News", "I agree.", "2", "Form")
    assert state(ann) is None
    assert is_unsubscribed(ann) is None  # another purpose


def test_a_consent_for_email_subscribes_and_a_withdrawal_unsubscribes():
    ann, bob = make_person(), make_person(unsubscribed=True)
    assert said(bob) == [("email", False)]
    say(ann, False, "EMail")
    assert is_unsubscribed(ann) is True
    say(ann, True, days_ago=3)  # before the withdrawal: history
    assert is_unsubscribed(ann) is True
    record_consent(ann.pk, "email", NATIVE, is_given=True)
    record_consent(bob.pk, "email", NATIVE, is_given=True)
    assert (is_unsubscribed(ann), is_unsubscribed(bob)) == (False, False)
    assert said(ann) == [("EMail", False), ("email", True), ("email", True)]


def test_rows_and_columns_record_the_same():
    people = [make_person() for _person in range(4)]
    rows = [new_activity(person.pk, WITHDRAWN, NOW.isoformat(), "email") for person in people[:2]]
    assert {outcome.status for outcome in record_rows(*rows)} == {"refused"}  # except by the channel
    columns = ActivityColumns(
        WITHDRAWN,
        [person.pk for person in people],
        "id",
        False,
        [NOW.isoformat()] * 4,
        ["email", "x", "email", "x"],
        [],
    )
    recorded = column_recorder.record_columns(columns, NATIVE, may_record=frozenset({WITHDRAWN}))
    assert not recorded.others
    assert [is_unsubscribed(person) for person in people] == [True, None, True, None]


def test_a_merge_keeps_the_withdrawal_whichever_is_later_and_its_undo_takes_it_back(olga):
    ann, bob = make_person(), make_person()
    for purpose in ("email", "news", "calls"):
        say(bob, purpose == "calls", purpose, 9)
        say(ann, True, purpose, 1)
    for refused in ({"choices": {"unsubscribed": ann.pk}}, {"values": {"unsubscribed": False}}):
        with pytest.raises(RejectedError, match="record a consent"):
            person_merge.merge_people(ann.pk, [bob.pk], olga, NATIVE, **refused)
    (preview,) = [
        field
        for field in person_merge.preview_merge(ann.pk, [bob.pk], olga).fields
        if field.info.api_name == "unsubscribed"
    ]
    assert (set(preview.choosable_ids), preview.taken_from) == ({bob.pk}, bob.pk)
    choices = {"unsubscribed": bob.pk}
    merge = person_merge.merge_people(ann.pk, [bob.pk], olga, NATIVE, choices=choices)
    assert [state(ann, purpose) for purpose in ("email", "news", "calls")] == [False, False, True]
    assert is_unsubscribed(ann) is True
    person_merge.undo_merge(merge.pk, olga, NATIVE)
    assert [state(ann, purpose) for purpose in ("email", "news", "calls")] == [True, True, True]
    assert [state(bob, purpose) for purpose in ("email", "news", "calls")] == [False, False, True]
    assert (bool(is_unsubscribed(ann)), is_unsubscribed(bob)) == (False, True)


def test_consent_after_a_merge_counts_again_and_a_later_merge_knows_it(olga):
    ann, bob, cleo = make_person(), make_person(), make_person()
    say(bob, False, "news", 9)
    person_merge.merge_people(ann.pk, [bob.pk], olga, NATIVE)
    record_consent(ann.pk, "news", NATIVE, is_given=True)
    assert state(ann, "news") is True
    person_merge.merge_people(cleo.pk, [ann.pk], olga, NATIVE)
    assert state(cleo, "news") is True


def test_an_objection_outlives_the_erasure_until_there_is_consent(olga, settings):
    ann, bob = make_person(email="Ann@Example.com", unsubscribed=True), make_person(email="bob@example.com")
    erasure.erase_people([ann.pk, bob.pk], olga, NATIVE)
    assert Suppression.objects.count() == 1
    assert b"ann" not in bytes(Suppression.objects.get().address_hash)
    again, _bob = make_person(email="ann@example.COM", unsubscribed=False), make_person(email="bob@example.com")
    assert (again.unsubscribed, _bob.unsubscribed) == (True, None)
    assert again.unsubscribed_reason
    assert said(again) == [("email", False)]
    other = make_person(email="other@example.com")
    upsert.update_person(other, {"email": "ANN@example.com"}, MARKETO)
    assert is_unsubscribed(other) is True
    record_consent(other.pk, "email", NATIVE, is_given=True)
    assert is_unsubscribed(other) is False
    assert not Suppression.objects.exists()
    assert make_person(email="third+ann@example.com").unsubscribed is None


def test_the_page_records_and_shows_consents(client, olga):
    client.force_login(olga)
    ann = make_person()
    url = reverse("admin:activities_consents", args=[ann.pk])
    assert "No consent is recorded." in client.get(url).content.decode()
    posted = {"purpose": "email", "state": "withdrawn", "text": "Stop", "text_version": "v3", "origin": "Phone call"}
    assert client.post(url, posted).status_code == 302
    page = client.get(url).content.decode()
    for text in ("Withdrawn", "v3", "Phone call", "Stop"):
        assert text in page
    brief = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "Withdrawn" in brief and url in brief and "<html" not in brief
    assert is_unsubscribed(ann) is True
    assert client.post(url, {**posted, "purpose": ""}).status_code == 200
    assert said(ann) == [("email", False)]
    assert SYSTEM.is_consent is False
