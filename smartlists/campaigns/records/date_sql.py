"""The statements that find records with a date that is reached, and note them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from people.core.db import value_sql
from people.core.installation import is_zone
from people.models import ObjectChange
from people.objects import dates as record_dates
from smartlists.campaigns.definitions.record_parts import ObjectTrigger
from smartlists.campaigns.records.looks import Look
from smartlists.evaluation.postgres import object_statements
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.evaluation.postgres.translation import TranslationContext, join_sql

Kind = ObjectChange.Kind
CAME_IN = [int(kind) for kind in (Kind.ADDED, Kind.RESTORED, Kind.JOINED)]  # besides changes of the date


class DueRecords:
    """The records whose date of one trigger of a campaign is reached, and that were not noted for it yet.

    A date is reached when its day starts in the installation's time zone; a moment is moved by whole 24 hours.
    `zone_before`: the name of the zone by which the last look read days; where the present one is further east, days
    have begun by the change itself, and they are reached, too.
    """

    def __init__(
        self, campaign_id: int, trigger: ObjectTrigger, look: Look, context: TranslationContext, zone_before: str = ""
    ) -> None:
        self.look = look
        self._noted = (campaign_id, trigger.date, trigger.days)
        self._type = context.names.object(trigger.object)
        self._is_day = context.names.field(self._type, trigger.date).data_type.name == "date"
        self._field, self._moved, self._clock = trigger.date, timedelta(days=trigger.days), context.clock
        self._zone_before = ZoneInfo(zone_before) if is_zone(zone_before) else context.clock.zone
        self._text = value_sql.json_member_sql("r.fields", trigger.date)
        self._value = value_sql.cast_sql("date" if self._is_day else "datetime", self._text)
        self._conditions = [
            object_statements.base_rows_sql(self._type, context),
            *object_statements.record_conditions(trigger.filter, self._type, context),
        ]

    def find(self, changed_ids: Collection[int], limit: int) -> Sequence[int]:
        """The ids of records, at most `limit`, in order: reached since the last look, or changed and reached before."""
        record_ids = set(self._find(self._keys_sql(), self.look.read_at, limit))
        if changed_ids:
            record_ids.update(self._find(Sql("id = any(%s)", (list(changed_ids),)), self.look.after, limit))
        return sorted(record_ids)[:limit]

    def note(self, record_ids: Sequence[int]) -> Sequence[tuple[int, int, bool]]:
        """Note those of the records that are still due, inside a transaction: (record, person, is history).

        History: what set the date, or gave the record its person, was received after the date and is back-fill.
        """
        where = self._where(Sql("id = any(%s)", (list(record_ids),)), self.look.after)
        due_at, due_parameters = self._due_at_sql()
        with connection.cursor() as cursor:
            cursor.execute(
                f"""with due as materialized (
                    select id, person_id, md5({self._text}) as value_hash, coalesce(is_history, false) as is_history
                    from object_record r left join lateral (
                        select c.id as came_id, c.is_backfill as is_history from object_change c
                        where c.record_id = r.id and (c.kind = any(%s) or jsonb_exists(c.changes, %s))
                            and c.changed_at >= {due_at} order by c.id desc limit 1) came on true
                    where {where.text} and coalesce(came_id, 0) <= %s),
                noted as (
                    insert into smart_campaign_reached_date (campaign_id, field, days, record_id, value_hash)
                    select %s, %s, %s, id, value_hash from due order by id on conflict do nothing returning record_id)
                select id, person_id, is_history from due where id in (select record_id from noted) order by id""",
                [*(CAME_IN, self._field, *due_parameters), *(*where.params, self.look.greatest_id), *self._noted],
            )
            return cursor.fetchall()

    def _find(self, among: Sql, after: datetime, limit: int) -> Sequence[int]:
        where = self._where(among, after)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""select id from object_record r where {where.text} and not exists (
                    select from smart_campaign_reached_date d where d.campaign_id = %s and d.field = %s and d.days = %s
                        and d.record_id = r.id and d.value_hash = md5({self._text})) order by id limit %s""",
                [*where.params, *self._noted, limit],
            )
            return [pk for (pk,) in cursor.fetchall()]

    def _where(self, among: Sql, after: datetime) -> Sql:
        first, last = self._bounds(after)
        # a date whose day starts at `first`, or a moment that is `first` itself, was reached before
        is_after = ">=" if self._is_day else ">"
        reached = Sql(f"{self._value} {is_after} %s and {self._value} <= %s", (first, last))
        return join_sql([among, *self._conditions, reached])

    def _bounds(self, after: datetime) -> tuple[Any, Any]:
        """The values that are reached after `after` up to the look's end; of dates, the first and the last day."""
        until = self.look.until
        if not self._is_day:
            return after - self._moved, until - self._moved
        # the first day that had not begun at that moment, by the zone of then or by that of now
        day = min(self._clock.day_of(after), after.astimezone(self._zone_before).date())
        next_day = day + timedelta(days=1)
        return next_day - self._moved, self._clock.day_of(until) - self._moved

    def _keys_sql(self) -> Sql:
        name_keys = record_dates.day_keys if self._is_day else record_dates.minute_keys
        keys = name_keys(self._type.id, self._field, *self._bounds(self.look.read_at))
        return Sql(f"{record_dates.KEYS} && %s::text[]", (keys,))

    def _due_at_sql(self) -> tuple[str, Sequence[Any]]:
        """The moment at which the date of a record `r` is reached."""
        if not self._is_day:
            return f"{self._value} + %s * interval '24 hours'", (self._moved.days,)
        return value_sql.day_start_sql(f"{self._value} + %s", "%s"), (self._moved.days, self._clock.zone.key)
