"""A day in a form or in an address, bounded like every date that is kept."""

from datetime import date

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from people.datatypes.parsing import FIRST_YEAR, LAST_YEAR


class DayField(forms.DateField):
    """A day of the years in which dates may lie.

    What is worked out from it (its end, its week, its midnight in UTC, the period before) stays within the calendar.
    """

    default_validators = (MinValueValidator(date(FIRST_YEAR, 1, 1)), MaxValueValidator(date(LAST_YEAR, 12, 31)))  # type: ignore[assignment]
