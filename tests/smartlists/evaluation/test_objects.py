"""Filters on object records: whom they find, what proves it, and what they protect."""

from datetime import UTC, timedelta

import pytest
from django.utils.translation import override

from people.core.errors import RejectedError
from people.core.source import Channel, Source
from people.definitions import drafts, lifecycle
from people.models import ObjectChange, ObjectType
from people.objects import removal
from people.objects.outcomes import RecordKey
from people.persons import deletion, merge
from smartlists.catalog import Catalogue
from smartlists.evaluation import explanation
from smartlists.lists import diagnostics
from smartlists.lists import editing as list_editing
from smartlists.rules import model as rules
from smartlists.rules.sentences import list_sentence
from smartlists.rules.text import language
from tests.factories import approved_type, make_person
from tests.people.objects import world
from tests.people.objects.world import CAR_FIELDS, saved
from tests.smartlists.rule_factories import (
    aggregate_condition,
    count_condition,
    evaluate_filters,
    field_constraint,
    parse_filters,
)

pytestmark = pytest.mark.django_db
SOURCE = Source(Channel.API)


def has(*constraints, type="car", **more):
    return {"kind": "object", "type": type, "constraints": list(constraints), **more}


def changed(**more):
    return has(changed=more)


@pytest.fixture
def car():
    return world.approved_type()


@pytest.fixture
def ann():
    return make_person(email="ann@example.com")


@pytest.fixture
def bob():
    return make_person(email="bob@example.com")


def test_all_constraints_of_a_card_speak_of_one_record(car, ann, bob):
    saved(car, plate="1", owner=ann.email, colour="Red", price=100)
    saved(car, plate="2", owner=ann.email, colour="Blue", price=30_000)
    saved(car, plate="3", owner=bob.email, colour="RED", price=30_000)
    red, dear = field_constraint("colour", "is", "red"), field_constraint("price", "at least", 20_000)
    assert evaluate_filters(has(red)) == {ann.pk, bob.pk}
    assert evaluate_filters(has(red, dear)) == {bob.pk}
    assert evaluate_filters(has(red), has(dear)) == {ann.pk, bob.pk}
    assert evaluate_filters(has(red, dear, has=False)) == {ann.pk}


def test_counts_and_aggregates(car, ann, bob):
    nobody = make_person(email="cy@example.com")
    for plate, price in (("1", 10), ("2", 20), ("3", None)):
        saved(car, plate=plate, owner=ann.email, price=price)
    saved(car, plate="4", owner=bob.email, price=50)
    assert evaluate_filters(has(count=count_condition("exactly", 3))) == {ann.pk}
    assert evaluate_filters(has(count=count_condition("at most", 1))) == {bob.pk, nobody.pk}
    for function, value in (("sum", 30), ("average", 15), ("minimum", 10), ("maximum", 20)):
        assert evaluate_filters(has(aggregate=aggregate_condition(function, "price", "is", value))) == {ann.pk}
    with pytest.raises(RejectedError, match="first"):
        parse_filters(has(aggregate=aggregate_condition("first", "price", "is", 1)))


def test_deleted_waiting_and_moved_records(car, ann, bob):
    record = saved(car, plate="1", owner=ann.email)
    saved(car, plate="2", owner="later@example.com")
    assert evaluate_filters(has()) == {ann.pk}
    removal.delete_records(car, [{"id": record.pk}], SOURCE, key=RecordKey.ID)
    assert evaluate_filters(has()) == set() and evaluate_filters(has(has=False)) == {ann.pk, bob.pk}
    removal.restore_records(car, [record.pk], SOURCE)
    later = make_person(email="later@example.com")
    assert evaluate_filters(has()) == {ann.pk, later.pk}
    world.changed(record, owner=bob.email)
    assert evaluate_filters(has()) == {bob.pk, later.pk}
    merge.merge_people(ann.pk, [bob.pk], None, SOURCE)
    assert evaluate_filters(has()) == {ann.pk, later.pk}
    deletion.delete_people([ann.pk], None, SOURCE)
    assert evaluate_filters(has()) == {later.pk} and evaluate_filters(has(has=False)) == set()


