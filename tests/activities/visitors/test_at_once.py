"""Hits, associations and an erase at the same moment, on connections of their own."""

import pytest
from django.db import connection, transaction

from activities.models import Association, Visitor, VisitorActivity
from activities.visitors import moving, ownership
from people.core.source import SYSTEM
from people.privacy import erasure
from tests.activities.recording.test_races import InThread
from tests.activities.visitors.factories import dispatch, log_of, make_hit, make_site, make_visitor, own
from tests.factories import make_person

pytestmark = pytest.mark.django_db(transaction=True)


def lock_as_a_hit(visitor):
    """As the collector does before it reads whose the visitor is."""
    with connection.cursor() as cursor:
        cursor.execute("select id from visitor where id = %s for share", [visitor.pk])


def test_no_hit_strands_between_an_association_and_an_erase():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site)
    with transaction.atomic():  # a hit that read "no owner" is not committed yet
        lock_as_a_hit(visitor)
        make_hit(visitor, site, "example.com/slow")
        associating = InThread(lambda: own(visitor, ann.pk, site))
        assert associating.is_waiting()
    associating.result()
    assert log_of(ann.pk) == [("example.com/slow", True)]

    with transaction.atomic():  # an association under way: the dispatcher, another one and an erase wait or skip
        ownership.associate_visitor(visitor.pk, bob.pk, Association.Evidence.SERVER, moving.event_source(site.pk))
        make_hit(visitor, site, "example.com/bobs")
        erasing = InThread(lambda: erasure.erase_people([bob.pk], None, SYSTEM))
        other = InThread(lambda: own(visitor, ann.pk, site))
        assert InThread(moving.move_due_rows).result() == 0
        assert erasing.is_waiting() and other.is_waiting()
    erasing.result()
    other.join(20)
    assert other.error is None or "erased" in str(other.error), "the erase may have come first"
    dispatch()
    assert log_of(bob.pk) == [] and not Association.objects.filter(person_id=bob.pk).exists()
    assert not VisitorActivity.objects.filter(primary_value="example.com/bobs").exists()
    assert Visitor.objects.get().state == ("burnt" if other.error else "owned")


def test_two_movers_and_an_undo_move_each_row_once():
    site, ann = make_site(), make_person()
    visitor = make_visitor(site)
    own(visitor, ann.pk, site)
    make_hit(visitor, site)
    with transaction.atomic():
        assert moving.move_due_rows() == 1
        assert InThread(moving.move_due_rows).result() == 0, "the row is taken"
    assert log_of(ann.pk) == [("example.com/", False)]
