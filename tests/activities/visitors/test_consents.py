"""Consents of visitors: who may opt a person in from a web page, and what an undo of the association takes back."""

import pytest

from activities.models import CONSENT_TYPES, Activity
from activities.visitors import undoing
from people.core.source import SYSTEM
from people.models import Person
from people.persons import upsert
from tests.activities.visitors.factories import Evidence, dispatch, make_hit, make_site, make_visitor, own, row_of, says
from tests.factories import make_person

pytestmark = pytest.mark.django_db
GIVEN, WITHDRAWN = CONSENT_TYPES


def consents_of(person):
    rows = Activity.objects.filter(person_id=person.pk, activity_type_id__in=CONSENT_TYPES).order_by("pk")
    return [(row.activity_type_id, row.primary_value) for row in rows]


def is_unsubscribed(person):
    return bool(Person.objects.values_list("unsubscribed", flat=True).get(pk=person.pk))


def test_only_a_proven_person_is_opted_in_by_a_page_and_anybody_may_object():
    site = make_site()
    for evidence in Evidence:
        person = make_person()
        upsert.upsert_people([{"id": person.pk, "unsubscribed": True}], SYSTEM, "id", upsert.UpsertAction.UPDATE)
        visitor = make_visitor(site)
        make_hit(visitor, site, None, said=says(evidence, person.email))
        given, analytics = (make_hit(visitor, site, word, type_id=GIVEN) for word in ("EMail", "analytics"))
        dispatch()
        is_proven = evidence is Evidence.SERVER
        assert is_unsubscribed(person) is not is_proven
        assert row_of(given).refusal == (None if is_proven else "weaker_evidence")
        assert row_of(analytics).activity_id and ((GIVEN, "EMail") in consents_of(person)) is is_proven

    objecting = make_person()
    visitor = make_visitor(site)
    make_hit(visitor, site, None, said=says(Evidence.CLAIM, objecting.email))
    make_hit(visitor, site, "email", type_id=WITHDRAWN)
    dispatch()
    assert is_unsubscribed(objecting)


def test_an_undo_ends_the_subscription_that_followed_from_a_consent_and_subscribes_nobody():
    site, ann, bob = make_site(), make_person(), make_person()
    upsert.upsert_people([{"id": ann.pk, "unsubscribed": True}], SYSTEM, "id", upsert.UpsertAction.UPDATE)
    associations = []
    for person, type_id in ((ann, GIVEN), (bob, WITHDRAWN)):
        visitor = make_visitor(site)
        associations.append(own(visitor, person.pk, site))
        make_hit(visitor, site, "email", type_id=type_id)
    dispatch()
    assert (is_unsubscribed(ann), is_unsubscribed(bob)) == (False, True)
    for association in associations:
        undoing.undo_association(association.pk, None)
    assert (is_unsubscribed(ann), is_unsubscribed(bob)) == (True, True), "an undo subscribes nobody"
    assert consents_of(ann)[0] == (WITHDRAWN, "email") and (GIVEN, "email") not in consents_of(ann)