def test_changes_of_values_and_nothing_else(car, ann, bob):
    painted = saved(car, plate="1", owner=ann.email, colour="Blue", is_electric=False, price=None)
    sold = saved(car, plate="2", owner=bob.email, colour="Red")
    assert evaluate_filters(changed()) == set(), "to be added is no change"
    world.changed(painted, colour="Red", is_electric=True, price=5)
    removal.delete_records(car, [{"id": sold.pk}], SOURCE, key=RecordKey.ID)
    removal.restore_records(car, [sold.pk], SOURCE)
    moment = ObjectChange.objects.get(record_id=painted.pk, kind=ObjectChange.Kind.CHANGED).changed_at
    day, now = f"{moment.astimezone(UTC):%Y-%m-%d}", moment + timedelta(days=2)
    for finding in (
        {},
        {"field": "colour"},
        {"field": "colour", "from": ["green", "BLUE"], "to": ["red"]},
        {"field": "is_electric", "to": ["true"]},
        {"field": "price", "to": ["5.00"]},
        {"operator": "in past", "values": ["3 days"]},
        {"field": "colour", "operator": "between", "values": [day, day]},
    ):
        assert evaluate_filters(changed(**finding), now=now) == {ann.pk}, finding
    for missing in (
        {"field": "mileage"},
        {"field": "colour", "from": ["red"]},
        {"field": "colour", "from": ["blue"], "to": ["green"]},
        {"field": "price", "from": ["5"]},
        {"operator": "in past", "values": ["1 day"]},
    ):
        assert evaluate_filters(changed(**missing), now=now) == set(), missing


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"type": "bus"}, ("type",)),
        ({"changed": {"field": "wheels"}}, ("changed", "field")),
        ({"changed": {"field": "@updated_at"}}, ("changed", "field")),
        ({"changed": {"from": ["Blue"]}}, ("changed", "from")),
        ({"changed": {"field": "price", "to": ["dear"]}}, ("changed", "to", 0)),
        ({"changed": {"field": "is_electric", "to": ["true", "false"]}}, ("changed", "to")),
        ({"changed": {"operator": "is empty"}}, ("changed", "operator")),
        ({"changed": {"values": ["2 days"]}}, ("changed", "operator")),
        ({"bots": "only"}, ("bots",)),
        ({"has": "yes"}, ("has",)),
    ],
)
def test_what_is_refused_and_where(car, wrong, path):
    with pytest.raises(RejectedError) as refusal:
        parse_filters({**has(), **wrong})
    assert [problem.path for problem in refusal.value.problems] == [("filters", 0, *path)]


def test_only_approved_types_with_a_link_to_a_person(car):
    world.approved_type("Course", "course", world.COURSE_FIELDS)
    world.draft_type("Boat", "boat", CAR_FIELDS)
    assert list(Catalogue().objects) == ["car"]


def test_an_activity_type_of_the_same_name_is_another_thing(car, ann):
    approved_type("Rent Car", "car")
    saved(car, plate="1", owner=ann.email, colour="Red")
    parsed = parse_filters(has(field_constraint("colour", "is", "Red")), {"kind": "activity", "type": "car"})
    text = language.render_rules_text(parsed, Catalogue())
    assert 'has object Car where Colour is "Red"' in text
    assert language.parse_rules_text(text, Catalogue()) == parsed


def test_words_of_the_text_form_as_names_of_fields():
    link = {"link_to": "person", "link_by": "email"}
    fields = [world.ObjectFieldSpec("plate", "From", is_dedupe=True), world.ObjectFieldSpec("to", "To")]
    fields += [world.ObjectFieldSpec("owner", "Changed", "email", **link), world.ObjectFieldSpec("has", "Has")]
    world.approved_type("Object", "object_", fields)
    cards = [has(type="object_", changed={"field": name, "from": ["a"]}) for name in ("plate", "to", "owner", "has")]
    parsed = parse_filters(
        *cards, has(*(field_constraint(field.api_name, "is", "x") for field in fields), type="object_")
    )
    text = language.render_rules_text(parsed, Catalogue())
    assert language.parse_rules_text(text, Catalogue()) == parsed, text
    with pytest.raises(RejectedError, match="a period goes with"):
        language.parse_rules_text("1: has object `object_` in past 3 days", Catalogue())


