"""Filter of the native API's list of people by what they have consented to."""

from typing import Any

import django_filters
from django import forms
from django.utils.translation import gettext as _

from activities.consent.people_filter import STATES, with_consent
from activities.rights import VIEW_ACTIVITY
from people.api.filters import PersonFilterSet
from people.core.codes import Code
from people.core.errors import quoted_value
from people.core.messages import storable_text
from people.core.permissions import require_permission

VIEW = VIEW_ACTIVITY
MAX_PURPOSE = 255


class ConsentField(forms.Field):
    """A purpose and a state, as `email:given`; the purpose may have colons. The value is the pair."""

    def clean(self, value: Any) -> tuple[str, str] | None:
        if value is None:
            return None
        purpose, colon, state = value.rpartition(":")
        is_purpose = purpose.strip() and len(purpose) <= MAX_PURPOSE and storable_text(purpose) == purpose
        if not colon or not is_purpose or state not in STATES:
            expected = _("a purpose and one of %(states)s, like email:given") % {"states": ", ".join(STATES)}
            parameters = {"expected": expected, "got": quoted_value(value)}
            raise forms.ValidationError(_("expected %(expected)s, got “%(got)s”"), Code.WRONG_TYPE, parameters)
        return purpose.strip(), state


class ConsentFilter(django_filters.Filter):
    """`?consent=email:given`: people whose latest consent for the purpose is in this state now."""

    field_class = ConsentField
    description = (
        "A purpose and its state now: given, withdrawn, or unknown where the person said neither; like email:given. "
        f"Needs the right {VIEW}."
    )
    schema = {
        "type": "string",
        "pattern": rf"^[^\u0000]*[^\s\u0000][^\u0000]*:({'|'.join(STATES)})$",
        "maxLength": MAX_PURPOSE + 10,
        "example": "email:given",
    }

    def __init__(self) -> None:
        super().__init__(label="is")

    def filter(self, queryset: Any, value: tuple[str, str] | None) -> Any:
        if value is None:
            return queryset
        require_permission(self.parent.request.user, VIEW)
        return with_consent(queryset, *value)


def register_people_filters() -> None:
    """Add the filter to the list of people."""
    PersonFilterSet.base_filters["consent"] = ConsentFilter()
