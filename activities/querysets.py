"""Named reads of activity types and activities."""

from typing import Self, TypeVar

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL

from people.datatypes.canonical import text_key
from people.definitions.models import DefinitionQuerySet

M = TypeVar("M", bound=models.Model)
# “Consent Given” and “Consent Withdrawn”: proof that no retention removes, and that every channel may record
CONSENT_TYPES = (90_003, 90_004)
ATTEND_EVENT = 90_001  # recorded by the kiosk, at check-in, and by imports of attendee lists
IS_BACKFILL = "flags & 1 = 1"  # over a row of the log; `ActivityFlag.BACKFILL` is the bit


def is_backfill_expression() -> RawSQL:
    """The expression that is true for an activity recorded as back-fill."""
    return RawSQL(IS_BACKFILL, (), models.BooleanField())


class ActivityTypeQuerySet(DefinitionQuerySet[M]):
    def custom(self) -> Self:
        return self.filter(is_standard=False)

    def for_channels(self) -> Self:
        """The types that every channel may record: the team's own, and consents."""
        return self.filter(Q(is_standard=False) | Q(pk__in=CONSENT_TYPES))

    def for_imports(self) -> Self:
        """The types that rows of a file may have."""
        return self.filter(Q(is_standard=False) | Q(pk__in=(*CONSENT_TYPES, ATTEND_EVENT)))


class ActivityQuerySet(models.QuerySet[M]):
    def of_person(self, person_id: int) -> Self:
        return self.filter(person_id=person_id)

    def newest_first(self) -> Self:
        return self.order_by("-occurred_at", "-id")

    def with_value_containing(self, text: str) -> Self:
        """Activities with a value that contains `text`, ignoring case. Only for one person's rows: no index helps."""
        key = text_key(text)
        condition = """(strpos(lower(primary_value), %s) > 0 or exists (
            select from jsonb_each_text(attributes) as v where strpos(lower(v.value), %s) > 0))"""
        return self.filter(RawSQL(condition, (key, key), models.BooleanField()))
