"""Numbers in the active language, for pages and for the messages of pages."""

from decimal import Decimal

from django.utils.formats import number_format


def count_text(value: float | Decimal) -> str:
    """A number with its thousands grouped: “2,200”, in Spanish “2.200”; decimals as they are."""
    return number_format(value, use_l10n=True, force_grouping=True)


def percent_text(value: float | None, *, has_sign: bool = False) -> str:
    """A percentage with at most one decimal: “31.1 %”, “100 %”; empty for None. `has_sign`: “+8 %” of a change."""
    if value is None:
        return ""
    rounded = round(value, 1)
    number = int(rounded) if rounded == int(rounded) else rounded
    return f"{'+' if has_sign and number > 0 else ''}{count_text(number)}\N{NO-BREAK SPACE}%"
