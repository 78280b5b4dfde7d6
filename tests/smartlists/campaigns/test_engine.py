"""Steps: their effects, on which people, and the people under way."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.db import transaction

from activities.models import Activity
from people.core.source import SYSTEM, Channel
from people.fields import editing as field_editing
from people.models import Person
from people.persons import deletion, upsert
from people.persons import merge as person_merge
from people.privacy import erasure
from people.privacy import search as privacy_search
from smartlists.campaigns import emails as campaign_emails
from smartlists.campaigns import engine as campaign_engine
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import results as campaign_results
from smartlists.models import AlertEmail, CampaignEntry, WebhookDelivery
from smartlists.webhooks import editing as webhook_editing
from tests.factories import MARKETO, approved_type, make_person
from tests.smartlists import rule_factories
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    list_member_ids,
    make_active_campaign,
    make_static_list,
    process_due_work,
    record_deposit,
    step_outcomes,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
WAIT = {"do": "wait", "period": "3 days"}


def later(**more):
    return time_machine.travel(datetime.now(UTC) + timedelta(**more), tick=False)


def test_add_and_remove_on_lists_each_say_what_they_did():
    approved_type()
    first, second = make_static_list(), make_static_list()
    make_active_campaign(
        add_to_list_step(first), {"do": "remove_from_list", "list": second.pk}, add_to_list_step(first)
    )
    ann = make_person()
    record_deposit(ann.pk)
    process_due_work()
    assert [one[1:3] for one in step_outcomes()] == [
        ("add_to_list", "done"),
        ("remove_from_list", "nothing"),
        ("add_to_list", "nothing"),
    ]
    assert list_member_ids(first) == {ann.pk}


def test_a_field_is_changed_with_values_of_person_and_trigger():
    approved_type()
    make_active_campaign({"do": "change_field", "field": "title", "to": "{{trigger.check}} of {{person.first_name}}"})
    ann = make_person(first_name="Ann")
    record_deposit(ann.pk, primary_value="No. 7")
    process_due_work()
    ann.refresh_from_db()
    assert ann.title == "No. 7 of Ann"
    changed = Activity.objects.get(person_id=ann.pk, activity_type_id=13)
    assert (changed.channel, changed.primary_value) == (Channel.CAMPAIGN, "title")


def test_scores_are_added_up_in_order_for_one_person():
    approved_type()
    make_active_campaign({"do": "change_field", "field": "person_score", "by": "5"})
    make_active_campaign({"do": "change_field", "field": "annual_revenue", "by": "{{trigger.amount}}"})
    ann = make_person()
    for amount in (10, 20, 30):
        record_deposit(ann.pk, amount=amount)
    process_due_work()
    ann.refresh_from_db()
    assert (ann.person_score, ann.annual_revenue) == (15, 60)


def test_the_last_of_several_activities_wins():
    approved_type()
    make_active_campaign({"do": "change_field", "field": "title", "to": "{{trigger.check}}"})
    people = [make_person() for _number in range(3)]
    for number in range(4):
        for one in people:
            record_deposit(one.pk, primary_value=f"No. {number}")
    process_due_work()
    assert set(Person.objects.values_list("title", flat=True)) == {"No. 3"}


def test_a_value_that_does_not_fit_fails_for_that_person_alone():
    approved_type()
    make_active_campaign({"do": "change_field", "field": "number_of_employees", "to": "{{trigger.branch}}"})
    ann, bob = make_person(), make_person()
    record_deposit(ann.pk, branch="many")
    record_deposit(bob.pk, branch="40")
    assert [state for _pk, state, _reason in process_due_work()] == ["failed", "done"]
    bob.refresh_from_db()
    assert bob.number_of_employees == 40


def test_an_empty_value_clears_a_field():
    approved_type()
    make_active_campaign({"do": "change_field", "field": "title", "to": ""})
    ann = make_person(title="Boss")
    record_deposit(ann.pk)
    process_due_work()
    ann.refresh_from_db()
    assert ann.title is None


def test_another_activity_is_recorded():
    approved_type()
    approved_type("Thank Customer", "thankCustomer")
    step = {
        "do": "record",
        "type": "thankCustomer",
        "primary": "for {{trigger.check}}",
        "attributes": {"amount": "{{trigger.amount}}", "pages": "2"},
    }
    make_active_campaign(step)
    ann = make_person()
    record_deposit(ann.pk, amount="12.50")
    process_due_work()
    made = Activity.objects.filter(person_id=ann.pk, channel=Channel.CAMPAIGN).get()
    assert (made.primary_value, str(made.attributes["amount"]), made.attributes["pages"]) == ("for No. 1", "12.5", 2)
    assert made.origin_id == campaign_lifecycle.SmartCampaign.objects.get().pk


def test_a_wait_holds_a_person_for_a_period():
    approved_type()
    after = make_static_list()
    make_active_campaign(WAIT, add_to_list_step(after))
    ann = make_person()
    record_deposit(ann.pk)
    assert process_due_work() == [(ann.pk, "open", "")]
    with later(days=2, hours=23):
        assert process_due_work() == [(ann.pk, "open", "")]
    with later(days=3, minutes=1):
        assert process_due_work() == [(ann.pk, "done", "")]
    assert list_member_ids(after) == {ann.pk}


def test_who_waits_holds_up_nobody_else_not_even_themselves():
    approved_type()
    after = make_static_list()
    make_active_campaign(WAIT)
    make_active_campaign(add_to_list_step(after))
    ann = make_person()
    record_deposit(ann.pk)
    process_due_work()
    assert list_member_ids(after) == {ann.pk}


@pytest.mark.parametrize(
    ("until", "values", "state"),
    [
        ("{{person.date_of_birth}}", {"date_of_birth": "1990-01-01"}, "done"),
        ("{{person.date_of_birth}}", {"date_of_birth": "2199-01-01"}, "open"),
        ("{{person.date_of_birth}}", {}, "done"),
        ("2199-01-01", {}, "open"),
        ("2001-01-01T10:00:00Z", {}, "done"),
        ("{{trigger.branch}}", {}, "failed"),
    ],
)
def test_a_wait_until_a_date_or_a_fields_date(until, values, state):
    approved_type()
    make_active_campaign({"do": "wait", "until": until}, add_to_list_step(make_static_list()))
    ann = make_person(**values)
    record_deposit(ann.pk, branch="Lugo")
    assert process_due_work() == [(ann.pk, state, "")]


def test_the_first_choice_that_holds_wins():
    approved_type()
    spain, lugo, other, after = make_static_list(), make_static_list(), make_static_list(), make_static_list()
    choices = [
        {
            "when": {"rules": {"filters": [rule_factories.person_field_filter("city", "is", "Lugo")]}},
            "steps": [add_to_list_step(lugo)],
        },
        {
            "when": {"rules": {"filters": [rule_factories.person_field_filter("country", "is", "Spain")]}},
            "steps": [add_to_list_step(spain)],
        },
    ]
    make_active_campaign(
        {"do": "choose", "choices": choices, "otherwise": [add_to_list_step(other)]}, add_to_list_step(after)
    )
    ann, bob, cas = make_person(city="Lugo", country="Spain"), make_person(country="Spain"), make_person()
    for one in (ann, bob, cas):
        record_deposit(one.pk)
    process_due_work()
    assert (list_member_ids(lugo), list_member_ids(spain), list_member_ids(other)) == ({ann.pk}, {bob.pk}, {cas.pk})
    assert list_member_ids(after) == {ann.pk, bob.pk, cas.pk}
    entry = CampaignEntry.objects.get(person_id=cas.pk)
    assert [one[:2] for one in step_outcomes(entry)] == [
        ("0", "choose"),
        ("0.2.0", "add_to_list"),
        ("1", "add_to_list"),
    ]


def test_who_takes_a_way_without_steps_goes_on():
    approved_type()
    after = make_static_list()
    nobody = {
        "when": {"rules": {"filters": [rule_factories.person_field_filter("city", "is", "Atlantis")]}},
        "steps": [],
    }
    make_active_campaign({"do": "choose", "choices": [nobody]}, add_to_list_step(after))
    ann = make_person()
    record_deposit(ann.pk)
    process_due_work()
    assert list_member_ids(after) == {ann.pk}


def test_a_pause_holds_people_and_activating_again_lets_them_go_on():
    approved_type()
    after = make_static_list()
    made = make_active_campaign(WAIT, add_to_list_step(after))
    ann = make_person()
    record_deposit(ann.pk)
    process_due_work()
    campaign_lifecycle.pause_campaign(made, None)
    with later(days=5):
        assert process_due_work() == [(ann.pk, "held", "")]
        campaign_lifecycle.activate_campaign(made, None)
        assert process_due_work() == [(ann.pk, "done", "")]


def test_archiving_lets_people_leave():
    approved_type()
    made = make_active_campaign(WAIT, add_to_list_step(make_static_list()))
    record_deposit(make_person().pk)
    process_due_work()
    campaign_lifecycle.pause_campaign(made, None)
    campaign_lifecycle.archive_campaign(made, None)
    assert [entry[1:] for entry in process_due_work()] == [("left", "archived")]


def test_who_is_deleted_while_waiting_leaves():
    approved_type()
    after = make_static_list()
    make_active_campaign(WAIT, add_to_list_step(after))
    ann = make_person()
    record_deposit(ann.pk)
    process_due_work()
    deletion.delete_people([ann.pk], None, SYSTEM)
    with later(days=4):
        assert process_due_work() == [(ann.pk, "left", "gone")]
    assert list_member_ids(after) == set()


def test_who_is_merged_while_waiting_goes_on_as_the_winner_and_back():
    approved_type()
    after = make_static_list()
    make_active_campaign(WAIT, add_to_list_step(after))
    ann, bob = make_person(), make_person()
    record_deposit(ann.pk)
    process_due_work()
    merge = person_merge.merge_people(bob.pk, [ann.pk], None, SYSTEM)
    assert [pk for pk, _state, _reason in process_due_work()] == [bob.pk]
    person_merge.undo_merge(merge.pk, None, SYSTEM)
    assert [pk for pk, _state, _reason in process_due_work()] == [ann.pk]
    with later(days=4):
        assert process_due_work() == [(ann.pk, "done", "")]
    assert list_member_ids(after) == {ann.pk}


def test_who_is_erased_while_waiting_is_nowhere_in_campaigns():
    approved_type()
    hook, _secret = webhook_editing.create_webhook("CRM", None, url="https://example.com/{{person.email}}")
    make_active_campaign({"do": "webhook", "webhook": hook.pk}, WAIT)
    ann = make_person(email="ann.unique@example.com")
    record_deposit(ann.pk)
    process_due_work()
    assert WebhookDelivery.objects.get().url.endswith("ann.unique%40example.com")
    identity = erasure.erase_people([ann.pk], None, SYSTEM)
    assert privacy_search.find_traces(identity) == []
    assert not CampaignEntry.objects.exists()


def test_a_list_that_is_gone_fails_and_the_path_goes_on():
    approved_type()
    gone, after = make_static_list(), make_static_list()
    made = make_active_campaign(add_to_list_step(gone), add_to_list_step(after))
    ann = make_person()
    made.uses.all().delete()
    gone.delete()
    record_deposit(ann.pk)
    assert process_due_work() == [(ann.pk, "failed", "")]
    assert list_member_ids(after) == {ann.pk}


def test_people_finish_on_the_version_with_which_they_entered():
    approved_type()
    old, new = make_static_list(), make_static_list()
    made = make_active_campaign(WAIT, add_to_list_step(old))
    ann, bob = make_person(), make_person()
    record_deposit(ann.pk)
    process_due_work()
    changed = campaign_lifecycle.campaign_definition.dump_definition(
        campaign_lifecycle.campaign_definition.load_definition(made.definition)
    ) | {"steps": [add_to_list_step(new)]}
    campaign_lifecycle.change_campaign(made, None, value=changed)
    record_deposit(bob.pk)
    process_due_work()
    with later(days=4):
        process_due_work()
    assert (list_member_ids(old), list_member_ids(new)) == ({ann.pk}, {bob.pk})


def test_a_step_that_is_killed_half_way_is_done_once(monkeypatch):
    approved_type()
    make_active_campaign({"do": "change_field", "field": "person_score", "by": "5"})
    ann = make_person()
    record_deposit(ann.pk)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt), transaction.atomic():
        patched.setattr(campaign_engine, "_write_entries", lambda _moved: (_ for _ in ()).throw(KeyboardInterrupt))
        process_due_work()
    process_due_work()
    ann.refresh_from_db()
    assert ann.person_score == 5


def test_a_fault_of_ours_is_the_steps_outcome_and_stops_nobody(monkeypatch):
    approved_type()
    after = make_static_list()
    make_active_campaign({"do": "change_field", "field": "title", "to": "x"}, add_to_list_step(after))
    ann = make_person()
    record_deposit(ann.pk)
    monkeypatch.setattr(upsert, "upsert_people", lambda *_a, **_k: {}["fault"])
    assert process_due_work() == [(ann.pk, "failed", "")]
    assert list_member_ids(after) == {ann.pk}


def test_alerts_go_to_the_desk_and_never_to_who_has_unsubscribed(settings):
    settings.ALERT_DOMAINS, settings.EMAIL_IS_SET_UP = ["example.com"], True
    approved_type()
    step = {
        "do": "alert",
        "to": ["desk@example.com", "Gone@example.com"],
        "subject": "{{person.first_name}} deposited {{trigger.amount:default=nothing}}",
        "body": "Company: {{person.company}}",
    }
    make_active_campaign(step)
    make_person(email="gone@example.com", unsubscribed=True)
    ann = make_person(first_name="Ann\r\nBcc: all@example.com")
    record_deposit(ann.pk, amount=5)
    process_due_work()
    assert step_outcomes()[0][2] == "queued"
    assert campaign_emails.send_alerts() == 1
    (sent,) = mail.outbox
    assert sent.to == ["desk@example.com"]
    assert sent.subject == "Ann Bcc: all@example.com deposited 5"
    assert step_outcomes()[0][2] == "done"
    assert campaign_emails.send_alerts() == 0


def test_an_alert_that_cannot_even_be_written_holds_up_no_other_and_is_given_up(settings, monkeypatch):
    settings.ALERT_DOMAINS, settings.EMAIL_IS_SET_UP = ["example.com"], True
    approved_type()
    make_active_campaign({"do": "alert", "to": ["desk@example.com"], "subject": "Hello"})
    for _number in range(3):
        record_deposit(make_person().pk)
    process_due_work()
    broken = AlertEmail.objects.order_by("pk").first()
    real = campaign_emails.EmailMessage

    def message(subject, body, sender, to, *, headers, connection):
        if f"<campaign-{broken.pk}-" in headers["Message-ID"]:
            raise ValueError("as an address that no header takes")
        return real(subject, body, sender, to, headers=headers, connection=connection)

    monkeypatch.setattr(campaign_emails, "EmailMessage", message)
    assert campaign_emails.send_alerts() == 2 and campaign_emails.send_alerts() == 0
    for _attempt in range(campaign_emails.MAX_ATTEMPTS):
        AlertEmail.objects.update(finished_at=datetime.now(UTC) - timedelta(days=1))
        campaign_emails.send_alerts()
    broken.refresh_from_db()
    assert broken.state == "failed" and "ValueError" in broken.problem


def test_alerts_wait_while_the_server_is_down(settings, monkeypatch):
    settings.ALERT_DOMAINS, settings.EMAIL_IS_SET_UP = ["example.com"], True
    approved_type()
    make_active_campaign({"do": "alert", "to": ["desk@example.com"], "subject": "Hello"})
    record_deposit(make_person().pk)
    process_due_work()
    with monkeypatch.context() as patched:
        patched.setattr(campaign_emails.EmailMessage, "send", lambda _mail: (_ for _ in ()).throw(OSError("down")))
        assert campaign_emails.send_alerts() == 0
    waiting = AlertEmail.objects.get()
    assert (waiting.state, waiting.attempts) == ("waiting", 1)
    with later(minutes=5):
        assert campaign_emails.send_alerts() == 1


def test_latency_is_told():
    approved_type()
    made = make_active_campaign(add_to_list_step(make_static_list()))
    record_deposit(make_person().pk)
    process_due_work()
    found = campaign_results.summarize_campaign(made)
    assert found.entered == found.finished == 1
    assert found.latency.of == 1 and found.latency.p95 >= 0


def test_a_unique_field_keeps_people_apart_in_campaigns_too():
    field_editing.create_person_field("Card", "string", None, api_name="card", is_unique=True)
    approved_type()
    make_active_campaign({"do": "change_field", "field": "card", "to": "the same"})
    ann, bob = make_person(), make_person()
    record_deposit(ann.pk)
    record_deposit(bob.pk)
    assert sorted(state for _pk, state, _reason in process_due_work()) == ["done", "failed"]


def test_a_read_of_a_changed_person_is_of_now():
    approved_type()
    make_active_campaign(
        {"do": "wait", "period": "1 hour"}, {"do": "change_field", "field": "title", "to": "{{person.city}}"}
    )
    ann = make_person(city="Lugo")
    record_deposit(ann.pk)
    process_due_work()
    upsert.update_person(ann, {"city": "Vigo"}, MARKETO)
    with later(hours=2):
        process_due_work()
    ann.refresh_from_db()
    assert ann.title == "Vigo"


def test_results_that_are_over_are_deleted_after_their_time_and_no_others(settings):
    settings.CAMPAIGN_RESULTS_DAYS = 10
    approved_type()
    campaign = make_active_campaign(add_to_list_step(make_static_list()))
    hook, _secret = webhook_editing.create_webhook("Desk", None, url="https://example.com/")
    for days in (9, 11):
        at = datetime.now(UTC) - timedelta(days=days)
        for state in CampaignEntry.State.values:
            CampaignEntry.objects.create(
                campaign=campaign,
                version=campaign.version,
                person_id=days,
                state=state,
                due_at=at,
                entered_at=at,
                dispatched_at=at,
            )
    entry = CampaignEntry.objects.filter(state="done", person_id=9).get()
    for number, state in enumerate(WebhookDelivery.State.values * 2):
        WebhookDelivery.objects.create(
            webhook=hook,
            entry=entry,
            path=str(number),
            person_id=9,
            lane=0,
            method="POST",
            url="https://example.com/",
            state=state,
            give_up_at=datetime.now(UTC),
            finished_at=None if state == "waiting" else datetime.now(UTC) - timedelta(days=9 if number < 3 else 11),
        )
    for number, state in enumerate(AlertEmail.State.values * 2):
        AlertEmail.objects.create(
            entry=entry,
            path=str(number),
            person_id=9,
            recipients=[],
            subject="",
            body="",
            state=state,
            finished_at=datetime.now(UTC) - timedelta(days=9 if number < 3 else 11),
        )
    assert campaign_results.delete_old_results() == 5
    assert not CampaignEntry.objects.filter(person_id=11, state="skipped").exists()
    assert CampaignEntry.objects.count() == 2 * len(CampaignEntry.State.values) - 1
    assert WebhookDelivery.objects.filter(state="waiting").count() == 2 and WebhookDelivery.objects.count() == 4
    assert AlertEmail.objects.filter(state="waiting").count() == 2 and AlertEmail.objects.count() == 4
