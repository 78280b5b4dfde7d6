"""Values as pages show them, in the active language and zone; APIs and files have the forms of `canonical`."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import localize, number_format
from django.utils.translation import gettext as _

from people.datatypes.canonical import canonical_text

_YEAR = re.compile(r"(^|[_\W])(years?|año|anio|ano)([_\W]|$)", re.IGNORECASE)
_WORD_WITHIN = re.compile(r"(?<=[a-z])(?=[A-Z])")  # in modelYear


def localized_number(value: float | Decimal, field_name: str = "") -> str:
    """A number with grouped thousands, also of four digits: “9,613”, in Spanish “9.613”; years stay plain."""
    text = canonical_text(value)
    if "e" in text:
        return text
    is_year = -10_000 < value < 10_000 and _YEAR.search(_WORD_WITHIN.sub("_", field_name)) is not None
    return number_format(text, use_l10n=True, force_grouping=not is_year)


def localized_value(value: Any, field_name: str = "") -> str | None:
    """A canonical value in the active language; None without a value. Years stay plain by `field_name`."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, datetime):
        return localize(timezone.localtime(value))
    if isinstance(value, date):
        return localize(value)
    if isinstance(value, int | float | Decimal):
        return localized_number(value, field_name)
    return canonical_text(value)
