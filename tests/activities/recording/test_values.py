"""JSON values are recorded as columns where they are alike, and always with the outcomes of single rows."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.models import RefusedActivity
from activities.recording import stream
from activities.recording.parsing import ActivityParser
from people.core.source import Channel, Source
from people.datatypes.exact_json import RepeatedKeys
from people.models import Person
from tests.activities.recording.test_column_recorder import answer, stored
from tests.factories import approved_type, make_person
from tests.hypothesis_profiles import examples

pytestmark = pytest.mark.django_db
SOURCE = Source(Channel.API)


def usual(**kinds):
    """Mostly the first value, now and then one of the others: values that are alike, and one that is not."""
    return st.fixed_dictionaries(
        {}, optional={name: st.sampled_from([values[0]] * 12 + list(values)) for name, values in kinds.items()}
    )


PEOPLE = (
    {"email": "ann@example.com"},
    {"email": "bob@example.com"},
    {"email": "new@example.com"},
    {"email": " ann@example.com "},
    {"email": ""},
    {"email": 5},
    {"id": 1},
    {"plan": "x"},
    {"email": "a@b.c", "id": 1},
    {},
    "ann",
    None,
    10**30,
)
ATTRIBUTES = usual(
    amount=(Decimal("1.50"), 3, "x", None, ""),
    branch=("Lyon", "Lyon ", "", 7, "a\0b"),
    pages=("3", 3, Decimal("3.5"), True, "1\n2", "1\n", "\n"),
    Pages=(3, None),
    colour=("red", None),
)
ROWS = st.fixed_dictionaries(
    {"activity_type": st.sampled_from(["depositCheck"] * 20 + [7, True, None, "unknown", ["depositCheck"]])},
    optional={
        "person": st.sampled_from([PEOPLE[0]] * 12 + list(PEOPLE)),
        "occurred_at": st.sampled_from(["2026-11-20T10:00:00Z"] * 9 + ["2026-11-20 10:00", "soon", None, 5]),
        "primary_value": st.sampled_from(["No. 1"] * 9 + ["", None, 5, ["No. 1"]]),
        "attributes": st.one_of([ATTRIBUTES] * 9 + [st.sampled_from([None, [], "x", RepeatedKeys(amount=1)])]),
        "external_id": st.sampled_from([None, "k1", "k2", " ", 7]),
        "create_person": st.sampled_from([True] * 9 + [False, None, 1]),
    },
).filter(lambda row: len(row) > 3)


@pytest.fixture
def world():
    approved_type()
    make_person(email="ann@example.com")
    make_person(email="bob@example.com")
    return {
        "may create": get_user_model().objects.create_superuser("olga"),
        "may not": get_user_model().objects.create_user("ben"),
    }


def recorded(values, parser, dry_run=False):
    """The outcomes, and all that is stored by then; nothing stays."""
    with transaction.atomic():
        outcomes = stream.record_values(values, SOURCE, parser, dry_run=dry_run)
        people = sorted(Person.objects.values_list("email", flat=True))
        kept = sorted(RefusedActivity.objects.values_list("key", "raw", "code", "times"), key=str)
        activities, keys = stored()
        emails = dict(Person.objects.values_list("pk", "email"))
        named = [[(emails[person_id], *rest) for person_id, *rest in rows] for rows in (activities, keys)]
        transaction.set_rollback(True)
    return [answer(outcome) for outcome in outcomes], people, kept, named


def test_values_have_the_outcomes_of_single_rows(world):
    as_columns = []

    @settings(max_examples=examples(150, 3_000))
    @given(st.lists(ROWS, min_size=1, max_size=5), st.sampled_from(sorted(world)), st.booleans())
    def agree(values, who, dry_run):
        parser = ActivityParser(world[who])
        columns = parser.columns(values)
        if columns is None:
            return
        as_columns.append(len(columns))
        by_columns = recorded(values, parser, dry_run)
        parser.columns = lambda _values: None
        assert by_columns == recorded(values, parser, dry_run)

    agree()
    assert len(as_columns) > 20 and max(as_columns) > 1


def test_values_that_are_alike_are_columns(world):
    parser = ActivityParser(world["may create"])
    alike = [
        {
            "activity_type": "depositCheck",
            "person": place,
            "occurred_at": "2026-11-20T10:00:00Z",
            "attributes": {"a": 1},
        }
        for place in range(1, 300)
    ]
    columns = parser.columns(alike)
    assert columns is not None and len(columns) == 299 and columns[5] == parser.translate(alike[5])
    sparse = [{**row, "attributes": {f"a{place}": 1}} for place, row in enumerate(alike)]
    assert parser.columns(sparse) is None  # 299 columns of 299 cells for 299 values
    assert parser.columns([*alike, {**alike[0], "activity_type": "other"}]) is None
    assert parser.columns([*alike, {**alike[0], "person": {"email": "ann@example.com"}}]) is None
    assert parser.columns([*alike, RepeatedKeys(alike[0])]) is None
    assert parser.columns([*alike, "depositCheck"]) is None
