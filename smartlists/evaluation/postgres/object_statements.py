"""The statement of a filter on object records, and its conditions on `object_record` and `object_change`.

A record counts while it is not deleted and its link names a person: the present one, not an earlier one.
"""

from people.datatypes.registry import DataType
from people.models import ObjectChange
from smartlists.evaluation.postgres import conditions, field_sql
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.evaluation.postgres.translation import (
    FilterStatement,
    TranslationContext,
    aggregate_condition,
    grouped_statement,
    join_sql,
)
from smartlists.rules import model as rules
from smartlists.rules.operators import MOMENT
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import VocabularyObject


def object_statement(item: rules.Object, context: TranslationContext) -> FilterStatement:
    object_type = context.names.object(item.type)
    aggregate = None
    if item.aggregate:
        field = context.names.field(object_type, item.aggregate.field)
        aggregate = aggregate_condition(item.aggregate, field, field_sql.record_field_sql(field), context.clock)
    statement = grouped_statement(item, "object_record", record_rows_sql(item, object_type, context), aggregate)
    return statement if item.has else statement.opposite


def record_rows_sql(item: rules.Object, object_type: VocabularyObject, context: TranslationContext) -> Sql:
    """The condition on `object_record` for the records that satisfy the constraints and have the filter's change."""
    return join_sql([base_rows_sql(object_type, context), *record_conditions(item, object_type, context)])


def base_rows_sql(object_type: VocabularyObject, context: TranslationContext) -> Sql:
    """The condition on `object_record` for the records of the type that count."""
    of_type = Sql("object_type_id = %s and deleted_at is null and person_id is not null", (object_type.id,))
    return join_sql([of_type, *context.only_among("person_id")])


def record_conditions(item: rules.Object, object_type: VocabularyObject, context: TranslationContext) -> list[Sql]:
    """The conditions on a record: one for each constraint, in order, then that on its history if there is one."""
    parts = [constraint_sql(constraint, object_type, context) for constraint in item.constraints]
    return [*parts, _changed_sql(item.changed, object_type, context)] if item.changed else parts


def constraint_sql(item: rules.Constraint, object_type: VocabularyObject, context: TranslationContext) -> Sql:
    """The condition of one constraint on a row of `object_record` of that type."""
    field = context.names.field(object_type, item.field)
    return conditions.condition_sql(
        field_sql.record_field_sql(field), field.data_type, item.operator, item.values, item.empty, context.clock
    )


def _changed_sql(item: rules.Change, object_type: VocabularyObject, context: TranslationContext) -> Sql:
    where = change_rows_sql(item, object_type, context)
    return Sql(f"id in (select record_id from object_change where {where.text})", where.params)


def change_rows_sql(item: rules.Change, object_type: VocabularyObject, context: TranslationContext) -> Sql:
    """The condition on `object_change` for the filter's changes: of values, so no record that was added or deleted."""
    parts = [Sql("object_type_id = %s and kind = %s", (object_type.id, int(ObjectChange.Kind.CHANGED)))]
    if item.operator:
        parts.append(conditions.condition_sql("changed_at", MOMENT, item.operator, item.values, None, context.clock))
    if item.field:
        parts += field_change_conditions(item, context.names.field(object_type, item.field).data_type, context.clock)
    return join_sql(parts)


def field_change_conditions(item: rules.Change, data_type: DataType, clock: Clock) -> list[Sql]:
    """The conditions on a row of `object_change` that its field changed as the filter demands."""
    parts = [] if item.before or item.after else [Sql("jsonb_exists(changes, %s)", (item.field,))]
    for place, values in enumerate((item.before, item.after)):
        if values:
            value = f"changes->'{item.field}'->>{place}"
            if data_type.is_number:  # not compared as JSON, which has null for no value: before PostgreSQL 18 no number
                value = f"jsonb_extract_path_text(changes, '{item.field}', '{place}')"
            parts.append(conditions.condition_sql(value, data_type, "is", values, None, clock))
    return parts
