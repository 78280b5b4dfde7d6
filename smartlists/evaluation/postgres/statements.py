"""One filter, one statement: the SQL that finds the people of a filter.

Pure translation: nothing here accesses the database. A statement returns person ids with duplicates; the bitmap
drops them faster than `distinct` would. Fewer rows never mean more people here: a filter on absence (did not,
at most, not on a list) is translated to its opposite and marked as a complement.
"""

from collections.abc import Callable, Sequence
from typing import Any

from activities.consent.state import CONSENTED_AT, GIVEN, LATEST_FIRST, OF_CONSENT, WITHDRAWN
from people.core.kinds import Facet
from people.datatypes.registry import BY_NAME
from smartlists.evaluation.postgres import conditions, field_sql, object_statements
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.evaluation.postgres.translation import (
    FilterStatement,
    TranslationContext,
    aggregate_condition,
    grouped_statement,
    join_sql,
    ungrouped,
)
from smartlists.rules import model as rules
from smartlists.rules.model import FILTERS
from smartlists.rules.vocabulary import VocabularyType

DAY = 24  # hours: a sequence counts hours, regardless of clock changes


def filter_statement(item: rules.Filter, context: TranslationContext) -> FilterStatement:
    """The statement of a filter; smart lists are evaluated separately and raise TypeError."""
    return STATEMENTS.of(item)(item, context)


def person_field_statement(item: rules.PersonField, context: TranslationContext) -> FilterStatement:
    field = context.names.person_field(item.field)
    condition = conditions.condition_sql(
        field_sql.person_field_sql(field), field.data_type, item.operator, item.values, item.empty, context.clock
    )
    where = join_sql([condition, *context.only_among("id")])
    return FilterStatement(Sql(f"(select id as person from person where {where.text}) found", where.params))


def static_list_statement(item: rules.StaticList, context: TranslationContext) -> FilterStatement:
    where = join_sql([Sql("static_list_id = %s", (item.list,)), *context.only_among("person_id")])
    source = Sql(f"(select person_id as person from static_list_member where {where.text}) found", where.params)
    return FilterStatement(source, is_complement=not item.member)


def activity_statement(item: rules.Activity, context: TranslationContext) -> FilterStatement:
    activity_type = context.names.type(item.type)
    rows = activity_rows_sql(activity_type, item.row_constraints, context)
    aggregate = None
    if item.aggregate:
        field = context.names.field(activity_type, item.aggregate.field)
        aggregate = aggregate_condition(item.aggregate, field, field_sql.activity_field_sql(field), context.clock)
    statement = grouped_statement(item, "activity", rows, aggregate)
    return statement if item.did else statement.opposite


def activity_rows_sql(
    activity_type: VocabularyType, constraints: Sequence[rules.Constraint], context: TranslationContext
) -> Sql:
    """The condition on `activity` for the rows that satisfy all constraints."""
    return join_sql(
        [
            Sql("activity_type_id = %s", (activity_type.id,)),
            *(constraint_sql(item, activity_type, context) for item in constraints),
            *context.only_among("person_id"),
        ]
    )


def constraint_sql(item: rules.Constraint, activity_type: VocabularyType, context: TranslationContext) -> Sql:
    """The condition of one constraint on a row of `activity` of that type."""
    field = context.names.field(activity_type, item.field)
    return conditions.condition_sql(
        field_sql.activity_field_sql(field), field.data_type, item.operator, item.values, item.empty, context.clock
    )


def _refuse_nested(item: rules.SmartList, _context: TranslationContext) -> FilterStatement:
    raise TypeError("a smart list is an evaluation of its own: `evaluator.EvaluationRun` combines it")


# --- Sequences ------------------------------------------------------------------------------------------------


