"""Standard types grow by versions of their own, beside whatever a team has defined."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from activities.models import ActivityType
from activities.recording.recorder import record_activities
from activities.types import standard_installation, standard_shapes
from activities.types.standard_shapes import TYPES, StandardField, StandardType
from people.core.db import locks
from people.core.source import SYSTEM
from people.datatypes.registry import BY_NAME
from tests.factories import approved_type, draft_type, make_person, new_activity

pytestmark = pytest.mark.django_db
SHIPPED = json.loads((Path(__file__).parent / "standard_shapes.json").read_text())
WEATHER = StandardField("weather", "Weather", "string")
CONFERENCE = StandardType(
    "attendConference",
    "Attend Conference",
    "Attended Conference",
    "Attends Conference",
    ((StandardField("event", "Event", "string", is_primary=True),),),
)


def described(fields):
    return [
        " ".join([field.api_name, field.data_type, *(["primary"] if field.is_primary else [])]) + f": {field.name}"
        for field in fields
    ]


def test_a_version_that_was_shipped_stays_as_it_is():
    """New versions go to the end of the file."""
    for type_id, shipped in SHIPPED.items():
        shape = TYPES[int(type_id)]
        assert [shape.api_name, shape.name, shape.filter_name, shape.trigger_name] == shipped["names"]
        assert [described(fields) for fields in shape.versions] == shipped["versions"]
    assert {int(type_id) for type_id in SHIPPED} == set(TYPES)


@pytest.mark.parametrize("type_id", TYPES)
def test_the_database_has_every_version(type_id):
    activity_type, shape = ActivityType.objects.get(pk=type_id), TYPES[type_id]
    versions = activity_type.versions.order_by("number")
    assert [version.number for version in versions] == list(range(1, len(shape.versions) + 1))
    assert activity_type.live == versions.last() and activity_type.draft is None
    for version in versions:
        assert described(version.fields.order_by("position")) == described(shape.fields(version.number))
    fields = shape.fields()
    assert len({field.api_name for field in fields}) == len({field.name for field in fields}) == len(fields)
    assert all(field.data_type in BY_NAME for field in fields)


def test_a_new_version_is_added_under_the_lock_of_the_type_and_old_rows_keep_theirs(monkeypatch):
    ann = make_person()
    row = new_activity(ann.pk, 1, primary_value="example.com/a")
    (before,) = record_activities([row], SYSTEM, may_record=frozenset({row.activity_type}))
    monkeypatch.setitem(TYPES, 1, replace(TYPES[1], versions=(*TYPES[1].versions, (WEATHER,))))
    standard_installation.install_after_migration()
    assert exclusive_locks() >= {locks.lock_key(locks.LockSpace.TYPE, number) for number in (0, 1)}
    row = new_activity(ann.pk, 1, primary_value="example.com/b", weather="sunny", referrer_url="https://example.org")
    (after,) = record_activities([row], SYSTEM, may_record=frozenset({row.activity_type}))
    with connection.cursor() as cursor:
        cursor.execute(
            "select version from activity where id in (%s, %s) order by id", [before.activity_id, after.activity_id]
        )
        last = len(TYPES[1].versions)
        assert [version for (version,) in cursor.fetchall()] == [last - 1, last]


def test_nothing_to_install_costs_one_question():
    with CaptureQueriesContext(connection) as queries:
        standard_installation.install_after_migration()
    assert len(queries) == 1


def test_a_team_s_type_of_the_same_name_keeps_it(monkeypatch):
    own = approved_type("Attend Conference", "attendConference")
    monkeypatch.setitem(TYPES, 90_050, CONFERENCE)
    standard_installation.install_after_migration()
    ours = ActivityType.objects.get(pk=90_050)
    assert (ours.api_name, ours.live.name) == ("attendConference_system", "Attend Conference (system)")
    assert ours.live.filter_name == "Attended Conference (system)"
    assert ours.live.trigger_name == "Attends Conference (system)"
    own.refresh_from_db()
    assert (own.api_name, own.live.name) == ("attendConference", "Attend Conference")
    (outcome,) = record_activities([new_activity(make_person().pk, 90_050)], SYSTEM, may_record=frozenset({90_050}))
    assert outcome.activity_id
    monkeypatch.setitem(TYPES, 90_050, replace(CONFERENCE, versions=(*CONFERENCE.versions, (WEATHER,))))
    standard_installation.install_after_migration()
    ours.refresh_from_db()
    assert (ours.live.number, ours.live.name) == (2, "Attend Conference (system)")


@pytest.mark.parametrize(
    ("name", "api_name"),
    [("Attend conference", "other"), ("Attend Conference", "attendConference_system"), ("Go Home", "attendConference")],
)
def test_a_clash_of_one_name_is_enough_and_a_draft_counts(monkeypatch, name, api_name):
    draft_type(name, api_name)
    monkeypatch.setitem(TYPES, 90_050, CONFERENCE)
    standard_installation.install_after_migration()
    ours = ActivityType.objects.get(pk=90_050)
    assert ours.live.name == ("Attend Conference" if name == "Go Home" else "Attend Conference (system)")
    assert ours.api_name == ("attendConference_system" if api_name == "attendConference" else "attendConference")
    assert ours.names.count() == 3


def test_a_name_with_the_suffix_that_is_taken_too_gets_a_number():
    taken = {"a", "a_system", "a_system2"}
    assert standard_installation._free_name("a", taken, "_system", str) == "a_system3"
    assert standard_installation._free_name("A (system)", {"A (system)"}, " ", str) == "A (system) 2"


def test_the_name_of_a_clash_is_translated():
    activity_type = ActivityType.objects.get(pk=standard_shapes.FIRST_OWN_ID)
    activity_type.live.name = "Attend Event (system)"
    with translation.override("es"):
        assert str(activity_type) == "Asistir a un evento (sistema)"


def exclusive_locks():
    with connection.cursor() as cursor:
        cursor.execute(
            """select (classid::bigint << 32) | objid::bigint from pg_locks
            where locktype = 'advisory' and mode = 'ExclusiveLock' and granted and pid = pg_backend_pid()"""
        )
        return {key for (key,) in cursor.fetchall()}
