"""From calls to activities: mapped, recorded once, rejected with reasons, and replayed once the mapping is mended."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from activities.inbound import editing, personal_data, trying
from activities.inbound.mapping import parse_definition
from activities.models import Activity, InboundCall, InboundKey, InboundMapping, RefusedActivity, SourceDay
from activities.recording import replay
from people.core.errors import RejectedError
from people.core.source import SYSTEM
from people.models import Person
from people.persons import merge
from people.privacy import erasure, export
from tests.activities.inbound.factories import (
    DEFINITION,
    deposit,
    make_mapping,
    make_webhook,
    process,
    receive,
    replay_waiting,
)
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db
State = InboundCall.State


@pytest.fixture
def webhook():
    return make_webhook()


@pytest.fixture
def check():
    return approved_type()


def states():
    return list(InboundCall.objects.order_by("pk").values_list("state", flat=True))


def activities():
    return list(Activity.objects.filter(activity_type_id__gt=100_000).order_by("pk"))


def test_a_call_becomes_an_activity_and_the_senders_retries_are_one(webhook, check):
    make_mapping(webhook, check)
    first, retry = receive(webhook, deposit(), deposit())
    (later,) = receive(webhook, deposit())
    assert (first.is_repeat, retry.is_repeat, later.is_repeat) == (False, True, True)
    process()
    (activity,) = activities()
    ann = Person.objects.get()
    assert (activity.person_id, ann.email, activity.primary_value) == (ann.pk, "ann@example.com", "No. 1")
    assert str(activity.attributes["amount"]) == "120.5" and activity.attributes["branch"] == "Main Street"
    assert activity.occurred_at.timestamp() == 1_795_000_000 and activity.flags == 0
    call = InboundCall.objects.get()
    assert (call.state, call.recorded, call.failed, call.person_ids) == (State.DONE, [0], [], [ann.pk])
    day = SourceDay.objects.get(source=webhook.source)
    assert (day.requests, day.accepted) == (3, 1)
    InboundKey.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    (same,) = receive(webhook, deposit())  # another deposit with the same values, a day later
    process()
    assert not same.is_repeat and len(activities()) == 2
    with pytest.raises(DatabaseError, match="stays as it came"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("update inbound_call set body = '{}'")


def test_with_an_id_a_call_is_recorded_once_for_ever(webhook, check):
    webhook = editing.change_webhook(webhook, None, id_path=["id"])
    make_mapping(webhook, check)
    receive(webhook, deposit(id="e1", attempt=1), deposit(id="e1", attempt=2), deposit(id="e2", number="No. 2"))
    InboundKey.objects.all().delete()  # the window is over
    receive(webhook, deposit(id="e1", attempt=3))
    process()
    assert [activity.primary_value for activity in activities()] == ["No. 1", "No. 2"]
    assert states() == [State.DONE] * 3


def test_what_is_wrong_waits_with_its_reason_and_is_recorded_once_the_mapping_is_mended(webhook, check):
    lists = {**DEFINITION, "person": {"field": "email", "path": ["guests", None, "mail"], "create": True}}
    mapping = make_mapping(webhook, check, lists)
    guests = [{"mail": "a@example.com"}, {"mail": None}, {"mail": "no address"}, {"mail": "d@example.com"}]
    receive(webhook, deposit(guests=guests), deposit(guests={}, number="No. 2"), {"event": "other"})
    process()
    assert states() == [State.FAILED, State.FAILED, State.UNMAPPED]
    assert sorted(activity.person_id for activity in activities()) == sorted(
        Person.objects.values_list("pk", flat=True)
    )
    refused = list(RefusedActivity.objects.order_by("pk"))
    assert {row.event_source_id for row in refused} == {webhook.source_id}
    reasons = sorted((row.code, row.field) for row in refused)
    assert reasons == [("missing_value", "person"), ("wrong_type", "call"), ("wrong_type", "email")]
    by_hand = next(row for row in refused if row.code == "missing_value")
    replay.correct_rows([by_hand.pk], "person", make_person(email="b@example.com").pk, None)
    assert replay.replay_rows([by_hand.pk], None).recorded == 1
    again = replay_waiting(webhook)
    assert (again.calls, again.recorded, again.refused, len(activities())) == (2, 1, 2, 3), (
        "by hand, and noted here now"
    )
    mended = {**lists, "person": {"field": "email", "constant": "front-desk@example.com", "create": True}}
    editing.change_mapping(
        mapping, None, definition={**mended, "when": None, "occurred_at": None, "primary": {"path": ["event"]}}
    )
    result = replay_waiting(webhook)
    assert result.refused == 0 and states() == [State.DONE] * 3
    assert len(activities()) == 5, "of the first call all that is recorded stays so; two calls more"
    assert not RefusedActivity.objects.filter(state="waiting").exists()
    assert activities()[-1].flags == 1, "a replay is history"
    assert replay_waiting(webhook).calls == 0


def test_hostile_values_cost_only_themselves(webhook, check):
    make_mapping(webhook, check, {**DEFINITION, "when": None})
    good = deposit()
    odd = [
        b'{"who": {"email": "b@example.com"}, "at": 1795000000, "number": "x", "cents": 1' + b"0" * 3_000 + b"}",
        b'{"who": {"email": "c@example.com"}, "at": 1e400, "number": "x"}',
        b'{"who": {"email": "d@example.com\\u0000"}, "at": 1795000000, "number": "\\ud800"}',
        deposit(who=["x"]),
        deposit(number=["a", {"b": 1.5}]),
        deposit(at="yesterday", number="late"),
        deposit(at=None, number="never"),
        [deposit()],
    ]
    receive(webhook, *odd, good)
    process()
    assert State.NEW not in states() and states()[-1] == State.DONE
    assert [activity.primary_value for activity in activities()] == ['["a",{"b":1.5}]', "No. 1"]
    assert RefusedActivity.objects.filter(state="waiting").count() == len(odd) - 1


def test_samples_are_read_up_to_a_number_of_bytes(webhook, monkeypatch):
    monkeypatch.setattr(trying, "MAX_BYTES", 2_500)
    receive(webhook, *[deposit(note=str(index) * 1_000) for index in range(5)], deposit(note="x" * 9_000))
    calls = trying.last_calls(webhook.source)
    assert [len(call.body) > 9_000 for call in calls] == [True], "one is always read"
    InboundCall.objects.filter(pk=calls[0].pk).delete()
    assert len(trying.last_calls(webhook.source)) == 3
    assert len(trying.sample_calls(webhook.source, parse_definition(DEFINITION))) == 3


def test_a_mapping_is_tried_before_it_is_on_and_nothing_is_kept(webhook, check, django_user_model):
    receive(webhook, deposit(), {"event": "other"}, deposit(who={}, number="No. 2"))
    mapping = editing.add_mapping(webhook.source, "Deposits", None, DEFINITION, check)
    trial = trying.try_mapping(mapping)
    assert (trial.calls, trial.others, trial.good, len(trial.rows)) == (3, 1, 1, 2)
    assert [problem.code for row in trial.rows for problem in row.problems] == ["missing_value"]
    assert not activities() and not Person.objects.exists() and not RefusedActivity.objects.exists()
    process()
    assert states() == [State.UNMAPPED] * 3
    with pytest.raises(RejectedError, match="changed the mapping"):
        editing.turn_on_mapping(mapping, None, expected_revision=mapping.revision + 1)
    unfinished = editing.add_mapping(webhook.source, "Nothing yet", None)
    for changes, code in (({}, "missing_value"), ({"activity_type": check}, "missing_value")):
        unfinished = editing.change_mapping(unfinished, None, **changes)
        with pytest.raises(RejectedError) as refusal:
            editing.turn_on_mapping(unfinished, None)
        assert refusal.value.code == code
    with pytest.raises(RejectedError, match="has no field colour"):
        editing.change_mapping(
            unfinished, None, definition={**DEFINITION, "attributes": {"colour": {"constant": "red"}}}
        )
    editing.turn_on_mapping(mapping, None)
    assert replay_waiting(webhook).recorded == 1
    assert InboundMapping.objects.get(pk=mapping.pk).is_on
    with pytest.raises(RejectedError, match="Switch the mapping off"):
        editing.delete_mapping(mapping, None)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"person": {"path": "email"}}, ("person",)),
        ({"person": {"field": "shoe size", "path": ["x"]}}, ("person", "field")),
        ({"primary": {"path": [None, None]}}, ("primary",)),
        ({"primary": {"path": ["x"], "constant": "y"}}, ("primary",)),
        ({"primary": {"path": ["x", 1.5]}}, ("primary",)),
        ({"attributes": {"a": {"path": ["l", None]}, "b": {"path": ["m", None]}}}, ("attributes",)),
        ({"when": {"path": ["event"], "values": []}}, ("when", "values")),
        ({"when": {"path": ["event", None], "values": ["x"]}}, ("when", "path")),
        ({"script": "x"}, ("script",)),
    ],
)
def test_a_wrong_definition_is_refused_with_its_place(changes, path):
    with pytest.raises(RejectedError) as refusal:
        parse_definition({**DEFINITION, **changes})
    assert path in [problem.path for problem in refusal.value.problems]


def test_calls_are_personal_data_and_are_forgotten(webhook, check, settings):
    make_mapping(webhook, check)
    receive(webhook, deposit(), deposit(who={"email": "bea@example.com"}), deposit(who={}, note="ANN@example.com"))
    process()
    ann, bea = (Person.objects.get(email=f"{name}@example.com") for name in ("ann", "bea"))
    winner = make_person(email="cid@example.com")
    merge.merge_people(winner.pk, [ann.pk], None, SYSTEM)
    exported = "".join(export.export_person(winner.pk, None))
    assert "12050" in exported and "bea" not in exported
    erasure.erase_people([winner.pk], None, SYSTEM)
    assert [call.person_ids for call in InboundCall.objects.all()] == [[bea.pk]], "the one that mentions her, too"
    settings.INBOUND_DAYS = 0
    assert personal_data.forget_old_calls() == 1 and not InboundCall.objects.exists()
    assert InboundKey.objects.count() == 3, "retries are still known"
