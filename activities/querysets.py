"""Named reads of activity types and activities."""

from typing import TYPE_CHECKING, Self

from django.db import models

from people import datatypes
from people.definitions.models import DefinitionQuerySet

if TYPE_CHECKING:
    from activities.models import Activity


class ActivityTypeQuerySet(DefinitionQuerySet["ActivityType"]):
    def custom(self) -> Self:
        return self.filter(is_standard=False)


class ActivityQuerySet(models.QuerySet["Activity"]):
    def of_person(self, person_id: int) -> "ActivityQuerySet":
        return self.filter(person_id=person_id)

    def newest_first(self) -> "ActivityQuerySet":
        return self.order_by("-occurred_at", "-id")

    def with_value_containing(self, text: str) -> "ActivityQuerySet":
        """Activities with a value that has `text` in it, case aside. For the rows of one person: no index helps."""
        key = datatypes.text_key(text)
        condition = """(strpos(lower(primary_value), %s) > 0 or exists (
            select from jsonb_each_text(attributes) as v where strpos(lower(v.value), %s) > 0))"""
        return self.extra(where=[condition], params=[key, key])
