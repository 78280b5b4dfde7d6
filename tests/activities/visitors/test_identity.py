"""Identification of visitors: by forms, signatures, claims and links, and what each may change."""

import pytest

from activities.models import Association, EventSource, Visitor, VisitorActivity
from activities.sources import editing
from activities.visitors import moving
from activities.visitors.blocked_identifiers import is_blocked
from people.core.source import SYSTEM
from people.fields import editing as field_editing
from people.models import Person
from people.persons import merge as person_merge
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


def refused(key):
    return row_of(key).identity.get("refused")


def test_a_form_makes_a_new_person_and_the_act_itself_is_live():
    site = make_site()
    visitor = make_visitor(site)
    make_hit(visitor, site, "example.com/before")
    form = make_hit(
        visitor, site, "Contact", type_id=2,
        said=says(Evidence.FORM, "New@Example.com", first_name="Nell", person_score=99, unsubscribed=False, nonsense=1),
    )  # fmt: skip
    dispatch()
    nell = Person.objects.get(email="New@Example.com")
    assert (nell.first_name, nell.person_score) == ("Nell", None), "no form sets a score"
    row = row_of(form)
    assert (row.identity_state, row.identity) == (VisitorActivity.Identity.DONE, {"evidence": 2}), "the address is gone"
    assert row.activity_id is not None and not row.is_past and log_of(nell.pk) == [("example.com/before", True)]
    assert Association.objects.get(visitor=visitor).has_created_person


def test_what_a_page_sends_changes_nobody_who_is_known_whatever_its_evidence():
    field_editing.create_person_field("Customer", "string", None, api_name="customer", is_unique=True)
    site, ann = make_site(user_id_field="customer"), make_person(first_name="Ann")
    forged = {"first_name": "Forged", "company": "Forged", "person_score": 99, "unsubscribed": True, "customer": "c-1"}
    keys = [
        make_hit(make_visitor(site), site, None, said=says(evidence, ann.email, user_id, **forged))
        for evidence in Evidence
        for user_id in ("", "c-9")
    ]
    before = Person.objects.get(pk=ann.pk)
    dispatch()
    after = Person.objects.get(pk=ann.pk)
    assert (after.revision, after.fields, after.first_name) == (before.revision, before.fields, "Ann")
    assert [refused(key) for key in keys] == [None] * 8, "all of them are hers"


def test_of_a_new_person_nothing_is_set_that_a_page_cannot_know():
    field_editing.create_person_field("Customer", "string", None, api_name="customer", is_unique=True)
    field_editing.create_person_field("Badge", "string", None, api_name="badge", is_unique=True)
    site = make_site(user_id_field="customer", creates_people=True)
    sent = {"first_name": "Nell", "person_score": 99, "unsubscribed": False, "badge": "b", "customer": "c-2"}
    people = []
    for evidence in (Evidence.SERVER, Evidence.FORM, Evidence.CLAIM):
        address = f"{evidence.name}@example.com"
        make_hit(make_visitor(site), site, None, said=says(evidence, address, f"c-{evidence}", **sent))
        dispatch()
        people.append(Person.objects.get(email=address))
    assert {(person.first_name, person.person_score, person.unsubscribed) for person in people} == {
        ("Nell", None, people[0].unsubscribed)
    }
    assert [person.fields.get("customer") for person in people] == ["c-1", None, None], "only what is signed"
    assert not any(person.fields.get("badge") or person.unsubscribed is False for person in people)


def test_claims_and_forms_create_people_only_where_and_as_often_as_they_may():
    site, ann = make_site(), make_person()
    visitor = make_visitor(site)
    make_hit(visitor, site, None, said=says(Evidence.CLAIM, ann.email))
    stranger = make_hit(make_visitor(site), site, None, said=says(Evidence.CLAIM, "s@example.com"))
    dispatch()
    assert visitor_state(visitor) == Visitor.State.OWNED
    assert refused(stranger) == "unknown_person" and not Person.objects.filter(email="s@example.com").exists()

    EventSource.objects.filter(pk=site.pk).update(creates_people=True, people_an_hour=2)
    keys = [
        make_hit(make_visitor(site), site, None, said=says(evidence, f"{number}@example.com"))
        for number, evidence in enumerate([Evidence.CLAIM, Evidence.FORM, Evidence.FORM, Evidence.CLAIM])
    ]
    signed = make_hit(make_visitor(site), site, None, said=says(Evidence.SERVER, "signed@example.com"))
    dispatch()
    assert [refused(key) for key in keys] == [None, None, "over_cap", "over_cap"]
    assert refused(signed) is None and Person.objects.filter(email="signed@example.com").exists()


def test_nobody_is_guessed():
    site, ann = make_site(), make_person()
    make_person(email="twin@example.com")
    Person.objects.filter(pk=make_person(email="x@example.com").pk).update(email="Twin@example.com")
    cases = {
        "ambiguous_person": says(Evidence.FORM, "twin@example.com"),
        "blocked_identifier": says(Evidence.SERVER, "anonymous@example.com", "undefined"),
        "unknown_person": says(Evidence.EMAIL_TOKEN, "gone@example.com"),
        "invalid_email": says(Evidence.FORM, "no address"),
        "wrong_type": {"evidence": 9, "email": ann.email},
    }
    keys = {code: make_hit(make_visitor(site), site, None, said=said) for code, said in cases.items()}
    bot = make_hit(make_visitor(site), site, None, said=says(Evidence.SERVER, ann.email), is_bot=True)
    dispatch()
    outcomes = {code: refused(key) for code, key in keys.items()}
    assert outcomes.pop("invalid_email") is not None
    assert all(code == outcome for code, outcome in outcomes.items())
    assert refused(bot) == "not_allowed" and not Association.objects.exists()
    assert row_of(keys["unknown_person"]).identity["email"] == "gone@example.com", "for whoever looks into it"


