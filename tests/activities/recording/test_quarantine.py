"""Refused rows: kept once, corrected, remapped, replayed exactly once, dismissed, forgotten."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from activities.models import Activity, ActivityType, RefusedActivity
from activities.recording import replay as recording_replay
from activities.recording.quarantine import storing
from activities.recording.recorder import record_activities
from activities.recording.rows import NewActivity, PersonLookup
from activities.types.definition import ActivityFieldSpec
from people.core.errors import NotAllowedError
from people.core.source import SYSTEM, Channel, Source
from people.definitions import drafts, lifecycle
from people.privacy import erasure
from tests.activities.recording.test_races import InThread
from tests.activities.segment.senders import make_program
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db
State = RefusedActivity.State


def waiting():
    return list(RefusedActivity.objects.filter(state=State.WAITING).values_list("pk", flat=True))


def stored(check):
    return Activity.objects.filter(activity_type_id=check.pk)


@pytest.fixture
def check(db):
    return approved_type()


def test_a_refused_row_is_kept_with_its_reason_and_source(check):
    ann = make_person()
    record_rows(new_activity(ann.pk), new_activity(ann.pk, amount="many", external_id="T-1"))
    row = RefusedActivity.objects.get()
    assert (row.channel, row.code, row.field, row.activity_type_id, row.person_id) == (
        Channel.MARKETO,
        "wrong_type",
        "amount",
        check.pk,
        ann.pk,
    )
    assert json.loads(row.raw)["attributes"] == [["amount", "many"]]
    assert row.problems[0]["got"] == "many" and row.times == 1


def test_a_retry_is_the_same_row_told_by_external_id_or_content(check):
    ann = make_person()
    for amount in ("many", "lots"):
        record_rows(new_activity(ann.pk, amount=amount, external_id="T-1"))
    for _ in range(3):
        record_rows(new_activity(ann.pk, amount="many"), new_activity(ann.pk, amount="many"))
    record_rows(new_activity(ann.pk, amount="many"), source=Source(Channel.API))
    assert sorted(RefusedActivity.objects.values_list("times", flat=True)) == [1, 2, 3]


@pytest.mark.parametrize("external_id", [None, "T-1"])
@pytest.mark.parametrize("last", [True, False], ids=["back-fill last", "live last"])
def test_a_row_sent_again_is_back_fill_or_not_as_it_was_sent_last(check, last, external_id):
    row = new_activity(make_person().pk, amount="many", external_id=external_id)
    for is_backfill in (not last, last):
        record_activities([row], Source(Channel.API, is_backfill=is_backfill))
    kept = RefusedActivity.objects.get()
    assert (kept.times, "backfill" in json.loads(kept.raw)) == (2, last)
    recording_replay.correct_rows([kept.pk], "amount", "12.50", None)
    recording_replay.replay_rows([kept.pk], None, backfill=False)
    assert stored(check).get().is_backfill == last


def test_a_correction_outlasts_the_row_that_is_sent_again(check, admin_user):
    row = new_activity(make_person().pk, amount="many", external_id="T-1")
    record_rows(row)
    recording_replay.correct_rows(waiting(), "amount", "12.50", admin_user)
    record_rows(row)
    assert recording_replay.replay_rows(waiting(), admin_user).recorded == 1


def test_a_form_and_a_dry_run_keep_nothing(check):
    bad = new_activity(make_person().pk, amount="many")
    record_rows(bad, source=Source(Channel.ADMIN))
    record_activities([bad], Source(Channel.API), dry_run=True)
    assert not RefusedActivity.objects.exists()


@pytest.mark.parametrize(
    "row",
    [
        NewActivity(None, None, None),
        NewActivity([1, {"a": 2}], {"x": 1}, 7, ["\0"], [("\ud800", "\0"), ("", None)], Decimal("1e400")),
        NewActivity(10**30, "depositCheck\0", "now", 10**4000, [("amount", float("inf"))], True),
        NewActivity(PersonLookup("\udcff\0", "email"), -1, "9" * 500, "x" * 300_000, [("a", "b")] * 3),
    ],
)
def test_whatever_came_in_can_be_kept(check, row):
    outcomes = record_rows(row)
    assert outcomes[0].problems
    kept = RefusedActivity.objects.get()
    assert not kept.raw or recording_replay.decode_row(kept.raw)
    assert recording_replay.replay_rows([kept.pk], None).recorded == 0


def test_a_row_is_corrected_and_replayed_once(check):
    ann = make_person()
    record_rows(new_activity(ann.pk, amount="many", branch="Main", external_id="T-1"))
    assert recording_replay.replay_rows(waiting(), None) == recording_replay.RefusedRowReplay(0, 1)
    assert recording_replay.correct_rows(waiting(), "amount", "12.50", None) == 1
    ids = waiting()
    assert recording_replay.replay_rows(ids, None) == recording_replay.RefusedRowReplay(1, 0)
    assert recording_replay.replay_rows(ids, None) == recording_replay.RefusedRowReplay(0, 0)
    found = stored(check).get()
    assert found.attributes == {"amount": Decimal("12.5"), "branch": "Main"} and found.channel == Channel.MARKETO
    row = RefusedActivity.objects.get()
    assert (row.state, row.activity_id) == (State.REPLAYED, found.pk)
    record_rows(new_activity(ann.pk, amount="many", branch="Main", external_id="T-1"))
    row.refresh_from_db()
    assert (row.state, row.times) == (State.REPLAYED, 1)


def test_many_rows_get_another_field_name_at_once(check):
    ann = make_person()
    record_rows(*(new_activity(ann.pk, sum=str(n), external_id=n) for n in range(5)))
    assert RefusedActivity.objects.filter(code="unknown_field").count() == 5
    assert recording_replay.remap_field(waiting(), "sum", "amount", None) == 5
    assert recording_replay.replay_rows(waiting(), None).recorded == 5
    assert sorted(row.attributes["amount"] for row in stored(check)) == [0, 1, 2, 3, 4]


def test_a_replay_uses_todays_live_version(check):
    record_rows(new_activity(make_person().pk, teller="Tom"))
    drafts.add_draft_fields(check, [ActivityFieldSpec("teller", "Teller")], None)
    lifecycle.approve_draft(ActivityType.objects.get(pk=check.pk), None)
    assert recording_replay.replay_rows(waiting(), None).recorded == 1
    assert stored(check).get().version == 2


def test_people_who_came_later_are_found(check):
    record_rows(new_activity(PersonLookup("late@example.com")))
    assert RefusedActivity.objects.get().code == "unknown_person"
    late = make_person(email="late@example.com")
    assert recording_replay.replay_rows(waiting(), None).recorded == 1
    assert stored(check).get().person_id == late.pk


def test_dismissed_rows_are_put_aside(check):
    record_rows(new_activity(make_person().pk, amount="many"))
    ids = waiting()
    assert recording_replay.dismiss_rows(ids, None) == 1
    assert recording_replay.replay_rows(ids, None) == recording_replay.RefusedRowReplay(0, 0) and not waiting()


def test_who_may_not_record_may_not_replay(check, django_user_model):
    record_rows(new_activity(make_person().pk, amount="many"))
    vera = django_user_model.objects.create_user("vera")
    for verb in (recording_replay.replay_rows, recording_replay.dismiss_rows):
        with pytest.raises(NotAllowedError):
            verb(waiting(), vera)


def test_rows_are_forgotten_after_their_days(check, settings):
    record_rows(new_activity(make_person().pk, amount="many"), new_activity(make_person().pk, amount="lots"))
    first = RefusedActivity.objects.first()
    RefusedActivity.objects.filter(pk=first.pk).update(last_at=timezone.now() - timedelta(days=31))
    assert storing.remove_old_rows() == 1 and RefusedActivity.objects.count() == 1


def test_an_erase_takes_what_was_refused_of_a_person(check):
    ann = make_person(email="ann@example.com")
    record_rows(
        new_activity(ann.pk, amount="many"),
        new_activity(PersonLookup("Ann@Example.com"), amount="x"),
        new_activity(make_person().pk, amount="y"),
    )
    erasure.erase_people([ann.pk], None, SYSTEM)
    assert [row.problems[0]["got"] for row in RefusedActivity.objects.all()] == ["y"]


def test_an_erase_takes_rows_with_a_short_user_id_and_no_longer_ones(check):
    make_program()  # brings the unique field
    bob = make_person(userId="10")
    rows = [new_activity(PersonLookup(user_id, "userId"), amount=f"x{user_id}") for user_id in ("10", "1000", "10 0")]
    record_rows(*rows, new_activity(make_person().pk, amount="x"))
    RefusedActivity.objects.update(person_id=None)
    erasure.erase_people([bob.pk], None, SYSTEM)
    assert {row.problems[0]["got"] for row in RefusedActivity.objects.all()} == {"1000", "10 0", "x"}


@pytest.mark.django_db(transaction=True)
def test_two_replays_at_once_record_once():
    check = approved_type("Close Account", "closeAccount")
    ann = make_person()
    record_rows(*(new_activity(ann.pk, "closeAccount", amount="many", primary_value=n) for n in range(50)))
    ids = waiting()
    recording_replay.correct_rows(ids, "amount", "1", None)
    threads = [InThread(lambda: recording_replay.replay_rows(ids, None)) for _ in range(3)]
    assert sum(thread.result().recorded for thread in threads) == 50
    assert stored(check).count() == 50


def test_the_page_lists_corrects_and_replays(check, admin_client):
    ann = make_person()
    record_rows(*(new_activity(ann.pk, sum=str(n), primary_value=f"<b>{n}", external_id=n) for n in range(3)))
    record_rows(new_activity(ann.pk, amount="many", external_id="X"))
    listing = reverse("admin:activities_refusedactivity_changelist")
    page = admin_client.get(listing).content.decode()
    assert (
        "is not a field of this type" in page
        and "field Amount: expected" in page
        and "got “many”" in page
        and page.count("field-times") == 4
    )
    in_spanish = admin_client.get(listing, headers={"accept-language": "es"}).content.decode()
    assert "se esperaba un importe" in in_spanish and "recibió «many»" in in_spanish
    wrong = list(RefusedActivity.objects.filter(code="unknown_field").values_list("pk", flat=True))
    form = admin_client.post(listing, {"action": "correct_selected", "_selected_action": wrong}).content.decode()
    assert "One change for 3 rows." in form and '<option value="sum">' in form
    data = {"action": "correct_selected", "_selected_action": wrong, "apply": "1"}
    assert "Say what to change." in admin_client.post(listing, data).content.decode()
    answer = admin_client.post(listing, {**data, "old": "sum", "new": "amount", "replay": "on"}, follow=True)
    assert "3 activities recorded." in answer.content.decode() and stored(check).count() == 3
    (row,) = RefusedActivity.objects.filter(state=State.WAITING)
    address = reverse("admin:activities_refusedactivity_row", args=[row.pk])
    values = {
        "person": ann.pk,
        "activity_type": "depositCheck",
        "occurred_at": "2026-11-20T10:00:00Z",
        "primary_value": "No. 1",
        "external_id": "X",
        "amount": "7",
    }
    page = admin_client.get(address).content.decode()
    assert "An amount like 1250.50" in page and "<bdi>many</bdi>" in page, "sent and expected, beside the value"
    assert str(ann) in page and "Deposit Check" in page, "ids have their names"
    done = admin_client.post(address, values, follow=True).content.decode()
    timeline = reverse("admin:activities_timeline", args=[ann.pk])
    assert f"Deposit Check is recorded for {ann}." in done and f'<a href="{timeline}">View</a>' in done
    assert stored(check).filter(attributes={"amount": 7}).count() == 1
    page = admin_client.get(address).content.decode()
    assert "ca-callout--good" in page and "ca-callout--bad" not in page and page.count(timeline) == 1
    assert "Why it was rejected at first" in page, "the old reason is folded"
    assert admin_client.get(listing).content.decode().count("field-times") == 0


def test_the_page_of_a_row_moves_a_value_and_leads_to_the_next_row(check, admin_client):
    ann = make_person()
    record_rows(*(new_activity(ann.pk, sum="7", primary_value=f"No. {n}") for n in range(3)))
    first, second, third = sorted(waiting())
    address = reverse("admin:activities_refusedactivity_row", args=[third])
    reply = admin_client.get(address)
    form, page = reply.context["form"], reply.content.decode()
    assert [field.name for field, _sent, _is_moved in form.wrong] == ["sum"] and "Move the value to" in page
    assert form.names_all_faults and "ca-callout--bad" not in page, "each fault is beside its value"
    values = {name: form[name].initial or "" for name in form.fields}
    values.pop("@as_new")
    reply = admin_client.post(address, values)
    assert reply.url == address and len(waiting()) == 3, "nothing was chosen: still rejected"
    reply = admin_client.post(address, values | {"sum": "amount"})
    assert stored(check).get().attributes == {"amount": 7}
    assert reply.url == reverse("admin:activities_refusedactivity_row", args=[second]), "the next of the list"
    reply = admin_client.post(reply.url, {"dismiss": "1"})
    assert RefusedActivity.objects.get(pk=second).state == State.DISMISSED
    assert reply.url == reverse("admin:activities_refusedactivity_row", args=[first])
    assert "Next rejected activity" not in admin_client.get(reply.url).content.decode()


def test_rows_are_dismissed_on_the_page_and_viewers_see_none(check, admin_client, client, django_user_model):
    record_rows(new_activity(make_person().pk, amount="many"))
    listing = reverse("admin:activities_refusedactivity_changelist")
    admin_client.post(listing, {"action": "dismiss_selected", "_selected_action": waiting()})
    assert RefusedActivity.objects.get().state == State.DISMISSED
    client.force_login(django_user_model.objects.create_user("vera", is_staff=True))
    assert client.get(listing).status_code == 403
    row = RefusedActivity.objects.get()
    assert client.get(reverse("admin:activities_refusedactivity_row", args=[row.pk])).status_code == 403


def test_retention_is_set_on_its_page(check, admin_client):
    record_rows(new_activity(make_person().pk, occurred_at="2020-01-01T00:00:00Z"))
    add = reverse("admin:activities_retention_add")
    page = admin_client.post(add, {"activity_type": check.pk, "months": 12}, follow=True).content.decode()
    assert "1 activity from before" in page and check.retention.months == 12
    assert stored(check).count() == 1
