"""A day in a form or in an address, bounded like every stored date."""

from datetime import date

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from people.datatypes.parsing import FIRST_YEAR, LAST_YEAR


class DayField(forms.DateField):
    """A day within the range of stored dates.

    Dates derived from it (its end, its week, its midnight in UTC, the period before) stay within the calendar.
    """

    default_validators = (MinValueValidator(date(FIRST_YEAR, 1, 1)), MaxValueValidator(date(LAST_YEAR, 12, 31)))  # type: ignore[assignment]