def test_user_ids_come_before_addresses_and_conflicts_are_refused():
    field_editing.create_person_field("Customer", "string", None, api_name="customer", is_unique=True)
    site = make_site(user_id_field="customer")
    ann, bob = make_person(customer="c-1"), make_person()
    visitor, other, third = (make_visitor(site) for _number in range(3))
    make_hit(visitor, site, None, said=says(Evidence.SERVER, bob.email, "C-1"))
    conflict = make_hit(other, site, None, said=says(Evidence.SERVER, ann.email, "c-2"))
    make_hit(third, site, None, said=says(Evidence.SERVER, bob.email, "c-3"))
    dispatch()
    assert Association.objects.get(visitor=visitor).person_id == ann.pk
    assert Association.objects.get(visitor=third).person_id == bob.pk
    assert refused(conflict) == "ambiguous_person"


def test_a_value_that_is_not_accepted_costs_no_other_and_is_noted():
    field_editing.create_person_field("Number", "integer", None, api_name="number", is_unique=True)
    program = editing.create_source("Shop", "server", None).key.source
    EventSource.objects.filter(pk=program.pk).update(user_id_field="number")
    ann = make_person()
    bad = {"title": "CEO", "date_of_birth": "soon"}
    known, new = (
        make_hit(make_visitor(program), program, None, said=says(Evidence.SERVER, email, user_id, **bad))
        for email, user_id in ((ann.email, "u-1"), ("new@example.com", "7"))
    )
    nobody = make_hit(make_visitor(program), program, None, said=says(Evidence.SERVER, "x@example.com", "u-2", **bad))
    dispatch()
    ann.refresh_from_db()
    assert ann.title == Person.objects.get(email="new@example.com").title == "CEO"
    left_out = {"date_of_birth": "wrong_type"}
    assert row_of(new).identity == {"evidence": int(Evidence.SERVER), "left_out": left_out}
    assert row_of(known).identity["left_out"] == left_out | {"number": "wrong_type"}
    assert refused(nobody) == "wrong_type", "who it is, is never guessed"


def test_somebody_else_logs_in_and_a_forwarded_link_makes_nobody_the_forwarder():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site)
    own(visitor, ann.pk, site, Evidence.FORM)
    forwarded = make_hit(visitor, site, "example.com/link", said=says(Evidence.EMAIL_TOKEN, bob.email))
    dispatch()
    assert refused(forwarded) == "weaker_evidence" and log_of(ann.pk) == [("example.com/link", False)]
    make_hit(visitor, site, "example.com/login", said=says(Evidence.SERVER, bob.email))
    make_hit(visitor, site, "example.com/after")
    dispatch()
    assert log_of(bob.pk)[0] == ("example.com/login", False), "the act is of the person who acted"
    merged = person_merge.merge_people(bob.pk, [ann.pk], None, SYSTEM)
    assert merged.pk and len(log_of(bob.pk)) == 3


def test_what_follows_an_act_before_it_is_decided_belongs_to_the_act():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site)
    make_hit(visitor, site, "example.com/before")
    make_hit(visitor, site, "example.com/form", said=says(Evidence.FORM, ann.email))
    make_hit(visitor, site, "example.com/thanks")
    dispatch()
    assert log_of(ann.pk) == [("example.com/before", True), ("example.com/form", False), ("example.com/thanks", False)]
    make_hit(visitor, site, "example.com/anns")
    make_hit(visitor, site, "example.com/login", said=says(Evidence.SERVER, bob.email))
    make_hit(visitor, site, "example.com/bobs")
    dispatch()
    assert [page for page, _past in log_of(bob.pk)] == ["example.com/login", "example.com/bobs"]
    assert [page for page, _past in log_of(ann.pk)][-1] == "example.com/anns"


def test_nothing_of_a_visitor_moves_before_it_is_decided_who_came_first():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site)
    own(visitor, ann.pk, site)
    make_hit(visitor, site, "example.com/anns")
    make_hit(visitor, site, None, said=says(Evidence.SERVER, bob.email))
    make_hit(visitor, site, "example.com/bobs")
    assert moving.move_due_rows() == 1 and moving.move_due_rows() == 0, "the decision comes with a later round"
    dispatch()
    assert (log_of(ann.pk), log_of(bob.pk)) == ([("example.com/anns", False)], [("example.com/bobs", False)])


def test_a_form_by_weaker_evidence_creates_nobody():
    site, ann = make_site(), make_person()
    visitor = make_visitor(site)
    own(visitor, ann.pk, site, Evidence.SERVER)
    key = make_hit(visitor, site, "Contact", type_id=2, said=says(Evidence.FORM, "other@example.com", first_name="O"))
    dispatch()
    assert refused(key) == "weaker_evidence" and not Person.objects.filter(email="other@example.com").exists()


def test_identifiers_that_name_nobody():
    blocked = ["", "  ", "0", "000-0", "-1", "NULL", "None", "[object Object]", "anonymous", "Guest", "undefined",
               "NaN", "not_authenticated", "true", "false", "anonymous@example.com", "null@example.com"]  # fmt: skip
    assert [text for text in blocked if not is_blocked(text)] == []
    fine = ["7", "ann@example.com", "id@example.com", "email@example.com", "00012", "nullable", "guests"]
    assert [text for text in fine if is_blocked(text)] == []
