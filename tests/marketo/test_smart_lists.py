"""Smart lists over the asset API, rules included."""

import pytest

from config.marketo.resources import smart_list_rules
from people.lists import static_lists
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from tests.factories import approved_type
from tests.marketo.conftest import code, result

ASSET = "/rest/asset/v1"


@pytest.fixture
def regulars(db):
    approved_type()
    seeds = static_lists.create_static_list("Seeds", None)
    other = list_editing.create_smart_list("Others", {"version": 1, "match": "all", "filters": []}, None)
    return list_editing.create_smart_list(
        "Regulars",
        {
            "version": 1,
            "match": "advanced",
            "logic": "1 and (2 or not 3) and 4 and 5",
            "filters": [
                {
                    "kind": "activity",
                    "did": True,
                    "type": "depositCheck",
                    "constraints": [
                        {"field": "check", "operator": "is", "values": ["No. 1"]},
                        {"field": "amount", "operator": "greater than", "values": ["500"]},
                        {"field": "@occurred_at", "operator": "in past", "values": ["30 days"]},
                    ],
                    "count": {"operator": "at least", "values": ["2"]},
                },
                {"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain", "Italy"]},
                {"kind": "static_list", "list": seeds.pk, "member": True},
                {"kind": "smart_list", "list": other.pk, "member": False},
                {
                    "kind": "sequence",
                    "steps": [
                        {"type": "depositCheck", "constraints": []},
                        {"type": "clickLink", "constraints": [], "within_days": 7, "not": True},
                    ],
                },
            ],
        },
        None,
        description="Twice a month",
    )


def test_rules_in_the_documented_shape(dialect, regulars):
    (row,) = result(dialect.get(f"{ASSET}/smartList/{regulars.pk}.json", includeRules="True"))
    rules = row["rules"]
    assert (rules["filterMatchType"], rules["triggers"]) == ("advanced", [])
    assert rules["filterCustomRuleLogic"] == "1 and (2 or not 3) and 4 and 5"
    deposited, country, seeds, other, sequence = rules["filters"]
    assert [one["id"] for one in rules["filters"]] == [1, 2, 3, 4, 5]
    assert (deposited["name"], deposited["ruleType"], deposited["operator"]) == (
        "Deposited Check",
        "Activity",
        "occurs",
    )
    check, amount, moment, times = deposited["conditions"]
    assert deposited["ruleTypeId"] >= 100_001 and (check["isPrimary"], amount["isPrimary"]) == (True, False)
    assert (amount["activityAttributeName"], amount["operator"], amount["values"]) == (
        "Amount",
        "greater than",
        ["500"],
    )
    assert moment == {
        "activityAttributeId": -101,
        "activityAttributeName": "Date of Activity",
        "operator": "in past",
        "values": ["30 days"],
        "isPrimary": False,
    }
    assert (times["operator"], times["values"]) == ("at least", ["2"])
    assert (country["name"], country["operator"], country["conditions"][0]["values"]) == (
        "Country",
        "is",
        ["Spain", "Italy"],
    )
    assert (seeds["operator"], seeds["conditions"][0]["values"]) == ("in", ["Seeds"])
    assert (other["operator"], other["conditions"][0]["values"]) == ("not in", ["Others"])
    assert [step["operator"] for step in sequence["steps"]] == ["occurs", "not followed by within 7 days"]


def test_each_number_of_a_condition_means_one_thing():
    common = smart_list_rules.COMMON
    counts, aggregated = {smart_list_rules.TIMES[0], smart_list_rules.COUNTED[0]}, smart_list_rules.AGGREGATED
    assert len({*(number for number, _name in common.values()), *counts, aggregated}) == len(common) + 2


def test_lists_are_found_cloned_and_deleted(dialect, regulars):
    assert [row["name"] for row in result(dialect.get(f"{ASSET}/smartLists.json"))] == ["Others", "Regulars"]
    (row,) = result(dialect.get(f"{ASSET}/smartList/{regulars.pk}.json"))
    assert "rules" not in row and row["description"] == "Twice a month" and row["createdAt"].endswith("Z+0000")
    # a public client uses POST
    assert result(dialect.form(f"{ASSET}/smartList/{regulars.pk}.json", _method="GET")) == [row]
    assert result(dialect.get(f"{ASSET}/smartList/byName.json", name="Regulars")) == [row]
    (copy,) = result(
        dialect.post(
            f"{ASSET}/smartList/{regulars.pk}/clone.json?name=Copy&folder=%7B%27id%27%3A%201%2C%20%27type%27%3A%20Folder%7D"
        )
    )
    assert SmartList.objects.get(pk=copy["id"]).parsed == regulars.parsed and "description" not in copy
    again = dialect.form(
        f"{ASSET}/smartList/{regulars.pk}/clone.json", name="copy", folder='{"id": 1, "type": "Folder"}'
    )
    assert again.json()["errors"] == [{"code": "709", "message": "Smart List with the same name already exists"}]
    assert result(dialect.post(f"{ASSET}/smartList/{copy['id']}/delete.json")) == [{"id": copy["id"]}]
    used = SmartList.objects.get(name="Others")
    body = dialect.post(f"{ASSET}/smartList/{used.pk}/delete.json").json()
    assert body["errors"][0]["code"] == "709" and "Regulars" in body["errors"][0]["message"]
    assert "result" not in dialect.get(f"{ASSET}/smartList/99999.json").json()
    assert code(dialect.post(f"{ASSET}/smartList/99999/delete.json")) == "702"


def test_a_type_in_use_is_not_deleted(dialect, regulars):
    assert code(dialect.post("/rest/v1/activities/external/type/depositCheck/delete.json")) == "1022"


def test_each_verb_needs_its_right(dialect_with, regulars):
    reader = dialect_with("smartlists.view_smartlist")
    assert result(reader.get(f"{ASSET}/smartLists.json"))
    assert code(reader.form(f"{ASSET}/smartList/{regulars.pk}/clone.json", name="x", folder='{"id": 1}')) == "603"
    assert code(reader.post(f"{ASSET}/smartList/{regulars.pk}/delete.json")) == "603"
