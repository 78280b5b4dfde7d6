"""Erasing, exporting and forgetting of events that wait, samples and names; and counting meanwhile."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activities.inbox import editing, personal_data, replay, sightings
from activities.inbox.sightings import Seen
from activities.models import Sighting, Visitor, WaitingEvent
from activities.sources import recent
from activities.sources.recent import SeenEvent
from people.core import personal_data as registry
from people.core.codes import Code
from people.core.errors import bad_value
from people.core.source import SYSTEM
from people.privacy import erasure
from people.privacy import search as privacy_search
from tests.activities.inbox.factories import make_event, make_sighting, numbers
from tests.activities.recording.test_races import InThread
from tests.activities.visitors.factories import make_site, make_visitor, own
from tests.factories import approved_type, make_person

HOUR = 60


def exported(person):
    (table,) = (entry for entry in registry.registered_tables() if entry.table == "waiting_event")
    rows = list(table.export([person.pk]))
    assert len(rows) == table.count([person.pk])
    return {row["event"] for row in rows}


@pytest.mark.django_db
def test_events_of_each_person_are_exported_and_erased_and_nobody_elses():
    site = make_site()
    ann, bob = make_person(email="ann.unique@example.com"), make_person(email="bob.unique@example.com")
    sighting, passed_on, mine = make_sighting(site), make_visitor(site), make_visitor(site)
    anns, bobs, only = own(passed_on, ann.pk, site), own(passed_on, bob.pk, site), own(mine, bob.pk, site)
    before = make_event(sighting, passed_on, minutes=-HOUR, n=1)
    of_ann, of_bob = make_event(sighting, passed_on, anns, n=2), make_event(sighting, passed_on, bobs, n=3)
    of_nobody = make_event(sighting, passed_on, minutes=HOUR, n=4)
    bot, known = make_event(sighting, mine, minutes=HOUR, n=5), make_event(sighting, mine, only, n=6)
    of_others = make_event(sighting, make_visitor(site), n=7, text="ann.unique@example.com")
    untouched = make_event(sighting, make_visitor(site), n=8)
    assert exported(ann) == {event.raw for event in (before, of_ann, of_nobody)}
    assert exported(bob) == {event.raw for event in (of_bob, of_nobody, bot, known)}

    with CaptureQueriesContext(connection) as queries:
        identity = erasure.erase_people([ann.pk], None, SYSTEM)  # a former owner
    left = set(WaitingEvent.objects.all())
    assert left == {of_bob, of_nobody, bot, known, untouched}
    assert privacy_search.find_traces(identity) == []
    statements = [query["sql"] for query in queries]
    first = next(place for place, sql in enumerate(statements) if '"sighting"' in sql or "from sighting" in sql)
    assert not [sql for sql in statements[first:] if "delete from" in sql.lower()], "names are locked last"
    sighting.refresh_from_db()
    assert (sighting.kept, sighting.kept_bytes) == (5, sum(len(event.raw) for event in left))

    identity = erasure.erase_people([bob.pk], None, SYSTEM)
    assert set(WaitingEvent.objects.all()) == {untouched}
    assert privacy_search.find_traces(identity) == []
    Visitor.objects.filter(pk=untouched.visitor_id).update(state=Visitor.State.BURNT)
    approved_type()
    assert numbers(replay.start_replay(sighting, None)) == (0, 0) and of_others.pk


@pytest.mark.django_db
def test_samples_and_names_go_with_their_person(settings):
    site, ann, bob = make_site(), make_person(email="ann.unique@example.com"), make_person()
    of_ann, of_bob = make_visitor(site), make_visitor(site)
    own(of_ann, ann.pk, site)
    own(of_bob, bob.pk, site)
    visitors = {"blue": of_ann.pk, "red": of_bob.pk, "nobody's": None}
    values = [Seen(site.pk, "trait", "colour", 0, "", value, visitor_id) for value, visitor_id in visitors.items()]
    texts = [Seen(site.pk, "trait", "mail", 0, "", text, of_bob.pk) for text in ("ANN.unique@example.com", "x")]
    sightings.note_seen([*values, *texts, Seen(site.pk, "event", "Mail ann.unique@example.com")], {})
    colour, mail = Sighting.objects.get(name="colour"), Sighting.objects.get(name="mail")
    named = Sighting.objects.get(kind="event")
    assert [sample[2] for sample in colour.samples] == ["blue", "red"] and colour.count == 3
    editing.ignore_name(named, None)
    assert (
        "ann" not in LogEntry.objects.get(object_id=str(named.pk), content_type__model="sighting").object_repr.lower()
    )
    identity = erasure.erase_people([ann.pk], None, SYSTEM)
    assert privacy_search.find_traces(identity) == []
    for row in (colour, mail, named):
        row.refresh_from_db()
    assert ([sample[2] for sample in colour.samples], mail.samples, named.name) == (["red"], [], "")
    sightings.note_seen([Seen(site.pk, "event", "Mail ann.unique@example.com")], {})
    assert Sighting.objects.filter(kind="event").count() == 2, "the name is a new one"

    Sighting.objects.filter(pk=named.pk).update(kept=7, kept_bytes=70)
    event = make_event(colour, of_bob)
    assert personal_data.forget_old_events() == 0
    for row in (colour, named):
        row.refresh_from_db()
    assert (colour.kept, colour.kept_bytes, named.kept) == (1, len(event.raw), 0), "counted again each night"
    assert len(colour.samples) == 1
    settings.INBOX_DAYS = -1
    assert personal_data.forget_old_events() == 1
    colour.refresh_from_db()
    assert (colour.kept, colour.samples) == (0, [])


@pytest.mark.django_db
def test_an_address_inside_a_longer_value_is_erased_also_where_the_value_was_shortened():
    site, mail = make_site(), "ann.unique@example.com"
    ann, other = make_person(email=mail), make_visitor(site)
    values = {
        "whole": f"Ask {mail.upper()} about it",
        "cut": "x" * (sightings.MAX_SAMPLE - 12) + f" {mail} and more",
        "barely": "x" * (sightings.MAX_SAMPLE - 4) + mail,
        "long": "x" * 500,
        "near": "x" * (sightings.MAX_SAMPLE - 12) + " ann.other@example.com",
    }
    sightings.note_seen([Seen(site.pk, "trait", name, 0, "", value, other.pk) for name, value in values.items()], {})
    titles = {
        "whole": f"https://www.example.com/?q=mail+{mail}",
        "cut": "/" * (recent.MAX_TITLE - 12) + mail,
        "long": "/" * 500,
    }
    problem = bad_value(Code.INVALID, "a number", "y" * 68 + mail, "attributes", "n")
    assert str(problem.got).endswith("ann.unique@…"), "the test's own length"
    events = [SeenEvent(site.pk, "track", title, "kept") for title in titles.values()]
    recent.note_recent_events([*events, SeenEvent(site.pk, "track", "n", "refused", problem)])
    erasure.erase_people([ann.pk], None, SYSTEM)
    left = {row.name: bool(row.samples) for row in Sighting.objects.all()}
    assert left == {"whole": False, "cut": False, "barely": True, "long": True, "near": True}
    assert [event.title for event in recent.recent_events(site.pk)] == ["/" * recent.MAX_TITLE]


@pytest.mark.django_db(transaction=True)
def test_counting_waits_for_nobody_and_loses_nothing():
    site = make_site()
    seen = [Seen(site.pk, "event", name, 0, "lib/1") for name in ("Busy", "Free")]
    with transaction.atomic():
        sightings.note_seen(seen, {})
    busy, free = Sighting.objects.get(name="Busy"), Sighting.objects.get(name="Free")

    def note():
        with transaction.atomic():
            sightings.note_seen(seen, {busy.pk: [10]})

    with transaction.atomic():
        Sighting.objects.select_for_update(no_key=True).get(pk=busy.pk)
        InThread(note).result()
        InThread(note).result()
    counted = Sighting.objects.order_by("name").values_list("count", "kept", "kept_bytes", "libraries")
    assert list(counted) == [(1, 0, 0, {"lib/1": 1}), (3, 0, 0, {"lib/1": 3})]
    for _commit in range(2):
        with transaction.atomic():
            sightings.note_seen([], {})
    assert list(counted.all()) == [(3, 2, 20, {"lib/1": 3}), (3, 0, 0, {"lib/1": 3})]
    assert free.last_at < timezone.now() and not sightings._carried
