"""Erasing, exporting and deleting of a person's browsers, and of tables that only a browser leads to."""

import pytest
from django.db import connection

from activities.log import retention as log_retention
from activities.models import Activity, Association, Visitor, VisitorActivity
from activities.sources import recent
from activities.sources.recent import SeenEvent
from people.core import personal_data
from people.core.errors import Problem
from people.core.source import SYSTEM
from people.privacy import erasure
from people.privacy import search as privacy_search
from tests.activities.visitors.factories import (
    Evidence,
    dispatch,
    log_of,
    make_hit,
    make_site,
    make_visitor,
    own,
    row_of,
    says,
    visitor_state,
)
from tests.factories import make_person

pytestmark = pytest.mark.django_db


def exported(table, person_id):
    (owned,) = (entry for entry in personal_data.registered_tables() if entry.table == table)
    return list(owned.export([person_id]))


def test_an_erase_burns_the_browsers_and_nothing_leads_to_the_person():
    site, ann, bob = make_site(), make_person(email="ann.unique@example.com"), make_person()
    mine, passed_on, strange = make_visitor(site), make_visitor(site), make_visitor(site)
    make_hit(mine, site, "example.com/mine")
    own(mine, ann.pk, site)
    make_hit(mine, site, "example.com/bot", is_bot=True)
    own(passed_on, ann.pk, site)
    make_hit(passed_on, site, "example.com/anns")
    own(passed_on, bob.pk, site)
    make_hit(passed_on, site, "example.com/bobs")
    own(strange, bob.pk, site)
    make_hit(strange, site, "Contact", type_id=2, said=says(Evidence.CLAIM, "ANN.unique@example.com"))
    claimed = make_hit(make_visitor(site), site, None, said=says(Evidence.EMAIL_TOKEN, "gone@example.com"))
    dispatch()
    identity = erasure.erase_people([ann.pk], None, SYSTEM)
    assert (visitor_state(mine), visitor_state(passed_on), visitor_state(strange)) == ("burnt", "owned", "owned")
    assert bytes(Visitor.objects.get(pk=mine.pk).token_hash), "the hash stays"
    assert not VisitorActivity.objects.filter(visitor_id=mine.pk).exists()
    assert [page for page, _past in log_of(bob.pk)] == ["example.com/bobs"]
    assert VisitorActivity.objects.get(visitor_id=passed_on.pk).primary_value == "example.com/bobs"
    assert privacy_search.find_traces(identity) == [] and not Association.objects.filter(person_id=ann.pk).exists()
    assert row_of(claimed).identity["refused"] == "unknown_person", "another address"
    assert not Activity.objects.filter(person_id=ann.pk).exists()


def test_an_erase_finds_addresses_in_forms_and_on_the_live_page():
    site, ann, bob = make_site(), make_person(email="ann.unique@example.com"), make_person()
    visitor, other, stranger = make_visitor(site), make_visitor(site), make_visitor(site)
    own(visitor, ann.pk, site)
    own(other, bob.pk, site)
    lines = {"form_fields": "email: Ann.Unique@example.com"}
    waiting = make_hit(stranger, site, "Contact", type_id=2, **lines)
    make_hit(stranger, site, "ann.unique@example.com", type_id=2)
    innocent = make_hit(stranger, site, "Contact", type_id=2, form_fields="email: bob@example.com")
    kept = make_hit(other, site, "Contact", type_id=2, said=says(Evidence.FORM, bob.email), **lines)
    dispatch()
    of_form = row_of(kept).activity_id
    problem = Problem("wrong_type", "not so", (), "", "ann.unique@example.com")
    titles = [("a", visitor.pk, None), ("/ANN.unique@example.com", None, None), ("b", None, problem), ("c", None, None)]
    recent.note_recent_events(
        [SeenEvent(site.pk, "page", title, "kept", reason, visitor_id=pk) for title, pk, reason in titles]
    )
    assert [row["title"] for row in exported("recent_event", ann.pk)] == ["a"]
    log_retention.correct_activities([of_form], None)  # of another person: her erase leaves it
    identity = erasure.erase_people([ann.pk], None, SYSTEM)
    assert privacy_search.find_traces(identity) == []
    assert [event.title for event in recent.recent_events(site.pk)] == ["c"]
    assert {row.id for row in VisitorActivity.objects.filter(visitor_id=stranger.pk)} == {innocent[1]}
    assert not VisitorActivity.objects.filter(id=waiting[1]).exists()
    assert (row_of(kept).activity_id, row_of(kept).attributes) == (of_form, {})


def test_an_export_lists_browsers_and_what_is_not_in_the_log():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site)
    make_hit(visitor, site, "example.com/in-the-log")
    own(visitor, ann.pk, site, Evidence.FORM)
    make_hit(make_visitor(site), site, "example.com/nobodys")
    waiting = make_hit(visitor, site, "example.com/waiting")
    (device,) = exported("association", ann.pk)
    assert (device["visitor_id"], device["evidence"], device["until"]) == (visitor.pk, "Submitted form", None)
    (row,) = exported("visitor_activity", ann.pk)
    assert row["primary_value"] == "example.com/waiting" and row_of(waiting).activity_id is None
    assert exported("association", bob.pk) == exported("visitor_activity", bob.pk) == []


def test_a_table_that_a_browser_leads_to_has_to_be_registered():
    with connection.cursor() as cursor:
        cursor.execute(
            """create table recording (id int, visitor_id bigint);
            create table heat (id int, of_browser bigint references visitor);
            create table proof (id int, association_id bigint)"""
        )
    missing = personal_data.unregistered_columns()
    assert {("recording", "visitor_id"), ("heat", "of_browser"), ("proof", "association_id")} == missing