def sequence_statement(item: rules.Sequence, context: TranslationContext) -> FilterStatement:
    """One pass over the rows of all steps in order of time, with the last completing row of each step.

    Of several rows that complete a step, the latest before a row counts: if any of them is near enough, it is.
    Rows of the same moment are peers; none comes before another.
    """
    rows = join_sql([_step_rows(number, step, context) for number, step in enumerate(item.steps, 1)], " union all ")
    steps = item.steps
    last = len(steps)
    if last == 2 and steps[1].within_days is None:
        return FilterStatement(
            Sql(
                f"(select person as person from ({rows.text}) rows group by person"
                " having min(at) filter (where step = 1) < max(at) filter (where step = 2)) found",
                rows.params,
            )
        )
    chained = last - 1 if steps[-1].is_not else last
    text = f"({rows.text}) rows"
    for number in range(2, chained + 1):
        text = (
            f"(select *, max(at) filter (where {_completes(number - 1, steps)}) over"
            f" (partition by person order by at groups between unbounded preceding and 1 preceding) as before_{number}"
            f" from {text}) rows"
        )
    if not steps[-1].is_not:
        return FilterStatement(Sql(f"(select person from {text} where {_completes(last, steps)}) found", rows.params))
    text = (
        f"(select *, min(at) filter (where step = {last}) over"
        f" (partition by person order by at desc groups between unbounded preceding and 1 preceding) as following"
        f" from {text}) rows"
    )
    hours = f"interval '{steps[-1].within_days * DAY} hours'"  # type: ignore[operator]
    where = f"{_completes(chained, steps)} and at + {hours} < %s and (following is null or following > at + {hours})"
    source = Sql(f"(select person from {text} where {where}) found", (*rows.params, context.clock.now))
    return FilterStatement(source)


def _step_rows(number: int, step: rules.Step, context: TranslationContext) -> Sql:
    rows = activity_rows_sql(context.names.type(step.type), step.row_constraints, context)
    return Sql(
        f"select person_id as person, occurred_at as at, {number} as step from activity where {rows.text}", rows.params
    )


def _completes(number: int, steps: Sequence[rules.Step]) -> str:
    """The SQL that is true for a row that completes the first `number` steps."""
    if number == 1:
        return "step = 1"
    within = steps[number - 1].within_days
    if within is None:
        return f"step = {number} and before_{number} is not null"
    return f"step = {number} and before_{number} >= at - interval '{within * DAY} hours'"


def consent_statement(item: rules.Consent, context: TranslationContext) -> FilterStatement:
    """The people whose latest consent for the purpose has the filter's state; see `activities.consent.state`."""
    rows = consent_rows_sql(item, context)
    if item.state == rules.UNKNOWN:
        return FilterStatement(ungrouped("activity", rows), is_complement=True)
    latest = f"""select distinct on (person_id) person_id, activity_type_id as type
        from activity where {rows.text} order by person_id, {LATEST_FIRST}"""
    source = f"(select person_id as person from ({latest}) latest where type = %s) found"
    return FilterStatement(Sql(source, (*rows.params, GIVEN if item.state == rules.GIVEN else WITHDRAWN)))


def consent_rows_sql(item: rules.Consent, context: TranslationContext) -> Sql:
    """The condition on `activity` for the consents of the purpose up to the filter's moment."""
    purpose = conditions.condition_sql("primary_value", BY_NAME["string"], "is", (item.purpose,), None, context.clock)
    until = Sql(f"{CONSENTED_AT} <= %s", (context.clock.now,))
    if item.on:
        moment = BY_NAME["datetime"]
        until = conditions.condition_sql(CONSENTED_AT, moment, "on or before", (item.on,), None, context.clock)
    return join_sql([Sql(OF_CONSENT), purpose, until, *context.only_among("person_id")])


STATEMENTS: Facet[Callable[[Any, TranslationContext], FilterStatement]] = FILTERS.facet(
    "statement in PostgreSQL",
    {
        "person_field": person_field_statement,
        "activity": activity_statement,
        "sequence": sequence_statement,
        "static_list": static_list_statement,
        "smart_list": _refuse_nested,
        "consent": consent_statement,
        "object": object_statements.object_statement,
    },
)
