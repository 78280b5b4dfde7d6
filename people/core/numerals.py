"""Whole numbers in addresses, forms and headers."""


def whole_number(text: str, otherwise: int = 0, most_digits: int = 18) -> int:
    """Parse 1 to `most_digits` ASCII digits; `otherwise` for any other text.

    `str.isdigit` alone accepts characters such as a superscript two, at which `int` raises, and has no bound.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= most_digits else otherwise
