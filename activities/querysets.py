"""Named reads of activity types and activities."""

from typing import TYPE_CHECKING

from django.db import models
from django.db.models.expressions import RawSQL

from people.datatypes.canonical import text_key

if TYPE_CHECKING:
    from activities.models import Activity, ActivityType


class ActivityTypeQuerySet(models.QuerySet["ActivityType"]):
    def with_versions(self) -> "ActivityTypeQuerySet":
        """With the live version, the draft and the fields of both: three statements in all."""
        return self.select_related("live", "draft").prefetch_related("live__fields", "draft__fields")

    def existing(self) -> "ActivityTypeQuerySet":
        return self.filter(deleted_at__isnull=True)

    def custom(self) -> "ActivityTypeQuerySet":
        return self.filter(is_standard=False)

    def approved(self) -> "ActivityTypeQuerySet":
        """Types that filters can name: approved once and not deleted, retired ones included."""
        return self.existing().filter(live__isnull=False)

    def recordable(self) -> "ActivityTypeQuerySet":
        return self.approved().filter(retired_at__isnull=True)


class ActivityQuerySet(models.QuerySet["Activity"]):
    def of_person(self, person_id: int) -> "ActivityQuerySet":
        return self.filter(person_id=person_id)

    def newest_first(self) -> "ActivityQuerySet":
        return self.order_by("-occurred_at", "-id")

    def with_value_containing(self, text: str) -> "ActivityQuerySet":
        """Activities with a value that has `text` in it, case aside. For the rows of one person: no index helps."""
        key = text_key(text)
        condition = """(strpos(lower(primary_value), %s) > 0 or exists (
            select from jsonb_each_text(attributes) as v where strpos(lower(v.value), %s) > 0))"""
        return self.filter(RawSQL(condition, (key, key), models.BooleanField()))
