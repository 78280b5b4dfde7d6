"""Encodings of text files with their usual names, and samples that show which one a file has."""

import re

from django.utils.translation import gettext_lazy

# encodings of spreadsheets and mail programs, with the names known to their users
ENCODING_NAMES = {
    "utf-8": "UTF-8",
    "utf-16": gettext_lazy("UTF-16 (“Unicode text” of Excel)"),
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "windows-1252": gettext_lazy("Windows-1252 (Excel, Western Europe)"),
    "iso-8859-15": "Latin-9 (ISO-8859-15)",
    "iso-8859-1": "Latin-1 (ISO-8859-1)",
    "mac_roman": gettext_lazy("Mac Roman (Excel on a Mac)"),
}
ASKED_ENCODINGS = ("windows-1252", "mac_roman", "iso-8859-15", "cp850", "windows-1250", "windows-1251", "utf-8")
MAX_SAMPLE = 40  # characters of a line that show an encoding


def encoding_choices(head: bytes) -> list[tuple[str, str]]:
    """The possible encodings of a file that begins with `head`, each with a sample that shows the difference."""
    match = re.search(rb"[^\r\n]{0,30}[\x80-\xff][^\r\n]{0,20}", head)
    sample = match[0] if match else b""
    choices = []
    for name in ASKED_ENCODINGS:
        text = "".join(
            character if character.isprintable() else "\ufffd" for character in sample.decode(name, "replace")
        )
        choices.append((name, f"{text[:MAX_SAMPLE]} · {ENCODING_NAMES.get(name, name)}"))
    return choices
