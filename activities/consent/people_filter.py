"""People by the state of a consent, as a condition on a query of people."""

from django.db.models import BooleanField, IntegerField, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.lookups import Exact

from activities.consent.state import GIVEN, OF_CONSENT, WITHDRAWN, latest_consent_sql
from people.datatypes.canonical import text_key
from people.models import Person

_TYPES = {"given": GIVEN, "withdrawn": WITHDRAWN}
STATES = (*_TYPES, "unknown")
_PERSON = '"person"."id"'


def with_consent(people: QuerySet[Person], purpose: str, state: str) -> QuerySet[Person]:
    """Those of `people` whose latest consent for `purpose` is in `state`, of `STATES`; purposes without case.

    The index `activity_consent` serves it, from a page of people or from those ever in that state, whichever are fewer.
    """
    key = text_key(purpose)
    if state == "unknown":
        sql = f"select 1 from activity c where c.person_id = {_PERSON} and {OF_CONSENT} and lower(c.primary_value) = %s"
        return people.filter(RawSQL(f"not exists ({sql})", [key], BooleanField()))
    type_id = _TYPES[state]
    ever = "select person_id from activity where activity_type_id = %s and lower(primary_value) = %s"
    latest = RawSQL(latest_consent_sql(_PERSON, "%s"), [key], IntegerField())
    return people.filter(Exact(latest, type_id), pk__in=RawSQL(f"{ever} and {OF_CONSENT}", [type_id, key]))
