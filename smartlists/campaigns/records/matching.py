"""Finds the record with which a campaign can be tried on one person."""

from people.models import ObjectRecord
from smartlists.campaigns.definitions.model import CampaignDefinition
from smartlists.catalog import Catalogue
from smartlists.evaluation.postgres import object_statements
from smartlists.evaluation.postgres.translation import TranslationContext, join_sql
from smartlists.rules.periods import Clock


def latest_record(definition: CampaignDefinition, person_id: int, names: Catalogue) -> tuple[int, int] | None:
    """The person's record that changed last among those that satisfy the constraints of a trigger, and its trigger.

    The event of the trigger need not have happened to it. None: no record satisfies any.
    """
    context = TranslationContext(names, Clock.current(), [person_id])
    candidates = []
    for at, trigger in definition.object_triggers:
        object_type = names.object(trigger.object)
        conditions = object_statements.record_conditions(trigger.filter, object_type, context)
        where = join_sql([object_statements.base_rows_sql(object_type, context), *conditions])
        sql = f"select id, updated_at from object_record where {where.text} order by updated_at desc, id desc limit 1"
        candidates += [(record.updated_at, record.pk, at) for record in ObjectRecord.objects.raw(sql, where.params)]
    return max(candidates, key=lambda row: row[:2])[1:] if candidates else None
