"""Withdrawing what one recorded by hand: who may, how long, what it leaves, and what happens at the same moment."""

import random
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from activities.log import retention, verify, withdrawal
from activities.log import rollup as log_rollup
from activities.log.digest import digest_sql
from activities.models import Activity, ActivityDay, ActivityKey, ActivityRemoval
from activities.recording import sql as recording_sql
from people.core.errors import NotAllowedError, RejectedError
from people.core.source import SYSTEM, Channel, Source
from people.persons import deletion
from people.persons import merge as person_merge
from people.privacy import erasure
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.models import CampaignEntry, CampaignVersion
from tests.activities.recording.test_races import InThread
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera(db):
    user = get_user_model().objects.create_user("vera", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    return user


def by_hand(user, *rows):
    return [outcome.activity_id for outcome in record_rows(*rows, source=Source(Channel.ADMIN, user.pk))]


def enter_withdrawal(activity_id, user_id):
    """A removal entry made past the verb, as a faulty program might."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"""insert into activity_removal
                (activity_id, person_id, activity_type_id, recorded_at, reason, digest, user_id)
            select a.id, a.person_id, a.activity_type_id, a.recorded_at, 'withdrawn', {digest_sql()}, %s
            from activity a where a.id = %s""",
            [user_id, activity_id],
        )
        cursor.execute("delete from activity where id = %s", [activity_id])


def test_the_author_withdraws_within_a_day_and_everything_adds_up(vera):
    approved_type()
    ann = make_person()
    typo, kept = by_hand(vera, new_activity(ann.pk, primary_value="No. l", external_id="a"), new_activity(ann.pk))
    tomorrow = timezone.now() + timedelta(days=1, hours=2)
    assert verify.close_days(tomorrow)
    head = verify.chain_head()
    assert withdrawal.withdraw_activity(typo, vera) == ann.pk
    assert list(Activity.objects.filter(user_id=vera.pk).values_list("pk", flat=True)) == [kept]
    entry = ActivityRemoval.objects.get(reason="withdrawn")
    assert (entry.activity_id, entry.user_id, entry.replacement_digest) == (typo, vera.pk, None)
    assert not ActivityKey.objects.exists()
    assert verify.verify_log() == [] and verify.chain_head() == head and ActivityDay.objects.exists()
    with pytest.raises(RejectedError, match="not in the log any more"):
        withdrawal.withdraw_activity(typo, vera)


def test_a_withdrawn_typo_is_proposed_no_more_and_what_others_wrote_is(vera, monkeypatch):
    check, ann = approved_type(), make_person()
    typo, right, _other = by_hand(
        vera,
        new_activity(ann.pk, primary_value="Opne day", branch="Lyon"),
        new_activity(ann.pk, primary_value="Open day", branch="Lyon"),
        new_activity(ann.pk, primary_value="Open day"),
    )
    monkeypatch.setattr(log_rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    log_rollup.catch_up_rollup()
    primary = check.approved_fields.get(is_primary=True).api_name
    assert log_rollup.suggest_values(check.pk, primary) == ["Open day", "Opne day"]
    withdrawal.withdraw_activity(typo, vera)
    withdrawal.withdraw_activity(right, vera)
    assert log_rollup.suggest_values(check.pk, primary) == ["Open day"]
    assert log_rollup.suggest_values(check.pk, "branch") == []


def test_it_is_audited_without_values(vera):
    approved_type()
    (mine,) = by_hand(vera, new_activity(make_person().pk, primary_value="secret"))
    withdrawal.withdraw_activity(mine, vera)
    (entry,) = vera.logentry_set.all()
    assert f"activity {mine}" not in entry.object_repr and "secret" not in entry.change_message
    assert str(mine) in entry.change_message and entry.action_flag == 3


@pytest.mark.parametrize("channel", [channel for channel in Channel if channel is not Channel.ADMIN])
def test_what_came_another_way_stays(vera, channel):
    approved_type()
    (outcome,) = record_rows(new_activity(make_person().pk), source=Source(channel, vera.pk))
    with pytest.raises(RejectedError, match="recorded an activity by hand"):
        withdrawal.withdraw_activity(outcome.activity_id, vera)
    with pytest.raises(DatabaseError, match="only its author"):
        enter_withdrawal(outcome.activity_id, vera.pk)
    assert Activity.objects.filter(pk=outcome.activity_id).exists()


def test_nobody_withdraws_what_another_recorded(vera):
    approved_type()
    boss = get_user_model().objects.create_superuser("boss")
    (hers,) = by_hand(vera, new_activity(make_person().pk))
    with pytest.raises(RejectedError, match="recorded an activity by hand"):
        withdrawal.withdraw_activity(hers, boss)
    with pytest.raises(DatabaseError, match="only its author"):
        enter_withdrawal(hers, boss.pk)
    vera.groups.clear()
    with pytest.raises(NotAllowedError):
        withdrawal.withdraw_activity(hers, get_user_model().objects.get(pk=vera.pk))
    assert Activity.objects.filter(pk=hers).exists()


def test_standard_activities_stay_although_a_user_caused_them(vera):
    ann = make_person()
    deletion.delete_people([ann.pk], None, Source(Channel.ADMIN, vera.pk))
    caused = Activity.objects.filter(user_id=vera.pk).values_list("pk", flat=True)
    assert caused
    for pk in caused:
        with pytest.raises(RejectedError):
            withdrawal.withdraw_activity(pk, vera)


@pytest.mark.parametrize(("hours", "may"), [(23.9, True), (24.1, False)])
def test_a_day_is_measured_by_the_database(vera, monkeypatch, hours, may):
    approved_type()
    moment, new_ids = timezone.now() - timedelta(hours=hours), recording_sql.new_ids
    monkeypatch.setattr(recording_sql, "new_ids", lambda number: (new_ids(number)[0], moment))
    (mine,) = by_hand(vera, new_activity(make_person().pk, occurred_at="2020-01-01T00:00:00Z"))
    with time_machine.travel(moment):  # this server's clock is of no account
        assert withdrawal.withdrawal_problem(Activity.objects.get(pk=mine), vera) is None
        may_withdraw(mine, vera, may)
    assert Activity.objects.filter(pk=mine).exists() != may


def may_withdraw(mine, vera, may):
    if may:
        withdrawal.withdraw_activity(mine, vera)
    else:
        with pytest.raises(RejectedError, match="more than 24 hours ago"):
            withdrawal.withdraw_activity(mine, vera)
        with pytest.raises(DatabaseError, match="within 24 hours"):
            enter_withdrawal(mine, vera.pk)


def test_what_a_campaign_did_stays_and_is_said(vera):
    approved_type()
    ann = make_person()
    (mine,) = by_hand(vera, new_activity(ann.pk))
    campaign = campaign_lifecycle.create_campaign("Thank for the cheque", None)
    now, version = timezone.now(), CampaignVersion.objects.create(campaign=campaign, number=1, definition={})
    CampaignEntry.objects.create(
        campaign=campaign, version=version, person_id=ann.pk, activity_id=mine, state="done", due_at=now, entered_at=now
    )
    assert withdrawal.reactions_to(Activity.objects.get(pk=mine)) == ["Thank for the cheque"]
    withdrawal.withdraw_activity(mine, vera)
    assert CampaignEntry.objects.filter(activity_id=mine).count() == 1


def test_it_follows_a_merge_and_survives_its_undo(vera):
    check = approved_type()
    ann, bob = make_person(), make_person()
    first, second = by_hand(vera, new_activity(bob.pk), new_activity(bob.pk))
    merge = person_merge.merge_people(ann.pk, [bob.pk], None, MARKETO)
    assert withdrawal.withdraw_activity(first, vera) == ann.pk
    person_merge.undo_merge(merge.pk, None, MARKETO)
    mine = Activity.objects.filter(activity_type_id=check.pk)
    assert list(mine.values_list("pk", "person_id")) == [(second, bob.pk)]


def test_the_log_of_a_deleted_person_stays_as_it_is(vera):
    approved_type()
    ann = make_person()
    (mine,) = by_hand(vera, new_activity(ann.pk))
    deletion.delete_people([ann.pk], None, SYSTEM)
    with pytest.raises(RejectedError, match="not in the log"):
        withdrawal.withdraw_activity(mine, vera)
    assert Activity.objects.filter(pk=mine).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("other", ["merge", "erase", "delete", "retention", "withdraw"])
@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_at_the_same_moment_each_row_leaves_once(other, is_first):
    """Two connections: one waits for the other, and every row is there once or accounted for once."""
    vera = get_user_model().objects.create_superuser("vera")
    check, ann, bob = approved_type(), make_person(), make_person()
    mine = by_hand(vera, new_activity(bob.pk, occurred_at="2020-01-01T00:00:00Z"), new_activity(bob.pk))
    retention.set_retention(check, 12, None)
    before = total(mine)
    verbs = {
        "merge": lambda: person_merge.merge_people(ann.pk, [bob.pk], None, MARKETO),
        "erase": lambda: erasure.erase_people([bob.pk], None, MARKETO),
        "delete": lambda: deletion.delete_people([bob.pk], None, MARKETO),
        "retention": retention.run_retention,
        "withdraw": lambda: attempt(lambda: withdrawal.withdraw_activity(mine[0], vera)),
    }

    def withdraw():
        return attempt(lambda: withdrawal.withdraw_activity(mine[0], vera))

    first, second = (withdraw, verbs[other]) if is_first else (verbs[other], withdraw)
    with transaction.atomic():
        first()
        waiting = InThread(second)
        assert waiting.is_waiting()
    waiting.result()
    accounted_for(mine, check, before)
    withdrawn = ActivityRemoval.objects.filter(reason="withdrawn").count()
    expected = 1 if is_first or other in ("merge", "withdraw") else 0
    assert withdrawn == expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(4))
def test_any_interleaving_of_withdrawals_merges_erasures_and_retention_adds_up(seed):
    """Two connections run random verbs over the same few people; the sums of the day hold at the end."""
    chance = random.Random(seed)
    vera = get_user_model().objects.create_superuser("vera")
    check, people = approved_type(), [make_person() for _ in range(4)]
    old, new = "2020-01-01T00:00:00Z", "2026-11-20T10:00:00Z"
    mine = by_hand(
        vera, *(new_activity(one.pk, occurred_at=chance.choice([old, new])) for one in people for _ in range(5))
    )
    retention.set_retention(check, 12, None)
    before = total(mine)

    def worker(number):
        own = random.Random(seed * 10 + number)
        for _step in range(12):
            winner, loser = own.sample(people, 2)
            withdraw = partial(withdrawal.withdraw_activity, own.choice(mine), vera)
            merge = partial(person_merge.merge_people, winner.pk, [loser.pk], None, MARKETO)
            erase = partial(erasure.erase_people, [loser.pk], None, MARKETO)
            verbs = [withdraw, merge, erase, retention.run_retention]
            (verb,) = own.choices(verbs, weights=[6, 3, 1, 1])
            attempt(verb)

    for thread in [InThread(lambda number=number: worker(number)) for number in range(2)]:
        thread.join(60)
        thread.result()
    accounted_for(mine, check, before)
    log_rollup.catch_up_rollup()
    assert log_rollup.rollup_differences() == [] and ActivityRemoval.objects.filter(reason="withdrawn").exists()


def attempt(verb):
    try:
        return verb()
    except RejectedError:
        return None


def total(ids):
    """The digests of the activities that are there, and of those that left: never another sum."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select coalesce(sum({digest_sql()}), 0) + (
                select coalesce(sum(digest - coalesce(replacement_digest, 0)), 0) from activity_removal
                where activity_id = any(%(ids)s))
            from activity a where a.id = any(%(ids)s)""",
            {"ids": list(ids)},
        )
        return cursor.fetchone()[0]


def accounted_for(ids, check, before):
    """Each activity is in the log, or has exactly one entry of having left it for good."""
    present = set(Activity.objects.filter(activity_type_id=check.pk).values_list("pk", flat=True))
    left = ActivityRemoval.objects.filter(activity_id__in=ids, replacement_digest=None)
    gone = sorted(left.values_list("activity_id", flat=True))
    assert sorted([*present, *gone]) == sorted(ids)
    assert total(ids) == before
