"""The text form: all rules are converted there and back, and faults are shown where they are."""

import time

import pytest
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.models import ActivityType
from activities.types.definition import ActivityFieldSpec
from people.core.errors import RejectedError
from people.definitions import drafts, lifecycle
from people.models import PersonField, StaticList
from smartlists.catalog import Catalogue
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules
from smartlists.rules.text import language
from tests.factories import approved_type
from tests.hypothesis_profiles import examples
from tests.smartlists import oracle_worlds, strategies

pytestmark = pytest.mark.django_db
QUIET = settings(
    max_examples=examples(40, 800),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture
def names(db):
    oracle_worlds.make_catalogue()
    for number in (1, 2):
        oracle_worlds.insert_static_list(number, [])
        oracle_worlds.insert_smart_list(number, {"version": 1, "match": "all", "filters": []})
    return Catalogue()


def refused(text):
    """(line, column, message) of every problem."""
    with pytest.raises(RejectedError) as caught:
        language.parse_rules_text(text, Catalogue())
    return [(problem.path[1], problem.path[3], problem.message) for problem in caught.value.problems]


@QUIET
@given(data=st.data(), scene=strategies.scenes())
def test_every_list_goes_to_text_and_back(names, data, scene):
    oracle_worlds.set_clock(scene.zone, scene.week_starts_on)
    form = data.draw(strategies.rules(scene, list(names.static_lists), list(names.smart_lists)))
    found = parse_rules(form, names)
    name, description = data.draw(st.sampled_from((("", ""), ('A "list"\\n', "Why…\u202e\n"), ("é", ""))))
    text = language.render_rules_text(found, names, name, description)
    document = language.parse_document(text, names)
    assert document.rules == found
    assert (document.name, document.description) == (name, description)
    assert language.render_rules_text(document.rules, names, name, description) == text


@QUIET
@given(text=st.text(min_size=1, max_size=80))
def test_any_text_is_a_value_that_comes_back(names, text):
    form = {"kind": "person_field", "field": "country", "operator": "contains", "values": [text]}
    try:
        found = parse_rules({"filters": [form]}, names)
    except RejectedError:
        return  # blank, or NUL, which no value has
    written = language.render_rules_text(found, names)
    assert written.count("\n") == 2, "one filter, one line"
    assert language.parse_rules_text(written, names) == found


@QUIET
@given(text=st.text(alphabet=st.sampled_from(list('"`“”\\#:,()<>=!-0123456789 \nTZabdinort\0é')), max_size=60))
def test_any_rubbish_is_refused_with_its_place(names, text):
    try:
        language.parse_rules_text(text, names)
    except RejectedError as error:
        for problem in error.problems:
            _line, line, _column, column = problem.path
            assert 1 <= line <= text.count("\n") + 1
            assert 1 <= column <= max(map(len, text.split("\n"))) + 1


FULL = """smart list "Big depositors"
description "Worth a call"

match 1 and (2 or not 3) and 4 and 5 and 6 and 7

1: did "Deposited Check" where Amount > 500 and Branch is any of "Madrid", "Málaga" at least 2 times in past 90 days
2: Country is not "Spain" exclude empty
3: did not "Rated Film" where "Seen On" >= 2026-01-01 include empty with average of Stars < 3.5
4: sequence "Deposited Check"
     then "Rated Film" where Stars between 1 and 3 in time frame last quarter within 7 days
     then not "Signed Up" within 1 day
5: in static list "List 1"
6: not in smart list "Smart 2"
7: Unsubscribed is empty
"""


def test_a_whole_file(names):
    document = language.parse_document(FULL, Catalogue())
    assert (document.name, document.description) == ("Big depositors", "Worth a call")
    first, second, third, fourth, *_rest = document.rules.filters
    assert first == rules.Activity(
        "depositCheck",
        True,
        (
            rules.Constraint("amount", "greater than", ("500",)),
            rules.Constraint("branch", "is", ("Madrid", "Málaga")),
            rules.Constraint("@occurred_at", "in past", ("90 days",)),
        ),
        rules.Count("at least", ("2",)),
    )
    assert second == rules.PersonField("country", "is not", ("Spain",), "exclude")
    assert third.constraints == (rules.Constraint("seen_on", "on or after", ("2026-01-01",), "include"),)
    assert fourth.steps[-1] == rules.Step("sign_up", (), 1, True)
    assert document.rules.logic == "1 and (2 or not 3) and 4 and 5 and 6 and 7"
    assert (
        language.parse_document(
            language.render_rules_text(document.rules, Catalogue(), document.name, document.description), Catalogue()
        )
        == document
    )
    assert "`" not in language.render_rules_text(document.rules, Catalogue())


@pytest.mark.parametrize(
    "text",
    [
        '1:DID depositCheck\n WHERE amount>500 AND "branch" IS "Madrid" # the capital\nAT LEAST 2 times',
        "1: did `depositCheck` at least 2 times where `amount` > 500 and Branch = “Madrid”",
        '\ufeffmatch all\r\n\r\n1: did "Deposit Check" where amount > 500 and Branch is any of "Madrid" at least 2 times',
        '1: did "deposited_check" where AMOUNT greater than 500 and Branch is "Madr\\u0069d" at least 2 time',
    ],
)
def test_one_meaning_written_differently(names, text):
    assert language.render_rules_text(language.parse_rules_text(text, Catalogue()), Catalogue()) == (
        'match all\n1: did "Deposited Check" where Amount > 500 and Branch is "Madrid" at least 2 times\n'
    )


FAULTS = [
    ('1: Country begins with "S"', 1, 12, "did you mean “starts with”?"),
    ("1: Country is Spain", 1, 15, "text goes in quotes"),
    ('1: Contry is "Spain"', 1, 4, "did you mean “Country”?"),
    ('match all\n1: did "Depositd Check"', 2, 8, "did you mean “Deposited Check”?"),
    ('1: did "Deposited Check"\n   where Amont > 5', 2, 10, "did you mean “Amount”?"),
    ('1: did "Deposited Check" where Amount > "x"', 1, 41, "expected an amount"),
    ('1: did "Deposited Check" wher Amount > 5', 1, 26, "did you mean “where”?"),
    ('1: did "Deposited Check" at leest 2 times', 1, 26, "did you mean “at least”?"),
    ('1: did "Deposited Check" more than 2 times', 1, 26, "did you mean “at least”?"),
    ('1: did "Deposited Check" in past 3 fortnights', 1, 36, "expected hours, days, weeks, months or years"),
    ('1: did "Deposited Check', 1, 8, "this quote does not end on its line"),
    ('1: Country is "Spain\n2: City is "x"', 1, 15, "this quote does not end on its line"),
    ('1: Country is "Sp\\ain"', 1, 15, "unknown escape"),
    ('1: Country is "\\ud800"', 1, 15, "unknown escape"),
    ('1: Country is "a"\n3: City is "b"', 2, 1, "expected filter 2"),
    ("1: Country > 5", 1, 12, "there is no operator for text “greater than”"),
    ("1: Unsubscribed = yes", 1, 19, "did you mean “true”?"),
    ('1: Country is "a" or City is "b"', 1, 19, "filters are combined in the line that begins with “match”"),
    ('1: in static list "VIP"', 1, 19, "there is no static list “VIP”"),
    ("1: in smart list 99", 1, 18, "there is no smart list “99”"),
    ('1: did "Deposited Check" where Amount between 5 and 1', 1, 47, "the second value comes before the first"),
    ('1: sequence "Deposited Check" then not "Signed Up"', 1, 40, "needs the number of days"),
    ('1: did "Signed Up" at least 1 time at most 3 times', 1, 36, "given twice"),
    ("1: ", 1, 4, "got the end of the text"),
    ("\0", 1, 1, "expected"),
    # logic: the column at which it goes wrong
    ('match 1 and 2 or 1\n1: City is "a"\n2: City is "b"', 1, 15, "“and” and “or” are mixed here"),
    ('match 1 and (2 or 1 and 2)\n1: City is "a"\n2: City is "b"', 1, 21, "“and” and “or” are mixed here"),
    ('match (1 and 2\n1: City is "a"\n2: City is "b"', 2, 1, "expected )"),
    ('match 1 and 2)\n1: City is "a"\n2: City is "b"', 1, 14, "got “)”"),
    ('match 1 and\n1: City is "a"', 2, 1, "expected a number, not, ("),
    ('match 1 and 3\n1: City is "a"', 1, 13, "there is no filter 3"),
    ('match 1\n1: City is "a"\n2: City is "b"', 1, 7, "filter 2 is missing"),
    (f'match {"(" * 31}1{")" * 31}\n1: City is "a"', 1, 37, "at most 30 deep"),
]


def test_faults_are_shown_where_they_are(names):
    for text, line, column, message in FAULTS:
        ((found_line, found_column, found),) = refused(text)
        assert (found_line, found_column) == (line, column), (text, found)
        assert message in found
        assert found.startswith(f"line {line}, column {column}: ")


def test_every_wrong_name_is_found_at_once(names):
    found = refused('1: Contry is "a"\n2: did "Rated Flim"\n3: did "Rated Film" where Strs > 1')
    assert [place[:2] for place in found] == [(1, 4), (2, 8), (3, 27)]


def test_an_ambiguous_name_asks_for_the_api_name_and_is_written_with_it(db):
    """Two labels that differ by a composed letter only are one name when typed."""
    PersonField.objects.create(api_name="one", label="Caf\u00e9", data_type="string")
    PersonField.objects.create(api_name="two", label="Cafe\u0301", data_type="string")
    assert "`one`, `two`" in refused('1: Café is "x"')[0][2]
    found = language.parse_rules_text('1: `two` is "x"', Catalogue())
    assert found.filters[0].field == "two"
    assert language.render_rules_text(found, Catalogue()) == 'match all\n1: `two` is "x"\n'


def test_a_removed_field_keeps_its_api_name(db):
    approved = approved_type()
    drafts.set_draft_fields(
        approved, [ActivityFieldSpec("check", "Check", is_primary=True), ActivityFieldSpec("sum", "Amount")], None
    )
    lifecycle.approve_draft(ActivityType.objects.get(pk=approved.pk), None)
    text = 'match all\n1: did "Deposited Check" where amount > 5 and Amount is "x"\n'
    with pytest.raises(RejectedError):
        language.parse_rules_text(text, Catalogue())  # Amount is text now
    found = language.parse_rules_text(text.replace("amount >", "`amount` >"), Catalogue())
    assert [constraint.field for constraint in found.filters[0].constraints] == ["amount", "sum"]
    assert language.parse_rules_text(language.render_rules_text(found, Catalogue()), Catalogue()) == found


def test_lists_are_written_by_number_when_their_name_does_not_tell(db):
    lists = [StaticList.objects.create(name=name) for name in ("Caf\u00e9", "Cafe\u0301", 'A "b"\n')]
    found = parse_rules(
        {"filters": [{"kind": "static_list", "list": row.pk, "member": False} for row in lists]}, Catalogue()
    )
    text = language.render_rules_text(found, Catalogue())
    assert text.splitlines()[1:] == [
        f"1: not in static list {lists[0].pk}",
        f"2: not in static list {lists[1].pk}",
        r'3: not in static list "A \"b\"\n"',
    ]
    assert language.parse_rules_text(text, Catalogue()) == found


def test_huge_texts_are_refused_at_once(names):
    def first(text):
        return refused(text)[0]

    started = time.process_time()
    assert "at most 800,000 characters" in first('1: Country is "' + "x" * 1_000_000 + '"')[2]
    assert "at most 120,000 words" in first(f"match {'(' * 100_000}1{')' * 100_000}\n1: Country is 1")[2]
    assert [place[:2] for place in refused("1: Country is " + ", ".join('"x"' for _ in range(1_001)))] == [(1, 15)]
    assert first("\n".join(f'{number}: Country is "x"' for number in range(1, 10_000)))[:2] == (201, 1)
    assert len(refused("1: did Weighed where " + " and ".join(f"x{number} > 1" for number in range(10_000)))) == 100
    assert time.process_time() - started < 20


def test_standard_fields_are_understood_in_the_readers_language_and_written_as_stored():
    with translation.override("es"):
        found = language.parse_rules_text('match all\n1: Apellidos is "Núñez"', Catalogue())
        assert language.render_rules_text(found, Catalogue()).strip().endswith('"Last Name" is "Núñez"')
    assert found.filters[0].field == "last_name"