def test_the_records_that_prove_it_and_the_nearest_miss(car, ann):
    red = saved(car, plate="1", owner=ann.email, colour="Red", price=19_000)
    dear = field_constraint("price", "at least", 20_000)

    def verdict(card):
        (found,) = explanation.explain_membership(parse_filters(card), ann.pk).verdicts
        return found

    proof = verdict(has(field_constraint("colour", "is", "red")))
    assert [(one.record_id, one.name) for one in proof.records] == [(red.pk, "1")] and proof.times == 1
    assert verdict(has(aggregate=aggregate_condition("sum", "price", "greater than", 1))).value == "19000"
    for card, code, text in (
        (has(dear), "too_low", "Price: 19,000 USD, 1,000 USD too low"),
        (has(has=False), "has", "has 1 such record"),
        (has(count=count_condition("at least", 2)), "too_few", "1 of 2 records"),
        (has(count=count_condition("at most", 0)), "too_many", "1 record, at most 0"),
        (changed(field="colour"), "not_changed", "did not change like this"),
    ):
        miss = verdict(card).miss
        assert (miss.code, miss.text) == (code, text)
    removal.delete_records(car, [{"id": red.pk}], SOURCE, key=RecordKey.ID)
    assert verdict(has(dear)).miss.text == "has no such record"


def test_a_list_protects_its_object_type_and_fields_and_says_what_became_of_them(car):
    card = has(field_constraint("colour", "is", "red"), changed={"field": "model"})
    made = list_editing.create_smart_list("Red cars", {"filters": [card]}, None)
    with pytest.raises(RejectedError, match="Red cars"):
        lifecycle.delete_definition(car, None)
    for kept in ("colour", "model"):
        fields = [field for field in CAR_FIELDS if field.api_name != kept]
        drafts.set_draft_fields(ObjectType.objects.get(pk=car.pk), fields, None)
        with pytest.raises(RejectedError, match="Red cars"):
            lifecycle.approve_draft(ObjectType.objects.get(pk=car.pk), None)
    lifecycle.discard_draft(ObjectType.objects.get(pk=car.pk), None)
    lifecycle.retire_definition(ObjectType.objects.get(pk=car.pk), None)
    (problem,) = diagnostics.smart_list_problems(made)
    assert problem.code == "retired_type"
    list_editing.change_smart_list(made, None, value={"filters": []})
    lifecycle.delete_definition(ObjectType.objects.get(pk=car.pk), None)
    assert [one.code for one in diagnostics.rules_problems(rules.load_rules(made.rules), Catalogue())] == [
        "deleted_type"
    ]


def test_a_removed_field_and_contradictions_are_told(car):
    drafts.set_draft_fields(car, [field for field in CAR_FIELDS if field.api_name != "colour"], None)
    lifecycle.approve_draft(ObjectType.objects.get(pk=car.pk), None)
    price = (field_constraint("price", "is", 1), field_constraint("price", "is", 2))
    cards = (has(field_constraint("colour", "is", "red")), has(*price), has(*price, has=False))
    found = diagnostics.filter_problems(parse_filters(*cards))
    assert [problem.code for problem in found] == ["removed_field", "never_matches", "always_matches"]


SENTENCES = [
    (has(), "Has at least 1 record of “Car”.", "Tiene al menos 1 registro de «Car»."),
    (
        changed(field="colour", to=["Red"], operator="in past", values=["30 days"]),
        "Has at least 1 record of “Car” where Colour changed to “Red”, and the date of the change is in the past 30 days,"
        " up to now. Days and times are in UTC.",
        "Tiene al menos 1 registro de «Car» en que Colour cambió a «Red», y la fecha del cambio",
    ),
    (
        has(has=False, count=count_condition("at least", 2)),
        "Everyone except people who match this: Has at least 2 records of “Car”. People without any such record are"
        " included.",
        "Todas las personas excepto",
    ),
]


@pytest.mark.parametrize(("card", "english", "spanish"), SENTENCES)
def test_sentences(car, card, english, spanish):
    parsed = parse_filters(card)
    assert list_sentence(parsed, Catalogue()) == english
    with override("es"):
        assert list_sentence(parsed, Catalogue()).startswith(spanish)
