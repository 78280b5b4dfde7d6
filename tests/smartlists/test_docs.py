"""Every example of docs/smart-lists.md is read and run; the lists over purchases find whom a plain script finds."""

import csv
import re
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.conf import settings

from activities.types.definition import ActivityFieldSpec
from people.core.errors import RejectedError
from people.models import StaticList
from people.objects.definition import ObjectFieldSpec
from people.persons import upsert
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.models import SmartList
from smartlists.rules import model as rules
from smartlists.rules.text import language
from tests.factories import CHECK_FIELDS, MARKETO, approved_type, new_activity, record_rows
from tests.people.objects import world as objects

pytestmark = pytest.mark.django_db
DOCS = settings.BASE_DIR / "docs"
PAGE = (DOCS / "smart-lists.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```smartlist\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
REFUSED = re.findall(r"^```refused\n(.*?)^```\n((?:> [^\n]*\n)+)", PAGE, re.DOTALL | re.MULTILINE)
LISTS = sorted((DOCS / "examples" / "lists").glob("*.smartlist"))


@pytest.fixture
def things():
    approved_type(fields=(*CHECK_FIELDS, ActivityFieldSpec("recorded_by", "Recorded By")))
    approved_type("Attend Webinar", "attendWebinar", (ActivityFieldSpec("webinar", "Webinar", is_primary=True),))
    objects.approved_type()
    policy = (
        ObjectFieldSpec("number", "Number", is_dedupe=True),
        ObjectFieldSpec("holder", "Holder", "email", link_to="person", link_by="email"),
        ObjectFieldSpec("ends_on", "Ends On", "date"),
    )
    objects.approved_type("Policy", "policy", policy)
    StaticList.objects.create(name="VIP")
    SmartList.objects.create(name="Big depositors", rules={"version": 1, "match": "all", "filters": []})


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_of_the_page(things, text):
    document = language.parse_document(text, Catalogue())
    assert (
        language.parse_document(
            language.render_rules_text(document.rules, Catalogue(), document.name, document.description), Catalogue()
        )
        == document
    )
    assert evaluator.evaluate_rules(document.rules).count == 0  # there are no people, but every statement ran


@pytest.mark.parametrize(("text", "quoted"), REFUSED)
def test_a_refusal_of_the_page(things, text, quoted):
    with pytest.raises(RejectedError) as caught:
        language.parse_rules_text(text, Catalogue())
    assert str(caught.value) == " ".join(line.removeprefix("> ") for line in quoted.splitlines())


def test_the_page_has_what_it_promises():
    assert len(EXAMPLES) >= 7
    assert len(REFUSED) == 3
    assert {f"examples/lists/{file.name}" for file in LISTS} == set(
        re.findall(r"examples/lists/[\w-]+.smartlist", PAGE)
    )


Purchase = tuple[date, int, Decimal]


def regulars(bought: list[Purchase]) -> bool:
    return len(bought) >= 10


def big_spenders_in_a_row(bought: list[Purchase]) -> bool:
    large = [day for day, _cds, amount in bought if amount >= 50]
    return any(timedelta(0) < later - day <= timedelta(30) for day in large for later in large)


def lapsed(bought: list[Purchase]) -> bool:
    days = [day for day, _cds, _amount in bought]
    return min(days) < date(1997, 4, 1) and max(days) < date(1997, 7, 1)


def twice_a_stack(bought: list[Purchase]) -> bool:
    stacks = [amount for _day, cds, amount in bought if cds >= 3]
    return len(stacks) == 2 and sum(stacks) > 200 and all(amount for _day, _cds, amount in bought)


def quiet_for_half_a_year(bought: list[Purchase]) -> bool:
    days = [day for day, _cds, _amount in bought]
    amounts = [amount for _day, _cds, amount in bought]
    is_quiet = any(not any(timedelta(0) < later - day <= timedelta(180) for later in days) for day in days)
    is_moderate = 2 <= len(amounts) <= 4 and 20 <= sum(amounts) / len(amounts) <= 30
    return is_quiet and (is_moderate or amounts[days.index(max(days)) if days.count(max(days)) == 1 else -1] >= 100)


BY_HAND = (regulars, big_spenders_in_a_row, lapsed, twice_a_stack, quiet_for_half_a_year)


def test_lists_over_purchases_find_whom_a_script_finds():
    fields = (
        ActivityFieldSpec("order", "Order", is_primary=True),
        ActivityFieldSpec("cds", "CDs", "integer"),
        ActivityFieldSpec("amount", "Amount", "currency"),
    )
    approved_type("Buy CDs", "buyCds", fields)
    # "Buyed" is the name in tests.factories
    texts = {file.stem: file.read_text(encoding="utf-8").replace('"Bought CDs"', "`buyCds`") for file in LISTS}
    with (DOCS / "examples" / "purchases-sample.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    customers = sorted({row["customer_id"] for row in rows})
    outcomes = upsert.upsert_people([{"email": f"customer{one}@example.com"} for one in customers], MARKETO)
    ids = {one: outcome.person_id for one, outcome in zip(customers, outcomes, strict=True)}
    record_rows(
        *(
            new_activity(
                ids[row["customer_id"]], "buyCds", row["date"], row["order_id"], cds=row["cds"], amount=row["amount"]
            )
            for row in rows
        )
    )
    bought: dict[int, list[Purchase]] = defaultdict(list)
    for row in rows:
        bought[ids[row["customer_id"]]].append(
            (date.fromisoformat(row["date"]), int(row["cds"]), Decimal(row["amount"]))
        )
    assert {by_hand.__name__.replace("_", "-") for by_hand in BY_HAND} == set(texts)
    for by_hand in BY_HAND:
        document = language.parse_document(texts[by_hand.__name__.replace("_", "-")], Catalogue())
        expected = {person for person, purchases in bought.items() if by_hand(purchases)}
        assert set(evaluator.evaluate_members(document.rules)) == expected, document.name
        assert 0 < len(expected) < len(bought) or document.name == "Twice a stack", document.name
        assert rules.load_rules(rules.dump_rules(document.rules)) == document.rules
