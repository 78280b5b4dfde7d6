"""Event sources: what is checked when they are made and changed, and the life of their keys."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from activities.models import EventSource, SourceKey
from activities.sources import editing, usage, user_ids
from activities.sources.keys import find_key, shown_keys
from people.core import audit, references
from people.core.errors import ConflictError, NotAllowedError, RejectedError
from people.fields import editing as fields
from people.fields.catalog import field_catalogue

pytestmark = pytest.mark.django_db
SITE = "https://www.example.com"


def site(name="Shop", **values):
    return editing.create_source(name, "browser", None, **{"origins": [SITE], **values})


def problems(refusal):
    return {(".".join(map(str, problem.path)), problem.code) for problem in refusal.value.problems}


def test_a_site_gets_a_public_key_and_a_secret_that_signs():
    issued = site(origins=[" HTTPS://WWW.Example.com:443/ ", SITE, "http://localhost:8080"], munchkin_id="123-ABC-456")
    source = EventSource.objects.get()
    assert source.origins == [SITE, "http://localhost:8080"] and source.munchkin_id == "123-ABC-456"
    assert issued.write_key == issued.key.lookup and len(issued.identity_secret) == 64
    stored = SourceKey.objects.get()
    assert stored.secret_hash is None and issued.identity_secret.encode() not in bytes(stored.identity_secret)


def test_a_program_s_key_is_stored_as_a_hash_only():
    issued = editing.create_source("ERP", "server", None)
    stored = SourceKey.objects.get()
    assert issued.identity_secret is None and stored.identity_secret is None
    secret = issued.write_key.removeprefix(stored.lookup)
    assert len(secret) > 40 and secret.encode() not in bytes(stored.secret_hash)
    assert find_key(issued.write_key) == stored
    for wrong in (stored.lookup, f"{stored.lookup}_", issued.write_key[:-1], issued.write_key + "x", "", "\0", "ä"):
        assert find_key(wrong) is None, wrong


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"origins": []}, ("origins", "missing_value")),
        ({"origins": ["www.example.com"]}, ("origins.0", "bad_origin")),
        ({"origins": [SITE, f"{SITE}/shop"]}, ("origins.1", "bad_origin")),
        ({"origins": [f"https://user@{SITE}"]}, ("origins.0", "bad_origin")),
        ({"origins": ["ftp://example.com"]}, ("origins.0", "bad_origin")),
        ({"origins": ["https://a..b"]}, ("origins.0", "bad_origin")),
        ({"origins": ["https://example.com:99999"]}, ("origins.0", "bad_origin")),
        ({"origins": [7]}, ("origins.0", "bad_origin")),
        ({"origins": [SITE] * 51}, ("origins", "wrong_type")),
        ({"consent": "maybe"}, ("consent", "unknown_word")),
        ({"site_group": " "}, ("site_group", "wrong_type")),
        ({"site_group": "x" * 101}, ("site_group", "wrong_type")),
        ({"munchkin_id": "123"}, ("munchkin_id", "wrong_type")),
        ({"user_id_field": "company"}, ("user_id_field", "unknown_lookup_field")),
        ({"bytes_a_day": 0}, ("bytes_a_day", "wrong_type")),
        ({"bytes_a_day": True}, ("bytes_a_day", "wrong_type")),
        ({"bytes_a_day": 10**14}, ("bytes_a_day", "wrong_type")),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(values, expected):
    with pytest.raises(RejectedError) as refusal:
        site(**values)
    assert problems(refusal) == {expected}
    assert not EventSource.objects.exists() and not SourceKey.objects.exists()


def test_every_problem_is_named_at_once_and_programs_have_no_origins():
    with pytest.raises(RejectedError) as refusal:
        editing.create_source("ERP", "server", None, origins=[SITE], munchkin_id="123-ABC-456", bytes_a_day=0)
    assert {place for place, _code in problems(refusal)} == {"origins", "munchkin_id", "bytes_a_day"}
    with pytest.raises(RejectedError) as refusal:
        editing.create_source("ERP", "telepathy", None)
    assert problems(refusal) == {("kind", "unknown_word")}


def test_names_and_munchkin_ids_are_unique():
    site(munchkin_id="123-ABC-456")
    for name, more, place in (("SHOP", {}, "name"), ("Blog", {"munchkin_id": "123-ABC-456"}, "munchkin_id")):
        with pytest.raises(RejectedError) as refusal:
            site(name, **more)
        assert problems(refusal) == {(place, "name_taken")}
    assert EventSource.objects.count() == 1


def test_the_database_keeps_that_a_site_has_origins():
    source = site().key.source
    with pytest.raises(IntegrityError), transaction.atomic():
        EventSource.objects.filter(pk=source.pk).update(origins=[])


def test_a_change_is_of_what_the_editor_saw():
    source = site().key.source
    changed = editing.change_source(source, None, expected_revision=1, name="Shop 2", consent="denied")
    assert (changed.name, changed.consent, changed.revision) == ("Shop 2", "denied", 2)
    with pytest.raises(ConflictError):
        editing.change_source(source, None, expected_revision=1, name="Shop 3")
    assert sentences() == ["Created", "Changed: consent, name"]


def test_what_is_equal_is_no_change_and_origins_are_named():
    source = site().key.source
    same = {field: getattr(source, field) for field in editing.FIELDS}
    assert editing.change_source(source, None, expected_revision=1, name=source.name, **same).revision == 1
    editing.change_source(source, None, **{**same, "origins": ["https://b.example"], "bytes_a_day": 7})
    assert sentences() == ["Created", f"Changed: bytes_a_day, origins (+https://b.example, -{SITE})"]


def test_a_field_of_user_ids_stays_unique_and_is_not_deleted():
    field = fields.create_person_field("Login", "string", None, is_unique=True)
    source = site(user_id_field=field.api_name).key.source
    for verb in (
        lambda: fields.change_person_field(field, None, is_unique=False),
        lambda: fields.delete_person_field(field, None),
    ):
        with pytest.raises(RejectedError) as refusal:
            verb()
        assert refusal.value.code == "in_use" and "Shop" in str(refusal.value)
    assert [use.user for use in references.uses_of(field)] == [source]
    type(field).objects.update(is_unique=False)  # as it could become before
    assert editing.change_source(source, None, consent="denied").consent == "denied"
    with pytest.raises(RejectedError) as refusal:
        editing.change_source(source, None, user_id_field=field.api_name)
    assert problems(refusal) == {("user_id_field", "unknown_lookup_field")}
    editing.change_source(source, None, user_id_field="")
    fields.delete_person_field(field, None)


def test_an_old_key_works_on_for_the_overlap():
    first = editing.create_source("ERP", "server", None)
    source = first.key.source
    second = editing.rotate_key(source, None, timedelta(hours=24))
    assert second.write_key != first.write_key
    assert find_key(first.write_key).is_live and find_key(second.write_key).is_live
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert not find_key(first.write_key).is_live and find_key(second.write_key).is_live
    third = editing.rotate_key(source, None, timedelta())
    assert not find_key(second.write_key).is_live, "at once"
    editing.end_key(source, third.key.pk, None)
    assert not find_key(third.write_key).is_live
    assert not any(secret.write_key in sentence for secret in (first, second, third) for sentence in sentences())
    assert f"Issued a new key, {second.key.lookup}" in sentences()


def test_an_overlap_never_prolongs_a_key_and_has_a_limit():
    source = site().key.source
    editing.rotate_key(source, None, timedelta(hours=1))
    ends = source.keys.order_by("pk").first().expires_at
    editing.rotate_key(source, None, timedelta(days=7))
    assert source.keys.order_by("pk").first().expires_at == ends
    for wrong in (timedelta(days=31), timedelta(seconds=-1)):
        with pytest.raises(RejectedError):
            editing.rotate_key(source, None, wrong)
    with pytest.raises(RejectedError) as refusal:
        for _again in range(editing.MAX_LIVE_KEYS + 1):
            editing.rotate_key(source, None, timedelta(hours=1))
    assert refusal.value.code == "too_many_keys"
    assert editing.rotate_key(source, None, timedelta()), "which ends all others"
    assert [key.is_live for key in shown_keys()[:2]] == [True, False]


def test_a_key_is_ended_once_and_only_by_its_source():
    one, other = site().key, site("Blog").key
    with pytest.raises(RejectedError) as refusal:
        editing.end_key(one.source, other.pk, None)
    assert refusal.value.code == "unknown_write_key"
    editing.end_key(one.source, one.pk, None)
    with pytest.raises(RejectedError) as refusal:
        editing.end_key(one.source, one.pk, None)
    assert refusal.value.code == "key_expired"


def test_it_is_turned_off_and_on_and_deleted_only_without_data():
    source = site().key.source
    assert not editing.turn_off(source, None).is_on
    editing.turn_off(source, None)
    assert editing.turn_on(source, None).is_on
    assert sentences() == ["Created", "Turned off", "Turned on"]
    usage.note_uses({source.pk: usage.Use(1, 10, 1)})
    with pytest.raises(RejectedError) as refusal:
        editing.delete_source(source, None)
    assert refusal.value.code == "in_use"
    unused = site("Blog").key.source
    editing.delete_source(unused, None)
    assert list(EventSource.objects.values_list("name", flat=True)) == ["Shop"]
    with pytest.raises(RejectedError) as refusal:
        editing.turn_off(unused, None)
    assert refusal.value.code == "unknown_source"


def test_every_verb_asks_for_its_right():
    source, nobody = site().key.source, get_user_model().objects.create_user("nobody")
    for verb in (
        lambda: editing.create_source("Blog", "server", nobody),
        lambda: editing.change_source(source, nobody, name="x"),
        lambda: editing.rotate_key(source, nobody, timedelta()),
        lambda: editing.end_key(source, 1, nobody),
        lambda: editing.turn_off(source, nobody),
        lambda: editing.turn_on(source, nobody),
        lambda: editing.delete_source(source, nobody),
    ):
        with pytest.raises(NotAllowedError):
            verb()


def test_the_command_prints_what_a_sender_needs(capsys):
    call_command("create_event_source", "Shop", "--origin", SITE, "--origin", "https://*.example.org")
    call_command("create_event_source", "ERP")
    shop, erp = map(json.loads, capsys.readouterr().out.splitlines())
    assert (
        set(shop)
        == set(erp)
        == {
            *("id", "kind", "write_key", "identity_secret", "collect_url", "script_url"),
            *("munchkin_id", "munchkin_script_url", "segment_host", "webhook_url"),
        }
    )
    assert (shop["kind"], erp["kind"], erp["identity_secret"]) == ("browser", "server", None)
    assert find_key(shop["write_key"]).source_id == shop["id"] and find_key(erp["write_key"]).source_id == erp["id"]
    assert shop["collect_url"] == "http://127.0.0.1:8001/_a/e"
    assert shop["script_url"] == f"http://127.0.0.1:8001/_a/s/{shop['write_key']}.js"
    assert (erp["collect_url"], erp["script_url"]) == (None, None)
    assert shop["segment_host"] == erp["segment_host"] == "http://127.0.0.1:8001"
    assert EventSource.objects.get(pk=erp["id"]).user_id_field == "userId"
    with pytest.raises(CommandError, match="shop"):
        call_command("create_event_source", "shop", "--origin", SITE)
    with pytest.raises(CommandError, match="a path"):
        call_command("create_event_source", "Blog", "--origin", "example.com")


def sentences():
    return [audit.entry_sentence(entry) for entry in LogEntry.objects.order_by("pk")]


def test_a_program_from_before_says_that_it_identifies_nobody_until_it_does():
    fields.create_person_field("user id", "string", None, api_name="own_id")
    old = editing.create_source("Old shop", "server", None, user_id_field="").key.source
    why = lambda source: user_ids.why_unidentified(source, field_catalogue())  # noqa: E731
    assert "no person field" in why(old) and not why(site().key.source)
    taken = fields.create_person_field("Our users", "string", None, api_name="UserId")
    assert "“Our users” is not unique" in why(old)
    with pytest.raises(RejectedError, match="Our users"):
        editing.identify_people(old, None)
    assert editing.create_source("Unlucky", "server", None).key.source.user_id_field == "", "and its page says so"
    fields.delete_person_field(taken, None)
    changed = editing.identify_people(old, None)
    assert changed.user_id_field == "userId" and not why(changed) and field_catalogue()["userId"].is_unique
    assert field_catalogue()["userId"].label == "User ID (programs)", "the label is taken"
    assert editing.identify_people(changed, None).revision == changed.revision, "once"


# values that make each setting do more (a session must be confirmed), and that do not; None: no value does
WIDENING = {
    "name": (None, ["Other"]),
    "origins": ([SITE, "https://evil.example"], [[SITE], []]),
    "consent": ("granted", ["denied"]),
    "site_group": ("other", ["main", " main "]),
    "user_id_field": ("email", ["", None]),
    "munchkin_id": ("123-ABC-456", ["", None]),
    "bytes_a_day": (None, [1, 10**12]),  # a bound of our own disk
    "creates_people": (True, [False]),
    "people_an_hour": (501, [0, 500]),
}


def test_every_setting_is_decided_to_need_a_confirmation_or_not():
    assert set(WIDENING) == {"name", *editing.FIELDS}, "decide about each setting in needs_confirmation, and here"
    site(consent="denied", site_group="main", people_an_hour=500, creates_people=False)
    source = EventSource.objects.get()
    for name, (wider, others) in WIDENING.items():
        assert wider is None or editing.needs_confirmation(source, {name: wider}), name
        for value in others:
            assert not editing.needs_confirmation(source, {name: value}), (name, value)
    EventSource.objects.update(consent="granted", creates_people=True)
    source.refresh_from_db()
    assert not editing.needs_confirmation(source, {"consent": "granted", "creates_people": True})
