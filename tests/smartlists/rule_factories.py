"""Makers for tests of smart lists: one-filter rules, and who they find."""

from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.rules.parsing import parse_rules


def parse_filters(*filters, match="all", **more):
    return parse_rules({"version": 1, "match": match, "filters": list(filters), **more}, Catalogue())


def person_field_filter(field="country", operator="is", *values, **more):
    return {"kind": "person_field", "field": field, "operator": operator, "values": list(values), **more}


def activity_filter(*constraints, type="depositCheck", did=True, **more):
    return {"kind": "activity", "type": type, "did": did, "constraints": list(constraints), **more}


def field_constraint(field, operator, *values, **more):
    return {"field": field, "operator": operator, "values": list(values), **more}


def count_condition(operator, *values):
    return {"operator": operator, "values": list(values)}


def aggregate_condition(function, field, operator, *values):
    return {"function": function, "field": field, "operator": operator, "values": list(values)}


def sequence_filter(*steps):
    return {"kind": "sequence", "steps": list(steps)}


def evaluate_filters(*filters, now=None, among=None, **more):
    return set(evaluator.evaluate_members(parse_filters(*filters, **more), among, now))
