"""Makers for tests of smart lists: one-filter rules, and who they find."""

from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.rules.parsing import parse_rules


def parsed(*filters, match="all", **more):
    return parse_rules({"version": 1, "match": match, "filters": list(filters), **more}, Catalogue())


def person(field="country", operator="is", *values, **more):
    return {"kind": "person_field", "field": field, "operator": operator, "values": list(values), **more}


def did(*constraints, type="depositCheck", did=True, **more):
    return {"kind": "activity", "type": type, "did": did, "constraints": list(constraints), **more}


def where(field, operator, *values, **more):
    return {"field": field, "operator": operator, "values": list(values), **more}


def count(operator, *values):
    return {"operator": operator, "values": list(values)}


def total(function, field, operator, *values):
    return {"function": function, "field": field, "operator": operator, "values": list(values)}


def sequence(*steps):
    return {"kind": "sequence", "steps": list(steps)}


def found(*filters, now=None, among=None, **more):
    return set(evaluator.evaluate_members(parsed(*filters, **more), among, now))
